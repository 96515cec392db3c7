"""Tells stories to a running cs-bot and checks what came of them, several conversations at a time."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from secrets import token_hex

from rich.console import Console

from cs_bot.demo.desk import Agent
from cs_bot.demo.observer import Observer, TurnView
from cs_bot.demo.platform import ShopPlatform
from cs_bot.demo.scenario import INSIDE, Approve, Event, Expect, Outcome, Pause, Say, Scenario, Step, Wait
from cs_bot.demo.shop import ACCOUNT, CHANNEL
from cs_bot.demo.show import Screen

LOOK_EVERY_S = 0.1
GRACE_S = 1.0  # after the last message is settled: would a second reply still come?
POST_ATTEMPTS = 6


@dataclass
class ScenarioResult:
    """What came of one story; `problems` says in words what was not as expected."""

    scenario: Scenario
    outcomes: dict[str, str] = field(default_factory=dict)  # message name -> what happened, in words
    replies: int = 0
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """All as expected."""
        return not self.problems


def run_scenarios(
    platform: ShopPlatform,
    scenarios: Sequence[Scenario],
    *,
    observer: Observer,
    console: Console,
    concurrency: int = 6,
    channel: str = CHANNEL,
    account: str = ACCOUNT,
    timeout_s: float = 120.0,
    stopping: threading.Event | None = None,
    agent: Agent | None = None,
) -> list[ScenarioResult]:
    """Tell the stories, one line a message and a table at the end; the results in the stories' order.

    `timeout_s` bounds one message. Ids carry a random run id, so that the same database can be used again. With
    `stopping` set it ends early: what was not told then is a problem of its story. `agent` approves drafts.
    """
    teller = Teller(platform, observer, channel, account, timeout_s, stopping or threading.Event(), agent)
    with Screen(console, len(scenarios)) as screen, ThreadPoolExecutor(max_workers=concurrency) as pool:
        waiting: dict[Future[ScenarioResult], Scenario] = {
            pool.submit(teller.tell, scenario, screen.message): scenario for scenario in scenarios
        }
        results: dict[str, ScenarioResult] = {}
        try:
            while waiting:
                done, _ = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in done:
                    scenario = waiting.pop(future)
                    results[scenario.key] = future.result()
                    screen.story(results[scenario.key].ok, scenario.title, results[scenario.key].problems)
                screen.tick()
        except BaseException:
            teller.stopping.set()
            raise
    told = [results[scenario.key] for scenario in scenarios]
    screen.table([(r.scenario, r.outcomes, r.replies, r.problems) for r in told])
    return told


Told = Callable[[Scenario, Say, TurnView | None, str], None]


class Teller:
    """Tells one story after the other, from any thread."""

    def __init__(
        self,
        platform: ShopPlatform,
        observer: Observer,
        channel: str,
        account: str,
        timeout_s: float,
        stopping: threading.Event,
        agent: Agent | None = None,
    ) -> None:
        self.platform, self.observer, self.stopping, self.agent = platform, observer, stopping, agent
        self._account = (channel, account)
        self._timeout_s = timeout_s
        self._run = token_hex(3)

    def tell(self, scenario: Scenario, told: Told) -> ScenarioResult:
        """Do the steps, wait for every expected message, check."""
        result, started = ScenarioResult(scenario), time.monotonic()
        for step in scenario.steps:
            problem = "stopped" if self.stopping.is_set() else self._step(scenario, step)
            if problem:
                result.problems.append(problem)
        for expect in scenario.expects:
            self._settle(scenario, expect, result, told)
        self.stopping.wait(GRACE_S)
        result.replies = len(self.platform.replies(self.conversation(scenario)))
        least, most = scenario.replies
        if not least <= result.replies <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            result.problems.append(f"{result.replies} replies instead of {wanted}")
        result.seconds = time.monotonic() - started
        return result

    def conversation(self, scenario: Scenario) -> str:
        """The conversation's id on the platform in this run."""
        return f"c-{self._run}-{scenario.key}"

    def message_id(self, scenario: Scenario, name: str) -> str:
        """The message's id on the platform in this run."""
        return f"m-{self._run}-{scenario.key}-{scenario.say(name).same_id_as or name}"

    def _step(self, scenario: Scenario, step: Step) -> str | None:
        if isinstance(step, Pause):
            self.stopping.wait(step.seconds)
            return None
        if isinstance(step, Wait):
            view = self._until(scenario, step.name, lambda v: v.claimed if step.until == "claimed" else v.settled)
            return None if view is not None else f"{step.name} {self._not(step.until)}"
        if isinstance(step, Approve):
            return self._approve(scenario, step.name)
        if isinstance(step, Event):
            return self._event(scenario, step)
        return self._say(scenario, step)

    def _approve(self, scenario: Scenario, name: str) -> str | None:
        view = self._until(scenario, name, lambda v: v.review_open)
        if view is None or self.agent is None:
            return f"{name} {self._not('held for a person')}" if self.agent else "no agent to approve"
        problem = self.agent.approve(view)
        if problem is None and self._until(scenario, name, lambda v: v.end is not None) is None:
            problem = self._not("answered by the person")
        return f"{name}: {problem}" if problem else None

    def _event(self, scenario: Scenario, event: Event) -> str | None:
        data = {"conversation_id": self.conversation(scenario)}
        data |= (
            {"message_id": self.message_id(scenario, event.of)} if event.of else {"at": datetime.now(UTC).isoformat()}
        )
        status = self.platform.post_event(event.kind, data, attempts=POST_ATTEMPTS)
        return None if status == 200 else f"{event.kind} was answered with {status}"

    def _say(self, scenario: Scenario, say: Say) -> str | None:
        data = {
            "conversation_id": self.conversation(scenario),
            "message_id": self.message_id(scenario, say.name),
            "customer": scenario.customer.model_dump(mode="json", exclude_none=True),
            "sender": say.sender,
            "text": say.text,
            "attachments": [{"url": self._address(name)} for name in say.pictures],
            "sent_at": (datetime.now(UTC) - timedelta(seconds=say.sent_ago_s)).isoformat(),
        }
        if say.echo_of:
            reply = self._reply_to(scenario, say.echo_of)
            if reply is None:
                return f"there is no reply to {say.echo_of} that could be echoed"
            data |= {"text": reply[1], "outbound_id": reply[0]}
        status = self.platform.post_event(
            "message.created", data, forged=say.forged, attempts=POST_ATTEMPTS, copies=1 + say.again
        )
        return None if status == say.status else f"{say.name} was answered with {status} instead of {say.status}"

    def _address(self, picture: str) -> str:
        if picture == INSIDE:
            return self.platform.picture_url("secret.png").replace("127.0.0.1", "localhost")
        return self.platform.picture_url(picture)

    def _reply_to(self, scenario: Scenario, name: str) -> tuple[str, str] | None:
        message_id = self.message_id(scenario, name)
        found = [r for r in self.platform.replies(self.conversation(scenario)) if message_id in r.in_reply_to]
        return (found[-1].outbound_id, found[-1].text) if found else None

    def _until(self, scenario: Scenario, name: str, check: Callable[[TurnView], bool]) -> TurnView | None:
        message_id, end = self.message_id(scenario, name), time.monotonic() + self._timeout_s
        while time.monotonic() < end and not self.stopping.is_set():
            view = self.observer.find_turn(*self._account, message_id)
            if view is not None and check(view):
                return view
            self.stopping.wait(LOOK_EVERY_S)
        return None

    def _not(self, state: str) -> str:
        """Why a wait ended without the state it was for."""
        return f"was not {state} {'before the stop' if self.stopping.is_set() else f'within {self._timeout_s:g} s'}"

    def _settle(self, scenario: Scenario, expect: Expect, result: ScenarioResult, told: Told) -> None:
        say = scenario.say(expect.name)
        if expect.outcome is Outcome.REFUSED:
            view = self.observer.find_turn(*self._account, self.message_id(scenario, expect.name))
        else:
            view = self._until(scenario, expect.name, lambda v: v.settled)
            if view is None:
                result.problems.append(f"{expect.name} {self._not('settled')}")
                view = self.observer.find_turn(*self._account, self.message_id(scenario, expect.name))
        reply = self._reply_to(scenario, expect.name)
        text = reply[1] if reply is not None else (view.draft or "" if view is not None else "")
        result.outcomes[expect.name] = "not told" if view is None and self.stopping.is_set() else outcome_of(view)
        result.problems += [f"{expect.name}: {problem}" for problem in check(expect, view, text)]
        told(scenario, say, view, text)


