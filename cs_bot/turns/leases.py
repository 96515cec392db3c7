"""The leases of the turns that a worker has claimed together."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cs_bot.errors import StoreUnavailable
from cs_bot.records import Turn
from cs_bot.store.database import Database
from cs_bot.store.queries import conversations

log = logging.getLogger("cs_bot.turns")


@dataclass
class Leases:
    """Renews the leases of a list, at most every third of their time, and only when somebody calls progress().

    `told` hears of each progress.
    """

    database: Database
    claimed: Sequence[Turn]
    lease_s: float
    told: Callable[[], None] | None = None
    renewed_at: float = field(default_factory=time.monotonic)

    def progress(self) -> None:
        """The work has got somewhere. A lease that can't be renewed now is left to the next call, and to its fence."""
        if self.told is not None:
            self.told()
        if time.monotonic() - self.renewed_at < self.lease_s / 3:
            return
        self.renewed_at = time.monotonic()
        for turn in self.claimed:
            try:
                renew(self.database, turn, self.lease_s)
            except StoreUnavailable as problem:
                log.warning("a lease can't be renewed", extra={"turn_id": turn.turn_id, "error": str(problem)})
                if problem.lost:
                    return


def renew(database: Database, turn: Turn, lease_s: float) -> None:
    """Prolong a lease that is still ours; called only when there was progress.

    One transaction a turn: one that held several conversations would wait crosswise with webhooks that share a commit.
    """
    with database.write() as tx:
        conversations.renew(tx, turn.conversation_id, turn.fence, lease_s)
