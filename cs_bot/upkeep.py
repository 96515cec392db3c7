"""One round of sweeps: put right what crashes left behind, forget what is old, and ring for what is due."""

import logging
from collections.abc import Callable

from cs_bot import calibration, deliver, fetch, retention, review, turns
from cs_bot.errors import MediaUnavailable, StoreUnavailable
from cs_bot.records import Policy
from cs_bot.settings import Settings
from cs_bot.store.database import Database
from cs_bot.store.media import MediaStore
from cs_bot.store.queries import cache_checks, conversations, messages, outbound

log = logging.getLogger("cs_bot.upkeep")


def one_round(
    *,
    database: Database,
    channels: deliver.Channels,
    media: MediaStore,
    settings: Settings,
    policy: Policy,
    ring: Callable[[str], None],
) -> None:
    """Run all sweeps once; idempotent, may run anywhere.

    A sweep that fails is logged and the others go on; those that may wait for a platform or a picture store come after
    the bells. Raises StoreUnavailable when the database is away: that ends the round.
    """
    sweeps: dict[str, Callable[[], object]] = {
        "turns": lambda: turns.sweep(database, settings=settings, policy=policy),
        "fetch": lambda: fetch.sweep(database, settings=settings),
        "review": lambda: review.sweep(database),
        "bells": lambda: ring_for_what_is_due(database, ring),
        "accounts": lambda: saw_accounts(database),
        "deliver": lambda: deliver.sweep(database, channels=channels, settings=settings),
        "calibration": lambda: calibration.sweep(database),
        "retention": lambda: retention.sweep(database, media=media, settings=settings),
    }
    for name, sweep in sweeps.items():
        try:
            sweep()
        except Exception as problem:
            if isinstance(problem, StoreUnavailable) and not isinstance(problem, MediaUnavailable):
                raise
            log.exception("a sweep failed, the others go on", extra={"sweep": name})


def ring_for_what_is_due(database: Database, ring: Callable[[str], None]) -> None:
    """A bell that was lost is rung again."""
    with database.read() as tx:
        due = {
            "fetch": fetch.any_due(tx),
            "answer": conversations.any_due(tx) or cache_checks.any_due(tx),
            "deliver": outbound.any_due(tx),
        }
    for queue, waits in due.items():
        if waits:
            ring(queue)


def saw_accounts(database: Database) -> None:
    """Note which accounts were alive lately."""
    with database.write() as tx:
        messages.saw_accounts(tx, since_s=60.0)
