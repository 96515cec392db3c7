"""The engine `qwen` in the worker under faults: in the middle of a look, a decode, a batch; nothing lost or doubled."""

import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cs_bot.store.tables import drafts, messages, outbound, reviews, turns
from tests.conftest import missing
from tests.faults import engine, network
from tests.faults.chaos import NETWORK_DEADLINE_S, chaos
from tests.faults.test_processes import Stage
from tests.faults.verdict import Verdict
from tests.services import Missing, redis_binary, wait_for
from workers import runtime

OPENS_S = 90.0  # longest time for a process to open its network
ENDS_S = 60.0


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: it holds a unix socket."""
    try:
        redis_binary()
    except Missing as problem:
        missing(problem)
    made = Path(tempfile.mkdtemp(prefix="cs-bot-network-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def stage(folder: Path, random_checkpoint: Path) -> Iterator[Stage]:
    made = Stage(folder, network.toml(random_checkpoint), NETWORK_DEADLINE_S)
    made.redis.start()
    yield made
    made.close()


def claimed(stage: Stage, attempts: int = 1) -> bool:
    return any(turn["attempts"] >= attempts for turn in stage.rows(turns))


def settled(stage: Stage) -> bool:
    found = stage.rows(turns)
    return bool(found) and all(turn["state"] == "finished" for turn in found)


def answered_once(stage: Stage) -> None:
    """One turn, one draft at most, one reply or review; no message without an end on its way.

    No draft: the look was too slow for the lease three times, and a person has the message.
    """
    assert [turn["state"] for turn in stage.rows(turns)] == ["finished"]
    assert len(stage.rows(outbound)) + len(stage.rows(reviews)) == 1
    assert len(stage.rows(drafts)) == 1 or [row["reasons"] for row in stage.rows(reviews)] == [["poison"]]
    assert all(row["end"] is not None or row["review_id"] or stage.rows(outbound) for row in stage.rows(messages))


def test_a_worker_that_is_killed_in_the_middle_of_a_look_loses_nothing(stage: Stage) -> None:
    stage.write("c0", engine.SLOW)
    first = stage.start("answer")
    wait_for(lambda: claimed(stage), "the claim", OPENS_S)
    time.sleep(0.5)
    assert not settled(stage), "it sleeps in the middle of a forward pass"
    first.kill()
    first.wait()
    stage.start("upkeep")
    stage.start("answer")
    wait_for(lambda: settled(stage), "the second attempt", OPENS_S)
    answered_once(stage)
    assert stage.rows(turns)[0]["attempts"] == 2


def test_redis_that_comes_back_empty_in_the_middle_of_a_look_is_not_missed(stage: Stage) -> None:
    stage.write("c0", engine.SLOW)
    worker, _ = stage.start("answer"), stage.start("upkeep")
    wait_for(lambda: claimed(stage), "the claim", OPENS_S)
    stage.redis.kill()
    stage.redis.start()
    wait_for(lambda: settled(stage), "the end of the look", ENDS_S)
    answered_once(stage)
    stage.write("c1", "7000000001")
    wait_for(lambda: len(stage.rows(turns)) == 2 and settled(stage), "the next turn", ENDS_S)
    assert worker.poll() is None


def test_a_look_that_outlives_its_lease_is_thrown_away_when_another_worker_has_the_turn(stage: Stage) -> None:
    workers = [stage.start("answer"), stage.start("answer"), stage.start("upkeep")]
    stage.write("c0", engine.SLOW)
    wait_for(lambda: claimed(stage), "the claim", OPENS_S)
    wait_for(lambda: settled(stage), "the end", ENDS_S)
    time.sleep(engine.SLOW_S)  # whoever was slower comes too late now
    answered_once(stage)
    assert [worker.poll() for worker in workers] == [None] * 3


def test_a_forward_pass_that_hangs_costs_the_process_and_its_turn_goes_to_a_person(stage: Stage) -> None:
    for conversation, order_id in (("c0", "7000000001"), ("c1", network.HANGS), ("c2", "7000000002")):
        stage.write(conversation, order_id)
    stage.start("upkeep")
    codes, end = [], time.monotonic() + 3 * OPENS_S
    while time.monotonic() < end and not (len(stage.rows(turns)) == 3 and settled(stage)):
        worker = stage.start("answer")
        while worker.poll() is None and time.monotonic() < end:
            if len(stage.rows(turns)) == 3 and settled(stage):
                break
            time.sleep(0.1)
        codes.append(worker.poll())
    reasons = {row["conversation_id"]: row["reasons"] for row in stage.rows(reviews)}
    assert runtime.ENGINE_HANGS in codes, "a process whose engine hangs ends"
    assert set(reasons[2]) & {"poison", "engine_failed"}
    assert len(stage.rows(turns)) == 3
    assert settled(stage)
    assert all("poison" not in reasons.get(mate, []) for mate in (1, 3))
    assert all(row["end"] is not None or row["review_id"] or row["turn_id"] for row in stage.rows(messages))


def test_sigterm_in_the_middle_of_a_look_lets_the_turn_be_finished(stage: Stage) -> None:
    stage.write("c0", engine.SLOW)
    worker = stage.start("answer")
    wait_for(lambda: claimed(stage), "the claim", OPENS_S)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(ENDS_S) == 0
    answered_once(stage)


def held(verdict: Verdict, messages_sent: int) -> None:
    assert verdict.holds, vars(verdict)
    assert verdict.accepted == sum(verdict.ends.values()) == messages_sent
    assert min(verdict.ends.get("bot", 0), verdict.ends.get("person", 0)) >= 2, "too little was answered to mean much"
    assert verdict.faults["SIGKILL answer"] >= 1


@pytest.mark.parametrize(("database", "mode", "seed"), [("sqlite", "key", 51), ("postgresql", "lookup", 52)])
def test_thirty_messages_under_faults(
    folder: Path, random_checkpoint: Path, database: str, mode: str, seed: int
) -> None:
    try:
        verdict = chaos(
            messages=30, seed=seed, database=database, mode=mode, rate=3, folder=folder, checkpoint=random_checkpoint
        )
    except Missing as problem:
        missing(problem)
        raise
    held(verdict, 30)
