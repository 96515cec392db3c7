"""What the composition root puts together: turns claimed at once as set, else as the engine says."""

from pathlib import Path

import pytest

from cs_bot import bootstrap
from cs_bot.testing import ScriptedVision
from cs_bot.vision.base import Vision
from cs_bot.vision.fallback import Fallback
from tests.web import settings_for


class Batching(ScriptedVision):
    """An engine that runs eight turns together."""

    turns = 8


@pytest.mark.parametrize(
    ("engine", "wanted", "claimed"),
    [
        (None, 0, 1),
        (ScriptedVision(), 0, 1),
        (Batching(), 0, 8),
        (Fallback(Batching(), ScriptedVision()), 0, 8),
        (Fallback(ScriptedVision(), Batching()), 0, 1),
        (Batching(), 3, 3),
    ],
    ids=["not open", "alone", "batching", "batching first", "batching second", "as set"],
)
def test_a_worker_claims_what_its_engine_runs_together(
    tmp_path: Path, engine: Vision | None, wanted: int, claimed: int
) -> None:
    settings = settings_for(tmp_path, turns={"batch": wanted})
    services = bootstrap.build(settings, vision=engine, redis=None)
    try:
        assert services.turns_at_once == claimed
    finally:
        services.close()
