"""CloudTrail events for the benchmarks: the same ones on every machine, as many as one asks for.

    python bench/make_events.py 50000 --days 7 > events.jsonl

The records are written after the documented shapes of CloudTrail
(https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html).
50,000 of them are 71 pages of FilterLogEvents: 1.45 kB each, as a trail of management events has
them. 40 people and 25 roles of uneven zeal act from 700 addresses, most often from a few of them,
more by day than by night. The local AWS gives each its delay of delivery.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import accumulate, count
from typing import Any

END = datetime(2026, 11, 20, tzinfo=timezone.utc)  # of the last event
ACCOUNT = "123456789012"
PEOPLE = [f"person{number:02}" for number in range(40)]
ROLES = [f"service-role-{number:02}" for number in range(25)]
REGIONS = ("us-east-1", "eu-west-1", "ap-northeast-1", "us-west-2")
AGENTS = (
    "aws-cli/2.31.20 md/awscrt#0.27.6 ua/2.1 os/linux#6.8.0-1029-aws md/arch#x86_64 "
    "lang/python#3.13.9 md/pyimpl#CPython cfg/retry-mode#standard md/installer#exe md/prompt#off",
    "Boto3/1.40.70 md/Botocore#1.40.70 ua/2.1 os/linux#5.15.0-1084-aws md/arch#x86_64 "
    "lang/python#3.12.11 md/pyimpl#CPython m/Z,b,D cfg/retry-mode#legacy Botocore/1.40.70",
    "APN/1.0 HashiCorp/1.0 Terraform/1.13.5 (+https://www.terraform.io) terraform-provider-aws/"
    "6.20.0 (+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go-v2/1.39.6",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/142.0.0.0 Safari/537.36",
)
ACTIONS = (  # name, service, how often, whether it only reads
    ("Decrypt", "kms", 150, True), ("AssumeRole", "sts", 120, True),
    ("DescribeInstances", "ec2", 110, True), ("DescribeNetworkInterfaces", "ec2", 80, True),
    ("GetBucketAcl", "s3", 60, True), ("ListTagsForResource", "rds", 50, True),
    ("GetParameter", "ssm", 50, True), ("DescribeLogStreams", "logs", 45, True),
    ("GetSecretValue", "secretsmanager", 35, True), ("ListRolePolicies", "iam", 30, True),
    ("RunInstances", "ec2", 15, False), ("CreateLogStream", "logs", 25, False),
    ("PutParameter", "ssm", 12, False), ("AuthorizeSecurityGroupIngress", "ec2", 5, False),
    ("CreateUser", "iam", 2, False), ("ConsoleLogin", "signin", 8, False),
)  # fmt: skip
ZEAL = list(accumulate(action[2] for action in ACTIONS))
ERRORS = ("AccessDenied", "Client.UnauthorizedOperation", "ThrottlingException")


class Maker:
    """Makes events out of one source of chance."""

    def __init__(self, seed: int, distinct: bool = False) -> None:
        """``distinct``: every event comes from an address of its own."""
        self.chance = random.Random(seed)  # noqa: S311 - no secret is made
        self.addresses = [self.address() for _ in range(700)]
        self.fresh = map(own_address, count()) if distinct else None

    def address(self) -> str:
        """An address of the Internet, one in eight IPv6."""
        if self.chance.random() < 1 / 8:
            return f"2600:1f18:{self.hexadecimal(4)}:{self.hexadecimal(4)}::1"
        first = self.chance.choice((3, 18, 31, 52, 54, 82, 89, 104, 151, 185, 203))
        return ".".join(map(str, (first, *(self.chance.randrange(1, 255) for _ in range(3)))))

    def hexadecimal(self, digits: int) -> str:
        """A number as ids have it."""
        return f"{self.chance.getrandbits(4 * digits):0{digits}x}"

    def uuid(self) -> str:
        """An id of an event or request."""
        return "-".join(map(self.hexadecimal, (8, 4, 4, 4, 12)))

    def skewed(self, count: int) -> int:
        """A number below ``count``, small ones far more often."""
        return int(count * self.chance.random() ** 3)

    def identity(self, number: int, moment: datetime) -> dict[str, Any]:
        """A person with a long-lived key for even numbers, else a role's session."""
        if number % 2 == 0:
            name = PEOPLE[number // 2 % len(PEOPLE)]
            return {
                "type": "IAMUser", "principalId": f"AIDA{name.upper():0<17}",
                "arn": f"arn:aws:iam::{ACCOUNT}:user/{name}", "accountId": ACCOUNT,
                "accessKeyId": f"AKIA{name.upper():0<16}", "userName": name,
            }  # fmt: skip
        role = ROLES[number // 2 % len(ROLES)]
        principal = f"AROA{role.replace('-', '').upper():0<17}"
        session = f"i-0{number:016x}"
        created = moment.replace(minute=0, second=0)
        return {
            "type": "AssumedRole", "principalId": f"{principal}:{session}",
            "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session}", "accountId": ACCOUNT,
            "accessKeyId": f"ASIA{number:03}{created:%m%d%H}{'X' * 7}",
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role", "principalId": principal,
                    "arn": f"arn:aws:iam::{ACCOUNT}:role/{role}", "accountId": ACCOUNT,
                    "userName": role,
                },
                "attributes": {
                    "creationDate": f"{created:%Y-%m-%dT%H:%M:%SZ}", "mfaAuthenticated": "false",
                },
                "ec2RoleDelivery": "2.0",
            },
        }  # fmt: skip

    def event(self, moment: datetime) -> dict[str, Any]:
        """One record."""
        chance = self.chance
        action, service, _, read_only = chance.choices(ACTIONS, cum_weights=ZEAL)[0]
        caller = self.skewed(2 * len(PEOPLE))
        region = REGIONS[self.skewed(len(REGIONS))]
        internal = service == "kms" and chance.random() < 0.4
        address = self.addresses[(caller * 9 + self.skewed(60)) % len(self.addresses)]
        if self.fresh:
            internal, address = False, next(self.fresh)
        event: dict[str, Any] = {
            "eventVersion": "1.11",
            "userIdentity": self.identity(caller, moment),
            "eventTime": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
            "eventSource": f"{service}.amazonaws.com",
            "eventName": action,
            "awsRegion": region,
            "sourceIPAddress": "secretsmanager.amazonaws.com" if internal else address,
            "userAgent": "secretsmanager.amazonaws.com" if internal
            else AGENTS[(caller + self.skewed(2)) % len(AGENTS)],
        }  # fmt: skip
        if chance.random() < 0.04:
            event["errorCode"] = chance.choice(ERRORS)
            event["errorMessage"] = f"User is not authorized to perform: {service}:{action}"
        event.update(self.body(action, service, region))
        event.update(
            requestID=self.uuid(), eventID=self.uuid(), readOnly=read_only,
            eventType="AwsConsoleSignIn" if action == "ConsoleLogin" else "AwsApiCall",
            managementEvent=True, recipientAccountId=ACCOUNT, eventCategory="Management",
        )  # fmt: skip
        if not internal and chance.random() < 0.45:
            event["tlsDetails"] = {
                "tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256",
                "clientProvidedHostHeader": f"{service}.{region}.amazonaws.com",
            }  # fmt: skip
        return event

    def body(self, action: str, service: str, region: str) -> dict[str, Any]:
        """What was asked and answered."""
        resource = f"arn:aws:{service}:{region}:{ACCOUNT}:{action.lower()}/{self.uuid()}"
        if action == "RunInstances":
            return self.instance()
        if action == "ConsoleLogin":
            return {
                "requestParameters": None,
                "responseElements": {"ConsoleLogin": "Success"},
                "additionalEventData": {
                    "LoginTo": "https://console.aws.amazon.com/console/home", "MFAUsed": "Yes"
                },
            }  # fmt: skip
        if service in ("s3", "kms"):
            return {
                "requestParameters": {
                    "encryptionContext": {"aws:arn": resource, "note": self.hexadecimal(80)},
                    "encryptionAlgorithm": "SYMMETRIC_DEFAULT",
                },
                "responseElements": None,
                "additionalEventData": {
                    "SignatureVersion": "SigV4", "CipherSuite": "ECDHE-RSA-AES128-GCM-SHA256",
                    "AuthenticationMethod": "AuthHeader", "x-amz-id-2": self.hexadecimal(76),
                    "bytesTransferredOut": self.chance.randrange(90_000),
                },
                "resources": [
                    {"accountId": ACCOUNT, "type": f"AWS::{service.upper()}::Key", "ARN": resource}
                ],
            }  # fmt: skip
        request = {
            "resourceName": resource, "maxResults": 1000, "clientToken": self.uuid(),
            "filterSet": {"items": [{"name": "vpc-id", "valueSet": {"items": [
                {"value": f"vpc-0{self.hexadecimal(16)}"} for _ in range(self.chance.randrange(4))
            ]}}]},
        }  # fmt: skip
        answer = None if action.startswith(("Get", "Desc", "List")) else {"_return": True}
        return {"requestParameters": request, "responseElements": answer}

    def instance(self) -> dict[str, Any]:
        """An answer of RunInstances: the long records that a trail has too."""
        items = [
            {
                "instanceId": f"i-0{self.hexadecimal(16)}",
                "imageId": f"ami-{self.hexadecimal(17)}",
                "instanceState": {"code": 0, "name": "pending"}, "instanceType": "m7i.large",
                "privateDnsName": f"ip-10-0-{self.chance.randrange(255)}-1.ec2.internal",
                "placement": {"availabilityZone": "us-east-1a", "tenancy": "default"},
                "subnetId": f"subnet-0{self.hexadecimal(16)}",
                "vpcId": f"vpc-0{self.hexadecimal(16)}",
                "tagSet": {"items": [{"key": "Owner", "value": self.hexadecimal(24)}]},
                "networkInterfaceSet": {"items": [{
                    "networkInterfaceId": f"eni-0{self.hexadecimal(16)}", "status": "in-use",
                    "macAddress": self.hexadecimal(12), "sourceDestCheck": True,
                    "privateIpAddress": f"10.0.0.{self.chance.randrange(255)}",
                }]},
            }
            for _ in range(self.chance.randrange(1, 6))
        ]  # fmt: skip
        return {
            "requestParameters": {
                "instancesSet": {"items": [{"minCount": 1, "maxCount": len(items)}]},
                "instanceType": "m7i.large", "monitoring": {"enabled": False},
            },
            "responseElements": {
                "reservationId": f"r-0{self.hexadecimal(16)}", "ownerId": ACCOUNT,
                "instancesSet": {"items": items},
            },
        }  # fmt: skip


def moments(number: int, days: float, chance: random.Random) -> list[datetime]:
    """When the events happen, in order: three times as often by day (UTC) as by night."""
    found: list[datetime] = []
    while len(found) < number:
        moment = END - timedelta(seconds=int(days * 86_400 * chance.random()))
        if 8 <= moment.hour < 20 or chance.random() < 1 / 3:
            found.append(moment)
    return sorted(found)


def own_address(number: int) -> str:
    """A public IPv4 address for each number below 65,536."""
    return f"11.7.{number >> 8}.{number & 255}"


def lines(number: int, days: float, distinct: bool) -> Iterator[str]:
    """The events, one a line."""
    maker = Maker(number, distinct)
    for moment in moments(number, days, maker.chance):
        yield json.dumps(maker.event(moment), separators=(",", ":"), ensure_ascii=False) + "\n"


def main() -> None:
    """Write them to standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("--days", type=float, default=7.0)
    parser.add_argument("--distinct", action="store_true", help="an address of its own for each")
    given = parser.parse_args()
    sys.stdout.writelines(lines(given.count, given.days, given.distinct))


if __name__ == "__main__":
    main()
