"""Stories told over loopback to a small stand-in bot: what fits passes, what does not is named, a stop ends it."""

import io
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from rich.console import Console

from cs_bot.channels.base import RawRequest
from cs_bot.channels.generic import GenericChannel, GenericOptions
from cs_bot.demo.account import new_secret
from cs_bot.demo.observer import TurnView
from cs_bot.demo.platform import ShopPlatform
from cs_bot.demo.run import ScenarioResult, run_scenarios
from cs_bot.demo.scenario import Event, Expect, Outcome, Say, Scenario, Wait
from cs_bot.errors import BadSignature
from cs_bot.records import Action, End, Kind, Outbound, Reason
from cs_bot.schemas import MessageCreated, Person

SECRET = new_secret()
BUYER = Person(id="buyer-1")


class StandIn:
    """Answers every message with its own words, twice when they say `twice`, never when they say `never`."""

    def __init__(self) -> None:
        self.views: dict[str, TurnView] = {}
        self.taken: set[str] = set()
        self.channel: GenericChannel | None = None
        self.threads: list[threading.Thread] = []
        bot = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                self.send_response(bot.receive(RawRequest(headers, body, datetime.now(UTC))))
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/webhooks/generic/demo"
        self.loop = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.loop.start()

    def receive(self, request: RawRequest) -> int:
        assert self.channel is not None
        try:
            self.channel.verify(request)
        except BadSignature:
            return 401
        delivery = self.channel.parse(request)
        if delivery.type == "conversation.taken_by_human":
            self.taken.add(json.loads(request.body)["data"]["conversation_id"])
        for payload in delivery.payloads:
            if isinstance(payload, MessageCreated) and payload.message_id not in self.views:
                self.views[payload.message_id] = TurnView()
                answering = threading.Thread(target=self.answer, args=(payload,))
                answering.start()
                self.threads.append(answering)
        return 200

    def answer(self, message: MessageCreated) -> None:
        assert self.channel is not None
        if message.conversation_id in self.taken:
            self.views[message.message_id] = TurnView(end=End.HANDED_OVER, end_reason=Reason.TAKEN_OVER)
            return
        self.views[message.message_id] = TurnView(claimed=True)
        if "never" in message.text:
            return
        for part in range(2 if "twice" in message.text else 1):
            self.channel.send(
                Outbound(
                    outbound_id=f"ob_{message.message_id}_{part}",
                    conversation_id=1,
                    channel="generic",
                    account="demo",
                    conversation_external_id=message.conversation_id,
                    customer_external_id=message.customer.id,
                    kind="reply",
                    text=message.text,
                    attempts=1,
                    send_token="t",
                    in_reply_to=(message.message_id,),
                )
            )
        reasons = (Reason.PROVEN,)
        self.views[message.message_id] = TurnView(
            claimed=True, kind=Kind.ORDER, action=Action.SEND, reasons=reasons, end=End.BOT
        )

    def find_turn(self, channel: str, account: str, message_external_id: str) -> TurnView | None:
        return self.views.get(message_external_id)

    def close(self) -> None:
        self.server.shutdown()
        self.loop.join(5)
        for thread in self.threads:
            thread.join(5)
        self.server.server_close()


@pytest.fixture
def bot() -> Iterator[StandIn]:
    stand_in = StandIn()
    yield stand_in
    stand_in.close()


@pytest.fixture
def platform(bot: StandIn) -> Iterator[ShopPlatform]:
    with ShopPlatform(bot.url, SECRET) as shop:
        bot.channel = GenericChannel(GenericOptions(reply_url=shop.reply_url), (SECRET,), timeout_s=5)
        yield shop


def tell(
    platform: ShopPlatform,
    bot: StandIn,
    *scenarios: Scenario,
    timeout_s: float = 10,
    stopping: threading.Event | None = None,
) -> tuple[list[ScenarioResult], str]:
    out = io.StringIO()
    console = Console(file=out, force_terminal=False, color_system=None, width=160)
    results = run_scenarios(
        platform, scenarios, observer=bot, console=console, timeout_s=timeout_s, stopping=stopping, concurrency=4
    )
    return results, out.getvalue()


