"""What is remembered: the last used, and nothing that was let go stays open."""

from __future__ import annotations

import pytest

from cloudtrail_fdw.options import Settings, read_settings
from cloudtrail_fdw.recent import Recent
from cloudtrail_fdw.sources.aws import aws

KEY = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region": "us-east-1"}


def settings(**options: str) -> Settings:
    return read_settings({**KEY, **options})


def test_what_was_not_used_for_longest_leaves() -> None:
    left: list[str] = []
    recent = Recent[int, str](2, left.append)
    assert [recent.made(n, lambda n=n: f"v{n}") for n in (1, 2, 1)] == ["v1", "v2", "v1"]  # type: ignore[misc]
    assert recent.put(3, "v3") == "v3"
    assert (left, recent.get(2), recent.get(1)) == (["v2"], None, "v1")
    recent.put(1, "other")
    assert left == ["v2"]  # nothing leaves that is replaced
    recent.drop(1)
    recent.drop(1)
    recent.clear()
    assert left == ["v2", "other", "v3"]
    with pytest.raises(ZeroDivisionError):
        recent.made(1, lambda: str(1 / 0))
    assert recent.get(1) is None


def test_a_client_is_one_for_all_settings_that_do_not_make_it() -> None:
    aws.forget_clients()
    others = settings(max_calls="7", cache="off", dns_timeout="9 s", abuseipdb_key="k",
                      log_group="g", geo_database="/x")  # fmt: skip
    with aws.client(settings(), "logs") as one, aws.client(others, "logs") as same:
        assert one is same
    for name, value in {**KEY, "profile": "p", "role_arn": "arn:aws:iam::1:role/r",
                        "external_id": "e", "role_session_name": "s", "use_fips": "on",
                        "endpoint_url": "https://x.example", "use_dualstack": "on",
                        "aws_session_token": "t"}.items():  # fmt: skip
        changed = settings(**{name: value if name not in KEY else value + "x"})
        assert aws.caller(changed) != aws.caller(settings())
    assert len(aws.CLIENTS.held) == 1


def test_a_client_that_leaves_is_closed_when_its_calls_have_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    aws.forget_clients()
    closed: list[object] = []
    with aws.client(settings(), "logs") as first, aws.client(settings(), "logs"):
        monkeypatch.setattr(first, "close", lambda: closed.append(first))
        for number in range(aws.MOST_CLIENTS):
            with aws.client(settings(region=f"r-{number}"), "logs"):
                pass
        assert len(aws.CLIENTS.held) == aws.MOST_CLIENTS
        assert closed == []
    assert closed == [first]
    with aws.client(settings(), "logs") as second:
        assert second is not first
        monkeypatch.setattr(second, "close", lambda: closed.append(second))
        aws.forget_clients()
        assert closed == [first]
    assert closed == [first, second]
