"""Which addresses keys may be fetched from: those of the public Internet, and networks that the operator lists.

An address may hold another one: IPv4 inside IPv6 in five notations. What counts is the one inside, because that is
where the packets go (security A85, A86).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Machines ask these for their own credentials. Some lie in ranges that look public or may be listed as private.
_METADATA = frozenset(
    map(
        ipaddress.ip_address,
        (
            "169.254.169.254",  # most clouds
            "169.254.170.2",  # containers on AWS
            "fd00:ec2::254",  # AWS
            "fd20:ce::254",  # Google
            "100.100.100.200",  # Alibaba
            "168.63.129.16",  # Azure, a public address by its number
            "192.0.0.192",  # Oracle
        ),
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
# Not known as special to every version of the standard library that Assay runs on.
_SPECIAL = (
    ipaddress.IPv6Network("2001::/23"),  # Teredo and other protocols
    ipaddress.IPv6Network("3fff::/20"),  # documentation
    ipaddress.IPv4Network("192.88.99.0/24"),  # relays to 6to4
)
_IPV4_BITS = 0xFFFFFFFF


def parse(text: str) -> Address | None:
    """The address that the text is, or the IPv4 address inside it; None for anything else, such as a name."""
    try:
        return innermost(ipaddress.ip_address(text))
    except ValueError:
        return None


def innermost(address: Address) -> Address:
    """The IPv4 address inside a mapped, compatible, NAT64 or 6to4 address; any other address as it is."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):  # ::0 and ::1 are no IPv4 addresses
        return ipaddress.IPv4Address(int(address) & _IPV4_BITS)
    return address.ipv4_mapped or address.sixtofour or address


def is_public(address: Address) -> bool:
    """Whether the address is one of the public Internet, and of one machine."""
    inner = innermost(address)
    if isinstance(inner, ipaddress.IPv6Address) and inner not in _GLOBAL_UNICAST:
        return False
    return (
        inner.is_global
        and not inner.is_multicast
        and inner not in _METADATA
        and not any(inner in network for network in _SPECIAL)
    )


def is_loopback(address: Address) -> bool:
    """Whether the address is this machine's own."""
    return innermost(address).is_loopback


def is_listed(address: Address, networks: Sequence[Network]) -> bool:
    """Whether the operator allows this address; never one that answers with a machine's own credentials."""
    inner = innermost(address)
    if inner in _METADATA or inner.is_link_local or inner.is_multicast or inner.is_unspecified:
        return False
    return any(inner in network for network in networks)
