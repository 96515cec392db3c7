"""The simulated platform over real loopback HTTP: what it serves, signs, takes once, and how it fails on purpose."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest

from cs_bot import signatures
from cs_bot.channels.base import RawRequest
from cs_bot.channels.generic import GenericChannel, GenericOptions
from cs_bot.demo.account import new_secret
from cs_bot.demo.faults import Fault, FaultPlan, no_faults
from cs_bot.demo.platform import MAX_BODY, ShopPlatform
from cs_bot.records import Outbound, SendState
from cs_bot.schemas import MessageCreated

SECRET = new_secret()


class Receiver:
    """A stand-in for the webhook endpoint: keeps what is posted and answers with the statuses it was given."""

    def __init__(self) -> None:
        self.requests: list[RawRequest] = []
        self.statuses: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.requests.append(RawRequest(headers, body, datetime.now(UTC)))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Silent."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/webhooks/generic/demo"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join(5)
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    yield server
    server.close()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG picture")
    return path


@pytest.fixture
def platform(receiver: Receiver, picture: Path) -> Iterator[ShopPlatform]:
    with ShopPlatform(receiver.url, SECRET, pictures={"a.png": picture}, hang_s=5) as shop:
        yield shop


def channel(platform: ShopPlatform, *, secret: str = SECRET, timeout_s: float = 3) -> GenericChannel:
    """The product's own channel, as it talks to this platform."""
    options = GenericOptions(reply_url=platform.reply_url, lookup_url=platform.lookup_url)
    return GenericChannel(options, (secret,), timeout_s=timeout_s)


def outbound(outbound_id: str = "ob_1", text: str = "on its way", kind: str = "reply") -> Outbound:
    return Outbound(
        outbound_id=outbound_id,
        conversation_id=1,
        channel="generic",
        account="demo",
        conversation_external_id="c-1",
        customer_external_id="buyer-1",
        kind=kind,
        text=text,
        attempts=1,
        send_token="t",
        in_reply_to=("m-1",),
    )


def message(text: str = "到哪了？") -> dict[str, object]:
    attachments = [{"url": "http://127.0.0.1:1/pictures/a.png"}]
    customer = {"id": "buyer-1"}
    return {
        "conversation_id": "c-1",
        "message_id": "m-1",
        "customer": customer,
        "text": text,
        "attachments": attachments,
    }


def failing(platform: ShopPlatform, fault: Fault, *, times: int = 1) -> None:
    plan: FaultPlan = lambda outbound_id, attempt: fault if attempt <= times else None  # noqa: E731 - a one-line plan
    platform.faults = plan


def test_an_event_is_signed_so_that_our_own_channel_takes_it(platform: ShopPlatform, receiver: Receiver) -> None:
    assert platform.post_event("message.created", message()) == 200
    request = receiver.requests[0]
    ours = channel(platform)
    ours.verify(request)
    payload = ours.parse(request).payloads[0]
    assert isinstance(payload, MessageCreated)
    assert (payload.text, payload.customer.id) == ("到哪了？", "buyer-1")


def test_a_forged_event_has_a_signature_that_does_not_fit(platform: ShopPlatform, receiver: Receiver) -> None:
    platform.post_event("message.created", message(), forged=True)
    request = receiver.requests[0]
    with pytest.raises(signatures.BadSignature):
        channel(platform).verify(request)
    assert platform.transcript("c-1") == []


def test_copies_of_a_delivery_are_equal_to_the_last_byte(platform: ShopPlatform, receiver: Receiver) -> None:
    platform.post_event("message.created", message(), copies=3)
    assert len(receiver.requests) == 3
    assert len({request.body for request in receiver.requests}) == 1
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
    assert len(platform.transcript("c-1")) == 1


def test_an_event_that_could_not_be_stored_is_posted_again_under_the_same_id(
    platform: ShopPlatform, receiver: Receiver
) -> None:
    receiver.statuses = [503, 200]
    assert platform.post_event("message.created", message(), attempts=3) == 200
    first, second = receiver.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    receiver.statuses = [401, 200]
    assert platform.post_event("message.created", message(), attempts=3) == 401


def test_a_receiver_that_is_not_there_is_status_zero() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with ShopPlatform(f"http://127.0.0.1:{port}/", SECRET) as shop:
        assert shop.post_event("message.created", message()) == 0


def test_pictures_are_served_and_unknown_ones_are_not_found(platform: ShopPlatform, picture: Path) -> None:
    answer = httpx.get(platform.picture_url("a.png"), trust_env=False)
    assert (answer.content, answer.headers["content-type"]) == (picture.read_bytes(), "image/png")
    for name in ("b.png", "../a.png", "..%2f..%2fetc%2fpasswd", ""):
        assert httpx.get(platform.picture_url(name), trust_env=False).status_code == 404


