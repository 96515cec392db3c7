"""Hypothesis drives the shop: any step, in any order, at any time; then the faults stop and everything must end."""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from cs_bot.records import Action, Reason
from cs_bot.store.database import Database
from tests.faults.desk import ACTIONS, Desk
from tests.faults.platform import MODES
from tests.faults.world import CONVERSATIONS, OUTCOMES, PICTURE, REFUSED_PICTURE, World

NAMES = st.sampled_from(sorted(CONVERSATIONS))
INDEX = st.integers(0, 7)
AGE = st.sampled_from([0.0, 0.0, 20.0])


class Shop(RuleBasedStateMachine):
    """`database` is set by run()."""

    database: Database

    @initialize(mode=st.sampled_from(sorted(MODES)))
    def open(self, mode: str) -> None:
        self.world = World(self.database, mode)
        self.desk = Desk(self.world)

    @rule(name=NAMES, text=st.sampled_from(["hi", "where is it"]), age_s=st.sampled_from([0.0, 0.0, 0.0, 40.0, 1000.0]))
    def customer_writes(self, name: str, text: str, age_s: float) -> None:
        self.world.customer_writes(name, text, age_s=age_s)

    @rule(name=NAMES, text=st.sampled_from(["", "where is it"]), url=st.sampled_from([PICTURE, REFUSED_PICTURE]))
    def customer_sends_a_picture(self, name: str, text: str, url: str) -> None:
        self.world.customer_writes(name, text, (url,))

    @rule(name=NAMES)
    def customer_writes_revoked(self, name: str) -> None:
        self.world.customer_writes_revoked(name)

    @precondition(lambda self: self.world.memory.written_at)
    @rule(index=INDEX)
    def message_again(self, index: int) -> None:
        self.world.message_again(self._message(index))

    @precondition(lambda self: self.world.deliveries)
    @rule(index=INDEX)
    def delivery_again(self, index: int) -> None:
        self.world.delivery_again(index)

    @precondition(lambda self: self.world.memory.written_at)
    @rule(index=INDEX)
    def revoke(self, index: int) -> None:
        self.world.revoke(self._message(index))

    def _message(self, index: int) -> str:
        newest_first = list(self.world.memory.written_at)[::-1]
        return newest_first[index % len(newest_first)]

    @rule(name=NAMES, age_s=AGE)
    def take_over(self, name: str, age_s: float) -> None:
        self.world.take_over(name, age_s)

    @rule(name=NAMES, age_s=AGE)
    def release(self, name: str, age_s: float) -> None:
        self.world.release(name, age_s)

    @rule(name=NAMES)
    def agent_writes(self, name: str) -> None:
        self.world.agent_writes(name)

    @rule(seconds=st.sampled_from([0.5, 4.0, 4.0, 11.0, 11.0, 35.0, 130.0, 1000.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.tick(seconds)

    @rule()
    def picture_is_fetched(self) -> None:
        self.world.fetch_next()

    @rule()
    def fetcher_dies(self) -> None:
        self.world.fetch_crashes()

    @rule(limit=st.integers(1, 3))
    def turns_are_claimed(self, limit: int) -> None:
        self.world.claim(limit)

    @rule()
    def burst_is_claimed(self) -> None:
        self.world.tick(4.0)
        self.world.claim(3)

    @precondition(lambda self: self.world.jobs)
    @rule(index=INDEX, action=st.sampled_from([Action.SEND, Action.SEND, Action.REVIEW]), asked=st.booleans())
    def turn_is_finished(self, index: int, action: Action, asked: bool) -> None:
        reasons = (Reason.ASKED_FOR_PERSON,) if asked and action is Action.REVIEW else ()
        self.world.finish(self.world.jobs[index % len(self.world.jobs)], action, reasons)

    @precondition(lambda self: self.world.jobs)
    @rule(index=INDEX, how=st.sampled_from(["renew", "fail", "crash"]))
    def turn_goes_on_otherwise(self, index: int, how: str) -> None:
        getattr(self.world, how)(self.world.jobs[index % len(self.world.jobs)])

    @precondition(lambda self: self.world.jobs or self.world.facts)
    @rule(index=INDEX)
    def facts_change(self, index: int) -> None:
        ids = self.world.conversation_ids()
        self.world.change_facts(ids[index % len(ids)])

    @rule()
    def send_is_claimed(self) -> None:
        self.world.claim_send()

    @precondition(lambda self: self.world.flights)
    @rule(index=INDEX, how=st.sampled_from(["ok", *OUTCOMES]))
    def send_comes_out(self, index: int, how: str) -> None:
        self.world.send(self.world.flights[index % len(self.world.flights)], how)

    @rule(mute=st.booleans())
    def upkeep(self, mute: bool) -> None:
        self.world.sweep(mute)

    @rule(index=INDEX, agent=st.integers(0, 1))
    def agent_takes_a_review(self, index: int, agent: int) -> None:
        self.desk.take(index, agent)

    @precondition(lambda self: self.desk.cards)
    @rule(index=INDEX, action=st.sampled_from(["approve", *ACTIONS]))
    def agent_acts(self, index: int, action: str) -> None:
        self.desk.act(self.desk.cards[index % len(self.desk.cards)], action)

    @precondition(lambda self: self.world.memory.silenced_step)
    @rule(index=INDEX)
    def agent_gives_back(self, index: int) -> None:
        ids = self.world.conversation_ids()
        self.desk.give_back(ids[index % len(ids)])

    def teardown(self) -> None:
        if hasattr(self, "world"):
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
