"""Qwen3-VL and its successors, in this process."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from cs_bot.settings import EngineSettings

if TYPE_CHECKING:
    from cs_bot.vision.prompted import PromptedVision
    from cs_bot.vision.qwen.chats import QwenChats

Progress = Callable[[int, int], None]


def build(settings: EngineSettings, progress: Progress | None = None) -> "PromptedVision":
    """Load the checkpoint and start the engine; takes seconds to minutes.

    `progress` is told (bytes, bytes in all). Raises ConfigError, in one line that says what to do, EngineError.
    """
    from cs_bot.vision.answers import SHAPES, json_schema
    from cs_bot.vision.generating import LABELS
    from cs_bot.vision.prompted import Limits, PromptedVision
    from cs_bot.vision.prompts import load_prompts
    from cs_bot.vision.qwen.core import open_core
    from cs_bot.vision.qwen.generator import QwenGenerator
    from cs_bot.vision.qwen.loading import load

    loaded = load(settings, progress)
    core = open_core(loaded, settings)
    boxes = core.gpu if settings.boxes == "auto" else settings.boxes == "on"
    boxes = boxes and (loaded.profile is None or loaded.profile.boxes)
    for shape in SHAPES:
        core.vocabulary.grammars.matcher(json_schema(shape))
    core.vocabulary.label_ids(LABELS)
    own = None if loaded.profile is None else loaded.profile.prompts
    return PromptedVision(
        QwenGenerator(core, settings.temperature),
        name="qwen",
        version=f"{core.version},t{settings.temperature:g}{',boxes' if boxes else ''}",
        prompts=own or load_prompts(),
        limits=Limits(
            settings.limit_s(slow=not core.gpu),
            settings.max_new_tokens,
            concurrency=core.runner.rows,
            turns=core.turns,
            boxes=boxes,
            share_time=not core.gpu,
        ),
    )


def open_chats(settings: EngineSettings, progress: Progress | None = None) -> "QwenChats":
    """Load the checkpoint for `cs-bot serve`; as build() otherwise."""
    from cs_bot.vision.qwen.chats import QwenChats
    from cs_bot.vision.qwen.core import open_core
    from cs_bot.vision.qwen.loading import load

    loaded = load(settings, progress)
    return QwenChats(open_core(loaded, settings), loaded.checkpoint)
