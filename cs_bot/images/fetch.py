"""Fetch a picture from an address that a stranger chose: resolve once, check, pin, cap bytes and time."""

import binascii
import functools
import re
import socket
import ssl
import time

import httpcore
import httpx
from pydantic import Field, field_validator

from cs_bot.errors import PictureRefused, PictureTooLarge, PictureUnreachable, PictureUnreadable
from cs_bot.images.addresses import is_inside, is_public
from cs_bot.images.dial import Guard, Resolver, shown
from cs_bot.records import Record
from cs_bot.settings import AccountSettings, FetchSettings

_HEADERS = (
    (b"Accept", b"image/*"),
    (b"Accept-Encoding", b"identity"),
    (b"User-Agent", b"cs-bot"),
    (b"Connection", b"close"),
)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TRY_AGAIN = frozenset({408, 425, 429})  # besides every 5xx; any other status is final
_PORTS = {"https": 443, "http": 80}
_DATA_URL = re.compile(r"data:[\w.+/-]{0,100}(?:;[\w.+-]{1,40}=[\w.+-]{1,80}){0,4};base64,", re.ASCII | re.IGNORECASE)


class FetchRules(Record):
    """What one account allows. All sizes in bytes, times in seconds.

    `hosts` is an allow-list: a host fits when it equals an entry or is a subdomain of one; empty = any public host.
    `allow_private` opens loopback and private networks (never link-local or metadata addresses). IT TAKES THE GUARD
    AGAINST REQUESTS INTO YOUR OWN NETWORK AWAY: whoever can name a picture address can then make this machine ask any
    host inside. It is for the demo and for compose networks without other services; set `hosts` beside it.
    `ports`: empty = the scheme's own port, and any port where `allow_private` is set.
    """

    hosts: tuple[str, ...] = ()
    allow_http: bool = False
    allow_private: bool = False
    ports: tuple[int, ...] = ()
    max_bytes: int = Field(default=10_000_000, gt=0)
    total_s: float = Field(default=10.0, gt=0)
    redirects: int = Field(default=2, ge=0)

    @classmethod
    def of(cls, account: AccountSettings, fetch: FetchSettings) -> "FetchRules":
        """The rules of an account."""
        return cls(
            hosts=account.media_hosts,
            allow_http=account.allow_http,
            allow_private=account.allow_private,
            max_bytes=fetch.max_bytes,
            total_s=fetch.timeout_s,
        )

    @field_validator("hosts")
    @classmethod
    def _ascii_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_host_name(host) for host in hosts)

    def check(self, url: httpx.URL) -> None:
        """Raise PictureRefused unless scheme, user info, host and port of `url` fit the rules."""
        if url.scheme not in _PORTS or (url.scheme == "http" and not self.allow_http):
            raise PictureRefused(f"a picture address must be {'http or ' if self.allow_http else ''}https")
        if url.userinfo or not url.raw_host:
            raise PictureRefused("the picture address has a user name in it or no host")
        host = _ascii_host(url)
        if "%" in host:  # an escaped character or an IPv6 zone: no name server knows either
            raise PictureRefused("the picture address is malformed")
        if self.hosts and not any(host == allowed or host.endswith("." + allowed) for allowed in self.hosts):
            raise PictureRefused(f"host {shown(host)} is not on the account's list of picture hosts")
        if not self._port_fits(url.port if url.port is not None else _PORTS[url.scheme], url.scheme):
            raise PictureRefused(f"port {url.port} of {shown(host)} is not allowed")

    def _port_fits(self, port: int, scheme: str) -> bool:
        if self.ports or not 0 < port < 65_536:
            return port in self.ports
        return self.allow_private or port == _PORTS[scheme]

    def allows_address(self, address: str) -> bool:
        """True when a resolved IP address may be dialled."""
        return is_public(address) or (self.allow_private and is_inside(address))


def fetch_picture(
    url: str,
    *,
    rules: FetchRules,
    resolver: Resolver = socket.getaddrinfo,
    backend: httpcore.NetworkBackend | None = None,
    tls: ssl.SSLContext | None = None,
) -> bytes:
    """The body behind `url`, at most `rules.max_bytes` long; what it is, `accept_picture` decides by its content.

    Each host is resolved once; one bad address among the answers refuses all; the checked address is dialled, TLS
    speaks to the host's name. Redirects are followed here and checked like the first address. Proxies of the
    environment are not used; no cookie, token or referrer is sent. `total_s` covers name, connection, headers, body.

    Raises PictureRefused (a rule is broken; never retried) and PictureUnreachable: network, timeout, 5xx, 408, 425,
    429; for any other status (404, 410 and 403 too: expired links answer so) its instance has `retryable = False`.
    Their texts name the host at most. `resolver`, `backend` and `tls` are there for tests and for a private CA.
    """
    end = time.monotonic() + rules.total_s
    guard = Guard(rules.allows_address, end, resolver, backend or httpcore.SyncBackend())
    target = _parse(url)
    with httpcore.ConnectionPool(
        ssl_context=tls or _default_tls(), max_connections=1, http1=True, http2=False, retries=0, network_backend=guard
    ) as pool:
        for hop in range(rules.redirects + 1):
            rules.check(target)
            answer = _get(pool, target, rules.max_bytes, end)
            if isinstance(answer, bytes):
                return answer
            if hop < rules.redirects:
                target = answer
    raise PictureRefused(f"more than {rules.redirects} redirects, the last from {shown(_ascii_host(target))}")