def outcome_of(view: TurnView | None) -> str:
    """What happened to the message, in the words of Outcome, or `waiting`."""
    if view is None:
        return Outcome.REFUSED
    if view.end is not None:
        return Outcome(view.end)
    return Outcome.REVIEW if view.review_open else "waiting"


def check(expect: Expect, view: TurnView | None, text: str) -> list[str]:
    """What is not as expected; empty when all is."""
    problems = []
    got = outcome_of(view)
    if got != expect.outcome:
        problems.append(f"ended as {got} instead of {expect.outcome}")
    if view is None:
        return problems
    if expect.kind is not None and view.kind is not expect.kind:
        problems.append(f"kind {view.kind} instead of {expect.kind}")
    reasons = {*view.reasons, *([view.end_reason] if view.end_reason else [])}
    problems += [f"reason {reason} is missing" for reason in expect.reasons if reason not in reasons]
    if expect.any_reason and not reasons & set(expect.any_reason):
        problems.append(f"none of the reasons {', '.join(expect.any_reason)}")
    problems += [f"the text does not hold {part!r}" for part in expect.contains if part not in text]
    problems += [f"the text holds {part!r}" for part in expect.without if part in text]
    if view.conflicts < expect.conflicts:
        problems.append(f"{view.conflicts} conflicts instead of {expect.conflicts}")
    return problems
