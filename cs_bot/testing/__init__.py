"""Doubles we ship: ScriptedVision, ScriptedChats, RecordingChannel, and signed requests of a shop platform."""

import base64
import hmac
import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cs_bot import signatures
from cs_bot.channels import generic
from cs_bot.channels.base import Caps, Delivery, RawRequest
from cs_bot.errors import EngineError, EngineTimeout
from cs_bot.records import Kind, Look, Outbound, Receipt, SendState
from cs_bot.testing.chats import ScriptedChats
from cs_bot.vision.base import Ask, PictureInput, Words

__all__ = [
    "SECRET",
    "RecordingChannel",
    "ScriptedChats",
    "ScriptedVision",
    "a_look",
    "shop_event",
    "shop_message",
    "shop_request",
    "sign_webhook",
    "some_words",
]

SECRET = "whsec_" + "Y3MtYm90LXRlc3Qtc2VjcmV0LW9mLTMyLWJ5dGVzISE="  # of the doubles only


def a_look(sha256: str = "0" * 64, kind: Kind = Kind.OTHER, **values: Any) -> Look:
    """A Look of one kind for sure; `values` are fields of Look."""
    kinds = {k: float(k is kind) for k in Kind if k is not Kind.TEXT}
    given = {"kinds": kinds, "engine": "scripted", "engine_version": "1", "prompt_version": "-", "seconds": 0.0}
    return Look(**{"picture_sha256": sha256, **given, **values})


def some_words(template: str, **signals: float) -> Words:
    """A reply's template as an engine writes it."""
    return Words(template=template, signals=signals, engine="scripted", engine_version="1", prompt_version="-")


class ScriptedVision:
    """An engine that says what it was told: by SHA-256 of the picture, else the default. Follows vision.base.Vision.

    `words` makes it write: called with each ask. `seen` lists the pictures in the order they came. `before` is called
    with each picture's SHA-256 first: there tests make it wait, raise or kill the process.
    """

    name = "scripted"
    version = "1"
    prompt_version = "-"
    healthy = True

    def __init__(
        self,
        looks: Mapping[str, Look | EngineError] | None = None,
        default: Look | EngineError | None = None,
        before: Callable[[str], None] | None = None,
        words: Callable[[Ask], Words | EngineError] | None = None,
    ) -> None:
        self._looks, self._default, self._before = dict(looks or {}), default or a_look(), before
        self._words = words
        self._closed = False
        self.seen: list[str] = []

    def look(
        self,
        pictures: Sequence[PictureInput],
        *,
        deadline_s: float | None = None,
        progress: Callable[[], None] | None = None,
    ) -> list[Look | EngineError]:
        """One scripted result a picture."""
        return [self._one(picture, deadline_s, progress) for picture in pictures]

    def _one(
        self, picture: PictureInput, deadline_s: float | None, progress: Callable[[], None] | None
    ) -> Look | EngineError:
        if self._closed:
            return EngineError("the engine is closed")
        if deadline_s is not None and deadline_s <= 0:
            return EngineTimeout()
        if self._before is not None:
            self._before(picture.sha256)
        self.seen.append(picture.sha256)
        found = self._looks.get(picture.sha256, self._default)
        if progress is not None:
            progress()
        return found.model_copy(update={"picture_sha256": picture.sha256}) if isinstance(found, Look) else found

    @property
    def writes(self) -> bool:
        """Whether `words` was given."""
        return self._words is not None

    def write(
        self,
        asks: Sequence[Ask],
        *,
        deadline_s: float | None = None,
        progress: Callable[[], None] | None = None,
    ) -> list[Words | EngineError]:
        """One scripted result an ask."""
        results: list[Words | EngineError] = []
        for ask in asks:
            if self._closed or self._words is None:
                results.append(EngineError("the engine is closed" if self._closed else "no words were scripted"))
            elif deadline_s is not None and deadline_s <= 0:
                results.append(EngineTimeout())
            else:
                results.append(self._words(ask))
                if progress is not None:
                    progress()
        return results

    def close(self) -> None:
        """Later looks come back as EngineError."""
        self._closed = True


