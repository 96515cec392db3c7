"""One HMAC table for every platform."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

from standardwebhooks import Webhook

from cs_bot.errors import BadSignature, ConfigError, UnknownPlugin

TOLERANCE_S = 300  # a signed time may be this far from ours, either way
_MOST_SIGNATURES = 16  # of one header; Standard Webhooks sends one per secret in rotation
_UNIX = re.compile(r"[0-9]{1,12}", re.ASCII)
_WHSEC = "whsec_"


class _As(Enum):
    """How a digest is written."""

    HEX = "hex"
    BASE64 = "base64"
    SECRET = "secret"  # no digest: the header is the secret itself


class _Time(Enum):
    """How a signed time is written."""

    UNIX = "unix seconds"
    ISO = "ISO 8601"


@dataclass(frozen=True)
class Scheme:
    """How one platform signs. `signed` lists what the HMAC-SHA256 runs over: header names, "body", or "."."""

    header: tuple[str, ...]  # the first one that is there counts
    written: _As
    prefix: str = ""
    signed: tuple[str, ...] = ("body",)
    time_header: str | None = None  # checked against our clock, and so one of `signed`
    time: _Time = _Time.UNIX
    several: bool = False  # the header holds a list, separated by spaces
    base64_secret: bool = False


SCHEMES: Mapping[str, Scheme] = {
    # https://www.standardwebhooks.com, specification 1.0.0; v1a (ed25519) is not supported
    "generic": Scheme(
        header=("webhook-signature",),
        written=_As.BASE64,
        prefix="v1,",
        signed=("webhook-id", ".", "webhook-timestamp", ".", "body"),
        time_header="webhook-timestamp",
        several=True,
        base64_secret=True,
    ),
    # the agent bot's secret, not its access token
    "chatwoot": Scheme(
        header=("x-chatwoot-signature",),
        written=_As.HEX,
        prefix="sha256=",
        signed=("x-chatwoot-timestamp", ".", "body"),
        time_header="x-chatwoot-timestamp",
    ),
    # WhatsApp, Messenger, Instagram: the app secret; no signed time
    "meta": Scheme(header=("x-hub-signature-256",), written=_As.HEX, prefix="sha256="),
    "line": Scheme(header=("x-line-signature",), written=_As.BASE64),
    # the app's client secret; the second name is that of newer subscriptions
    "shopify": Scheme(header=("x-shopify-hmac-sha256", "shopify-hmac-sha256"), written=_As.BASE64),
    "woocommerce": Scheme(header=("x-wc-webhook-signature",), written=_As.BASE64),
    # https://developer.zendesk.com/documentation/webhooks/verifying: time and body without a dot between
    "zendesk": Scheme(
        header=("x-zendesk-webhook-signature",),
        written=_As.BASE64,
        signed=("x-zendesk-webhook-signature-timestamp", "body"),
        time_header="x-zendesk-webhook-signature-timestamp",
        time=_Time.ISO,
    ),
    "telegram": Scheme(header=("x-telegram-bot-api-secret-token",), written=_As.SECRET),
    "sunshine": Scheme(header=("x-api-key",), written=_As.SECRET),
}


def verify(scheme: str, *, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime) -> None:
    """Return when one of `secrets` signed exactly these bytes, else raise BadSignature, whatever was forged.

    `scheme` is a name of SCHEMES (UnknownPlugin otherwise), `headers` have lower-case names, `now` is aware and is
    compared with the signed time where the platform signs one (TOLERANCE_S). No secret, or one that is blank or not of
    the scheme's form, raises ConfigError: nothing is ever let through unsigned. Digests are compared in constant time
    and all secrets are tried.

    The library behind `sign` verifies by its own clock, decodes the body, and on forged input raises ValueError,
    binascii.Error and others; so the generic scheme is a row of the table here, tested against that library.
    """
    row = SCHEMES.get(scheme)
    if row is None:
        raise UnknownPlugin("signature scheme", scheme, list(SCHEMES))
    keys = [_key(row, secret) for secret in secrets]
    if not keys:
        raise ConfigError(f"unset secret: {scheme} webhooks can't be verified")
    given = _given(row, headers)
    _check_time(row, headers, now)
    expected = [_expected(row, key, headers, body) for key in keys]
    matches = [hmac.compare_digest(wanted, signature) for wanted in expected for signature in given]
    if not any(matches):
        raise BadSignature


def sign(secret: str, msg_id: str, timestamp: datetime, body: bytes) -> dict[str, str]:
    """The three Standard Webhooks headers for an outgoing `body` (UTF-8). `timestamp` is aware.

    Raises ConfigError for a secret that is no base64 (with or without `whsec_` in front).
    """
    if timestamp.tzinfo is None:
        raise ValueError("timestamp must be aware")
    moment = timestamp.astimezone(UTC)  # the library reads any zone's clock as UTC
    signature = Webhook(_key(SCHEMES["generic"], secret)).sign(msg_id, moment, body.decode("utf-8"))
    return {
        "webhook-id": msg_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": signature,
    }


def _key(row: Scheme, secret: str) -> bytes:
    if not secret.strip():
        raise ConfigError("unset secret: a webhook secret is blank")
    if not row.base64_secret:
        return secret.encode("utf-8")
    encoded = secret.removeprefix(_WHSEC).rstrip("=")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise ConfigError("a webhook secret is not base64, with or without whsec_ in front of it")
    return key


def _given(row: Scheme, headers: Mapping[str, str]) -> list[bytes]:
    """The signatures that came with the request, without their prefix, as bytes."""
    value = next((headers[name] for name in row.header if name in headers), "")
    values = value.split(" ")[:_MOST_SIGNATURES] if row.several else [value]
    found = [one.removeprefix(row.prefix) for one in values if one.startswith(row.prefix) and one != row.prefix]
    if not found:
        raise BadSignature("the signature is missing")
    return [one.encode("utf-8", "surrogatepass") for one in found]


def _check_time(row: Scheme, headers: Mapping[str, str], now: datetime) -> None:
    if row.time_header is None:
        return
    text = headers.get(row.time_header, "")
    if row.time is _Time.UNIX:
        if not _UNIX.fullmatch(text):
            raise BadSignature("the signed time is missing or malformed")
        moment = float(text)
    else:
        moment = _iso(text)
    if abs(now.timestamp() - moment) > TOLERANCE_S:
        raise BadSignature(f"the signed time is more than {TOLERANCE_S} s from ours")


def _iso(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None or not text.isascii():
            raise ValueError
        return moment.timestamp()
    except (ValueError, OverflowError):
        raise BadSignature("the signed time is missing or malformed") from None


def _expected(row: Scheme, key: bytes, headers: Mapping[str, str], body: bytes) -> bytes:
    if row.written is _As.SECRET:
        return key
    mac = hmac.new(key, digestmod=hashlib.sha256)
    for part in row.signed:
        mac.update(body if part == "body" else b"." if part == "." else _signed_header(headers, part))
    return mac.hexdigest().encode() if row.written is _As.HEX else base64.b64encode(mac.digest())


def _signed_header(headers: Mapping[str, str], name: str) -> bytes:
    value = headers.get(name, "")
    if not value or not value.isascii():
        raise BadSignature(f"{name} is missing or malformed")
    return value.encode("ascii")
