"""The engine `qwen` for the chaos runs: a real network on a random tiny checkpoint computes every look, to the end.

What a random network says means nothing, so that the look is then the one written in the picture's pixels; whatever
fails, hangs or dies meanwhile is real. Order numbers that begin as in `engine` bring trouble in the middle of a
forward pass: POISON kills the process there, STICKY raises now and then, SLOW outlives the lease, HANGS never ends.
"""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cs_bot.records import Kind, Look
from cs_bot.settings import EngineSettings
from cs_bot.vision.answers import OrderRead
from cs_bot.vision.base import ENGINES, EngineEntry, PictureInput
from cs_bot.vision.generating import LABELS
from cs_bot.vision.prompted import LABEL_TOKENS, PromptedVision
from tests.faults.engine import POISON, SLOW, SLOW_S, STICKY, look_of, order_in

NAME = "chaos-qwen"
HANGS = "444"
HANGS_AFTER_S = 2.0  # HANGS_S of the runner in these processes
TIMEOUT_S = 6.0
TOKENS = 24  # of each answer
STICKS = 400  # one of so many layers that are computed fails


class Trouble:
    """What a forward pass runs into; the network's layers call it."""

    def __init__(self) -> None:
        self._about: set[str] = set()
        self._lock = threading.Lock()

    @contextmanager
    def looking_at(self, order_id: str) -> Iterator[None]:
        """While the picture of that order is looked at."""
        with self._lock:
            self._about.add(order_id)
        try:
            yield
        finally:
            with self._lock:
                self._about.discard(order_id)

    def __call__(self, *_: Any) -> None:
        """One layer has been computed."""
        with self._lock:
            about = set(self._about)
        for order_id in about:
            if order_id.startswith(POISON):
                os.kill(os.getpid(), signal.SIGKILL)
            if order_id.startswith(HANGS):
                time.sleep(3600)
            if order_id.startswith(SLOW):
                with self._lock:
                    self._about.discard(order_id)
                time.sleep(SLOW_S)
            if order_id.startswith(STICKY) and time.time_ns() % STICKS == 0:
                raise RuntimeError("sticky")


class NetworkVision(PromptedVision):
    """Computes as PromptedVision does: a kind, a reading, another reading on other pixels; sees what the pixels say."""

    trouble = Trouble()

    def _look(self, picture: PictureInput, until: float) -> Look:
        order_id = order_in(picture.data)
        prompts = self._prompts
        with self.trouble.looking_at(order_id):
            self._generator.generate(prompts.classify(picture), max_tokens=LABEL_TOKENS, labels=LABELS, until=until)
            for prompt in (prompts.read(Kind.ORDER, picture), prompts.read_again(picture)):
                self._generator.generate(prompt, schema=OrderRead, max_tokens=TOKENS, until=until)
        return look_of(picture)


def toml(checkpoint: Path) -> str:
    """The settings of the engine, for the settings file."""
    return (
        f'{{ name = "{NAME}", checkpoint = "{checkpoint}", fallback = "", timeout_s = {TIMEOUT_S}, '
        f'max_new_tokens = {TOKENS}, device_map = "cpu", dtype = "float32", threads = 1, batch = 4, '
        "min_visual_tokens = 4, visual_tokens = 64 }"
    )


def build(settings: EngineSettings) -> PromptedVision:
    """As vision.qwen.build, with trouble in the layers; this process has no other engine."""
    from cs_bot.vision import prompted, qwen
    from cs_bot.vision.qwen import loading, runner

    load = loading.load

    def with_trouble(*given: Any) -> Any:
        loaded = load(*given)
        for layer in loaded.network.model.language_model.layers:
            layer.register_forward_hook(NetworkVision.trouble)
        return loaded

    vars(runner)["HANGS_S"] = HANGS_AFTER_S
    vars(loading)["load"] = with_trouble
    vars(prompted)["PromptedVision"] = NetworkVision
    return qwen.build(settings)


def register() -> None:
    """Make it known in this process; nothing of it is imported before it is built."""
    ENGINES[NAME] = EngineEntry("tests.faults.network:build", "qwen", writes=True)