class RecordingChannel:
    """A platform in memory that follows channels.base.Channel: signed as the generic channel, every send is kept.

    `receipts` answers the sends in turn, then everything is SENT. What came back SENT or UNKNOWN has arrived (use
    `arrives` to say otherwise for the unknown ones); `shown` is what the customer sees, once per outbound id where the
    platform dedupes.
    """

    name = "recording"

    def __init__(
        self,
        *,
        caps: Caps | None = None,
        receipts: Iterable[Receipt] = (),
        arrives: bool = True,
        secret: str = SECRET,
    ) -> None:
        self.caps = caps or Caps(idempotent_send=True, can_look_up=True, hand_off=True)
        self._receipts, self._arrives, self._secret = list(receipts), arrives, secret
        self.sent: list[Outbound] = []
        self.shown: list[Outbound] = []
        self.closed = False

    def verify(self, request: RawRequest) -> None:
        """As the generic channel does."""
        signatures.verify(
            generic.SCHEME, headers=request.headers, body=request.body, secrets=[self._secret], now=request.received_at
        )

    def parse(self, request: RawRequest) -> Delivery:
        """As the generic channel does."""
        return generic.parse(request)

    def send(self, outbound: Outbound) -> Receipt:
        """Keep it and answer with the next scripted receipt."""
        self.sent.append(outbound)
        receipt = self._receipts.pop(0) if self._receipts else Receipt(state=SendState.SENT, detail="200")
        arrived = receipt.state is SendState.SENT or (receipt.state is SendState.UNKNOWN and self._arrives)
        known = self.caps.idempotent_send and any(o.outbound_id == outbound.outbound_id for o in self.shown)
        if arrived and not known:
            self.shown.append(outbound)
        return receipt

    def look_up(self, outbound_id: str) -> Receipt | None:
        """Whether it is among what the customer sees."""
        if not self.caps.can_look_up:
            return None
        has = any(outbound.outbound_id == outbound_id for outbound in self.shown)
        return Receipt(state=SendState.SENT if has else SendState.NOT_SENT, detail="look-up")

    def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True


def sign_webhook(
    body: bytes | Mapping[str, Any],
    *,
    secret: str = SECRET,
    delivery_id: str | None = None,
    now: datetime | None = None,
) -> tuple[dict[str, str], bytes]:
    """The headers and bytes of a signed Standard Webhook; a mapping becomes JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    moment = str(int((now or datetime.now(UTC)).timestamp()))
    name = delivery_id or f"msg_{uuid.uuid4().hex}"
    # Written out rather than by signatures.sign: a double may have to sign bytes that are no text.
    digest = hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), f"{name}.{moment}.".encode() + data, "sha256")
    signature = "v1," + base64.b64encode(digest).decode()
    return {"webhook-id": name, "webhook-timestamp": moment, "webhook-signature": signature}, data


def shop_event(kind: str, data: Mapping[str, Any], *, now: datetime | None = None) -> dict[str, Any]:
    """The envelope of one event."""
    return {"type": kind, "timestamp": (now or datetime.now(UTC)).isoformat(), "data": dict(data)}


def shop_message(text: str = "hello", **data: Any) -> dict[str, Any]:
    """The data of a message.created: one customer, one conversation, a fresh message id."""
    message = {"conversation_id": "c1", "message_id": uuid.uuid4().hex, "customer": {"id": "u1", "name": "Customer"}}
    return {**message, "text": text, **data}


def shop_request(
    body: bytes | Mapping[str, Any],
    *,
    secret: str = SECRET,
    delivery_id: str | None = None,
    now: datetime | None = None,
) -> RawRequest:
    """A signed request as the web layer hands it over."""
    moment = now or datetime.now(UTC)
    headers, data = sign_webhook(body, secret=secret, delivery_id=delivery_id, now=moment)
    return RawRequest(headers=headers, body=data, received_at=moment)
