"""python -m workers.upkeep: a plain loop that puts right what crashes left behind; may run anywhere, any number."""

import sys

from cs_bot import upkeep
from workers import runtime

EVERY_S = 5.0


def once() -> None:
    """One round of all sweeps."""
    here = runtime.services()
    upkeep.one_round(
        database=here.database,
        channels=here.channels,
        media=here.media,
        settings=here.settings,
        policy=here.policy(),
        ring=here.ring,
    )


if __name__ == "__main__":
    sys.exit(runtime.run_every(EVERY_S, "upkeep", once))
