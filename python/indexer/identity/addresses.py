"""Which addresses may be connected to when a stranger chose the host: public ones only.

The list is our own: `ipaddress.is_global` says yes to multicast, to 6to4 and NAT64 forms of private addresses and to
`::127.0.0.1`. Sources: the special-purpose registries of IANA (RFC 6890 and its updates). What is not known here:
a NAT64 prefix of the operator's own inside global unicast space (RFC 6052 2.2); such a gateway must not translate to
private addresses, as RFC 6052 3.1 says of the well-known prefix.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_REFUSED_V4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network; 0.0.0.0 reaches loopback on Linux
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared (CGNAT); holds a cloud's metadata service, too
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # a cloud's agent inside its virtual networks, although the address looks public
        "169.254.0.0/16",  # link-local, with the metadata services of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # IETF protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarking
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)

# Loopback, v4-mapped, v4-compatible, local-use NAT64 (64:ff9b:1::/48), discard, SRv6, ULA, link-local, site-local and
# multicast are all outside of it.
_GLOBAL_UNICAST = IPv6Network("2000::/3")

_REFUSED_V6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # IETF protocol assignments: Teredo, benchmarking, ORCHID, AMT, AS112
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: whatever it embeds, it is tunnelled there
        "2620:4f:8000::/48",  # AS112
        "3ffe::/16",  # 6bone, returned
        "3fff::/20",  # documentation
    )
)

# How a machine without IPv4 reaches it. What counts is the address in the last 32 bits.
_NAT64 = IPv6Network("64:ff9b::/96")

_ISATAP = 0x0000_5EFE  # above the embedded IPv4 address (RFC 5214 6.1)
_ISATAP_MASK = 0xFDFF_FFFF  # the universal bit may be set


def is_public(address: str | IPv4Address | IPv6Address) -> bool:
    """Whether an address is a public unicast one, so that a stranger may have us connect to it.

    A text that is no address in the usual spelling, or that has a zone id, is not.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return _is_public_v4(parsed) if isinstance(parsed, IPv4Address) else _is_public_v6(parsed)


def _is_public_v4(address: IPv4Address) -> bool:
    return not any(address in network for network in _REFUSED_V4)


def _is_public_v6(address: IPv6Address) -> bool:
    if address.scope_id is not None:
        return False
    number = int(address)
    if address in _NAT64:
        return _is_public_v4(IPv4Address(number & 0xFFFF_FFFF))
    if address not in _GLOBAL_UNICAST or any(address in network for network in _REFUSED_V6):
        return False
    return number >> 32 & _ISATAP_MASK != _ISATAP
