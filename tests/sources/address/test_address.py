"""What texts are: every shape of sourceIPAddress, the registries' edges, and rubbish."""

from __future__ import annotations

import socket

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cloudtrail_fdw.sources.address.address import CLASSES, classify

TEXTS = [
    # CloudTrail's own
    ("AWS Internal", "aws_internal", None),
    ("AWS Internal/#", "aws_internal", None),
    ("ec2.amazonaws.com", "aws_service", None),
    ("monitoring.rds.amazonaws.com", "aws_service", None),
    ("EC2.AmazonAWS.com", "aws_service", None),
    ("ec2.amazonaws.com.cn", "aws_service", None),
    ("ecs-tasks.amazonaws.com", "aws_service", None),
    ("delivery.logs.amazonaws.com", "aws_service", None),
    ("logs.us-east-1.amazonaws.com", "aws_service", None),
    ("states.cn-north-1.amazonaws.com.cn", "aws_service", None),
    ("member.org.stacksets.cloudformation.amazonaws.com", "aws_service", None),
    ("s3.amazonaws.com", "aws_service", None),
    ("logging.s3.amazonaws.com", "aws_service", None),
    # a customer's
    ("ec2-54-240-200-68.compute-1.amazonaws.com", "hostname", None),
    ("ec2-54-240-200-68.us-west-2.compute.amazonaws.com", "hostname", None),
    ("EC2-54-240-200-68.cn-north-1.compute.amazonaws.com.cn.", "hostname", None),
    ("name-123.us-east-1.elb.amazonaws.com", "hostname", None),
    ("name-123.elb.us-gov-west-1.amazonaws.com", "hostname", None),
    ("a1b2c3.execute-api.us-east-1.amazonaws.com", "hostname", None),
    ("bucket.s3.amazonaws.com", "hostname", None),
    ("logging.of.mine.s3.amazonaws.com", "hostname", None),
    ("bucket.s3.eu-west-1.amazonaws.com", "hostname", None),
    ("bucket.s3-us-west-2.amazonaws.com", "hostname", None),
    ("db.cabc.us-east-1.rds.amazonaws.com", "hostname", None),
    ("db.cabc.rds.cn-north-1.amazonaws.com.cn", "hostname", None),
    ("c.abc.0001.use1.cache.amazonaws.com", "hostname", None),
    ("vpce-0a-b.s3.us-east-1.vpce.amazonaws.com", "hostname", None),
    ("a1b2.lambda-url.us-east-1.on.aws", "hostname", None),
    ("d1234.cloudfront.net", "hostname", None),
    ("amazonaws.com", "hostname", None),
    ("aws.internal", "aws_service", None),
    ("notamazonaws.com", "hostname", None),
    ("amazonaws.com.example.org", "hostname", None),
    ("signin.aws.amazon.com", "hostname", None),
    ("host_1.example.com.", "hostname", None),
    ("redacted", "invalid", None),
    ("", "invalid", None),
    ("   ", "invalid", None),
    ("-", "invalid", None),
    ("192.0.2.0/24", "invalid", None),
    # inet::text; a network of one address only in the lengths that inet writes
    ("8.8.8.8/32", "public", "8.8.8.8"),
    (" 10.1.2.3/32", "private", "10.1.2.3"),
    ("2600:1F18::1/128", "public", "2600:1f18::1"),
    ("::ffff:8.8.8.8/128", "public", "::ffff:8.8.8.8"),
    ("8.8.8.8/31", "invalid", None),
    ("8.8.8.8/032", "invalid", None),
    ("8.8.8.8/128", "invalid", None),
    ("8.8.8.8 /32", "invalid", None),
    ("8.8.8.8/32/32", "invalid", None),
    ("2600:1f18::1/32", "invalid", None),
    # neither PostgreSQL nor CloudTrail writes an address so
    ("[2600:1f18::1]", "invalid", None),
    ("[2600:1f18::1]:443", "invalid", None),
    ("81.2.69.142, 192.168.10.10", "invalid", None),
    ("81.2.69.142:443", "invalid", None),
    ("1.2.3", "invalid", None),
    ("1.2.3.4.5", "invalid", None),
    ("256.1.1.1", "invalid", None),
    ("0x7f.0.0.1", "invalid", None),
    ("\u0661.2.3.4", "invalid", None),
    ("\uff11.2.3.4", "invalid", None),
    ("8.8.8.8\x00", "invalid", None),
    ("\ud800", "invalid", None),
    ("a" * 10_000, "invalid", None),
    ("a." * 5_000 + "com", "invalid", None),
    ("1" * 5_000 + ".1.1.1", "invalid", None),
    # IPv4 and the edges of IANA's registry
    ("8.8.8.8", "public", "8.8.8.8"),
    ("  8.8.8.8\t", "public", "8.8.8.8"),
    ("253.252.51.07", "reserved", "253.252.51.7"),
    ("008.008.0000008.010", "public", "8.8.8.10"),
    ("0.0.0.0", "reserved", "0.0.0.0"),
    ("0.255.255.255", "reserved", "0.255.255.255"),
    ("1.0.0.0", "public", "1.0.0.0"),
    ("9.255.255.255", "public", "9.255.255.255"),
    ("10.0.0.0", "private", "10.0.0.0"),
    ("10.255.255.255", "private", "10.255.255.255"),
    ("11.0.0.0", "public", "11.0.0.0"),
    ("100.63.255.255", "public", "100.63.255.255"),
    ("100.64.0.0", "cgnat", "100.64.0.0"),
    ("100.127.255.255", "cgnat", "100.127.255.255"),
    ("100.128.0.0", "public", "100.128.0.0"),
    ("127.0.0.1", "loopback", "127.0.0.1"),
    ("169.254.169.254", "link_local", "169.254.169.254"),
    ("172.15.255.255", "public", "172.15.255.255"),
    ("172.16.0.0", "private", "172.16.0.0"),
    ("172.31.255.255", "private", "172.31.255.255"),
    ("172.32.0.0", "public", "172.32.0.0"),
    ("192.0.0.8", "reserved", "192.0.0.8"),
    ("192.0.0.9", "public", "192.0.0.9"),
    ("192.0.0.11", "reserved", "192.0.0.11"),
    ("192.0.2.255", "documentation", "192.0.2.255"),
    ("192.168.255.255", "private", "192.168.255.255"),
    ("198.18.0.0", "reserved", "198.18.0.0"),
    ("198.19.255.255", "reserved", "198.19.255.255"),
    ("198.20.0.0", "public", "198.20.0.0"),
    ("198.51.100.7", "documentation", "198.51.100.7"),
    ("203.0.113.7", "documentation", "203.0.113.7"),
    ("223.255.255.255", "public", "223.255.255.255"),
    ("224.0.0.0", "multicast", "224.0.0.0"),
    ("239.255.255.255", "multicast", "239.255.255.255"),
    ("240.0.0.0", "reserved", "240.0.0.0"),
    ("255.255.255.255", "reserved", "255.255.255.255"),
    # IPv6, as PostgreSQL prints it
    ("2600:1F18:0:0::0001", "public", "2600:1f18::1"),
    ("::", "reserved", "::"),
    ("::1", "loopback", "::1"),
    ("::2", "reserved", "::2"),
    ("fe80::1%eth0", "link_local", "fe80::1"),
    ("fe80::1%", "invalid", None),
    ("fe80::1%" + "x" * 1_000, "invalid", None),
    ("fec0::1", "reserved", "fec0::1"),
    ("fd00::1", "private", "fd00::1"),
    ("ff02::1", "multicast", "ff02::1"),
    ("2001:db8::1", "documentation", "2001:db8::1"),
    ("3fff:fff::1", "documentation", "3fff:fff::1"),
    ("2001:0:4136::1", "public", "2001:0:4136::1"),
    ("2001:2::1", "reserved", "2001:2::1"),
    ("64:ff9b::808:808", "public", "64:ff9b::808:808"),
    ("64:ff9b:1::1", "private", "64:ff9b:1::1"),
    ("100::1", "reserved", "100::1"),
    ("5f00::1", "reserved", "5f00::1"),
    ("1:2:3:4:5:6:7:8:9", "invalid", None),
    ("12345::", "invalid", None),
    ("::ffff:8.8.8.8", "public", "::ffff:8.8.8.8"),
    ("::ffff:a00:1", "private", "::ffff:10.0.0.1"),
    ("2002:808:808::1", "public", "2002:808:808::1"),
    ("2002:c0a8:101::1", "private", "2002:c0a8:101::1"),
]


