"""Which addresses are public, in whatever spelling: core-fixtures §7.2, B15, field 2.53."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimock.net.addresses import is_local_name, is_public, literal

PRIVATE = (
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1"),
    *("127.255.255.255", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1"),
    *("192.88.99.1", "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1"),
    *("239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16"),
)
PUBLIC = (
    *("1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "128.0.0.0"),
    *("169.253.255.255", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255", "198.17.255.255"),
    *("198.20.0.0", "223.255.255.255"),
)
PRIVATE_V6 = (
    *("::", "::1", "::2", "::127.0.0.1", "::ffff:0:127.0.0.1", "fc00::1", "fdff::1", "fd00:ec2::254", "fe80::1"),
    *("febf::1", "fec0::1", "ff00::1", "ff02::1", "ff0e::1", "100::1", "64:ff9b:1::1", "2001::1"),
    *("2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "2002:7f00:1::", "2002:808:808::1", "3fff::1"),
    *("4000::1", "5f00::1", "1::1"),
)
PUBLIC_V6 = (*("2606:4700:4700::1111", "2a00:1450:4001:80b::200e", "2001:4860:4860::8888", "2400:cb00::1", "3ffe::1"),)


@pytest.mark.parametrize("address", PRIVATE + PRIVATE_V6)
def test_B15_a_private_address_is_not_public(address: str) -> None:
    """core-lessons B15, field 2.53"""
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC + PUBLIC_V6)
def test_a_public_address_is(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", ["", "x", "localhost", "127.1", "0x7f.1", "2130706433", "[::1]", "1.1.1.1 ", "1.1"])
def test_what_is_no_address_is_not_public(address: str) -> None:
    assert not is_public(address)


def spellings(address: ipaddress.IPv4Address) -> list[str]:
    """An IPv4 address in every form that leads to it."""
    number, packed = int(address), address.packed
    a, b, c, d = packed
    high, low = number >> 16, number & 0xFFFF
    return [
        str(address),
        f"{number}",
        f"0x{number:x}",
        f"0X{number:X}",
        f"0{number:o}",
        f"{a}.{number & 0xFFFFFF}",
        f"{a}.{b}.{number & 0xFFFF}",
        f"0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}",
        f"0{a:o}.0{b:o}.0{c:o}.0{d:o}",
        f"{a}.{b}.{c}.{d}.",
        f"0x{a:x}.{number & 0xFFFFFF}",
        f"::ffff:{address}",
        f"::ffff:{high:x}:{low:x}",
        f"0:0:0:0:0:FFFF:{high:04x}:{low:04X}",
        f"::{address}",
        f"::ffff:0:{address}",
        f"64:ff9b::{address}",
        f"64:ff9b::{high:x}:{low:x}",
        f"64:ff9b:1::{address}",
        f"2002:{high:x}:{low:x}::",
        f"2002:{high:x}:{low:x}::1",
        f"2001:0:{high:x}:{low:x}::1",
        f"2001::{high ^ 0xFFFF:x}:{low ^ 0xFFFF:x}",
        "".join(chr(ord(char) + 0xFEE0) if char.isdigit() else char for char in str(address)),
        str(address).replace(".", "。"),
        str(address).replace(".", "%2e"),
    ]


def leads_to(host: str) -> list[str]:
    """The addresses that a host would be connected to: none if it is refused as it stands, else its own, or those that
    the system's resolver makes of it."""
    try:
        address = literal(host)
    except ValueError:
        return []
    if address is not None:
        return [str(address)]
    try:
        return [str(found[4][0]) for found in socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)]
    except (OSError, UnicodeError):
        return []


RANGES = """
0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24
192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4
"""
BLOCKED = [ipaddress.IPv4Network(each) for each in (*PRIVATE, *RANGES.split())]


@given(
    st.sampled_from(BLOCKED)
    .flatmap(lambda network: st.integers(int(network.network_address), int(network.broadcast_address)))
    .map(ipaddress.IPv4Address),
    st.data(),
)
def test_B15_no_spelling_of_a_private_address_passes(address: ipaddress.IPv4Address, data: st.DataObject) -> None:
    """core-lessons B15, field 2.53"""
    spelling = data.draw(st.sampled_from(spellings(address)))
    assert not any(map(is_public, leads_to(spelling))), spelling


@given(st.integers(0, 2**128 - 1).map(ipaddress.IPv6Address))
def test_an_ipv6_address_is_judged_alike_in_every_spelling(address: ipaddress.IPv6Address) -> None:
    expected = is_public(str(address))
    assert is_public(address.exploded) == is_public(address.exploded.upper()) == expected
    assert (
        not expected or address in ipaddress.IPv6Network("2000::/3") or address.ipv4_mapped or address.packed[1] == 0x64
    )


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
        ("0:0::1", "::1"),
        ("example.com", None),
        ("example.com.", None),
        ("a_b-c.example", None),
        ("xn--bcher-kva.example", None),
        ("localhost", None),
        ("1and1.com", None),
        ("0x7f.example", None),
    ],
)
def test_a_host_is_an_address_or_a_name(host: str, address: str | None) -> None:
    found = literal(host)
    assert (None if found is None else str(found)) == address


@pytest.mark.parametrize(
    "host",
    [
        *("0x7f.1", "2130706433", "017700000001", "127.1", "0x7f000001", "127.0.0.1.", "127.0.0.01", "1.2.3.4.5", "0x"),
        *(
            "256.1.1.1",
            "a.1",
            "a.0x1",
            "a.1.",
            "",
            ".",
            "a..b",
            "-a",
            "a-",
            "a b",
            "ä.example",
            "１.1.1.1",
            "a%31",
            "a/b",
        ),
        *("fe80::1%eth0", ":::", "::1]", "1::2::3", "x" * 64, "x." * 130, "a\n", "127。0。0。1"),
    ],
)
def test_other_spellings_are_refused(host: str) -> None:
    with pytest.raises(ValueError, match=r"four decimal numbers|not an IPv6 address|a host name has|a zone"):
        literal(host)


@pytest.mark.parametrize("host", ["localhost", "LocalHost", "localhost.", "a.localhost", "a.b.localhost."])
def test_names_of_this_machine(host: str) -> None:
    assert is_local_name(host)


@pytest.mark.parametrize("host", ["localhost.example", "notlocalhost", "localhost-1", "example.com"])
def test_names_of_others(host: str) -> None:
    assert not is_local_name(host)
