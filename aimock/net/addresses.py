"""Which addresses a server may be sent to by whoever names a URL: those of the public internet, and no others.

A URL may come from a file that somebody else wrote. From a machine in a cloud or behind a firewall it could fetch what
nobody outside could: credentials from a metadata service, the pages of an internal one.
"""

from __future__ import annotations

import ipaddress
import re

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_BLOCKED_V4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # behind a carrier's NAT; in some clouds the metadata service
        "127.0.0.0/8",
        "168.63.129.16/32",  # the host of a virtual machine in Azure
        "169.254.0.0/16",  # link-local; in most clouds the metadata service
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All that is given out of IPv6. Outside it are loopback, link-local, unique local, multicast, and forms of IPv4."""
_BLOCKED_V6 = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments, among them Teredo, which has an IPv4 address within
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which has an IPv4 address within
        "3fff::/20",  # documentation
    )
)
_IPV4_WITHIN = tuple(ipaddress.IPv6Network(network) for network in ("::ffff:0:0/96", "64:ff9b::/96"))
"""Where the last 32 bits are the IPv4 address that is meant: mapped addresses, and NAT64, by which networks without
IPv4 reach all of it."""

_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")


def is_public(address: str) -> bool:
    """Whether an address in its usual notation is one of the public internet. What is no address is not."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        if not any(parsed in network for network in _IPV4_WITHIN):
            return parsed in _GLOBAL_UNICAST and not any(parsed in network for network in _BLOCKED_V6)
        parsed = ipaddress.IPv4Address(parsed.packed[-4:])
    return not any(parsed in network for network in _BLOCKED_V4)


def is_local_name(host: str) -> bool:
    """Whether a name means this machine, whatever a resolver says (RFC 6761)."""
    return ("." + host.lower().removesuffix(".")).endswith(".localhost")


def literal(host: str) -> IPAddress | None:
    """The address that a host is; None for a name. IPv6 is written without brackets.

    Raises ValueError for what is neither. An IPv4 address has four decimal numbers and nothing else: resolvers also
    take 0x7f.1, 2130706433 and 017700000001 for 127.0.0.1, and no two of them the same.
    """
    if ":" in host:
        if "%" in host:
            raise ValueError("an address with a zone is of one machine only")
        try:
            return ipaddress.IPv6Address(host)
        except ValueError:
            raise ValueError("not an IPv6 address") from None
    labels = host.removesuffix(".").split(".")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return ipaddress.IPv4Address(host)
        except ValueError:
            raise ValueError("an IPv4 address is written as four decimal numbers") from None
    if len(host) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError("a host name has letters, digits and hyphens; others are written in Punycode")
    return None