@pytest.mark.parametrize(("text", "address_class", "address"), TEXTS)
def test_each_shape_has_its_class_and_its_address(
    text: str, address_class: str, address: str | None
):
    found = classify(text)
    assert (address_class, address) == (found.address_class, found.address)
    expected = None if address is None else 6 if ":" in address else 4
    assert expected == found.version


def test_databases_are_asked_for_the_ipv4_address_inside():
    plain = classify("8.8.8.8")
    for text in ("::ffff:8.8.8.8", "2002:808:808::1"):
        inside = classify(text)
        assert (plain.number, 4) == (inside.number, inside.number_version)
        assert inside.version == 6


PIECES = st.text(alphabet="0123456789abcdefx.:%/, -AWSInternal#\u0661\x00\ud800", max_size=60)


@given(st.one_of(st.text(), PIECES))
@example("%")
@example(":" * 300)
@example("1." * 150)
def test_no_text_raises_and_every_address_is_canonical(text: str):
    found = classify(text)
    assert found.address_class in CLASSES
    assert (found.address is None) == (found.version is None) == (found.number_version == 0)
    if found.address is not None:
        family = socket.AF_INET if found.version == 4 else socket.AF_INET6
        assert found.address == socket.inet_ntop(family, socket.inet_pton(family, found.address))
        assert classify(found.address) == found
    else:
        assert found.address_class in ("aws_service", "aws_internal", "hostname", "invalid")


@given(st.ip_addresses())
def test_every_address_is_one(address: object):
    found = classify(f" {address}\n")
    assert found.version == getattr(address, "version", None)
    assert found.address_class not in ("aws_service", "aws_internal", "hostname", "invalid")
