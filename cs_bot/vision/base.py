"""Vision protocol and the ENGINES table: name -> "module:build", opened lazily."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, NamedTuple, Protocol, cast

from cs_bot.errors import EngineError, MissingExtra, UnknownPlugin
from cs_bot.records import ORDER_FIELDS, FieldState, Kind, Look, ReadField, Record


class EngineEntry(NamedTuple):
    """Where an engine is built, the extra of pyproject.toml that holds its packages, and whether it writes words."""

    path: str
    extra: str
    writes: bool


ENGINES: dict[str, EngineEntry] = {
    "lite": EngineEntry("cs_bot.vision.lite.engine:build", "lite", writes=False),
}


class PictureInput(NamedTuple):
    """One picture: SHA-256 of the original bytes, and the stored copy (orientation applied, no metadata)."""

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
        `progress` is called after each picture, and may raise to stop.
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


def load_engine(name: str, **options: Any) -> Vision:
    """Open the engine `name`; `options` go to its build().

    Raises UnknownPlugin for a name that ENGINES lacks, MissingExtra when its packages are not installed.
    """
    if name not in ENGINES:
        raise UnknownPlugin("engine", name, tuple(ENGINES))
    path, extra, _ = ENGINES[name]
    module, _, function = path.partition(":")
    try:
        build = getattr(import_module(module), function)
        return cast(Vision, build(**options))
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] == "cs_bot":
            raise
        raise MissingExtra(f"engine {name!r}", extra) from missing


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
