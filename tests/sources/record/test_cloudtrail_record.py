from __future__ import annotations

import json

import pytest

from cloudtrail_fdw.sources.record.cloudtrail_record import read_record, safe_json, storable
from cloudtrail_fdw.tables.event_rows import RECORD


def read(message: str) -> dict[str, object]:
    values, fault = read_record(storable(message), RECORD)
    assert fault is None
    return values


def test_members_are_found_along_their_paths() -> None:
    values = read(
        '{"eventName":"A","userIdentity":{"type":"AssumedRole","sessionContext":'
        '{"sessionIssuer":{"arn":"r"},"attributes":{"mfaAuthenticated":"true",'
        '"creationDate":"20131102T010628Z"}}},"readOnly":false}'
    )
    assert values["event_name"] == "A"
    assert values["user_type"] == "AssumedRole"
    assert values["session_issuer_arn"] == "r"
    assert values["mfa_authenticated"] is True
    assert values["read_only"] is False
    assert values["session_creation_date"] == "2013-11-02T01:06:28+00:00"
    assert values["user_identity"].startswith('{"type"')  # type: ignore[attr-defined]


def test_empty_text_stays_and_null_is_absent() -> None:
    values = read('{"eventID":"1","errorCode":null,"errorMessage":""}')
    assert "error_code" not in values
    assert values["error_message"] == ""


def test_documents_stay_as_they_were_written() -> None:
    raw = '{"a": 243.0, "b":1.68E9,  "c":[1 ,2], "d":"\\u00e9"}'
    assert read('{"eventID":"1","requestParameters":' + raw + "}")["request_parameters"] == raw
    assert read('{"eventID":"1","userAgent":["x", 1]}')["user_agent"] == '["x", 1]'
    assert read('{"eventID":"","requestParameters":"text"}')["request_parameters"] == '"text"'


def test_the_last_of_equal_keys_counts_as_in_jsonb() -> None:
    assert read('{"eventName":"A","eventName":"B"}')["event_name"] == "B"


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        (r"\u0000", "\ufffd"),
        (r"\ud800", "\ufffd"),
        (r"\udc00x", "\ufffdx"),
        (r"\ud83d\ude00", "\U0001f600"),
        (r"\\u0000", r"\u0000"),
        (r"\\\u0000", "\\\ufffd"),
        (r"\ud800\u0041", "\ufffdA"),
    ],
)
def test_what_cannot_be_stored_is_replaced(written: str, stored: str) -> None:
    message = f'{{"eventName":"{written}","requestParameters":{{"k":"{written}"}}}}'
    values = read(message)
    assert values["event_name"] == stored
    assert json.loads(str(values["request_parameters"])) == {"k": stored}
    assert "\0" not in json.loads(safe_json(message))["eventName"]


def test_unstorable_characters_of_the_text_itself_are_replaced() -> None:
    assert storable("a\0b\ud800c\U0001f600") == "a\ufffdb\ufffdc\U0001f600"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ('{"Records":[{"eventName":"A"}]}', '"Records" is not read'),
        ('{"version":"0","detail-type":"AWS API Call via CloudTrail","resources":[],'
         '"detail":{"eventName":"A"}}', '"detail" is not read'),
        ('{"Events":[{"CloudTrailEvent":"{}"}]}', '"Events" is not read'),
        ('{"eventName":null,"requestParameters":{}}', "it has no member of one"),
        ("{}", "it has no member of one"),
    ],
)  # fmt: skip
def test_an_object_that_is_no_record_says_so_and_is_kept(message: str, said: str) -> None:
    values, fault = read_record(message, RECORD)
    assert fault is not None
    assert fault.startswith("no CloudTrail record: ")
    assert said in fault
    assert values["cloudtrail_event"] == message


@pytest.mark.parametrize("number", ["1e999999", "-1E-99999", "1e00000999999", "9" * 10_001])
def test_numbers_beyond_numeric_become_strings(number: str) -> None:
    values = read(f'{{"eventID":"1","requestParameters":{{"n":{number},"m":1e5,"s":"1e999999"}}}}')
    found = json.loads(str(values["request_parameters"]), parse_float=str)
    assert found == {"n": number, "m": "1e5", "s": "1e999999"}


@pytest.mark.parametrize(
    "message",
    ["", "not JSON", "[1]", '"text"', "17", "null", '{"eventName":"A"', '{"a":01}', "[" * 100_000],
)
def test_what_is_no_object_says_so(message: str) -> None:
    values, fault = read_record(message, RECORD)
    assert values == {}
    assert fault


def test_deep_nesting_says_so() -> None:
    values, fault = read_record('{"requestParameters":' + "[" * 5000 + "]" * 5000 + "}", RECORD)
    assert values == {}
    assert fault


def test_a_member_of_the_wrong_kind_is_null_and_named() -> None:
    values, fault = read_record(
        '{"eventName":"A","readOnly":"perhaps","eventTime":"garbage"}', RECORD
    )
    assert values["event_name"] == "A"
    assert "read_only" not in values
    assert "event_time" not in values
    assert fault == "eventTime: no time; readOnly: no boolean"