def story(key: str, *steps: object, expects: tuple[Expect, ...], replies: tuple[int, int] = (1, 1)) -> Scenario:
    return Scenario(key, f"title of {key}", BUYER, steps, expects, replies)  # type: ignore[arg-type]


def test_stories_that_end_as_expected_are_ok_and_shown(platform: ShopPlatform, bot: StandIn) -> None:
    taken = Event("conversation.taken_by_human")
    answered = Expect("m1", Outcome.BOT, kind=Kind.ORDER, reasons=(Reason.PROVEN,), contains=("YT1",))
    silent = Expect("m1", Outcome.HANDED_OVER, reasons=(Reason.TAKEN_OVER,))
    refused = Expect("m1", Outcome.REFUSED)
    results, text = tell(
        platform,
        bot,
        story("plain", Say("m1", "YT1"), expects=(answered,)),
        story("copies", Say("m1", "YT1", again=2), expects=(answered,)),
        story("taken", taken, Say("m1", "YT1"), expects=(silent,), replies=(0, 0)),
        story("forged", Say("m1", "YT1", forged=True, status=401), expects=(refused,), replies=(0, 0)),
        story("wait", Say("m1", "YT1"), Wait("m1"), Say("m2", "YT2"), expects=(answered,), replies=(2, 2)),
    )
    assert [result.problems for result in results] == [[]] * 5
    assert [result.outcomes["m1"] for result in results] == ["bot", "bot", "handed_over", "refused", "bot"]
    assert "5 of 5 stories ended as expected" in text
    assert "-> YT1" in text


def test_what_is_not_as_expected_is_named(platform: ShopPlatform, bot: StandIn) -> None:
    expect = Expect("m1", Outcome.BOT, contains=("YT9",))
    results, text = tell(
        platform,
        bot,
        story("words", Say("m1", "YT1"), expects=(expect,)),
        story("twice", Say("m1", "twice YT9"), expects=(expect,)),
        story("status", Say("m1", "YT9", forged=True), expects=(Expect("m1", Outcome.REFUSED),), replies=(0, 0)),
    )
    assert results[0].problems == ["m1: the text does not hold 'YT9'"]
    assert results[1].problems == ["2 replies instead of 1"]
    assert results[2].problems == ["m1 was answered with 401 instead of 200"]
    assert "0 of 3 stories ended as expected" in text


def test_a_message_that_is_never_settled_fails_its_story_within_its_time(platform: ShopPlatform, bot: StandIn) -> None:
    began = time.monotonic()
    results, _ = tell(
        platform,
        bot,
        story("never", Say("m1", "never"), expects=(Expect("m1", Outcome.BOT),), replies=(0, 1)),
        timeout_s=0.5,
    )
    assert time.monotonic() - began < 5
    assert results[0].problems == ["m1 was not settled within 0.5 s", "m1: ended as waiting instead of bot"]


def test_a_stop_ends_all_stories_soon_and_none_of_them_well(platform: ShopPlatform, bot: StandIn) -> None:
    stopping = threading.Event()
    threading.Timer(0.4, stopping.set).start()
    began = time.monotonic()
    expects = (Expect("m1", Outcome.BOT),)
    many = [story(f"never-{n}", Say("m1", "never"), expects=expects, replies=(0, 1)) for n in range(12)]
    results, _ = tell(platform, bot, *many, timeout_s=60, stopping=stopping)
    assert time.monotonic() - began < 10
    assert not any(result.ok for result in results)
    assert results[-1].outcomes["m1"] == "not told"


def test_two_runs_against_one_bot_do_not_share_ids(platform: ShopPlatform, bot: StandIn) -> None:
    scenario = story("plain", Say("m1", "YT1"), expects=(Expect("m1", Outcome.BOT),))
    for _ in range(2):
        results, _text = tell(platform, bot, scenario)
        assert results[0].ok
    assert len(bot.views) == 2
