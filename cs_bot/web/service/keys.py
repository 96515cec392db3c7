"""Who may ask: bearer keys compared in constant time, a rate for each; without keys only this machine's programs."""

import hashlib
import hmac
import ipaddress
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from cs_bot.errors import ConfigError, NotAllowed, NotSignedIn
from cs_bot.settings import ServeSettings
from cs_bot.web.auth import Throttle, hash_token
from cs_bot.web.limits import Rates

MAKE_ONE = "python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"


class Keys:
    """The keys of the settings, and what each has used."""

    def __init__(self, serve: ServeSettings, throttle: Throttle | None = None) -> None:
        self._known = [hashlib.sha256(key.get_secret_value().encode()).digest() for key in serve.api_keys]
        self._rates = Rates(serve.rate_per_minute)
        self._throttle = throttle or Throttle()

    def check(self, headers: Mapping[str, str], address: str) -> str:
        """Who asks, as a word to count by. Raises NotSignedIn, TooManyTries, NotAllowed."""
        if not self._known:
            _only_from_here(headers, address)
            return address
        scheme, _, key = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise NotSignedIn("Send a key of this server: Authorization: Bearer <key>")
        hashed = hash_token(key.strip())
        self._throttle.check(address, hashed)
        right = [hmac.compare_digest(bytes.fromhex(hashed), known) for known in self._known]  # all: no early end
        if not any(right):
            self._throttle.failed(address)
            raise NotSignedIn("That key is not one of this server's.")
        self._throttle.worked(hashed)
        return hashed

    def count(self, client: str) -> None:
        """Count a chat of a client that check() named; raises TooManyRequests when it has had its share."""
        self._rates.take(client)


def require_keys(serve: ServeSettings) -> None:
    """Raise ConfigError for an address that others can reach without any key."""
    if not serve.api_keys and not is_loopback(serve.host):
        raise ConfigError(
            f"without a key `cs-bot serve` listens only on 127.0.0.1, not on {serve.host}: "
            f"set CSBOT_SERVE__API_KEYS (make a key with: {MAKE_ONE}), or leave --host out"
        )


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine reach that address or name."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _only_from_here(headers: Mapping[str, str], address: str) -> None:
    """Web pages in a browser on this machine reach loopback too: their requests name another host or origin.

    Requests that a proxy hands on come from the address that it names.
    """
    try:
        hosts: Sequence[str | None] = (
            address,
            urlsplit(f"//{headers.get('host', '')}").hostname,
            urlsplit(headers["origin"]).hostname if "origin" in headers else "localhost",
        )
    except ValueError:  # an address in brackets that is none
        hosts = (None,)
    if not all(is_loopback(host or "") for host in hosts):
        raise NotAllowed("Without keys this server answers only programs on its own machine.")