def test_a_reply_of_our_channel_is_taken_once_however_often_it_is_sent(platform: ShopPlatform) -> None:
    ours = channel(platform)
    assert ours.send(outbound()).state is SendState.SENT
    assert ours.send(outbound(text="again")).state is SendState.SENT
    (reply,) = platform.replies("c-1")
    assert (reply.text, reply.attempts, reply.in_reply_to, reply.sender) == ("on its way", 2, ("m-1",), "bot")
    assert [line.text for line in platform.transcript("c-1")] == ["on its way"]


def test_a_hand_off_is_shown_as_a_line_of_the_system(platform: ShopPlatform) -> None:
    assert channel(platform).send(outbound(kind="handoff", text="a person is coming")).state is SendState.SENT
    assert platform.replies()[0].type == "conversation.handoff"
    assert platform.transcript("c-1")[0].sender == "system"


def test_a_reply_with_a_wrong_signature_is_refused_and_counted(platform: ShopPlatform) -> None:
    receipt = channel(platform, secret=new_secret()).send(outbound())
    assert (receipt.state, receipt.detail) == (SendState.FAILED, "401")
    assert platform.forged == 1
    assert platform.replies() == []


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "v1",
        "v1,not base64!",
        "v1,",
        "v1,AA  v1,BB",
        "v2,AAAA v1,AAAA",
        "\u00e9".encode("latin-1").decode("latin-1"),
    ],
)
def test_odd_signatures_are_refused_and_never_an_error(platform: ShopPlatform, signature: str) -> None:
    headers = {
        "webhook-id": "x",
        "webhook-timestamp": str(int(time.time())),
        "webhook-signature": signature.encode("latin-1"),
    }
    answer = httpx.post(platform.reply_url, content=b"{}", headers=headers, trust_env=False)  # type: ignore[arg-type]
    assert answer.status_code == 401


def test_a_signed_body_of_the_wrong_shape_is_refused(platform: ShopPlatform) -> None:
    for body in (b"not json", b"[]", b"{}", json.dumps({"type": "message.reply", "data": {}}).encode()):
        headers = signatures.sign(SECRET, "x1", datetime.now(UTC), body)
        assert httpx.post(platform.reply_url, content=body, headers=headers, trust_env=False).status_code == 400


def test_a_body_that_is_too_long_is_not_read(platform: ShopPlatform) -> None:
    with socket.create_connection(("127.0.0.1", int(platform.url.rpartition(":")[2])), timeout=5) as raw:
        raw.sendall(f"POST /replies HTTP/1.1\r\nhost: x\r\ncontent-length: {MAX_BODY + 1}\r\n\r\n".encode())
        assert b" 413 " in raw.recv(200)


@pytest.mark.parametrize(
    ("fault", "state", "taken"),
    [
        (Fault.TOO_MANY, SendState.NOT_SENT, False),
        (Fault.ERROR, SendState.UNKNOWN, False),
        (Fault.ERROR_AFTER, SendState.UNKNOWN, True),
        (Fault.DROP, SendState.UNKNOWN, False),
        (Fault.DROP_AFTER, SendState.UNKNOWN, True),
        (Fault.HANG, SendState.UNKNOWN, False),
        (Fault.HANG_AFTER, SendState.UNKNOWN, True),
        (Fault.REFUSE, SendState.FAILED, False),
    ],
)
def test_each_fault_looks_to_our_channel_as_it_should_and_the_look_up_knows_the_truth(
    platform: ShopPlatform, fault: Fault, state: SendState, taken: bool
) -> None:
    failing(platform, fault)
    ours = channel(platform, timeout_s=0.5)
    assert ours.send(outbound()).state is state
    found = ours.look_up("ob_1")
    assert found is not None
    assert found.state is (SendState.SENT if taken else SendState.NOT_SENT)
    assert len(platform.replies()) == int(taken)
    assert ours.send(outbound()).state is SendState.SENT
    assert len(platform.replies()) == 1
    assert platform.book.attempts("ob_1") == 2


def test_the_look_up_wants_a_signature(platform: ShopPlatform) -> None:
    assert httpx.get(f"{platform.lookup_url}/ob_1", trust_env=False).status_code == 401


def test_stop_ends_hanging_answers_at_once(receiver: Receiver) -> None:
    shop = ShopPlatform(receiver.url, SECRET, hang_s=60).start()
    failing(shop, Fault.HANG)
    sender = threading.Thread(target=channel(shop, timeout_s=30).send, args=(outbound(),))
    sender.start()
    while shop.book.attempts("ob_1") == 0:
        time.sleep(0.01)
    began = time.monotonic()
    shop.stop()
    sender.join(5)
    assert not sender.is_alive()
    assert time.monotonic() - began < 3


def test_many_replies_at_once_are_all_taken_once(platform: ShopPlatform) -> None:
    platform.faults = no_faults
    ours = channel(platform, timeout_s=10)
    threads = [threading.Thread(target=ours.send, args=(outbound(f"ob_{n % 40}"),)) for n in range(80)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(reply.outbound_id for reply in platform.replies()) == sorted(f"ob_{n}" for n in range(40))
    assert sum(reply.attempts for reply in platform.replies()) == 80
