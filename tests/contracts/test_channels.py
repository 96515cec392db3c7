"""Every channel keeps the contract of channels/base.py, the double that we ship too."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cs_bot import signatures
from cs_bot.channels.base import CHANNELS, Channel, RawRequest, load_channel
from cs_bot.errors import BadSignature, ConfigError, UnknownPlugin
from cs_bot.records import Outbound, Receipt, SendState
from cs_bot.schemas import EVENT_SHAPES, MessageCreated, MessageRevoked, OrderIn, ProductIn, Released, TakenByHuman
from cs_bot.settings import AccountSettings
from cs_bot.testing import SECRET, RecordingChannel, shop_event, shop_message, shop_request
from tests.contracts.loopback import Platform, platform

OTHER_SECRET = "whsec_" + "b3RoZXItc2VjcmV0LW90aGVyLXNlY3JldC1vdGhlcg=="
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TIMEOUT_S = 1.0

SAMPLES: dict[str, tuple[type, dict[str, Any]]] = {
    "message.created": (MessageCreated, shop_message("where is my order?")),
    "conversation.taken_by_human": (TakenByHuman, {"conversation_id": "c1"}),
    "conversation.released": (Released, {"conversation_id": "c1"}),
    "message.revoked": (MessageRevoked, {"conversation_id": "c1", "message_id": "m1"}),
    "order.upserted": (
        OrderIn,
        {"order_id": 20268633688652, "status": "paid", "amount": "89.00", "ordered_at": "2026-02-27T10:00:00+08:00"}
        | {"updated_at": "2026-02-27T10:00:00+08:00", "customer_id": "u1"},
    ),
    "product.upserted": (ProductIn, {"product_id": "p1", "title": "Lamp", "updated_at": "2026-02-27T10:00:00Z"}),
}


@dataclass
class Rig:
    """How the suite drives one kind of channel: make it, sign an event for it, tell the platform how to behave."""

    make: Callable[[Platform], Channel]
    event: Callable[..., RawRequest]


def generic(options: dict[str, Any], **values: Any) -> Channel:
    """A generic channel on plain http."""
    account = AccountSettings(
        channel="generic", name="shop", secrets=(SECRET,), allow_http=True, options=options, **values
    )
    return load_channel(account, timeout_s=TIMEOUT_S)


def generic_on(server: Platform) -> Channel:
    """The generic channel that talks to `server`."""
    return generic({"reply_url": f"{server.url}/reply", "lookup_url": f"{server.url}/has"})


RECEIPTS = {
    "200": SendState.SENT,
    "429 Retry-After: 7": SendState.NOT_SENT,
    "400": SendState.FAILED,
    "500": SendState.UNKNOWN,
    "hang": SendState.UNKNOWN,
    "reset": SendState.UNKNOWN,
    "take and drop": SendState.UNKNOWN,
}


class Rehearsed(RecordingChannel):
    """The double, told by the same behaviours as the platform."""

    def __init__(self, server: Platform) -> None:
        super().__init__()
        self._server = server

    def send(self, outbound: Outbound) -> Receipt:
        behaviour = self._server.behaviours.pop(0) if self._server.behaviours else "200"
        wait = 7.0 if "Retry-After" in behaviour else None
        self._receipts = [Receipt(state=RECEIPTS[behaviour], retry_after_s=wait, detail=behaviour[:3])]
        self._arrives = behaviour == "take and drop"
        return super().send(outbound)


RIGS = {"generic": Rig(generic_on, shop_request), "recording": Rig(Rehearsed, shop_request)}


def test_every_channel_of_the_table_is_in_this_suite() -> None:
    assert set(CHANNELS) <= set(RIGS)


@pytest.fixture(params=sorted(RIGS))
def rig(request: pytest.FixtureRequest) -> Rig:
    return RIGS[request.param]


@pytest.fixture
def server() -> Iterator[Platform]:
    with platform() as one:
        yield one


@pytest.fixture
def channel(rig: Rig, server: Platform) -> Iterator[Channel]:
    one = rig.make(server)
    yield one
    one.close()


def reply(**values: Any) -> Outbound:
    """One row of the outbox."""
    given = {"outbound_id": "out_" + "0a" * 16, "conversation_id": 1, "channel": "generic", "account": "shop"}
    more = {"conversation_external_id": "c1", "customer_external_id": "u1", "kind": "reply", "text": "已发货 🚚"}
    return Outbound(**{**given, **more, "attempts": 1, "send_token": "t", "in_reply_to": ("m1",), **values})


# Coming in


@pytest.mark.parametrize("kind", sorted(EVENT_SHAPES))
def test_a_signed_event_of_each_type_is_verified_and_parsed(rig: Rig, channel: Channel, kind: str) -> None:
    shape, data = SAMPLES[kind]
    request = rig.event(shop_event(kind, data, now=NOW), now=NOW, delivery_id="d1")
    channel.verify(request)
    delivery = channel.parse(request)
    assert delivery.problem is None
    assert delivery.is_json
    assert (delivery.delivery_id, delivery.type, delivery.timestamp) == ("d1", kind, NOW)
    [payload] = delivery.payloads
    assert isinstance(payload, shape)


@pytest.mark.parametrize("skew_s", [-299, 299])
def test_a_clock_that_is_a_little_off_is_accepted(rig: Rig, channel: Channel, skew_s: int) -> None:
    request = rig.event({"a": 1}, now=NOW)
    channel.verify(RawRequest(request.headers, request.body, NOW + timedelta(seconds=skew_s)))


def forge(request: RawRequest, how: str) -> RawRequest:
    """The request, tampered with."""
    headers, body, at = dict(request.headers), request.body, request.received_at
    if how.startswith("no "):
        headers.pop(how.removeprefix("no "))
    elif how == "other body":
        body += b" "
    elif how == "old":
        at += timedelta(seconds=301)
    elif how == "early":
        at -= timedelta(seconds=302)
    elif how == "other id":
        headers["webhook-id"] = "other"
    else:
        headers["webhook-signature"] = how
    return RawRequest(headers, body, at)


@pytest.mark.parametrize(
    "how",
    [
        *("no webhook-id", "no webhook-timestamp", "no webhook-signature", "other body", "old", "early", "other id"),
        *("", "v1", "v1,", "v1,,", "v1,!!", "v2,AAAA", "  ", "v1,AAAA v1", "v1,é", "v1,\ud800", "v1,AAAA," * 500),
    ],
)
def test_a_forged_old_or_mangled_request_is_a_bad_signature(rig: Rig, channel: Channel, how: str) -> None:
    request = rig.event({"a": 1}, now=NOW)
    with pytest.raises(BadSignature):
        channel.verify(forge(request, how))


def test_another_secret_is_a_bad_signature(rig: Rig, channel: Channel) -> None:
    with pytest.raises(BadSignature):
        channel.verify(rig.event({"a": 1}, now=NOW, secret=OTHER_SECRET))


def test_during_a_rotation_both_secrets_are_accepted() -> None:
    account = AccountSettings(
        channel="generic", name="shop", secrets=(OTHER_SECRET, SECRET), options={"reply_url": "https://shop.example/r"}
    )
    channel = load_channel(account, timeout_s=1)
    for secret in (SECRET, OTHER_SECRET):
        channel.verify(shop_request({"a": 1}, now=NOW, secret=secret))


@pytest.mark.parametrize(
    ("body", "is_json"),
    [
        (b"", False),
        (b"not json", False),
        (b"\xff\xfe\x00", False),
        (b'{"a": NaN}', False),
        (b'{"a": -Infinity}', False),
        (b"[" * 100_000, True),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, True),
        (b'{"type": 1' + b"0" * 5000 + b"}", True),
        (b'{"type": "message.created", "type": "order.upserted"}', True),
        (b"null", True),
        (b'"\\ud800"', True),
        (b'{"type": "\\ud800\\u0000", "timestamp": 1, "data": {}}', True),
        (b'{"type": "message.created", "timestamp": "0001-01-01T00:00:00+14:00", "data": {}}', True),
        (b'{"type": "message.created", "timestamp": 1e400, "data": {}}', True),
        (b'{"type": "something.new", "timestamp": "2026-03-01T12:00:00Z", "data": {}}', True),
    ],
)
def test_odd_bodies_have_no_payload_and_a_problem(rig: Rig, channel: Channel, body: bytes, is_json: bool) -> None:
    delivery = channel.parse(rig.event(body, now=NOW, delivery_id="d1"))
    assert delivery.payloads == ()
    assert delivery.problem
    assert delivery.is_json is is_json
    assert delivery.delivery_id == "d1"
    assert delivery.timestamp.tzinfo is not None


def test_a_problem_names_fields_and_never_values(rig: Rig, channel: Channel) -> None:
    data = shop_message("hi", customer={"id": "u1", "name": {"secret": "SECRET-VALUE"}}, sent_at="SECRET-VALUE")
    data["attachments"] = [{"url": "x"}, {"url": "SECRET-VALUE" * 1_000_000}]
    problem = channel.parse(rig.event(shop_event("message.created", data), now=NOW)).problem
    assert problem is not None
    assert "customer.name" in problem
    assert "attachments.1.url" in problem
    assert "SECRET" not in problem
    assert len(problem) <= 300


def test_a_senders_own_attribute_names_are_not_repeated(rig: Rig, channel: Channel) -> None:
    data = {"product_id": "p", "title": "t", "updated_at": "2026-01-01T00:00:00Z", "attributes": {"SECRET": {}}}
    problem = channel.parse(rig.event(shop_event("product.upserted", data), now=NOW)).problem
    assert problem is not None
    assert "attributes" in problem
    assert "SECRET" not in problem


def test_text_that_databases_refuse_is_cleaned(rig: Rig, channel: Channel) -> None:
    body = json.dumps(shop_event("message.created", shop_message("a\x00b \ud83d c")), ensure_ascii=True).encode()
    [payload] = channel.parse(rig.event(body, now=NOW)).payloads
    assert isinstance(payload, MessageCreated)
    assert "\x00" not in payload.text
    payload.text.encode()  # no lone surrogate is left


@pytest.mark.parametrize("delivery_id", ["x" * 200, "x" * 201, "x" * 60_000])
def test_a_delivery_id_fits_the_event_table_and_differs(rig: Rig, channel: Channel, delivery_id: str) -> None:
    found = channel.parse(rig.event({}, now=NOW, delivery_id=delivery_id)).delivery_id
    assert len(found) <= 200
    assert found != channel.parse(rig.event({}, now=NOW, delivery_id=delivery_id + "y")).delivery_id


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(sorted(EVENT_SHAPES)),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=12), inner, max_size=5),
    max_leaves=15,
)
FIELDS = sorted({name for shape in EVENT_SHAPES.values() for name in shape.model_fields})
ODD_EVENT = st.fixed_dictionaries(
    {
        "type": st.sampled_from(sorted(EVENT_SHAPES)) | JSON,
        "timestamp": st.just("2026-03-01T12:00:00Z") | JSON,
        "data": st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=8) | JSON,
    }
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200) | JSON.map(json.dumps).map(str.encode) | ODD_EVENT.map(json.dumps).map(str.encode))
def test_parsing_never_raises(rig: Rig, channel: Channel, body: bytes) -> None:
    delivery = channel.parse(rig.event(body, now=NOW))
    assert (delivery.payloads == ()) == (delivery.problem is not None)
    assert len(delivery.problem or "") <= 300


# Going out


@pytest.mark.parametrize("behaviour", sorted(RECEIPTS))
def test_what_the_platform_does_decides_what_is_known(channel: Channel, server: Platform, behaviour: str) -> None:
    server.behaviours = [behaviour]
    begun = time.monotonic()
    receipt = channel.send(reply())
    assert receipt.state is RECEIPTS[behaviour]
    assert receipt.retry_after_s == (7.0 if "Retry-After" in behaviour else None)
    assert time.monotonic() - begun < TIMEOUT_S + 0.5


def test_a_reply_sent_twice_is_shown_once_where_the_channel_says_so(channel: Channel, server: Platform) -> None:
    server.behaviours = ["take and drop", "200"]
    assert channel.send(reply()).state is SendState.UNKNOWN
    assert channel.send(reply()).state is SendState.SENT
    shown = channel.shown if isinstance(channel, RecordingChannel) else server.shown
    assert channel.caps.idempotent_send
    assert len(shown) == 1


def test_a_look_up_tells_what_arrived_from_what_did_not(channel: Channel, server: Platform) -> None:
    server.behaviours = ["take and drop"]
    channel.send(reply())
    server.behaviours = ["200", "200"]
    arrived, missing = channel.look_up(reply().outbound_id), channel.look_up("out_" + "ff" * 16)
    assert arrived is not None
    assert missing is not None
    assert (arrived.state, missing.state) == (SendState.SENT, SendState.NOT_SENT)


# The generic channel's own


def test_a_reply_is_signed_and_has_the_published_shape(server: Platform) -> None:
    generic_on(server).send(reply())
    [request] = server.requests
    now = datetime.now(UTC)
    signatures.verify("generic", headers=request.headers, body=request.body, secrets=[SECRET], now=now)
    assert request.headers["webhook-id"] == reply().outbound_id
    body = json.loads(request.body)
    assert body["type"] == "message.reply"
    assert body["data"] == {
        "conversation_id": "c1",
        "customer_id": "u1",
        "outbound_id": reply().outbound_id,
        "text": "已发货 🚚",
        "in_reply_to": ["m1"],
        "sender": "bot",
    }


def test_an_agents_answer_says_so(server: Platform) -> None:
    generic_on(server).send(reply(kind="agent"))
    assert server.json()["data"]["sender"] == "agent"  # type: ignore[index]


def test_a_hand_off_carries_reasons_and_draft_and_they_cannot_change_the_rest(server: Platform) -> None:
    extra = {"reasons": ["upset"], "suggestion": "s", "conversation_id": "other"}
    generic_on(server).send(reply(kind="handoff", extra=extra))
    said = server.json()
    assert said["type"] == "conversation.handoff"
    assert said["data"]["reasons"] == ["upset"]  # type: ignore[index]
    assert said["data"]["conversation_id"] == "c1"  # type: ignore[index]


@pytest.mark.parametrize(
    ("behaviour", "state", "wait"),
    [
        ("204", SendState.SENT, None),
        ("302 Location: http://127.0.0.1:1/", SendState.FAILED, None),
        ("401", SendState.FAILED, None),
        ("410", SendState.FAILED, None),
        ("429", SendState.NOT_SENT, None),
        ("429 Retry-After: Wed, 21 Oct 2015 07:28:00 GMT", SendState.NOT_SENT, 0.0),
        ("429 Retry-After: 99999999999999999999", SendState.NOT_SENT, None),
        ("429 Retry-After: 999999999", SendState.NOT_SENT, 86_400.0),
        ("429 Retry-After: -5", SendState.NOT_SENT, None),
        ("429 Retry-After: soon", SendState.NOT_SENT, None),
        ("503 Retry-After: 3", SendState.UNKNOWN, 3.0),
        ("drip", SendState.UNKNOWN, None),
        ("nonsense", SendState.UNKNOWN, None),
    ],
)
def test_each_answer_has_one_meaning(server: Platform, behaviour: str, state: SendState, wait: float | None) -> None:
    server.behaviours = [behaviour]
    begun = time.monotonic()
    receipt = generic_on(server).send(reply())
    assert (receipt.state, receipt.retry_after_s) == (state, wait)
    assert time.monotonic() - begun < TIMEOUT_S + 0.5
    for secret in ("SECRET-BODY", "127.0.0.1", "whsec", "/reply"):
        assert secret not in receipt.detail
    assert len(server.requests) == 1


@pytest.mark.parametrize("address", ["http://127.0.0.1:{port}/r", "http://no-such-host.invalid/r"])
def test_when_nothing_could_be_opened_nothing_was_sent(address: str) -> None:
    with platform() as gone:
        port = gone.port
    receipt = generic({"reply_url": address.format(port=port)}).send(reply())
    assert receipt.state is SendState.NOT_SENT


def test_a_platform_that_speaks_no_tls_got_nothing(server: Platform) -> None:
    receipt = generic({"reply_url": f"https://127.0.0.1:{server.port}/r"}).send(reply())
    assert receipt.state in (SendState.NOT_SENT, SendState.UNKNOWN)
    assert server.shown == []


def test_proxies_of_the_environment_are_not_used(server: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert generic_on(server).send(reply()).state is SendState.SENT


def test_a_look_up_that_fails_says_nothing(server: Platform) -> None:
    channel = generic_on(server)
    server.behaviours = ["reset"]
    assert channel.look_up("out_x") is None
    assert not generic({"reply_url": f"{server.url}/r"}).caps.can_look_up
    assert generic({"reply_url": f"{server.url}/r"}).look_up("out_x") is None


def test_a_look_up_is_signed(server: Platform) -> None:
    generic_on(server).look_up("out_x")
    [request] = server.requests
    assert request.path == "/has/out_x"
    signatures.verify("generic", headers=request.headers, body=b"", secrets=[SECRET], now=datetime.now(UTC))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "reply_url"),
        ({"reply_url": "https://shop.example/r", "replyurl": "x"}, "replyurl"),
        ({"reply_url": "http://shop.example/r"}, "allow_http"),
        ({"reply_url": "ftp://shop.example/r"}, "https"),
        ({"reply_url": "https://user:hunter2@shop.example/r"}, "user name"),
        ({"reply_url": "https:///r"}, "https"),
        ({"reply_url": "https://shop.example/r", "lookup_url": "http://shop.example/h"}, "lookup_url"),
    ],
)
def test_wrong_options_are_refused_at_the_start_naming_the_account(options: dict[str, Any], words: str) -> None:
    account = AccountSettings(channel="generic", name="shop", secrets=(SECRET,), options=options)
    with pytest.raises(ConfigError, match="generic/shop") as refused:
        load_channel(account, timeout_s=1)
    assert words in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_secret_of_the_wrong_form_is_refused_at_the_start() -> None:
    account = AccountSettings(
        channel="generic", name="shop", secrets=("not base64 !",), options={"reply_url": "https://shop.example/r"}
    )
    with pytest.raises(ConfigError) as refused:
        load_channel(account, timeout_s=1)
    assert "not base64 !" not in str(refused.value)


def test_an_unknown_channel_names_the_known_ones() -> None:
    account = AccountSettings(channel="pigeon", name="shop", secrets=(SECRET,))
    with pytest.raises(UnknownPlugin, match="generic"):
        load_channel(account, timeout_s=1)
