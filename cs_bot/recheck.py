"""Hits of the look cache computed again, later and apart: how often a hit is false is a measured number."""

import logging
from collections.abc import Callable, Sequence

from cs_bot.cache import LookCache, Sample, differences
from cs_bot.errors import EngineError, NotFound
from cs_bot.records import Look
from cs_bot.store.database import Database, Row
from cs_bot.store.media import MediaStore
from cs_bot.store.queries import cache_checks
from cs_bot.vision.base import PictureInput, Vision

LEASE_S = 120.0  # of one check; a killed worker's comes back after it
MAX_ATTEMPTS = 3
log = logging.getLogger("cs_bot.recheck")


def keep(database: Database, samples: Sequence[Sample], *, after_s: float) -> None:
    """Note hits to compute again once `after_s` seconds have passed."""
    if not samples:
        return
    with database.write() as tx:
        for sample in samples:
            cache_checks.add(
                tx,
                picture_sha256=sample.picture_sha256,
                keys=sample.keys,
                look=sample.look,
                customer_id=sample.customer_id,
                after_s=after_s,
            )


def check_next(
    database: Database,
    *,
    vision: Callable[[], Vision],
    media: MediaStore,
    looks: LookCache | None,
    progress: Callable[[], None] | None = None,
) -> bool:
    """Compute one sampled look again and keep what came of it; False when none is due.

    A look that comes out differently is deleted from the cache. The engine works for nobody here: call it when idle.
    `progress` is told as Vision.look does it.
    """
    with database.read() as tx:  # a poll must not take SQLite's only write lock
        if not cache_checks.any_due(tx):
            return False
    with database.write() as tx:
        row = cache_checks.claim(tx, lease_s=LEASE_S)
    if row is None:
        return False
    result, differs_in = ("failed", ()) if row["attempts"] > MAX_ATTEMPTS else _compared(row, vision(), media, progress)
    if result == "again":
        return True  # its lease brings it back
    if result == "differs":
        log.warning("a cached look came out differently", extra={"problem": ", ".join(differs_in)})
        if looks is not None and not looks.drop(row["keys"]) and row["attempts"] < MAX_ATTEMPTS:
            return True
    with database.write() as tx:
        cache_checks.settle(tx, row["id"], result, differs_in)
    return True


def _compared(
    row: Row, engine: Vision, media: MediaStore, progress: Callable[[], None] | None
) -> tuple[str, tuple[str, ...]]:
    """(result, in what it differs); `again` when the engine failed."""
    kept = cache_checks.look_of(row)
    if (kept.engine, kept.engine_version, kept.prompt_version) != (engine.name, engine.version, engine.prompt_version):
        return "outdated", ()
    try:
        picture = PictureInput(row["picture_sha256"], media.read(row["picture_sha256"]))
    except NotFound:  # its retention has passed
        return "outdated", ()
    [found] = engine.look([picture], progress=progress)
    if isinstance(found, EngineError) or _answered_by_another(found, kept):
        return "again", ()
    differs_in = differences(kept, found)
    return ("differs" if differs_in else "same"), differs_in


def _answered_by_another(found: Look, kept: Look) -> bool:
    """A fallback answered: nothing can be said about the cache."""
    return (found.engine, found.engine_version) != (kept.engine, kept.engine_version)
