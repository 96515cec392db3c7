"""Every guard is there for a reason: taken out, its story breaks; or a second guard holds, and the table says which."""

import pytest

from cs_bot.store.database import Database
from tests.faults.desk import Desk
from tests.faults.mutants import MUTANTS, STORIES, Mutant, Story, apply
from tests.faults.promises import Broken
from tests.faults.world import World

ALONE = [m for m in MUTANTS if not m.masked_by]
MASKED = [m for m in MUTANTS if m.masked_by]


def tell(story: Story, database: Database, mode: str) -> None:
    world = World(database, mode)
    story(world, Desk(world))


@pytest.mark.parametrize(("story", "mode"), STORIES, ids=[story.__name__ for story, _ in STORIES])
def test_the_story_is_true(story: Story, mode: str, each: Database) -> None:
    tell(story, each, mode)


@pytest.mark.parametrize("mutant", ALONE, ids=[m.name for m in ALONE])
def test_without_the_guard_its_story_breaks(
    mutant: Mutant, fast_sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(mutant.cuts, monkeypatch)  # the code itself must change: there is no other way to take a guard out
    with pytest.raises(Broken):
        tell(mutant.story, fast_sqlite, mutant.mode)


@pytest.mark.parametrize("mutant", MASKED, ids=[f"{m.name} is masked by {m.masked_by}" for m in MASKED])
def test_a_second_guard_holds(mutant: Mutant, fast_sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    apply(mutant.cuts, monkeypatch)  # as above
    tell(mutant.story, fast_sqlite, mutant.mode)
