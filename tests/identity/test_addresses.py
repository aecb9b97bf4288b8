"""Which addresses strangers may have us connect to: the special-purpose registries, and forms that embed IPv4."""

import ipaddress
import itertools

import pytest

from indexer.identity.addresses import is_public

REFUSED = {
    "this network": ("0.0.0.0", "0.1.2.3", "0.255.255.255"),
    "private": ("10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.1", "192.168.255.255"),
    "shared": ("100.64.0.0", "100.100.100.200", "100.127.255.255"),
    "loopback": ("127.0.0.1", "127.0.0.53", "127.255.255.255"),
    "link-local": ("169.254.0.0", "169.254.169.254", "169.254.170.2", "169.254.255.255"),
    "a cloud's agent": ("168.63.129.16",),
    "protocol assignments": ("192.0.0.0", "192.0.0.8", "192.0.0.9", "192.0.0.170", "192.0.0.192", "192.0.0.255"),
    "documentation": ("192.0.2.1", "198.51.100.1", "203.0.113.255"),
    "benchmarking": ("198.18.0.0", "198.19.255.255"),
    "AS112 and AMT": ("192.31.196.1", "192.52.193.1", "192.175.48.1"),
    "6to4 relays": ("192.88.99.1",),
    "multicast": ("224.0.0.1", "232.0.0.1", "239.255.255.255"),
    "reserved": ("240.0.0.1", "255.255.255.254"),
    "broadcast": ("255.255.255.255",),
    "unspecified, v6": ("::",),
    "loopback, v6": ("::1",),
    "v4-mapped": ("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:7f00:1", "::ffff:45.0.0.1"),
    "v4-translated": ("::ffff:0:127.0.0.1", "::ffff:0:45.0.0.1"),
    "v4-compatible": ("::127.0.0.1", "::10.0.0.1", "::45.0.0.1"),
    "NAT64 of what is not public": (
        "64:ff9b::7f00:1",
        "64:ff9b::10.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b::192.168.0.1",
    ),
    "NAT64 of multicast": ("64:ff9b::224.0.0.1",),
    "beside NAT64": ("64:ff9b:0:0:0:1:2d00:1", "64:ff9a::2d00:1"),
    "local-use NAT64": ("64:ff9b:1::2d00:1", "64:ff9b:1:ffff::10.0.0.1"),
    "discard": ("100::1", "100:0:0:1::1"),
    "Teredo": ("2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"),
    "benchmarking, v6": ("2001:2::1",),
    "AMT, v6": ("2001:3::1",),
    "AS112, v6": ("2001:4:112::1", "2620:4f:8000::1"),
    "ORCHID": ("2001:10::1", "2001:20::1", "2001:2f:ffff::1"),
    "DETs": ("2001:30::1",),
    "documentation, v6": ("2001:db8::1", "2001:db8:ffff::1", "3fff::1", "3fff:fff::1"),
    "6to4": ("2002:7f00:1::", "2002:a00:1::1", "2002:2d00:1::1", "2002:c0a8:1::"),
    "6bone": ("3ffe::1",),
    "SRv6": ("5f00::1",),
    "unassigned": ("4000::1", "8000::1", "1::1", "fe00::1"),
    "ULA": ("fc00::1", "fd00::1", "fd00:ec2::254", "fdff:ffff::1"),
    "link-local, v6": ("fe80::1", "febf::1"),
    "site-local": ("fec0::1", "feff::1"),
    "multicast, v6": ("ff00::", "ff02::1", "ff0e::1"),
    "ISATAP": ("2a00:1:2:3:0:5efe:10.0.0.1", "2a00:1:2:3:200:5efe:45.0.0.1", "fe80::5efe:10.0.0.1"),
    "zone ids": ("fe80::1%eth0", "2606:4700::1%eth0", "2606:4700::1%1", "::1%lo"),
    "other spellings": (
        "0x7f000001",
        "0x7f.0.0.1",
        "2130706433",
        "0177.0.0.1",
        "127.1",
        "127.0.1",
        "45.0.0.01",
        "045.0.0.1",
        "45.0.0.1.",
        " 45.0.0.1",
        "45.0.0.1 ",
        "45.0.0.1/32",
        "[2606:4700::1]",
        "localhost",
        "example.com",
        "",
        "１.1.1.1",
        "①.1.1.1",
    ),
}
PUBLIC = (
    "1.1.1.1",
    "9.255.255.255",
    "11.0.0.0",
    "45.0.0.1",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "168.63.129.15",
    "172.15.255.255",
    "172.32.0.0",
    "191.255.255.255",
    "192.0.1.0",
    "192.167.255.255",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2003::1",
    "2606:4700::6812:a01",
    "2a01:4f8:1:2::1",
    "2a00:1:2:3:100:5efe:4500:1",
    "3ffd::1",
    "64:ff9b::45.0.0.1",
)


@pytest.mark.parametrize(("kind", "address"), [(kind, address) for kind, all_ in REFUSED.items() for address in all_])
def test_an_address_that_is_not_public_is_refused(kind: str, address: str) -> None:
    assert not is_public(address), kind


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_taken(address: str) -> None:
    assert is_public(address)


def test_whatever_the_standard_library_calls_private_is_refused() -> None:
    """An address of every /14 of IPv4 and every /12 of IPv6: ours is never laxer."""
    samples = [ipaddress.IPv4Address(number << 18 | 1) for number in range(1 << 14)]
    samples_v6 = [ipaddress.IPv6Address(number << 116 | 1) for number in range(1 << 12)]
    for address in itertools.chain[ipaddress.IPv4Address | ipaddress.IPv6Address](samples, samples_v6):
        assert address.is_global or not is_public(address), address


def test_every_ipv4_address_in_a_form_that_embeds_it_is_judged_by_the_address_or_refused() -> None:
    forms = ("::ffff:{}", "::{}", "64:ff9b::{}", "64:ff9b:1::{}", "2002:{hex}::1", "2a00::5efe:{}")
    for text in (address for addresses in REFUSED.values() for address in addresses if address.count(".") == 3):
        try:
            embedded = ipaddress.IPv4Address(text)
        except ValueError:
            continue
        hexadecimal = f"{int(embedded) >> 16:x}:{int(embedded) & 0xFFFF:x}"
        for form in forms:
            assert not is_public(form.format(embedded, hex=hexadecimal)), (form, text)
