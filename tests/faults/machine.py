"""Hypothesis drives the shop: any step, in any order, at any time; then the faults stop and everything must end."""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from cs_bot.records import Action, Reason
from cs_bot.store.database import Database
from tests.faults.desk import ACTIONS, Desk
from tests.faults.platform import MODES
from tests.faults.world import OUTCOMES, PICTURE, REFUSED_PICTURE, World

NAMES = st.sampled_from(["c0", "c0", "c0", "c1", "c2"])
INDEX = st.integers(0, 7)
TEXT = st.sampled_from(["where is it", "hi"])
AGE = st.sampled_from([0.0] * 8 + [40.0, 1000.0])
ACTION = st.sampled_from([Action.SEND, Action.SEND, Action.SEND, Action.REVIEW, Action.REVIEW])
HOW = st.sampled_from(["ok", "ok", *OUTCOMES])


class Shop(RuleBasedStateMachine):
    """`database` is set by run()."""

    database: Database

    @initialize(mode=st.sampled_from(sorted(MODES)))
    def open(self, mode: str) -> None:
        self.world = World(self.database, mode)
        self.desk = Desk(self.world)

    # --- customers

    @rule(name=NAMES, text=TEXT, age_s=AGE)
    def customer_writes(self, name: str, text: str, age_s: float) -> None:
        self.world.customer_writes(name, text, age_s=age_s)

    @rule(name=NAMES, text=st.sampled_from(["", "where is it"]), url=st.sampled_from([PICTURE, REFUSED_PICTURE]))
    def customer_sends_a_picture(self, name: str, text: str, url: str) -> None:
        self.world.customer_writes(name, text, (url,))

    @precondition(lambda self: self.world.memory.written_at)
    @rule(index=INDEX, what=st.sampled_from(["revoke", "again", "delivery again", "revoked before"]))
    def platform_repeats_or_revokes(self, index: int, what: str) -> None:
        newest_first = list(self.world.memory.written_at)[::-1]
        message_id = newest_first[index % len(newest_first)]
        if what == "revoke":
            self.world.revoke(message_id)
        elif what == "again":
            self.world.message_again(message_id)
        elif what == "delivery again":
            self.world.delivery_again(-1 - index)
        else:
            self.world.customer_writes_revoked(self.world.memory.accepted[message_id])

    # --- people

    @rule(
        name=NAMES, what=st.sampled_from(["taken", "agent writes", "", "", ""]), age_s=st.sampled_from([0.0, 0.0, 20.0])
    )
    def person_takes_over(self, name: str, what: str, age_s: float) -> None:
        if what == "taken":
            self.world.take_over(name, age_s)
        elif what == "agent writes":
            self.world.agent_writes(name)
        else:
            self.world.customer_writes(name)

    @precondition(lambda self: self.world.silenced())
    @rule(
        index=INDEX,
        what=st.sampled_from(["released", "released", "given back"]),
        age_s=st.sampled_from([0.0, 0.0, 20.0]),
    )
    def person_gives_back(self, index: int, what: str, age_s: float) -> None:
        names = self.world.silenced()
        if what == "released":
            self.world.release(names[index % len(names)], age_s)
        else:
            ids = self.world.conversation_ids()
            self.desk.give_back(ids[index % len(ids)])

    @precondition(lambda self: self.desk.open_reviews())
    @rule(index=INDEX, agent=st.integers(0, 1))
    def agent_takes_a_review(self, index: int, agent: int) -> None:
        self.desk.take(index, agent)

    @precondition(lambda self: self.desk.open_reviews())
    @rule(index=INDEX, action=st.sampled_from(["approve", "approve", *ACTIONS]))
    def agent_answers(self, index: int, action: str) -> None:
        card = self.desk.take(index)
        if card is not None:
            self.desk.act(card, action)

    @precondition(lambda self: self.desk.cards)
    @rule(index=INDEX, action=st.sampled_from(["approve", "approve", *ACTIONS]))
    def agent_acts(self, index: int, action: str) -> None:
        self.desk.act(self.desk.cards[-1 - index % len(self.desk.cards)], action)

    @precondition(lambda self: self.world.memory.accepted)
    @rule(index=INDEX)
    def facts_change(self, index: int) -> None:
        ids = self.world.conversation_ids()
        self.world.change_facts(ids[index % len(ids)])

    # --- workers

    @rule(seconds=st.sampled_from([4.0, 4.0, 4.0, 11.0, 11.0, 35.0, 35.0, 130.0, 1000.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.tick(seconds)

    @precondition(lambda self: self.world.pictures_waiting())
    @rule(dies=st.booleans())
    def picture_is_fetched(self, dies: bool) -> None:
        if dies:
            self.world.fetch_crashes()
        else:
            self.world.fetch_next()

    @rule(name=NAMES)
    def burst_is_claimed(self, name: str) -> None:
        self.world.customer_writes(name)
        self.world.tick(4.0)
        self.world.claim(3)

    @rule(name=NAMES, action=ACTION, at_once=st.booleans())
    def burst_is_answered(self, name: str, action: Action, at_once: bool) -> None:
        self.burst_is_claimed(name)
        while self.world.jobs:
            self.world.finish(self.world.jobs[-1], action, at_once=at_once)

    @rule(limit=st.integers(1, 3))
    def turns_are_claimed(self, limit: int) -> None:
        self.world.claim(limit)

    @precondition(lambda self: self.world.jobs)
    @rule(index=INDEX, action=ACTION, asked=st.booleans(), at_once=st.booleans())
    def turn_is_finished(self, index: int, action: Action, asked: bool, at_once: bool) -> None:
        reasons = (Reason.ASKED_FOR_PERSON,) if asked and action is Action.REVIEW else ()
        self.world.finish(self.world.jobs[index % len(self.world.jobs)], action, reasons, at_once)

    @precondition(lambda self: self.world.jobs)
    @rule(index=INDEX, how=st.sampled_from(["renew", "fail", "crash"]))
    def turn_goes_on_otherwise(self, index: int, how: str) -> None:
        getattr(self.world, how)(self.world.jobs[index % len(self.world.jobs)])

    @precondition(lambda self: self.world.something_to_send())
    @rule(how=HOW)
    def row_is_sent(self, how: str) -> None:
        flight = self.world.claim_send()
        if flight is not None:
            self.world.send(flight, how)

    @precondition(lambda self: self.world.something_to_send())
    @rule()
    def send_is_claimed(self) -> None:
        self.world.claim_send()

    @precondition(lambda self: self.world.flights)
    @rule(index=INDEX, how=HOW)
    def send_comes_out(self, index: int, how: str) -> None:
        self.world.send(self.world.flights[index % len(self.world.flights)], how)

    @rule(mute=st.booleans())
    def upkeep(self, mute: bool) -> None:
        self.world.sweep(mute)

    def teardown(self) -> None:
        if hasattr(self, "world") and self.world.whole:
            self.world.drain()


def run(database: Database, *, examples: int, steps: int, seeded: bool = True) -> None:
    """Run the machine; `seeded` always tries the same examples. Raises what was broken, with the steps to it."""
    machine: Any = type("Shop", (Shop,), {"database": database})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            derandomize=seeded,
            deadline=None,
            database=None,
            print_blob=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
