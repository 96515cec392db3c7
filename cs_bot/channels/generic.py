"""The generic channel: Standard Webhooks in, signed message.reply and conversation.handoff out (docs/webhooks.md)."""

import base64
import hashlib
import json
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cs_bot import signatures
from cs_bot.channels import http
from cs_bot.channels.base import Caps, Delivery, RawRequest
from cs_bot.errors import ConfigError
from cs_bot.records import Outbound, Receipt, SendState
from cs_bot.schemas import EVENT_SHAPES, Envelope, HandOffOut, ReplyOut
from cs_bot.settings import AccountSettings

SCHEME = "generic"  # its row in the signatures' table
MIN_SECRET = 24  # bytes, as Standard Webhooks asks
LONGEST_ID = 200  # what the event table keeps of a delivery id


class GenericOptions(BaseModel):
    """The `options` of a generic account."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reply_url: str = Field(description="where message.reply and conversation.handoff are posted")
    dedupes: bool = Field(default=True, description="the receiver shows the same webhook-id once, however often sent")
    lookup_url: str | None = Field(
        default=None, description="GET {lookup_url}/{outbound id}: 200 = it has it, 404 = it has not"
    )


def build(account: AccountSettings, *, timeout_s: float) -> "GenericChannel":
    """The channel of one account; raises ConfigError when its options are wrong (their values are not repeated)."""
    name = f"account generic/{account.name}"
    try:
        options = GenericOptions.model_validate(account.options)
    except ValidationError as problem:
        lines = [f"options.{_path(error['loc'])}: {error['msg']}" for error in problem.errors(include_input=False)]
        raise ConfigError(f"{name}: {'; '.join(lines)}") from None
    _check_address(options.reply_url, f"{name}: options.reply_url", allow_http=account.allow_http)
    if options.lookup_url is not None:
        _check_address(options.lookup_url, f"{name}: options.lookup_url", allow_http=account.allow_http)
    secrets = tuple(secret.get_secret_value() for secret in account.secrets)
    for secret in secrets:  # a secret of the wrong form is found at the start, not at the first webhook
        signatures.sign(secret, "check", datetime.now(UTC), b"")
        if len(base64.b64decode(secret.removeprefix("whsec_"))) < MIN_SECRET:
            raise ConfigError(f"{name}: a secret has fewer than {MIN_SECRET} bytes")
    return GenericChannel(options, secrets, timeout_s=timeout_s)


class GenericChannel:
    """One account of the generic channel."""

    name = "generic"

    def __init__(self, options: GenericOptions, secrets: tuple[str, ...], *, timeout_s: float) -> None:
        self._options, self._secrets, self._timeout_s = options, secrets, timeout_s
        self.caps = Caps(idempotent_send=options.dedupes, can_look_up=options.lookup_url is not None, hand_off=True)

    def verify(self, request: RawRequest) -> None:
        """Raise BadSignature unless one of the account's secrets signed these bytes within five minutes."""
        signatures.verify(
            SCHEME, headers=request.headers, body=request.body, secrets=self._secrets, now=request.received_at
        )

    def parse(self, request: RawRequest) -> Delivery:
        """The event of a verified request; see `parse`."""
        return parse(request)

    def send(self, outbound: Outbound) -> Receipt:
        """Post one row of the outbox; webhook-id is its outbound id."""
        now = datetime.now(UTC)
        body = json.dumps(envelope_of(outbound, now), ensure_ascii=False, separators=(",", ":")).encode()
        headers = signatures.sign(self._secrets[0], outbound.outbound_id, now, body)
        answer = http.request(
            "POST", self._options.reply_url, headers=headers, body=body, timeout_s=self._timeout_s, now=now
        )
        return http.outcome(answer)

    def look_up(self, outbound_id: str) -> Receipt | None:
        """Ask whether the receiver has that outbound id; the request is signed over an empty body."""
        if self._options.lookup_url is None:
            return None
        now = datetime.now(UTC)
        url = f"{self._options.lookup_url.rstrip('/')}/{quote(outbound_id, safe='')}"
        headers = signatures.sign(self._secrets[0], outbound_id, now, b"")
        answer = http.request("GET", url, headers=headers, timeout_s=self._timeout_s, now=now)
        if not isinstance(answer, http.Answered) or answer.status not in (200, 404):
            return None
        state = SendState.SENT if answer.status == 200 else SendState.NOT_SENT
        return Receipt(state=state, detail=f"look-up {answer.status}")

    def close(self) -> None:
        """Nothing stays open between two requests."""


