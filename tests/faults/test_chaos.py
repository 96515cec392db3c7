"""Real processes under faults: nothing lost, doubled or out of order; when the faults stop all comes to an end."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.faults.chaos import chaos
from tests.faults.report import write
from tests.faults.verdict import Verdict
from tests.services import Missing, redis_binary

NETWORK_MESSAGES = 150  # of each run with a network in the workers
REPORT = Path(__file__).parents[2] / "docs" / "measured" / "faults.md"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: it holds a unix socket."""
    made = Path(tempfile.mkdtemp(prefix="cs-bot-chaos-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


def run(folder: Path, *, messages: int, seed: int, database: str, mode: str) -> Verdict:
    try:
        redis_binary()
        return chaos(messages=messages, seed=seed, database=database, mode=mode, folder=folder)
    except Missing as problem:
        missing(problem)
        raise


def held(verdict: Verdict, messages: int) -> None:
    assert verdict.holds, vars(verdict)
    assert verdict.accepted == messages
    assert sum(verdict.ends.values()) == messages
    assert min(verdict.ends.get("bot", 0), verdict.ends.get("person", 0)) >= 5, "too little was answered to mean much"
    assert sum(count for name, count in verdict.faults.items() if name.startswith("SIGKILL")) > 0


def test_three_hundred_messages_under_faults_on_sqlite(folder: Path) -> None:
    held(run(folder, messages=300, seed=11, database="sqlite", mode="key"), 300)


def test_one_hundred_and_fifty_messages_under_faults_on_postgresql(folder: Path) -> None:
    held(run(folder, messages=150, seed=12, database="postgresql", mode="lookup"), 150)


@pytest.mark.full
def test_the_same_faults_double_replies_when_an_unknown_outcome_is_taken_for_a_refusal(folder: Path) -> None:
    """The control: what the runs look for does happen when a guard is gone."""
    without = "an unknown outcome is not a refusal"
    verdict = chaos(messages=200, seed=31, database="sqlite", mode="none", folder=folder, without=without)
    assert verdict.wrong["DOUBLED"] > 0, vars(verdict)


@pytest.mark.full
def test_two_thousand_messages_under_faults_on_both_databases_and_every_platform(
    folder: Path, random_checkpoint: Path
) -> None:
    verdicts = []
    for seed, database in enumerate(("sqlite", "postgresql"), start=21):
        for mode in ("key", "lookup", "none"):
            run_folder = folder / f"{database}-{mode}"
            run_folder.mkdir()
            verdicts.append(run(run_folder, messages=360, seed=seed, database=database, mode=mode))
        network_folder = folder / f"{database}-network"
        network_folder.mkdir()
        verdicts.append(
            chaos(
                messages=NETWORK_MESSAGES,
                seed=seed + 10,
                database=database,
                mode="key",
                rate=2,
                folder=network_folder,
                checkpoint=random_checkpoint,
            )
        )
    write(REPORT, verdicts)
    for verdict in verdicts:
        held(verdict, 360 if verdict.engine == "pixels" else NETWORK_MESSAGES)