def decode_data_url(text: str, max_bytes: int = 2_000_000) -> bytes:
    """The bytes of a `data:...;base64,` address, strictly decoded; the declared type is not looked at.

    Raises PictureRefused when it is no such address or decodes to more than `max_bytes`, PictureUnreadable when its
    base64 is broken. Nothing larger than the limit is decoded.
    """
    head = _DATA_URL.match(text)
    if head is None:
        raise PictureRefused("not a base64 data address")
    encoded_length = len(text) - head.end()
    if encoded_length > (max_bytes + 2) // 3 * 4:
        raise PictureTooLarge(f"the picture inside the message is larger than {max_bytes} bytes")
    encoded = text[head.end() :].encode("ascii", "replace")
    try:
        data = binascii.a2b_base64(encoded)
    except binascii.Error:
        data = b""
    if binascii.b2a_base64(data, newline=False) != encoded:  # Python's own strict modes let some loose ends through
        raise PictureUnreadable("the picture inside the message is not valid base64")
    if len(data) > max_bytes:
        raise PictureTooLarge(f"the picture inside the message is larger than {max_bytes} bytes")
    return data


@functools.lru_cache(maxsize=1)
def _default_tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()  # certifi's roots, or those of SSL_CERT_FILE


def _parse(url: str, base: httpx.URL | None = None) -> httpx.URL:
    try:
        return httpx.URL(url) if base is None else base.join(url)
    except (httpx.InvalidURL, ValueError, TypeError):
        raise PictureRefused("the picture address is malformed") from None


def _host_name(entry: str) -> str:
    """An entry of an allow-list as it is compared: lower case, IDNA, no dot at its ends."""
    try:
        name = _ascii_host(httpx.URL(f"https://{entry.strip().strip('.')}/"))
    except httpx.InvalidURL:
        name = ""
    if not name or set(entry.strip()) & set("/:*@%?# "):
        raise ValueError(f"{entry!r} is not a bare host name such as cdn.example.com (its subdomains are included)")
    return name


def _ascii_host(url: httpx.URL) -> str:
    return url.raw_host.decode("ascii").lower().rstrip(".")


def _get(pool: httpcore.ConnectionPool, url: httpx.URL, max_bytes: int, end: float) -> bytes | httpx.URL:
    """One request: the body, or where it redirects to."""
    host = shown(_ascii_host(url))
    left = max(0.01, end - time.monotonic())
    timeouts = {"connect": left, "read": left, "write": left, "pool": left}
    target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
    try:
        with pool.stream(
            "GET", target, headers=[(b"Host", url.netloc), *_HEADERS], extensions={"timeout": timeouts}
        ) as response:
            headers = {name.lower(): value for name, value in response.headers}
            if response.status in _REDIRECTS:
                return _redirect(url, headers, host)
            _check_head(response.status, headers, max_bytes, host)
            return _body(response, max_bytes, host)
    except httpcore.TimeoutException:
        raise PictureUnreachable(f"{host} took too long") from None
    except (httpcore.UnsupportedProtocol, httpcore.LocalProtocolError):
        raise PictureRefused("the picture address is malformed") from None
    except (httpcore.NetworkError, httpcore.ProtocolError) as problem:
        if _is_bad_certificate(problem):
            raise PictureRefused(f"the certificate of {host} is not valid for it") from None
        raise PictureUnreachable(f"{host} could not be reached ({type(problem).__name__})") from None


def _redirect(url: httpx.URL, headers: dict[bytes, bytes], host: str) -> httpx.URL:
    try:
        location = headers[b"location"].decode("utf-8")
    except (KeyError, UnicodeDecodeError):
        raise PictureRefused(f"{host} redirects to nowhere") from None
    return _parse(location, url)


def _check_head(status: int, headers: dict[bytes, bytes], max_bytes: int, host: str) -> None:
    if status != 200:
        problem = PictureUnreachable(f"{host} answered {status}")
        problem.retryable = status >= 500 or status in _TRY_AGAIN
        raise problem
    if headers.get(b"content-encoding", b"identity").strip().lower() not in (b"identity", b""):
        raise PictureRefused(f"{host} sent a compressed body that was not asked for")
    declared = headers.get(b"content-length", b"0")
    if declared.isdigit() and int(declared[:20]) > max_bytes:
        raise PictureTooLarge(f"the picture on {host} is larger than {max_bytes} bytes")


def _body(response: httpcore.Response, max_bytes: int, host: str) -> bytes:
    body = bytearray()
    for chunk in response.iter_stream():
        body += chunk
        if len(body) > max_bytes:
            raise PictureTooLarge(f"the picture on {host} is larger than {max_bytes} bytes")
    return bytes(body)


def _is_bad_certificate(problem: BaseException) -> bool:
    cause: BaseException | None = problem
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