def parse(request: RawRequest) -> Delivery:
    """The event of a verified request. Unknown types and wrong shapes have no payload and a `problem`.

    `problem` names fields and kinds of error, never values. Not JSON (that is what NaN, Infinity and broken UTF-8
    are too): `is_json` is False.
    """
    delivery_id, sent_at = _delivery_id(request), _sent_at(request)
    try:
        body = _json(request.body)
    except _Odd as odd:
        return Delivery(delivery_id, None, sent_at, problem=str(odd), is_json=odd.is_json)
    try:
        envelope = Envelope.model_validate(body)
        kind = EVENT_SHAPES.get(envelope.type)
        if kind is None:
            return Delivery(delivery_id, _type(body), envelope.timestamp, problem="unknown type")
        payload = kind.model_validate(envelope.data)
    except ValidationError as problem:
        return Delivery(delivery_id, _type(body), sent_at, problem=_fields(problem))
    except (OverflowError, ValueError, RecursionError) as problem:
        return Delivery(
            delivery_id, _type(body), sent_at, problem=f"a value is out of range ({type(problem).__name__})"
        )
    return Delivery(delivery_id, envelope.type, envelope.timestamp, payloads=(payload,))  # type: ignore[arg-type]


def envelope_of(outbound: Outbound, now: datetime) -> dict[str, Any]:
    """The body we post for a row of the outbox; a hand-off carries what `extra` holds (reasons, suggestion, note)."""
    hand_off = outbound.kind == "handoff"
    said = dict(
        conversation_id=outbound.conversation_external_id,
        customer_id=outbound.customer_external_id,
        outbound_id=outbound.outbound_id,
        text=outbound.text,
        in_reply_to=outbound.in_reply_to,
        sender="agent" if outbound.kind == "agent" else "bot",
    )
    shape = HandOffOut(**{"reasons": (), **outbound.extra, **said}) if hand_off else ReplyOut(**said)
    return {
        "type": "conversation.handoff" if hand_off else "message.reply",
        "timestamp": now.isoformat(timespec="seconds"),
        "data": shape.model_dump(mode="json"),
    }


class _Odd(Exception):
    """A body that can't be used; its words hold nothing of the body."""

    def __init__(self, problem: str, *, is_json: bool) -> None:
        super().__init__(problem)
        self.is_json = is_json


def _json(body: bytes) -> Any:
    """The body as JSON. Two parsers read a repeated key differently, so a body that has one is not used."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _Odd("not UTF-8", is_json=False) from None
    try:
        return json.loads(text, parse_constant=_no_constant, object_pairs_hook=_once)
    except json.JSONDecodeError:
        raise _Odd("not JSON", is_json=False) from None
    except RecursionError:
        raise _Odd("nested too deeply", is_json=True) from None
    except ValueError:  # Python refuses to convert numbers of more than 4300 digits
        raise _Odd("a number is too long", is_json=True) from None


def _no_constant(_name: str) -> Any:
    raise _Odd("NaN and Infinity are not JSON", is_json=False)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Odd("a key is there twice", is_json=True)
    return found


def _fields(problem: ValidationError) -> str:
    """Where the shape is wrong, at most five places: `customer.id: missing`."""
    errors = problem.errors(include_url=False, include_context=False, include_input=False)
    shown = [f"{_path(error['loc'])}: {error['type']}" for error in errors[:5]]
    more = f" and {len(errors) - 5} more" if len(errors) > 5 else ""
    return ("; ".join(shown) + more)[:300]


def _path(loc: tuple[int | str, ...]) -> str:
    """A field path; the keys of `attributes` are the sender's own words and are not repeated."""
    parts = [str(part) for part in loc]
    if "attributes" in parts:
        parts = [*parts[: parts.index("attributes") + 1], "*"]
    return ".".join(parts) or "body"


def _type(body: Any) -> str | None:
    """The type as sent when it looks like one (the event table keeps 64 characters)."""
    kind = body.get("type") if isinstance(body, dict) else None
    return kind if isinstance(kind, str) and re.fullmatch(r"[A-Za-z0-9_.:-]{1,64}", kind) else None


def _delivery_id(request: RawRequest) -> str:
    """The webhook-id, equal on retries; one that is too long for the event table is hashed."""
    given = request.headers.get("webhook-id", "")
    return (
        given if len(given) <= LONGEST_ID else "sha256:" + hashlib.sha256(given.encode("utf-8", "replace")).hexdigest()
    )


def _sent_at(request: RawRequest) -> datetime:
    """The signed time of this delivery; used when the body has none."""
    try:
        return datetime.fromtimestamp(float(request.headers["webhook-timestamp"]), UTC)
    except (KeyError, ValueError, OverflowError, OSError):
        return request.received_at


def _check_address(address: str, what: str, *, allow_http: bool) -> None:
    """The operator's own address: any host, but plain http only where the account allows it."""
    try:
        url = httpx.URL(address)
    except (httpx.InvalidURL, ValueError):
        raise ConfigError(f"{what} is not a web address") from None
    if url.scheme not in ("https", "http") or not url.host or url.userinfo:
        raise ConfigError(f"{what} must be an https address without a user name in it")
    if url.scheme == "http" and not allow_http:
        raise ConfigError(f"{what} is plain http: set allow_http for this account if that is meant")
