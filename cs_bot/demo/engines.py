"""The engines that the demo can be run on: their settings, and whose ends its stories have on them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cs_bot.demo.shop import DATA
from cs_bot.errors import ConfigError, UnknownPlugin

LITE, OPENAI, TINY = COLUMNS = ("lite", "openai", "tiny")  # as the stories' ends are told apart
TINY_CHECKPOINT = DATA / "tiny"


@dataclass(frozen=True)
class DemoEngine:
    """`settings` are those of the group `engine`; `ends` is one of COLUMNS; `patience_s` bounds one message.

    No other engine takes over where one fails: what came of a story is then its own.
    """

    ends: str
    settings: Mapping[str, str] = field(default_factory=dict)
    patience_s: float = 120.0

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of variables that would say something else than its settings."""
        return ("CSBOT_ENGINE", *(f"CSBOT_ENGINE__{name.upper()}" for name in self.settings if name != "fallback"))


ENGINES: dict[str, DemoEngine] = {
    "lite": DemoEngine(LITE, {"name": "lite"}),
    "openai": DemoEngine(OPENAI, {"name": "openai", "fallback": ""}),
    "qwen": DemoEngine(OPENAI, {"name": "qwen", "fallback": ""}, patience_s=900.0),
    "tiny": DemoEngine(
        TINY,
        {"name": "qwen", "fallback": "", "threads": "1", "checkpoint": str(TINY_CHECKPOINT)},
        patience_s=300.0,
    ),
}


def demo_engine(name: str | None) -> DemoEngine | None:
    """The engine of that name; None for none. Raises UnknownPlugin, ConfigError where its checkpoint is missing."""
    if name is None:
        return None
    if name not in ENGINES:
        raise UnknownPlugin("engine", name, tuple(ENGINES))
    if name == "tiny" and not (TINY_CHECKPOINT / "config.json").is_file():
        raise ConfigError(f"the tiny checkpoint is not in {TINY_CHECKPOINT}: python -m cs_bot.demo.train_tiny makes it")
    return ENGINES[name]
