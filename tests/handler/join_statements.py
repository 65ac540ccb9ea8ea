"""Statements with two and three keyed joins, outer joins, lists of watched keys and pooled sessions.

Each is (what, SQL, what runs before it), as Statement in statements.py.
"""

from __future__ import annotations

ONE = "JOIN {keyed_text} k ON k.k = c.txt"
PLACE, NAME = "JOIN {keyed_inet} p ON p.k = c.addr", "JOIN {keyed_text} n ON n.k = c.txt"
WATCHED = "(VALUES ('alpha'), ('beta')) w (x)"
POOLED = "SET my.setting = 'x'; DISCARD ALL; SET LOCAL statement_timeout = '20s'"

JOINS = (
    ("two joins on one key", f"SELECT c.id FROM cases c {ONE} JOIN {{keyed_text}} l ON l.k = c.txt", ""),
    ("three joins on one key", f"SELECT c.id FROM cases c {ONE} JOIN {{keyed_text}} l ON l.k = c.txt JOIN {{keyed_text}} m ON m.k = c.txt", ""),
    ("two joins on two keys", f"SELECT c.id, p.k, n.k FROM cases c {PLACE} {NAME}", ""),
    ("three joins on three keys", f"SELECT c.id FROM cases c {PLACE} {NAME} JOIN {{keyed_uuid}} u ON u.k = c.uid", ""),
    ("join and IN of a list", f"SELECT c.id, k.k FROM cases c {ONE} WHERE c.txt IN (SELECT x FROM {WATCHED})", ""),
    ("join and IN of constants", f"SELECT c.id, k.k FROM cases c {ONE} WHERE c.txt IN ('alpha', 'beta')", ""),
    ("join and IN on the key", f"SELECT c.id, k.k FROM cases c {ONE} WHERE k.k IN ('alpha', '10.0.0.1')", ""),
    ("join and OR on the key", f"SELECT c.id, k.k FROM cases c {ONE} WHERE k.k = 'alpha' OR k.k = 'beta'", ""),
    ("join and EXISTS", f"SELECT c.id FROM cases c {ONE} WHERE EXISTS (SELECT FROM {WATCHED} WHERE x = c.txt)", ""),
    ("join and NOT EXISTS", f"SELECT c.id FROM cases c {ONE} WHERE NOT EXISTS (SELECT FROM {WATCHED} WHERE x = c.txt)", ""),
    ("join of a watch list", f"SELECT c.id, w.x FROM cases c {ONE} JOIN {WATCHED} ON w.x = c.txt", ""),
    ("watch list on the key", f"SELECT k.k FROM {WATCHED} JOIN {{keyed_text}} k ON k.k = w.x", ""),
    ("watch list, two tables", f"SELECT k.k, l.k FROM {WATCHED} JOIN {{keyed_text}} k ON k.k = w.x JOIN {{keyed_text}} l ON l.k = w.x", ""),
    ("two left joins", "SELECT c.id, p.k, n.k FROM cases c LEFT JOIN {keyed_inet} p ON p.k = c.addr LEFT JOIN {keyed_text} n ON n.k = c.txt", ""),
    ("two left joins, one key", "SELECT c.id, a.k, b.k FROM cases c LEFT JOIN {keyed_text} a ON a.k = c.txt LEFT JOIN {keyed_text} b ON b.k = c.txt", ""),
    ("left join AND false", "SELECT c.id, n.k FROM cases c LEFT JOIN {keyed_inet} p ON p.k = c.addr LEFT JOIN {keyed_text} n ON n.k = c.txt AND false", ""),
    ("three left joins", "SELECT c.id FROM cases c LEFT JOIN {keyed_inet} p ON p.k = c.addr LEFT JOIN {keyed_text} n ON n.k = c.txt LEFT JOIN {keyed_uuid} u ON u.k = c.uid", ""),
    ("left join with a table of one's own", "SELECT c.id, k.k, r.rolname FROM cases c LEFT JOIN pg_roles r ON r.rolname = c.vc LEFT JOIN {keyed_text} k ON k.k = c.txt", ""),
    ("right join", f"SELECT w.x, c.id, k.k FROM cases c {ONE} RIGHT JOIN {WATCHED} ON w.x = c.txt", ""),
    ("right join of the keyed table", "SELECT c.id, k.k FROM {keyed_text} k RIGHT JOIN cases c ON c.txt = k.k", ""),
    ("left and inner", f"SELECT c.id, n.k FROM cases c {PLACE} LEFT JOIN {{keyed_text}} n ON n.k = c.txt", ""),
    ("inner below left", "SELECT c.id, x.k FROM cases c LEFT JOIN (SELECT k.k FROM {keyed_text} k JOIN (VALUES ('alpha'), ('beta')) w (x) ON k.k = w.x) x ON x.k = c.txt", ""),
    ("left join with a second condition", "SELECT c.id, k.label FROM cases c LEFT JOIN {keyed_text} k ON k.k = c.txt AND k.label = c.vc", ""),
    ("full join of results", f"SELECT a.id, b.x FROM (SELECT c.id, c.txt FROM cases c {ONE}) a FULL JOIN {WATCHED.replace(' w (x)', ' b (x)')} ON b.x = a.txt", ""),
    ("self-join and a key", f"SELECT c.id, d.id FROM cases c JOIN cases d ON d.txt = c.txt AND d.id < c.id {ONE}", ""),
    ("self-join of facts", "SELECT x.id, y.id FROM {facts} x JOIN {facts} y ON y.t = x.t AND y.id < x.id AND x.id < 9", ""),
    ("self-join of facts, keyed", "SELECT x.id, y.id, k.k FROM {facts} x JOIN {facts} y USING (i) JOIN {keyed_inet} k ON k.k = x.i WHERE x.id < y.id", ""),
    ("self-join of the keyed table", f"SELECT k.k, l.k FROM {WATCHED} JOIN {{keyed_text}} k ON k.k = w.x JOIN {{keyed_text}} l ON l.k = k.k", ""),
    ("chain of keys", f"SELECT c.id FROM cases c {ONE} JOIN {{keyed_text}} l ON l.k = k.k JOIN {{keyed_text}} m ON m.k = l.k", ""),
    ("semi-join and join", "SELECT c.id FROM cases c JOIN {keyed_inet} p ON p.k = c.addr WHERE c.txt IN (SELECT k.k FROM {keyed_text} k WHERE k.k IN ('alpha', 'beta'))", ""),
    ("anti-join and join", "SELECT c.id FROM cases c JOIN {keyed_inet} p ON p.k = c.addr WHERE NOT EXISTS (SELECT FROM {keyed_text} k WHERE k.k = c.txt)", ""),
    ("lateral twice", "SELECT c.id, x.k, y.k FROM cases c, LATERAL (SELECT k FROM {keyed_text} t WHERE t.k = c.txt) x, LATERAL (SELECT k FROM {keyed_inet} t WHERE t.k = c.addr) y", ""),
    ("subqueries in the select list", "SELECT c.id, (SELECT k.k FROM {keyed_text} k WHERE k.k = c.txt), (SELECT p.k FROM {keyed_inet} p WHERE p.k = c.addr) FROM cases c", ""),
    ("union of keyed joins", f"SELECT c.id FROM cases c {ONE} UNION SELECT c.id FROM cases c {PLACE}", ""),
    ("CTE used twice", f"WITH e AS (SELECT c.id, k.k FROM cases c {ONE}) SELECT a.id, b.id FROM e a JOIN e b ON a.k = b.k AND a.id < b.id", ""),
    ("aggregate of two joins", f"SELECT n.k, count(*), count(DISTINCT p.k) FROM cases c {PLACE} {NAME} GROUP BY n.k", ""),
    ("order and limit over two joins", f"SELECT c.id FROM cases c {PLACE} {NAME} ORDER BY c.id LIMIT 5", ""),
    ("no nested loop", f"SELECT c.id FROM cases c {PLACE} {NAME}", "SET enable_nestloop = off"),
    ("no nested loop, left", "SELECT c.id, k.k FROM cases c LEFT JOIN {keyed_text} k ON k.k = c.txt", "SET enable_nestloop = off"),
    ("no hash join, no merge join", f"SELECT c.id FROM cases c {PLACE} {NAME}", "SET enable_hashjoin = off; SET enable_mergejoin = off"),
    ("joins as written", f"SELECT c.id FROM cases c {PLACE} {NAME}", "SET join_collapse_limit = 1"),
    ("joins as written, list first", f"SELECT c.id FROM {WATCHED} JOIN cases c ON c.txt = w.x {NAME} {PLACE}", "SET join_collapse_limit = 1"),
    ("genetic search", f"SELECT c.id FROM cases c {PLACE} {NAME} JOIN {{keyed_uuid}} u ON u.k = c.uid", "SET geqo_threshold = 2"),
    ("pooled: one join", f"SELECT c.id, k.k FROM cases c {ONE}", POOLED),
    ("pooled: two joins", f"SELECT c.id FROM cases c {PLACE} {NAME}", POOLED),
    ("pooled: left joins", "SELECT c.id FROM cases c LEFT JOIN {keyed_inet} p ON p.k = c.addr LEFT JOIN {keyed_text} n ON n.k = c.txt", POOLED),
    ("OR of two values", "SELECT id FROM {facts} WHERE t = 'alpha' OR t = 'beta'", ""),
    ("OR with AND in its arms", "SELECT id FROM {facts} WHERE (t = 'alpha' AND id < 9) OR (t = 'beta' AND id > 9)", ""),
    ("row values", "SELECT id FROM {facts} WHERE (t, id) IN (('alpha', 0), ('beta', 1), ('beta', 2))", ""),
    ("OR on two columns", "SELECT id FROM {facts} WHERE t = 'alpha' OR v = 'beta'", ""),
    ("OR of inet", "SELECT id FROM {facts} WHERE i = '10.0.1.1' OR i IN ('10.0.2.2', '10.0.3.3')", ""),
    ("OR on the key", "SELECT k.k FROM {keyed_text} k WHERE k.k = 'alpha' OR k.k IN ('beta', '10.0.0.1')", ""),
    ("OR in a join", "SELECT c.id, k.k FROM cases c JOIN {keyed_text} k ON k.k = c.txt OR k.k = c.vc", ""),
)  # fmt: skip
