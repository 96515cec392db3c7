"""The flow over a list of turns, on a real database with an engine that does as it is told."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cs_bot import fetch, pipeline, turns
from cs_bot.bootstrap import Services
from cs_bot.errors import EngineError, StoreUnavailable
from cs_bot.receive import receive
from cs_bot.records import Kind, Policy, Reason, Turn
from cs_bot.store import tables
from cs_bot.store.database import Database, Row
from cs_bot.testing import RecordingChannel, ScriptedVision, a_look, shop_event, shop_message, shop_request
from cs_bot.turns import leases
from tests.desk import a_picture
from tests.web import services_on, upkeep_round

QUESTION = "我的订单什么时候发货?"
SOON = {"quiet_s": 0.0, "batch": 8}


@pytest.fixture
def shop(sqlite_database: Database, tmp_path: Path) -> Iterator[Services]:
    """Due at once, claimed eight at a time; the platform and the engine are doubles."""
    services = services_on(sqlite_database, tmp_path, turns=SOON)
    services.channels["generic", "shop"] = RecordingChannel()
    services._vision = ScriptedVision(default=a_look(kind=Kind.PRODUCT))
    yield services
    services.close()


def say(shop: Services, text: str = QUESTION, *, conversation: str = "c1", **data: Any) -> None:
    body = shop_event("message.created", shop_message(text, conversation_id=conversation, **data))
    receive(
        shop_request(body),
        channel="generic",
        account="shop",
        channels=shop.channels,
        database=shop.database,
        ring=shop.ring,
        settings=shop.settings,
    )
    while fetch.fetch_next(shop.database, media=shop.media, settings=shop.settings, ring=shop.ring):
        pass
    rung(shop).clear()


def rung(shop: Services) -> list[str]:
    return shop.rung  # type: ignore[attr-defined,no-any-return]


def answer_due(shop: Services) -> bool:
    return pipeline.answer_due(shop.parts(), ring=shop.ring)


def rows(shop: Services, table: Any) -> list[Row]:
    with shop.database.read() as tx:
        return list(tx.rows(select(table).order_by(*table.primary_key.columns)))


def outcomes(shop: Services) -> dict[str, tuple[str, str | None]]:
    """Conversation -> (state, outcome) of its turn."""
    names = {row["id"]: row["external_id"] for row in rows(shop, tables.conversations)}
    return {names[row["conversation_id"]]: (row["state"], row["outcome"]) for row in rows(shop, tables.turns)}


def claimed(shop: Services) -> list[Turn]:
    return turns.claim(shop.database, settings=shop.settings, policy=shop.policy(), limit=8)


def failing_for(conversation: str, stage: Callable[..., Any], problem: Exception) -> Callable[..., Any]:
    """The stage, but it raises when that conversation's turn is in its list."""

    def run(alive: Any, parts: pipeline.Parts) -> None:
        if any(one.turn.messages[0].text.startswith(conversation) for one in alive):
            raise problem
        stage(alive, parts)

    return run


def test_nothing_due_is_nothing_done(shop: Services) -> None:
    assert not answer_due(shop)
    assert rung(shop) == []


def test_all_that_is_due_is_worked_off_as_one_list(shop: Services) -> None:
    for name in ("c1", "c2", "c3"):
        say(shop, conversation=name)
    assert answer_due(shop)
    assert outcomes(shop) == dict.fromkeys(("c1", "c2", "c3"), ("finished", "review"))
    assert rung(shop) == ["deliver"]
    assert not answer_due(shop)


@pytest.mark.parametrize("stage", list(pipeline.STAGES))
def test_a_turn_that_fails_in_a_stage_never_fails_its_list(
    shop: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, stage: str
) -> None:
    for name in ("c1", "c2", "c3"):
        say(shop, f"{name} {QUESTION}", conversation=name)
    broken = failing_for("c2", pipeline.STAGES[stage], ZeroDivisionError("private words"))
    monkeypatch.setitem(pipeline.STAGES, stage, broken)  # a stage is a row of a table
    assert answer_due(shop)
    assert outcomes(shop) == {"c1": ("finished", "review"), "c2": ("working", None), "c3": ("finished", "review")}
    [failed] = [row for row in rows(shop, tables.turns) if row["state"] == "working"]
    assert (failed["failed"], failed["attempts"]) == ("ZeroDivisionError", 1)
    assert [record.__dict__["turn_id"] for record in caplog.records if record.message == "a stage failed"] == [
        failed["id"]
    ]


