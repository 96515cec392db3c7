"""Which addresses a picture may come from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cs_bot.images.addresses import is_inside, is_public

PUBLIC = ["93.184.216.34", "8.8.8.8", "1.1.1.1", "2606:2800:220:1:248:1893:25c8:1946", "2a00:1450:4001:81b::200e"]
NOT_PUBLIC = {
    "loopback": ["127.0.0.1", "127.255.255.254", "::1"],
    "unspecified": ["0.0.0.0", "0.1.2.3", "::"],
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fdff::1"],
    "link-local and metadata": ["169.254.169.254", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "168.63.129.16"],
    "carrier-grade NAT": ["100.64.0.1", "100.100.100.200", "100.127.255.255"],
    "documentation": ["192.0.2.1", "198.51.100.7", "203.0.113.9", "2001:db8::1", "3fff::1"],
    "benchmarks and protocol assignments": ["198.18.0.1", "192.0.0.8", "2001:2::1", "2001:20::1"],
    "multicast": ["224.0.0.1", "239.255.255.250", "ff02::1", "ff0e::1"],
    "reserved and broadcast": ["240.0.0.1", "255.255.255.255", "4000::1"],
    "IPv4-mapped": ["::ffff:127.0.0.1", "::ffff:8.8.8.8"],
    "IPv4-compatible": ["::127.0.0.1", "::8.8.8.8"],
    "NAT64": ["64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::7f00:1", "64:ff9b:1:ffff::a00:1"],
    "6to4 and its relays": ["2002:7f00:1::", "2002:808:808::1", "192.88.99.1"],
    "Teredo": ["2001:0:4136:e378:8000:63bf:3fff:fdd2"],
    "site-local, discard, segment routing": ["fec0::1", "100::1", "5f00::1"],
    "no address at all": ["", "localhost", "127.1", "2130706433", "0x7f000001", "1.2.3.4.5", "８.８.８.８", "8.8.8.8 "],
}


@pytest.mark.parametrize("address", PUBLIC)
def test_an_ordinary_address_is_public(address: str) -> None:
    assert is_public(address)
    assert not is_inside(address)


@pytest.mark.parametrize("address", [a for group in NOT_PUBLIC.values() for a in group])
def test_an_address_that_is_not_ordinary_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.1.2.3", "172.18.0.4", "192.168.0.9", "fd12:3456::1"])
def test_inside_means_loopback_and_private_networks(address: str) -> None:
    assert is_inside(address)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "100.100.100.200",
        "168.63.129.16",
        "fd00:ec2::254",
        "fe80::1",
        "fd12::1%eth0",
        "0.0.0.0",
        "224.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
        "nonsense",
    ],
)
def test_metadata_services_and_disguises_are_not_inside_either(address: str) -> None:
    assert not is_inside(address)


@given(st.ip_addresses(v=4))
def test_no_ipv4_address_becomes_public_inside_an_ipv6_one(address: object) -> None:
    number = int(address)  # type: ignore[call-overload]
    high, low = f"{number >> 16:x}", f"{number & 0xFFFF:x}"
    disguises = [
        "::ffff:{}:{}",
        "::{}:{}",
        "64:ff9b::{}:{}",
        "64:ff9b:1::{}:{}",
        "2002:{}:{}::1",
        "2001:0:1:2:3:4:{}:{}",
    ]
    assert not any(is_public(disguise.format(high, low)) for disguise in disguises)


@given(st.text(max_size=60))
def test_any_text_gets_an_answer(text: str) -> None:
    assert is_public(text) in (True, False)
    assert is_inside(text) in (True, False)
