"""The cache of words: templates that an engine wrote, never with a value filled in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel, ValidationError
from redis import Redis

from cs_bot.cache.flight import Flight, Opened, Progress, Rules
from cs_bot.cache.keys import DRAFT, Engine, digest, owner, stamp
from cs_bot.cache.private import has_long_number, is_personal
from cs_bot.cache.shelf import Shelf
from cs_bot.cache.tally import Tally
from cs_bot.errors import BotError
from cs_bot.records import Customer, Look, Record

MIN_VALUE = 2  # a value this short may stand in any text by chance


class Asked(Protocol):
    """What an engine is asked to put into words: a dataclass, every field of which becomes part of the key."""

    @property
    def question(self) -> str:
        """The customer's words."""

    @property
    def slots(self) -> Mapping[str, str]:
        """Facts, name -> value."""

    @property
    def looks(self) -> Sequence[Look]:
        """What the pictures show."""

    @property
    def earlier(self) -> Sequence[tuple[str, str]]:
        """(who, text), oldest first."""


class Written(Protocol):
    """What comes back; a pydantic record."""

    @property
    def template(self) -> str:
        """Words with slots in braces."""

    @property
    def engine(self) -> str:
        """Who wrote it."""

    @property
    def engine_version(self) -> str:
        """Its version."""

    @property
    def prompt_version(self) -> str:
        """Its prompts'."""


W = TypeVar("W", bound=BaseModel)


@dataclass(frozen=True)
class DraftAsked:
    """What a draft depends on besides the engine: all of `ask`, the facts' fingerprint, the policy, the customer."""

    ask: Any  # Asked
    fingerprint: str
    policy_version: int
    customer: Customer | None

    def is_personal(self) -> bool:
        """Whether it may serve this customer only: an order's slots, a personal look, a long number in the talk."""
        ask: Asked = self.ask
        if any(name.partition(".")[0] == "order" for name in ask.slots) or any(map(is_personal, ask.looks)):
            return True
        return has_long_number((ask.question, *(text for _, text in ask.earlier), *ask.slots.values()))


class _Kept(Record):
    """The value of a key."""

    key: str
    seconds: float
    words: dict[str, Any]


@dataclass(frozen=True)
class _Case(Generic[W]):
    """One draft in a flight (flight.Case)."""

    asked: DraftAsked
    engine: tuple[str, str, str]
    key: str | None  # None: personal, and nobody knows whose
    record: type[W]
    fit: Callable[[W], bool]

    @property
    def keys(self) -> tuple[str, ...]:
        return () if self.key is None else (self.key,)

    def open(self, values: dict[str, bytes]) -> Opened[W]:
        """The words, if they belong under this key."""
        if self.key is None or self.key not in values:
            return Opened(None, 0.0, self.key)
        try:
            kept = _Kept.model_validate_json(values[self.key])
            words = self.record.model_validate(kept.words)
        except ValidationError:
            return Opened(None, 0.0, self.key, (self.key,))
        if kept.key != self.key or self._unfit(words) is not None:
            return Opened(None, 0.0, self.key, (self.key,))
        return Opened(words, kept.seconds, None)

    def close(self, result: W, seconds: float) -> dict[str, bytes] | str:
        """The template under the one key."""
        why = self._unfit(result)
        if why is not None:
            return why
        if self.key is None:
            return {}
        kept = _Kept(key=self.key, seconds=seconds, words=result.model_dump(mode="json"))
        return {self.key: kept.model_dump_json().encode()}

    def _unfit(self, words: Any) -> str | None:
        """Why these words are not kept: another engine's, refused by the caller, or a value stands in them."""
        written: Written = words
        if (written.engine, written.engine_version, written.prompt_version) != self.engine:
            return "other_engine"
        values = (value for value in self.asked.ask.slots.values() if len(value) >= MIN_VALUE)
        if any(value in written.template for value in values) or not self.fit(words):
            return "unfit"
        return None


class DraftCache(Generic[W]):
    """Words by everything they depend on. `record` is the class of the words (vision.base.Words)."""

    def __init__(self, redis: Redis, *, record: type[W], ttl_s: float, wait_s: float) -> None:
        self._shelf, self._rules, self._record = Shelf(redis, hold_s=wait_s), Rules(ttl_s, wait_s), record

    def words(
        self,
        asked: Sequence[DraftAsked],
        *,
        engine: Engine,
        compute: Callable[[Sequence[int], Progress], Sequence[W | BotError]],
        fit: Callable[[W], bool] = lambda words: True,
        progress: Progress | None = None,
    ) -> list[W | BotError]:
        """One result a question, in order: kept, waited for, or computed here.

        `compute` gets the places in `asked` of those to write, and a progress() to call after each. `fit` says whether
        words may be kept and used again (what the checks refuse is better written anew). Errors are never kept.
        """
        cases = [self._case(one, engine, fit) for one in asked]
        flight: Flight[W] = Flight(self._shelf, self._rules, Tally("draft"), cases, compute, progress or (lambda: None))
        return flight.run()

    def close(self) -> None:
        """Close the connections to Redis."""
        self._shelf.redis.close()

    def _case(self, asked: DraftAsked, engine: Engine, fit: Callable[[W], bool]) -> _Case[W]:
        versions = (engine.name, engine.version, engine.prompt_version)
        return _Case(asked, versions, draft_key(asked, engine), self._record, fit)


def draft_key(asked: DraftAsked, engine: Engine) -> str | None:
    """The key of a draft; the customer's, when it is personal (None when it is not known whose)."""
    personal = asked.is_personal()
    if personal and asked.customer is None:
        return None
    content = digest([asked.ask, asked.fingerprint, asked.policy_version])
    shared = f"{DRAFT}:{stamp(engine)}:{content}"
    return f"{shared}:{owner(asked.customer)}" if personal and asked.customer is not None else shared
