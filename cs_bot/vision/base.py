"""Vision protocol and the ENGINES table: name -> "module:build", opened lazily."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, NamedTuple, Protocol, cast, runtime_checkable

from cs_bot.errors import ConfigError, EngineError, MissingExtra, UnknownPlugin
from cs_bot.observe import ENGINE_RESULTS
from cs_bot.records import ORDER_FIELDS, FieldState, Kind, Look, ReadField, Record
from cs_bot.settings import EngineSettings


class EngineEntry(NamedTuple):
    """Where an engine is built, the extra of pyproject.toml that holds its packages, and whether it writes words."""

    path: str
    extra: str
    writes: bool


ENGINES: dict[str, EngineEntry] = {
    "lite": EngineEntry("cs_bot.vision.lite.engine:build", "lite", writes=False),
    "qwen": EngineEntry("cs_bot.vision.qwen:build", "qwen", writes=True),
    "openai": EngineEntry("cs_bot.vision.openai_server:build", "", writes=True),
}


class PictureInput(NamedTuple):
    """One picture: SHA-256 of the original bytes, and the stored copy (orientation applied, no metadata).

    For `Chats` the bytes as they came: images.pixels_of makes the same of both.
    """

    sha256: str
    data: bytes


@dataclass(frozen=True)
class Ask:
    """What an engine is asked to put into words. Nothing in it is an instruction to the engine.

    `slots` are the facts that the reply may state, name -> value as a person would read it: the words may use the
    names in braces and no other figures. `notes` are sentences about the facts ("picture 1 is p1"). `earlier` holds
    (customer | bot | agent, text), oldest first. `language` is BCP 47.
    """

    kind: Kind
    language: str
    question: str
    slots: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    looks: tuple[Look, ...] = ()
    pictures: tuple[PictureInput, ...] = ()
    earlier: tuple[tuple[str, str], ...] = ()
    shop: str = ""


class Words(Record):
    """A reply's template with slots in braces, as an engine wrote it; nobody has checked it yet.

    `signals` as in Look; the stamp says who wrote it.
    """

    template: str
    signals: dict[str, float]
    engine: str
    engine_version: str
    prompt_version: str


class Vision(Protocol):
    """What every engine offers. Calls may come from several threads; `close` ends them."""

    @property
    def name(self) -> str:
        """The key of ENGINES."""

    @property
    def version(self) -> str:
        """Changes whenever a look could come out differently; part of every cache key."""

    @property
    def prompt_version(self) -> str:
        """Version of the prompts; `-` for an engine without any."""

    @property
    def healthy(self) -> bool:
        """False when a call hangs that can't be interrupted: the process should be replaced."""

    def look(
        self,
        pictures: Sequence[PictureInput],
        *,
        deadline_s: float | None = None,
        progress: Callable[[], None] | None = None,
    ) -> list[Look | EngineError]:
        """One result a picture, in order; a bad picture never fails its list.

        `deadline_s` bounds the whole call from now in seconds; what is not reached comes back as EngineTimeout.
        `progress` is called after each picture, and now and then while a long one moves; it may raise to stop.
        """

    @property
    def writes(self) -> bool:
        """Whether it can put answers into words; lite can't, and replies then come from templates."""

    def write(
        self,
        asks: Sequence[Ask],
        *,
        deadline_s: float | None = None,
        progress: Callable[[], None] | None = None,
    ) -> list[Words | EngineError]:
        """One result an ask, in order, as look() does it; an engine that does not write gives EngineError for each.

        Usually called right after look() with the same pictures: an engine may keep what it computed for them.
        """

    def close(self) -> None:
        """Give the engine's memory back; later looks come back as EngineError. Safe to call twice."""


@runtime_checkable
class Batches(Protocol):
    """An engine that runs several turns together."""

    @property
    def turns(self) -> int:
        """How many turns are worth claiming together: with more the first one only waits longer."""


@runtime_checkable
class Checks(Protocol):
    """An engine that can tell whether what it depends on is there."""

    def check(self) -> str:
        """One line on what would answer; raises EngineError or ConfigError when nothing would."""


def load_engine(name: str, **options: Any) -> Vision:
    """Open the engine `name`; `options` are the other fields of EngineSettings.

    Its build() takes from them what it needs. Where `fallback` names another engine, that one is opened too and takes
    over what this one fails at. Raises UnknownPlugin for a name that ENGINES lacks, MissingExtra when its packages are
    not installed, ConfigError when a setting that it needs is missing.
    """
    settings = EngineSettings(name=name, **options)
    engine = _build(name, settings)
    if settings.fallback in ("", name):
        return engine
    from cs_bot.vision.fallback import Fallback  # it needs this module's protocol

    try:
        return Fallback(engine, _build(settings.fallback, settings))
    except MissingExtra as missing:
        engine.close()
        raise ConfigError(f"{missing}, or do without: CSBOT_ENGINE__FALLBACK= (empty)") from None


def _build(name: str, settings: EngineSettings) -> Vision:
    if name not in ENGINES:
        raise UnknownPlugin("engine", name, tuple(ENGINES))
    path, extra, _ = ENGINES[name]
    module, _, function = path.partition(":")
    try:
        return cast(Vision, getattr(import_module(module), function)(settings))
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] == "cs_bot":
            raise
        raise MissingExtra(f"engine {name!r}", extra) from missing


def counted(engine: str, call: str, results: Sequence[Record | EngineError]) -> None:
    """Count an engine's results for /metrics; `call` is look or write."""
    for result in results:
        outcome = type(result).__name__ if isinstance(result, EngineError) else "ok"
        ENGINE_RESULTS.labels(engine, call, outcome).inc()


def look_json(look: Look) -> dict[str, Any]:
    """A look as `cs-bot read --json` prints it, without the file: kind, kinds, fields, states, seconds.

    A field's value is null unless it is `read`; `states` says why. Both have every key of ORDER_FIELDS.
    """
    fields: Mapping[str, ReadField] = {name: look.fields.get(name, ReadField()) for name in ORDER_FIELDS}
    return {
        "kind": look.kind.value,
        "kinds": {kind.value: round(share, 4) for kind, share in look.kinds.items()},
        "fields": {name: f.value if f.state is FieldState.READ else None for name, f in fields.items()},
        "states": {name: f.state.value for name, f in fields.items()},
        "seconds": round(look.seconds, 3),
    }
