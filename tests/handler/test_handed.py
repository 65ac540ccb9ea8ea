"""Rows that Python hands over packed, and rows of keys that a join asks for again."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import psycopg
import pytest
from probe_servers import Probe

Session = psycopg.Connection[tuple[Any, ...]]
COLUMNS = "a text, gone int, b boolean, j jsonb, at timestamptz, i inet"
ROWS = [
    ["x", True, '{"n": 1}', "2024-01-03T00:00:00Z", "10.0.0.1"],
    [None, False, None, None, None],
    ["", None, "[]", "infinity", "::1"],
    ["\u00e9\u4e2d\U0001f600" * 50, None, None, None, None],  # str16
    ["long" * 20_000, None, '"' + "j" * 300 + '"', None, None],  # str32
]
SEEN = "SELECT a, b, j::text, at::text, host(i) FROM packed"
EXPECTED = [
    ("x", True, '{"n": 1}', "2024-01-03 00:00:00+00", "10.0.0.1"),
    (None, False, None, None, None),
    ("", None, "[]", "infinity", "::1"),
    ("\u00e9\u4e2d\U0001f600" * 50, None, None, None, None),
    ("long" * 20_000, None, '"' + "j" * 300 + '"', None, None),
]


@pytest.fixture
def handed(probed: Probe) -> Iterator[Session]:
    """A session with the tables of probe_handed."""
    with probed.connect() as session:
        keyed = "k text, asked int"
        for name, columns in (("Packed", COLUMNS), ("Counted", keyed), ("Foreseen", keyed),
                              ("Ahead", keyed)):  # fmt: skip
            table = name.lower()
            session.execute(f"DROP SERVER IF EXISTS {table} CASCADE")
            session.execute(
                f"CREATE SERVER {table} FOREIGN DATA WRAPPER probe "
                f"OPTIONS (wrapper 'probe_handed.{name}Fdw')"
            )
            session.execute(f"CREATE FOREIGN TABLE {table} ({columns}) SERVER {table}")
        session.execute("ALTER FOREIGN TABLE packed DROP COLUMN gone")
        session.execute("SET TimeZone = 'UTC'")
        if session.info.server_version >= 140000:
            session.execute("SET enable_memoize = off")
        yield session


def give(session: Session, *pages: bytes) -> None:
    """Let the table ``packed`` hand over these."""
    texts = json.dumps([page.hex() for page in pages])
    session.execute("SELECT set_config('probe.pages', %s, false)", [texts])


def rows(session: Session, sql: str) -> list[Any]:
    return session.execute(sql).fetchall()


def pack(found: Sequence[Sequence[object]]) -> bytes:
    return msgspec.msgpack.encode(found)


def test_packed_rows_are_read(handed: Session) -> None:
    give(handed, pack(ROWS), pack(ROWS[:1]))
    assert rows(handed, SEEN) == [*EXPECTED, EXPECTED[0]]
    give(handed, pack([[str(n), n % 2 == 0] for n in range(70_000)]))  # array32
    found = rows(
        handed, "SELECT count(*), count(DISTINCT a), count(*) FILTER (WHERE b) FROM packed"
    )
    assert found == [(70_000, 70_000, 35_000)]


def test_only_wanted_columns_are_packed(handed: Session) -> None:
    give(handed, pack([["10.0.0.1"], [None]]))
    assert rows(handed, "SELECT host(i) FROM packed") == [("10.0.0.1",), (None,)]
    give(handed, pack([[], [], []]))
    assert rows(handed, "SELECT count(*) FROM packed") == [(3,)]
    give(handed, pack([["x", "10.0.0.1"], ["y", "10.0.0.2"]]))  # in the table's order
    assert rows(handed, "SELECT a FROM packed WHERE i = '10.0.0.2'") == [("y",)]


def test_a_rescan_drops_what_is_left(handed: Session) -> None:
    give(handed, pack([[str(n)] for n in range(10)]), pack([["10"]]))
    sql = ("SELECT g, (SELECT count(a) FROM (SELECT a FROM packed WHERE g > 0 LIMIT 3) AS p) "
           "FROM generate_series(1, 4) AS g")  # fmt: skip
    assert rows(handed, sql) == [(1, 3), (2, 3), (3, 3), (4, 3)]
    twice = "SELECT count(*) FROM packed AS p, packed AS q WHERE p.a = q.a"
    assert rows(handed, twice) == [(11,)]


@pytest.mark.parametrize(
    ("page", "state"),
    [
        (b"", "HV000"),
        (b"\x90", "HV000"),  # no row
        (b"\xc0", "HV000"),  # no array
        (pack([["x"]])[:-1], "HV000"),  # cut off
        (pack([["x"]]).replace(b"\x91\x91", b"\x92\x91"), "HV000"),  # a row is missing
        (pack([["x", "y"]]), "HV000"),  # too many columns
        (pack([[["x"]]]), "HV000"),
        (pack([[{"x": 1}]]), "HV000"),
        (pack([[b"x"]]), "HV000"),
        (pack([["x\0y"]]), "HV000"),
        (b"\x91\x91\xdb\xff\xff\xff\xffx", "HV000"),
        (b"\xdd\xff\xff\xff\xff\x91\xa1x", "HV000"),
    ],
)
def test_what_cannot_be_read_is_an_error(handed: Session, page: bytes, state: str) -> None:
    give(handed, page)
    with pytest.raises(psycopg.Error) as caught:
        handed.execute("SELECT count(a) FROM packed")
    assert caught.value.sqlstate == state
    give(handed, pack([["x"]]))
    assert rows(handed, "SELECT a FROM packed") == [("x",)]


def test_a_boolean_is_a_text_where_the_column_is_one(handed: Session) -> None:
    give(handed, pack([[True], [False], [None]]))
    assert rows(handed, "SELECT a FROM packed") == [("true",), ("false",), (None,)]


def test_numbers_are_read_by_the_type_of_the_column(handed: Session) -> None:
    give(handed, pack([[5], [-(2**63)], [0.1], [1e300], [float("inf")]]))
    found = [a for (a,) in rows(handed, "SELECT a FROM packed")]
    assert found == ["5", "-9223372036854775808", "0.1", "1e+300", "Infinity"]
    give(handed, pack([[5]]))
    assert rows(handed, "SELECT j FROM packed") == [(5,)]


def test_a_value_of_another_type_is_an_error(handed: Session) -> None:
    for column, text, state in (("j", "{", "22P02"), ("at", "soon", "22007"), ("b", "x", "22P02")):
        give(handed, pack([[text]]))
        with pytest.raises(psycopg.Error) as caught:
            handed.execute(f"SELECT {column} FROM packed")
        assert caught.value.sqlstate == state


def test_no_damage_crashes_the_server(handed: Session) -> None:
    chance = random.Random(7)  # noqa: S311 - damage, no secret
    whole = pack(ROWS[:4])
    pid, endings = handed.info.backend_pid, set()
    for _ in range(600):
        page = bytearray(
            whole[: chance.randrange(1, len(whole))] if chance.random() < 0.2 else whole
        )
        for _ in range(chance.randrange(1, 4)):
            page[chance.randrange(len(page))] = chance.randrange(256)
        give(handed, bytes(page))
        try:
            handed.execute("SELECT count(a), count(b), count(j), count(at), count(i) FROM packed")
            endings.add("rows")
        except psycopg.Error as error:
            endings.add(str(error.sqlstate))
    assert {"rows", "HV000"} < endings
    assert rows(handed, "SELECT pg_backend_pid()") == [(pid,)]


def give_keyed(session: Session, *pages: bytes) -> None:
    """Let the table ``foreseen`` hand over these, one for each look-up."""
    texts = json.dumps([page.hex() for page in pages])
    session.execute("SELECT set_config('probe.keyed', %s, false)", [texts])


def test_rows_of_other_keys_come_with_the_one_that_was_asked_for(handed: Session) -> None:
    sql = ("SELECT v.k, f.asked FROM (VALUES ('a'), ('b'), ('none'), ('c'), ('b')) AS v (k) "
           "LEFT JOIN LATERAL (SELECT * FROM foreseen WHERE k = v.k OFFSET 0) AS f ON true")  # fmt: skip
    give_keyed(
        handed,
        pack([["a", ["a", 1]], ["b", ["b", 2]], ["none", None]]),
        pack([["c", ["c", 3]]]),
    )
    assert rows(handed, sql) == [("a", 1), ("b", 2), ("none", None), ("c", 3), ("b", 2)]
    give_keyed(handed, pack([["a", ["a", 1]]]))
    assert rows(handed, "SELECT asked FROM foreseen WHERE k = 'a'") == [(1,)]


def rows_ahead(session: Session, keys: str) -> list[int]:
    """How many rows each look-up was to bring ahead, for keys in the order of a query."""
    found = rows(session, f"SELECT v.k, a.k, a.asked FROM ({keys}) AS v (k) CROSS JOIN LATERAL "
                 "(SELECT * FROM ahead WHERE k = v.k OFFSET 0) AS a")  # fmt: skip
    assert [key for key, _, _ in found] == [key for _, key, _ in found]
    return [more for _, _, more in found if more >= 0]


def test_more_and_more_rows_come_ahead_while_they_are_asked_for(handed: Session) -> None:
    keys = "SELECT g::text FROM generate_series(1, {}) AS g"
    assert rows_ahead(handed, keys.format(4)) == [0, 0, 0, 0]
    ever_more = [0, 0, 0, 0, 32, 64, 128, 256, 512, 1024, 2048, 4096, 4096, 4096]
    handed.execute("SET work_mem = '1GB'")
    assert rows_ahead(handed, keys.format(16_200)) == ever_more
    handed.execute("SET work_mem = '64kB'")  # what has no room does not come
    assert 64 <= max(rows_ahead(handed, keys.format(16_200))) <= 1024


def test_few_rows_come_ahead_for_nothing(handed: Session) -> None:
    apart = "SELECT (10000 * g)::text FROM generate_series(1, 1000) AS g"
    found = rows_ahead(handed, apart)
    assert len(found) == 1000
    assert [place for place, more in enumerate(found) if more] == [4, 14, 32, 66, 132, 262, 520]
    assert {more for more in found if more} == {32}
    half = "SELECT (2 * g)::text FROM generate_series(1, 2000) AS g"
    assert len(rows_ahead(handed, half)) < 100


def test_explain_counts_look_ups(handed: Session) -> None:
    sql = ("SELECT sum(a.asked), max(a.k) FROM generate_series(1, 1000) AS g CROSS JOIN LATERAL "
           "(SELECT * FROM ahead WHERE k = g::text OFFSET 0) AS a")  # fmt: skip
    lines = [line for (line,) in rows(handed, "EXPLAIN (ANALYZE, COSTS OFF) " + sql)]
    assert [line.strip() for line in lines if "Look-ups" in line] == ["Look-ups: 9"]
    assert not [line for (line,) in rows(handed, "EXPLAIN " + sql) if "Look-ups" in line]


@pytest.mark.parametrize(
    "page",
    [
        b"", b"\x90", b"\xc0", pack([["a"]]), pack([["a", "b"]]), pack([[None, ["1"]]]),
        pack([["a", ["a"]]]), pack([["a", ["a", 1, 2]]]), pack([["a", ["a", 1]]])[:-1],
        pack([["a", ["a", 1]], ["b"]]),
    ],
)  # fmt: skip
def test_rows_of_keys_that_cannot_be_read_are_an_error(handed: Session, page: bytes) -> None:
    give_keyed(handed, page)
    with pytest.raises(psycopg.Error) as caught:
        handed.execute("SELECT asked FROM foreseen WHERE k = 'a'")
    assert caught.value.sqlstate == "HV000"


KEYS = "(SELECT 'k' || g % 3 AS k FROM generate_series(1, 30) AS g OFFSET 0) AS keys"


def test_a_key_is_asked_once(handed: Session) -> None:
    sql = f"SELECT c.k, count(*), min(asked), max(asked) FROM {KEYS} JOIN counted AS c USING (k)"
    found = rows(handed, f"{sql} GROUP BY c.k")
    assert sorted(row[0] for row in found) == ["k0", "k1", "k2"]
    assert all(row[1] == 10 and row[2] == row[3] for row in found)


def test_another_query_asks_again(handed: Session) -> None:
    sql = f"SELECT max(asked) FROM {KEYS} JOIN counted AS c USING (k)"
    first, second = rows(handed, sql), rows(handed, sql)
    assert second[0][0] == first[0][0] + 3


def test_no_row_and_no_key(handed: Session) -> None:
    keys = "(VALUES ('a'), ('none'), (NULL), ('a'), ('none')) AS keys (k)"
    found = rows(handed, f"SELECT keys.k, c.k FROM {keys} LEFT JOIN counted AS c ON c.k = keys.k")
    assert found == [("a", "a"), ("none", None), (None, None), ("a", "a"), ("none", None)]


def test_keys_of_one_hash_are_told_apart(handed: Session) -> None:
    pairs = rows(handed, "SELECT min(s), max(s) FROM (SELECT 'key ' || g AS s FROM "
                 "generate_series(1, 400000) AS g) AS made GROUP BY hashtext(s) "
                 "HAVING count(*) > 1")  # fmt: skip
    assert pairs
    keys = [key for pair in pairs for key in (*pair, *pair)]
    found = handed.execute("SELECT keys.k, c.k FROM unnest(%s::text[]) AS keys (k) "
                           "JOIN counted AS c ON c.k = keys.k", [keys]).fetchall()  # fmt: skip
    assert found == [(key, key) for key in keys]


def test_what_is_known_is_bounded(handed: Session) -> None:
    handed.execute("SET work_mem = '64kB'")
    keys = "(SELECT g % 5000 || repeat('x', 100) AS k FROM generate_series(1, 10000) AS g OFFSET 0)"
    sql = (f"SELECT count(*), count(DISTINCT c.asked), bool_and(c.k = keys.k) FROM {keys} AS keys "
           "JOIN counted AS c ON c.k = keys.k")  # fmt: skip
    (found,) = rows(handed, sql)
    assert (found[0], found[2]) == (10_000, True)
    assert found[1] > 5_000  # some were forgotten, and asked for again
