"""Webhook signatures: who knows the secret gets in, nobody else, and nothing but BadSignature comes out."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook

from cs_bot.errors import BadSignature, ConfigError, UnknownPlugin
from cs_bot.signatures import SCHEMES, sign, verify

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "signatures" / "vectors.json").read_text(encoding="utf-8"))
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
WHSEC = "whsec_" + base64.b64encode(b"k" * 32).decode()
OTHER = "whsec_" + base64.b64encode(b"o" * 32).decode()
BODY = '{"type":"message.created","text":"订单呢"}'.encode()


def mac(secret: str, message: bytes) -> bytes:
    return hmac.new(secret.encode(), message, hashlib.sha256).digest()


def b64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def signed(scheme: str, secret: str = "s3cret", body: bytes = BODY, now: datetime = NOW) -> dict[str, str]:
    """The headers that the platform would send, written out again here: not with the table under test."""
    unix, iso = str(int(now.timestamp())), now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "chatwoot": lambda: {
            "x-chatwoot-timestamp": unix,
            "x-chatwoot-signature": "sha256=" + mac(secret, unix.encode() + b"." + body).hex(),
        },
        "meta": lambda: {"x-hub-signature-256": "sha256=" + mac(secret, body).hex()},
        "line": lambda: {"x-line-signature": b64(mac(secret, body))},
        "shopify": lambda: {"x-shopify-hmac-sha256": b64(mac(secret, body))},
        "woocommerce": lambda: {"x-wc-webhook-signature": b64(mac(secret, body))},
        "zendesk": lambda: {
            "x-zendesk-webhook-signature-timestamp": iso,
            "x-zendesk-webhook-signature": b64(mac(secret, iso.encode() + body)),
        },
        "telegram": lambda: {"x-telegram-bot-api-secret-token": secret},
        "sunshine": lambda: {"x-api-key": secret},
        "generic": lambda: {
            "webhook-id": "msg_1",
            "webhook-timestamp": unix,
            "webhook-signature": Webhook(secret).sign("msg_1", now, body.decode()),
        },
    }[scheme]()


def secret_of(scheme: str, number: int = 0) -> str:
    return (WHSEC, OTHER)[number] if scheme == "generic" else ("s3cret", "0ther")[number]


def check(scheme: str, headers: dict[str, str], *secrets: str, body: bytes = BODY, now: datetime = NOW) -> None:
    verify(scheme, headers=headers, body=body, secrets=secrets or (secret_of(scheme),), now=now)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["scheme"])
def test_a_known_signature_is_accepted_and_one_changed_byte_is_not(vector: dict[str, Any]) -> None:
    body, at = vector["body"].encode(), datetime.fromisoformat(vector["signed_at"])
    verify(vector["scheme"], headers=vector["headers"], body=body, secrets=[vector["secret"]], now=at)
    with pytest.raises(BadSignature):
        verify(vector["scheme"], headers=vector["headers"], body=body + b" ", secrets=[vector["secret"]], now=at)


def test_the_known_standard_webhooks_signature_is_what_we_sign() -> None:
    vector = VECTORS[0]
    at = datetime.fromisoformat(vector["signed_at"])
    headers = sign(vector["secret"], vector["headers"]["webhook-id"], at, vector["body"].encode())
    assert headers == vector["headers"]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_platform_gets_in_with_its_secret_and_with_no_other(scheme: str) -> None:
    headers = signed(scheme, secret_of(scheme))
    check(scheme, headers)
    with pytest.raises(BadSignature):
        check(scheme, headers, secret_of(scheme, 1))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_any_of_several_secrets_will_do(scheme: str) -> None:
    headers = signed(scheme, secret_of(scheme))
    check(scheme, headers, secret_of(scheme, 1), secret_of(scheme, 0))
    check(scheme, headers, secret_of(scheme, 0), secret_of(scheme, 1))


@pytest.mark.parametrize("scheme", [name for name in SCHEMES if name not in ("telegram", "sunshine")])
def test_a_changed_body_is_refused(scheme: str) -> None:
    headers = signed(scheme, secret_of(scheme))
    for body in (BODY + b"\n", BODY[:-1], b"", BODY.replace(b"message", b"Message")):
        with pytest.raises(BadSignature):
            check(scheme, headers, body=body)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_missing_blank_or_odd_header_is_refused(scheme: str) -> None:
    good = signed(scheme, secret_of(scheme))
    for name in good:
        without = {key: value for key, value in good.items() if key != name}
        with pytest.raises(BadSignature):
            check(scheme, without)
        odd = [
            "",
            " ",
            ",",
            "v1",
            "v1,",
            "v1,,",
            "sha256=",
            "=",
            "\ud800",
            "é",
            good[name] + "x",
            good[name][:-1],
            "a\0b",
        ]
        for value in odd:
            with pytest.raises(BadSignature):
                check(scheme, {**good, name: value})
    with pytest.raises(BadSignature):
        check(scheme, {})


@pytest.mark.parametrize("scheme", ["generic", "chatwoot", "zendesk"])
def test_a_signed_time_may_be_five_minutes_off_and_no_more(scheme: str) -> None:
    headers = signed(scheme, secret_of(scheme))
    for seconds in (-300, -299, 0, 299, 300):
        check(scheme, headers, now=NOW + timedelta(seconds=seconds))
    for seconds in (-301, 301, 86_400, -86_400):
        with pytest.raises(BadSignature, match="more than 300 s"):
            check(scheme, headers, now=NOW + timedelta(seconds=seconds))


def test_the_time_is_compared_whatever_zone_our_clock_shows() -> None:
    check("generic", signed("generic", WHSEC), now=NOW.astimezone(timezone(timedelta(hours=8))))


@pytest.mark.parametrize(
    "time", ["", "now", "1e9", "1772366400.5", " 1772366400", "-5", "9" * 13, "１７７２３６６４００"]
)
def test_a_time_that_is_no_plain_number_is_refused_even_when_it_is_signed(time: str) -> None:
    signature = "v1," + b64(hmac.new(b"k" * 32, b"msg_1." + time.encode() + b"." + BODY, hashlib.sha256).digest())
    headers = {"webhook-id": "msg_1", "webhook-timestamp": time, "webhook-signature": signature}
    with pytest.raises(BadSignature, match="missing or malformed"):
        check("generic", headers)


@pytest.mark.parametrize(
    "time", ["", "2026-03-01T12:00:00", "2026-03-01", "yesterday", "0001-01-01T00:00:00+23:59", "NaN"]
)
def test_an_iso_time_without_a_zone_or_sense_is_refused_even_when_it_is_signed(time: str) -> None:
    headers = {
        "x-zendesk-webhook-signature-timestamp": time,
        "x-zendesk-webhook-signature": b64(mac("s3cret", time.encode() + BODY)),
    }
    with pytest.raises(BadSignature):
        check("zendesk", headers)


def test_one_of_several_signatures_in_the_generic_header_is_enough() -> None:
    headers = signed("generic", WHSEC)
    right, wrong = headers["webhook-signature"], "v1," + b64(b"x" * 32)
    for value in (
        f"{wrong} {right}",
        f"{right} {wrong}",
        f"v1a,{b64(b'y' * 64)} {right}",
        f"{wrong}  {right}",
        f"junk {right}",
    ):
        check("generic", {**headers, "webhook-signature": value})
    for value in (wrong, f"{wrong} {wrong}", "v1a," + right.removeprefix("v1,"), " ".join([wrong] * 16 + [right])):
        with pytest.raises(BadSignature):
            check("generic", {**headers, "webhook-signature": value})


def test_the_id_is_signed_too() -> None:
    with pytest.raises(BadSignature):
        check("generic", {**signed("generic", WHSEC), "webhook-id": "msg_2"})


def test_a_signed_body_that_is_no_utf8_is_verified_by_its_bytes() -> None:
    body = "订单".encode("gbk")
    time = str(int(NOW.timestamp()))
    digest = hmac.new(b"k" * 32, f"m.{time}.".encode() + body, hashlib.sha256).digest()
    headers = {"webhook-id": "m", "webhook-timestamp": time, "webhook-signature": "v1," + b64(digest)}
    check("generic", headers, body=body)


def test_shopify_signs_under_either_of_its_names() -> None:
    check("shopify", {"shopify-hmac-sha256": signed("shopify")["x-shopify-hmac-sha256"]})


def test_a_hex_digest_where_base64_belongs_is_refused() -> None:
    with pytest.raises(BadSignature):
        check("shopify", {"x-shopify-hmac-sha256": mac("s3cret", BODY).hex()})


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("secrets", [(), ("",), ("  ",), ("good", "")])
def test_without_a_secret_nothing_is_let_through(scheme: str, secrets: tuple[str, ...]) -> None:
    good = tuple(secret.replace("good", secret_of(scheme)) for secret in secrets)
    with pytest.raises(ConfigError, match="unset secret"):
        verify(scheme, headers=signed(scheme, secret_of(scheme)), body=BODY, secrets=good, now=NOW)


@pytest.mark.parametrize("secret", ["whsec_", "whsec_!!!", "not base64!", "é", "whsec_====", "A"])
def test_a_generic_secret_that_is_no_base64_is_a_setting_to_mend(secret: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check("generic", signed("generic", WHSEC), secret)
    assert secret.removeprefix("whsec_") in ("", "A") or secret not in str(caught.value)
    with pytest.raises(ConfigError):
        sign(secret, "msg_1", NOW, BODY)


def test_an_unknown_platform_is_named_with_those_we_know() -> None:
    with pytest.raises(UnknownPlugin, match="known: chatwoot, generic, line"):
        check("taobao", {}, "x")


@settings(deadline=None)
@given(
    st.binary(min_size=1, max_size=64),
    st.text("abc_-.0", min_size=1, max_size=20),
    st.text(max_size=60),
    st.integers(0, 250),
)
def test_what_the_library_signs_we_accept_and_what_we_sign_it_signs_alike(
    key: bytes, msg_id: str, text: str, late_s: int
) -> None:
    for secret in ("whsec_" + b64(key), b64(key), "whsec_" + b64(key).rstrip("=")):
        theirs = Webhook(secret).sign(msg_id, NOW, text)
        ours = sign(secret, msg_id, NOW, text.encode())
        assert ours["webhook-signature"] == theirs
        check("generic", ours, OTHER, secret, body=text.encode(), now=NOW + timedelta(seconds=late_s))


def test_the_library_accepts_what_we_send() -> None:
    now = datetime.now(UTC)
    shown_elsewhere = now.astimezone(timezone(timedelta(hours=8)))
    headers = sign(WHSEC, "out_1", shown_elsewhere, BODY)
    assert Webhook(WHSEC).verify(BODY, headers) == json.loads(BODY)
    with pytest.raises(ValueError, match="aware"):
        sign(WHSEC, "out_1", now.replace(tzinfo=None), BODY)


HEADER_NAMES = sorted(
    {
        name
        for row in SCHEMES.values()
        for name in (*row.header, *row.signed, row.time_header)
        if name not in (None, "body", ".")
    },
    key=str,
)
VALUES = (
    st.text(max_size=80)
    | st.text("v1,= sha256+/abcdef0123456789", max_size=80)
    | st.sampled_from(["1772366400", "2026-03-01T12:00:00Z", "msg_1", "v1," + b64(b"x" * 32)])
)


@settings(deadline=None, max_examples=400)
@given(
    st.sampled_from(sorted(SCHEMES)),
    st.dictionaries(st.sampled_from(HEADER_NAMES), VALUES, max_size=6),
    st.binary(max_size=200),
)
@example("generic", {"webhook-id": "a", "webhook-timestamp": "1772366400", "webhook-signature": "v1"}, b"\xff")
@example("generic", {"webhook-id": "a", "webhook-timestamp": "1772366400", "webhook-signature": "v1,%%%"}, b"[" * 9999)
def test_forged_input_ends_in_bad_signature_and_in_nothing_else(
    scheme: str, headers: dict[str, str], body: bytes
) -> None:
    with pytest.raises(BadSignature) as caught:
        check(scheme, headers, "whsec_" + b64(b"never guessed" * 3), body=body)
    assert caught.value.status == 401


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(sorted(SCHEMES)), st.data())
def test_one_changed_character_of_a_good_request_is_refused(scheme: str, draw: st.DataObject) -> None:
    headers = signed(scheme, secret_of(scheme))
    name = draw.draw(st.sampled_from(sorted(headers)))
    at = draw.draw(st.integers(0, len(headers[name]) - 1))
    letter = draw.draw(st.characters())
    changed = headers[name][:at] + letter + headers[name][at + 1 :]
    if changed == headers[name]:
        check(scheme, headers)
        return
    with pytest.raises(BadSignature):
        check(scheme, {**headers, name: changed})
