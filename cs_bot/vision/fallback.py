"""A first engine and a second one that takes over what the first fails at; each stamps its own results."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from cs_bot.errors import EngineError
from cs_bot.records import Look
from cs_bot.vision.base import Ask, Batches, Checks, PictureInput, Vision, Words

FIRST_SHARE = 0.6  # of the time for a list: what is left belongs to the second engine

log = logging.getLogger("cs_bot.vision")


@runtime_checkable
class _Available(Protocol):
    """An engine that knows when a call would fail."""

    @property
    def available(self) -> bool:
        """False while it is known that a call would fail."""


class Fallback:
    """Follows vision.base.Vision. Looks come from the second engine when the first fails; words never do.

    `name`, `version` and `prompt_version` are the first engine's: what is kept under them (the cache) is its work only.
    Every result carries the stamp of the engine that made it; `stamps` are all that may occur.
    """

    def __init__(self, first: Vision, second: Vision) -> None:
        self._first, self._second = first, second
        self.name = first.name
        self.version = first.version
        self.prompt_version = first.prompt_version

    @property
    def stamps(self) -> frozenset[tuple[str, str]]:
        """(engine, version) of whatever may answer."""
        return frozenset({(engine.name, engine.version) for engine in (self._first, self._second)})

    @property
    def healthy(self) -> bool:
        """Both: a hanging second engine needs a new process as well."""
        return self._first.healthy and self._second.healthy

    @property
    def writes(self) -> bool:
        """Whether the first engine writes."""
        return self._first.writes

    @property
    def turns(self) -> int:
        """How many turns are worth claiming together: as the first engine says."""
        return self._first.turns if isinstance(self._first, Batches) else 1

    @property
    def _first_is_up(self) -> bool:
        return not isinstance(self._first, _Available) or self._first.available

    def look(
        self,
        pictures: Sequence[PictureInput],
        *,
        deadline_s: float | None = None,
        progress: Callable[[], None] | None = None,
    ) -> list[Look | EngineError]:
        """One result a picture, in order. `progress` is told by both engines: twice for what was looked at twice."""
        until = None if deadline_s is None else time.monotonic() + deadline_s
        results: list[Look | EngineError] = [EngineError("the first engine is down") for _ in pictures]
        if pictures and self._first_is_up:
            share = None if deadline_s is None else FIRST_SHARE * deadline_s
            results = self._first.look(pictures, deadline_s=share, progress=progress)
        failed = [at for at, result in enumerate(results) if isinstance(result, EngineError)]
        if not failed:
            return results
        self._say(failed, results)
        left = None if until is None else until - time.monotonic()
        second = self._second.look([pictures[at] for at in failed], deadline_s=left, progress=progress)
        for at, result in zip(failed, second, strict=True):
            first = results[at]
            if not (isinstance(result, EngineError) and isinstance(first, EngineError) and first.retryable):
                results[at] = result  # of two failures the one that may pass counts
        return results

    def write(
        self,
        asks: Sequence[Ask],
        *,
        deadline_s: float | None = None,
        progress: Callable[[], None] | None = None,
    ) -> list[Words | EngineError]:
        """The first engine's words; while it is down an EngineError for each ask, and templates take over."""
        if not self._first_is_up:
            return [EngineError("the engine that writes is down") for _ in asks]
        return self._first.write(asks, deadline_s=deadline_s, progress=progress)

    def check(self) -> str:
        """What either engine says of what it depends on; raises as the first one does."""
        said = [engine.check() for engine in (self._first, self._second) if isinstance(engine, Checks)]
        return "; ".join([*said, f"{self._second.name} takes over when it fails"])

    def close(self) -> None:
        """Close both. Safe to call twice."""
        self._first.close()
        self._second.close()

    def _say(self, failed: Sequence[int], results: Sequence[Look | EngineError]) -> None:
        kinds = sorted({type(results[at]).__name__ for at in failed})
        extra = {"engine": self._second.name, "count": len(failed), "problem": ", ".join(kinds)}
        log.warning("the first engine failed, the second one looks", extra=extra)