def test_a_failed_turn_is_tried_again_and_comes_through(shop: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    say(shop, f"c1 {QUESTION}")
    with monkeypatch.context() as patched:
        broken = failing_for("c1", pipeline.STAGES["gate"], ZeroDivisionError())
        patched.setitem(pipeline.STAGES, "gate", broken)
        answer_due(shop)
    shop.database.shift(60)
    assert answer_due(shop)
    [turn] = rows(shop, tables.turns)
    assert (turn["state"], turn["attempts"]) == ("finished", 2)


def test_a_turn_that_always_fails_goes_to_a_person(shop: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    say(shop, f"c1 {QUESTION}")
    monkeypatch.setitem(pipeline.STAGES, "answer", failing_for("c1", pipeline.STAGES["answer"], ZeroDivisionError()))
    for _ in range(shop.settings.turns.max_attempts):
        assert rows(shop, tables.reviews) == []
        shop.database.shift(60)
        assert answer_due(shop)
    assert outcomes(shop) == {"c1": ("finished", "review")}, "at once, not with a claim that would only give up"
    [review] = rows(shop, tables.reviews)
    assert (review["state"], review["reasons"]) == ("open", [Reason.POISON])


def test_what_came_while_the_last_attempt_failed_goes_along(shop: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    say(shop, f"c1 {QUESTION}")

    def run(alive: Any, parts: pipeline.Parts) -> None:
        say(shop, "and another")
        raise ZeroDivisionError

    monkeypatch.setitem(pipeline.STAGES, "gate", run)
    for _ in range(shop.settings.turns.max_attempts):
        answer_due(shop)
        shop.database.shift(60)
    [review] = rows(shop, tables.reviews)
    [turn] = rows(shop, tables.turns)
    found = [(row["turn_id"], row["review_id"]) for row in rows(shop, tables.messages)]
    assert found == [(turn["id"], review["id"])] * 4
    assert not answer_due(shop)


def test_a_turn_that_fails_once_more_after_its_lease_was_lost_is_left_to_who_has_it(shop: Services) -> None:
    say(shop)
    [mine] = claimed(shop)
    shop.database.shift(31)
    [theirs] = claimed(shop)
    rules = shop.settings.turns.model_copy(update={"max_attempts": 1})
    once = shop.settings.model_copy(update={"turns": rules})
    turns.fail(shop.database, mine, RuntimeError(), settings=once)
    assert rows(shop, tables.reviews) == []
    assert rows(shop, tables.conversations)[0]["fence"] == theirs.fence


def test_an_engine_that_fails_is_tried_again_and_then_a_person_is_told_why(shop: Services) -> None:
    shop._vision = ScriptedVision(default=EngineError("no"))
    say(shop, attachments=[{"url": a_picture()}])
    for attempt in (1, 2, 3):
        assert answer_due(shop)
        assert rows(shop, tables.turns)[0]["attempts"] == attempt
        shop.database.shift(60)
    assert outcomes(shop) == {"c1": ("finished", "review")}
    assert Reason.ENGINE_FAILED in rows(shop, tables.reviews)[0]["reasons"]


def test_every_stage_of_every_turn_is_a_row(shop: Services) -> None:
    say(shop, conversation="c1")
    say(shop, conversation="c2")
    answer_due(shop)
    kept = rows(shop, tables.stages)
    ids = [row["id"] for row in rows(shop, tables.turns)]
    assert sorted((row["turn_id"], row["stage"]) for row in kept) == sorted(
        (turn_id, stage) for turn_id in ids for stage in pipeline.STAGES
    )
    assert {row["outcome"] for row in kept} == {"ok"}
    assert all(0 <= row["seconds"] < 60 for row in kept)


def test_a_stage_that_failed_for_one_turn_is_marked_for_that_turn_only(
    shop: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("c1", "c2"):
        say(shop, f"{name} {QUESTION}", conversation=name)
    monkeypatch.setitem(pipeline.STAGES, "answer", failing_for("c2", pipeline.STAGES["answer"], ZeroDivisionError()))
    good, bad = pipeline.work(claimed(shop), shop.parts())
    assert [(row.stage, row.outcome) for row in good.stages] == [(stage, "ok") for stage in pipeline.STAGES]
    assert [(row.stage, row.outcome) for row in bad.stages] == [
        ("see", "ok"),
        ("ground", "ok"),
        ("answer", "ZeroDivisionError"),
    ]
    assert isinstance(bad.problem, ZeroDivisionError)


def test_working_a_turn_writes_nothing(shop: Services) -> None:
    say(shop, attachments=[{"url": a_picture()}])
    before = claimed(shop)
    counted = {table.name: len(rows(shop, table)) for table in tables.metadata.sorted_tables}
    [done] = pipeline.work(before, shop.parts())
    assert done.decision is not None
    assert {table.name: len(rows(shop, table)) for table in tables.metadata.sorted_tables} == counted


@pytest.mark.parametrize("stage", ["see", "ground"])
@pytest.mark.parametrize("lost", [True, False])
def test_a_store_that_is_away_is_nobodys_fault(
    shop: Services, monkeypatch: pytest.MonkeyPatch, stage: str, lost: bool
) -> None:
    say(shop, f"c1 {QUESTION}", conversation="c1")
    say(shop, f"c2 {QUESTION}", conversation="c2")
    with monkeypatch.context() as patched:
        away = failing_for("c1", pipeline.STAGES[stage], StoreUnavailable(lost=lost))
        patched.setitem(pipeline.STAGES, stage, away)
        with pytest.raises(StoreUnavailable):
            answer_due(shop)
    assert {row["failed"] for row in rows(shop, tables.turns)} == {None}
    waits, done = ("working", None), ("finished", "review")
    assert outcomes(shop) == {"c1": waits, "c2": waits if lost else done}, "one turn's time-out is not the others'"
    shop.database.shift(31)
    while answer_due(shop):
        pass
    assert outcomes(shop) == dict.fromkeys(("c1", "c2"), ("finished", "review"))


def test_a_finish_that_breaks_throws_away_no_other_work(
    shop: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("c1", "c2", "c3"):
        say(shop, f"{name} {QUESTION}", conversation=name)
    gate = pipeline.STAGES["gate"]

    def unwritable(alive: Any, parts: pipeline.Parts) -> None:
        gate(alive, parts)
        for one in alive:
            if one.turn.text.startswith("c2"):
                one.decision = one.decision.model_copy(update={"suggestion": "\ud800"})  # no database takes it

    monkeypatch.setitem(pipeline.STAGES, "gate", unwritable)
    assert answer_due(shop)
    assert outcomes(shop) == {"c1": ("finished", "review"), "c2": ("working", None), "c3": ("finished", "review")}
    assert "a finish failed" in caplog.messages
    for _ in range(2):
        shop.database.shift(60)
        answer_due(shop)
    assert outcomes(shop)["c2"] == ("finished", "review")
    assert [Reason.POISON] in [row["reasons"] for row in rows(shop, tables.reviews)]


@pytest.mark.parametrize(("lost", "finished"), [(False, ["c1", "c3"]), (True, ["c1"])])
def test_a_store_that_refuses_one_finish_gets_the_others_unless_it_is_gone(
    shop: Services, lost: bool, finished: list[str]
) -> None:
    class Refused:
        """A sender in whose place the second transaction can't be begun."""

        asked = 0

        @contextmanager
        def taking(self, turn_id: int, policy: Policy) -> Iterator[None]:
            self.asked += 1
            if self.asked == 2:
                raise StoreUnavailable(lost=lost)
            yield None

    for name in ("c1", "c2", "c3"):
        say(shop, f"{name} {QUESTION}", conversation=name)
    with pytest.raises(StoreUnavailable):
        pipeline.answer_due(shop.parts(), ring=shop.ring, sender=Refused())  # type: ignore[arg-type]
    assert [name for name, (state, _) in sorted(outcomes(shop).items()) if state == "finished"] == finished
    assert rung(shop) == ["deliver"]
    shop.database.shift(31)
    while answer_due(shop):
        pass
    assert {state for state, _ in outcomes(shop).values()} == {"finished"}


def test_a_result_whose_lease_was_lost_is_thrown_away(shop: Services, caplog: pytest.LogCaptureFixture) -> None:
    say(shop, attachments=[{"url": a_picture()}])

    def slow(_sha256: str) -> None:
        """Meanwhile the lease runs out and another worker finishes the turn."""
        shop.database.shift(31)
        other = replace(shop.parts(), vision=lambda: ScriptedVision(default=a_look(kind=Kind.SCENE)))
        assert pipeline.answer_due(other, ring=lambda _queue: None)

    shop._vision = ScriptedVision(default=a_look(kind=Kind.PRODUCT), before=slow)
    assert answer_due(shop)
    assert outcomes(shop) == {"c1": ("finished", "review")}
    assert [row["kind"] for row in rows(shop, tables.turns)] == ["scene"]
    assert len(rows(shop, tables.decisions)) == 1
    assert "the lease was lost, the draft is thrown away" in caplog.messages


class AheadClock:
    """This machine's steady clock, moved on by hand."""

    ahead_s = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead_s


def test_an_engine_that_gets_somewhere_keeps_its_lease(shop: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    attachments = [{"url": a_picture(colour)} for colour in ("teal", "red", "blue", "green")]
    say(shop, attachments=attachments)
    clock = AheadClock()
    monkeypatch.setattr(leases, "time", clock)  # patched: eighty seconds of a slow engine in no time

    def slow(_sha256: str) -> None:
        clock.ahead_s += 20
        shop.database.shift(20)
        assert claimed(shop) == [], "the lease holds: nobody else gets the turn"

    shop._vision = ScriptedVision(default=a_look(kind=Kind.PRODUCT), before=slow)
    assert answer_due(shop)
    assert outcomes(shop) == {"c1": ("finished", "review")}
    assert rows(shop, tables.turns)[0]["attempts"] == 1


def test_who_keeps_the_worker_hears_of_every_progress(shop: Services) -> None:
    say(shop, attachments=[{"url": a_picture(colour)} for colour in ("teal", "red")])
    told: list[int] = []
    parts = replace(shop.parts(), progress=lambda: told.append(len(engine.seen)))
    engine = shop._vision = ScriptedVision(default=a_look(kind=Kind.PRODUCT))
    pipeline.answer_due(parts, ring=shop.ring)
    assert told == [1, 2, 2], "after each picture, and after the facts of the turn"


def test_a_lease_that_can_not_be_renewed_now_ends_no_work(shop: Services, caplog: pytest.LogCaptureFixture) -> None:
    say(shop)
    lost = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")
    turns.Leases(lost, claimed(shop), lease_s=0.0).progress()
    assert caplog.messages == ["a lease can't be renewed"]


def test_a_message_that_comes_while_a_turn_is_worked_on_is_absorbed(shop: Services) -> None:
    say(shop, "first", attachments=[{"url": a_picture()}])
    came = iter([lambda: say(shop, "second")])

    def meanwhile(_sha256: str) -> None:
        next(came, lambda: None)()

    shop._vision = ScriptedVision(default=a_look(kind=Kind.PRODUCT), before=meanwhile)
    answer_due(shop)
    assert outcomes(shop) == {"c1": ("working", None)}
    answer_due(shop)
    [turn] = rows(shop, tables.turns)
    assert (turn["state"], turn["restarts"], turn["attempts"]) == ("finished", 1, 1)
    [draft] = rows(shop, tables.drafts)
    assert draft["reading"]["question"] == "first\nsecond"


def test_what_a_desk_of_the_platform_holds_is_handed_off_with_the_draft(shop: Services) -> None:
    [account] = shop.settings.accounts
    there = account.model_copy(update={"desk": "platform"})
    shop.settings = shop.settings.model_copy(update={"accounts": (there,)})
    say(shop)
    answer_due(shop)
    assert rows(shop, tables.reviews) == []
    assert rows(shop, tables.conversations)[0]["owner"] == "outside"
    [stored] = rows(shop, tables.messages)
    [row] = rows(shop, tables.outbound)
    assert row["kind"] == "handoff"
    assert row["extra"]["reasons"]
    channel = shop.channels["generic", "shop"]
    assert isinstance(channel, RecordingChannel)
    while pipeline.deliver_due(
        database=shop.database,
        channels=shop.channels,
        settings=shop.settings,
        policy=shop.policy(),
        ring=shop.ring,
    ):
        pass
    assert [(sent.kind, sent.extra["reasons"]) for sent in channel.sent] == [("handoff", row["extra"]["reasons"])]
    with shop.database.read() as tx:
        assert tx.value(select(tables.messages.c.end).where(tables.messages.c.id == stored["id"])) == "handed_over"


def test_what_is_done_is_said_in_ids_and_words_of_ours_alone(shop: Services, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    say(shop, "my private question 20268633688652")
    answer_due(shop)
    [record] = [record for record in caplog.records if record.message == "turn finished"]
    assert record.__dict__["outcome"] == "review"
    assert record.__dict__["reasons"]
    assert "private" not in caplog.text


def test_upkeep_rings_for_every_queue_with_something_due_and_is_idempotent(shop: Services) -> None:
    assert upkeep_round(shop) == []
    say(shop)
    assert upkeep_round(shop) == ["answer"]
    assert upkeep_round(shop) == ["answer"]
    answer_due(shop)
    assert upkeep_round(shop) == []


def test_upkeep_brings_back_the_turn_of_a_worker_that_died(shop: Services) -> None:
    say(shop)
    claimed(shop)
    shop.database.shift(31)
    assert upkeep_round(shop) == ["answer"]
    answer_due(shop)
    assert rows(shop, tables.turns)[0]["attempts"] == 2


def test_the_stages_are_the_ones_the_drawing_names_in_its_order() -> None:
    drawing = pipeline.__doc__ or ""
    named = [line.split(" ")[0] for line in drawing.splitlines() if "─" in line]
    assert [name for name in named if name in pipeline.STAGES] == list(pipeline.STAGES)
