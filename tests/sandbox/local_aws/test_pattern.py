"""The filter pattern language, claim by claim (facts: CloudWatch Logs user guide)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloudtrail_fdw.sandbox.local_aws.pattern import PatternError, compile_pattern

RECORD: dict[str, Any] = {
    "eventName": "RunInstances",
    "readOnly": False,
    "managementEvent": True,
    "errorCode": "AccessDenied",
    "requestParameters": None,
    "empty": "",
    "flag": "true",
    "code": "400",
    "recipientAccountId": "012345678901",
    "sourceIPAddress": "123.123.4.5",
    "count": 3,
    "size": 243.0,
    "ratio": 0.0018,
    "cluster.name": "c",
    "a-b_c": "dash",
    "quote": 'say "hi"\n',
    "unicode": "이력서",
    "userIdentity": {"type": "Root", "sessionContext": {"attributes": {"mfa": "true"}}},
    "resources": [{"ARN": "arn:aws:s3:::a"}, {"ARN": "arn:aws:s3:::b"}, {"n": 7}],
    "matrix": [[1, 2], [3, 4]],
    "tags": ["x", "y"],
}
MESSAGE = json.dumps(RECORD)

TRUE = [
    "{ $.eventName = RunInstances }",
    '{$.eventName="RunInstances"}',
    '  { $.eventName = "Run*" }  ',
    '{ $.eventName = "*Instances" }',
    '{ $.eventName = "R*n*s" }',
    "{ $.eventName = Run* }",
    '{ $.errorCode = "AccessDenied*" }',
    '{ $.empty = "*" }',
    '{ $.empty = "" }',
    '{ $.empty != "x" }',
    '{ $.eventName != "runinstances" }',
    '{ $.recipientAccountId = "012345678901" }',
    "{ $.sourceIPAddress = 123.123.* }",
    "{ $.readOnly IS FALSE }",
    "{ $.readOnly = false }",
    "{ $.managementEvent IS TRUE }",
    "{ $.requestParameters IS NULL }",
    "{ $.nothing NOT EXISTS }",
    "{ $.userIdentity.nothing.deeper NOT EXISTS }",
    "{ $.eventName.deeper NOT EXISTS }",
    "{ $.resources[9] NOT EXISTS }",
    "{ $.resources[9].ARN NOT EXISTS }",
    '{ $.userIdentity.type = "Root" }',
    '{ $.userIdentity.sessionContext.attributes.mfa = "true" }',
    "{ $.['cluster.name'] = c }",
    "{ $.a-b_c = dash }",
    '{ $.resources[0].ARN = "arn:aws:s3:::a" }',
    '{ $.resources[*].ARN = "arn:aws:s3:::b" }',
    '{ $.resources[*].ARN != "arn:aws:s3:::b" }',
    "{ $.resources[*].n = 7 }",
    "{ $.matrix[1][0] = 3 }",
    "{ $.userIdentity.* = Root }",
    "{ $.userIdentity.*.attributes.mfa = true }",
    "{ $.tags[*] = y }",
    "{ $.count = 3 }",
    "{ $.count = 3.0 }",
    "{ $.count >= 3 && $.count <= 3 }",
    "{ $.count > -1e3 }",
    "{ $.count != 4 }",
    "{ $.size = 2.43e2 }",
    "{ $.ratio < 1.9e-3 }",
    "{ $.ratio = 18e-4 }",
    "{ $.errorCode != 400 }",
    "{ $.code = 4* }",
    "{ $.eventName = %^Run[A-Z]% }",
    "{ $.eventName = %s$% }",
    r"{ $.sourceIPAddress = %^\d{3}\.\d+\.% }",
    r"{ $.eventName = %\x52un% }",
    '{ $.nothing = x || $.eventName = "Run*" && $.count = 3 }',
    '{ $.eventName = "Run*" || $.count = 9 && $.count = 8 }',
    "{ ($.count = 3) && (($.nothing = x) || ($.flag = true)) }",
    '{ $.unicode = "*력*" }',
    "RunInstances",
    "Instance",
    '"RunInstances" errorCode',
    "RunInstances -ConsoleLogin",
    "?Nothing ?RunInstances",
    "RunInstances ?Nothing",
    '"arn:aws:s3:::a"',
    "%Run[A-Z]%",
    '-"no such phrase"',
]
FALSE = [
    "{ $.eventName = runinstances }",
    "{ $.eventName = Run }",
    '{ $.eventName = "R*n" }',
    '{ $.eventName = "*nstance" }',
    '{ $.eventName != "Run*" }',
    '{ $.nothing != "x" }',
    '{ $.nothing = "*" }',
    '{ $.requestParameters != "x" }',
    '{ $.requestParameters = "*" }',
    "{ $.requestParameters NOT EXISTS }",
    "{ $.nothing IS NULL }",
    '{ $.userIdentity = "*" }',
    '{ $.userIdentity != "x" }',
    '{ $.tags = "*" }',
    "{ $.flag IS TRUE }",
    "{ $.count IS TRUE }",
    "{ $.readOnly IS TRUE }",
    "{ $.readOnly IS NULL }",
    "{ $.managementEvent IS FALSE }",
    "{ $.resources NOT EXISTS }",
    "{ $.resources[*].none = x }",
    "{ $.userIdentity[*] = Root }",
    "{ $.tags.* = y }",
    "{ $.count > 3 }",
    "{ $.eventName > 3 }",
    "{ $.managementEvent = 1 }",
    "{ $.eventName = %^Instances% }",
    "{ $.userIdentity = %.% }",
    "{ $.quote = %hi$% }",
    "{ $.nothing = x && $.count = 3 || $.count = 9 }",
    "runinstances",
    "RunInstances -errorCode",
    "?Nothing ?Nowhere",
    "Nothing ?RunInstances",
    "%Run[0-9]%",
]
MALFORMED = [
    "{",
    "{ }",
    "{ $.a }",
    "{ $.a = }",
    "{ $.a = 'x' }",
    "{ $.a = x",
    "{ $.a = x } y",
    "{ $.a = arn:aws }",
    "{ $.a = a-b }",
    "{ $.a == x }",
    "{ a = x }",
    "{ $a = x }",
    "{ $ = x }",
    "{ $.a[-1] = x }",
    "{ $.a[x] = x }",
    '{ $.["a"] = x }',
    "{ !($.a = x) }",
    "{ NOT $.a = x }",
    "{ $.a IS NOT NULL }",
    "{ $.a EXISTS }",
    "{ $.a IS x }",
    "{ $.a is null }",
    '{ $.a > "x" }',
    "{ $.a >= x }",
    "{ $.a > 4* }",
    "{ $.a > %x% }",
    "{ $.a = %(x)% }",
    r"{ $.a = %\(% }",
    "{ $.a = %é% }",
    "{ $.a = %a b% }",
    "{ $.a = %a!% }",
    "{ $.a = %[a% }",
    "{ $.a = %*% }",
    "{ $.a = %% }",
    "{ ($.a = x }",
    "{ $.a = x) }",
    "{ $.a = x & $.b = y }",
    "{ $.a = x && }",
    "{ $.a = x $.b = y }",
    '{ $.a = "x"y" }',
    "{ $.a = %x% && $.b = %y% || $.c = %z% }",
    "{ $.a[*].*.b = x }",
    "{ $.a[*][*] = x }",
    "{ $.a[*] = x && $.b.* = x && $.c[*] = x && $.d.* = x }",
    "{ " + "(" * 101 + "$.a = x" + ")" * 101 + " }",
    "{ $.a = " + "x" * 1024 + " }",
    "x" * 1025,
    "a=b",
    "'a'",
    '"a',
    "-",
    "%a%b",
    "%a% %b% %c%",
    "[w1, w2]",
]


@pytest.mark.parametrize("text", TRUE)
def test_matches(text: str) -> None:
    assert compile_pattern(text)(MESSAGE)


@pytest.mark.parametrize("text", FALSE)
def test_does_not_match(text: str) -> None:
    assert not compile_pattern(text)(MESSAGE)


@pytest.mark.parametrize("text", MALFORMED)
def test_malformed_patterns_are_refused(text: str) -> None:
    with pytest.raises(PatternError):
        compile_pattern(text)


@pytest.mark.parametrize(
    "text",
    [
        "x" * 1024,
        "{ " + "(" * 100 + "$.eventName = *" + ")" * 100 + " }",
        "{ $.a[*] = x || $.b.* = x || $.c[*] = x }",
        "{ $.a = %x% && $.b = %y% }",
        "%a% %b%",
    ],
)
def test_limits_themselves_are_allowed(text: str) -> None:
    compile_pattern(text)


@pytest.mark.parametrize("text", ["", "   "])
def test_an_empty_pattern_matches_everything(text: str) -> None:
    assert compile_pattern(text)("")
    assert compile_pattern(text)(MESSAGE)


@pytest.mark.parametrize("message", ["", "not json", "[1]", '"text"', "null", "[" * 100_000])
def test_what_is_no_object_has_no_fields(message: str) -> None:
    assert not compile_pattern('{ $.a = "*" }')(message)
    assert not compile_pattern('{ $.a[0] = "*" }')(message)
