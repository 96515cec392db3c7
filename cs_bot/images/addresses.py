"""Which IP addresses a picture may be fetched from: public ones, and nothing that only looks public."""

import ipaddress

_V4_REFUSED = tuple(
    ipaddress.IPv4Network(net)
    for net in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT; one cloud's metadata service lives here
        "127.0.0.0/8",
        "168.63.129.16/32",  # looks public, answers only inside Azure
        "169.254.0.0/16",  # link-local: the metadata service of most clouds
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
# Everything outside 2000::/3 is refused first: loopback, mapped and compatible IPv4, both NAT64 prefixes
# (64:ff9b::/96, 64:ff9b:1::/48), ULA, link- and site-local, multicast, segment routing (5f00::/16).
_V6_GLOBAL = ipaddress.IPv6Network("2000::/3")
_V6_REFUSED = tuple(
    ipaddress.IPv6Network(net)
    for net in (
        "2001::/23",  # protocol assignments; Teredo is 2001::/32
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: any IPv4 address, private ones too, hides inside
        "3fff::/20",  # documentation
    )
)
_INSIDE = tuple(
    ipaddress.ip_network(net)
    for net in ("10.0.0.0/8", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")
)
_NEVER_INSIDE = ipaddress.IPv6Network("fd00:ec2::/32")  # AWS's metadata service over IPv6


def is_public(address: str) -> bool:
    """True when `address` (text, as a resolver gives it) is an ordinary public unicast address.

    Addresses that carry an IPv4 address inside (mapped, compatible, NAT64, 6to4, Teredo) are refused whatever they
    carry: `ipaddress.is_global` calls several of them global, and no picture host needs them.
    Anything that is no IP address is False.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv4Address):
        return ip.is_global and not any(ip in net for net in _V4_REFUSED)
    if ip.scope_id is not None or ip not in _V6_GLOBAL:
        return False
    return ip.is_global and not any(ip in net for net in _V6_REFUSED)


def is_inside(address: str) -> bool:
    """True for loopback and private networks (RFC 1918, ULA), which an account may open explicitly.

    Link-local, carrier-grade NAT and the clouds' metadata addresses stay closed even then.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if ip in _NEVER_INSIDE or getattr(ip, "scope_id", None) is not None:
        return False
    return any(ip in net for net in _INSIDE)
