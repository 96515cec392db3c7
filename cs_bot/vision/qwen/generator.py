"""Prompts of PromptedVision on a checkpoint in this process."""

import threading
from collections.abc import Mapping

from pydantic import BaseModel

from cs_bot.errors import EngineError
from cs_bot.vision.answers import json_schema
from cs_bot.vision.chat import ChatMessage, ChatPiece, Role
from cs_bot.vision.generating import Generation, Prompt
from cs_bot.vision.qwen.decoding import Answer, Named, Wish
from cs_bot.vision.qwen.inputs import Encoded, Inputs, Pixels
from cs_bot.vision.qwen.row import Row
from cs_bot.vision.qwen.runner import Runner
from cs_bot.vision.qwen.vocabulary import Vocabulary


class QwenGenerator:
    """Follows generating.Generator. The prefix of system text and pictures is shared by all that is asked of them."""

    def __init__(
        self,
        runner: Runner,
        inputs: Inputs,
        vocabulary: Vocabulary,
        *,
        pixels: Pixels,
        by_kind: Mapping[str, int],
        temperature: float,
        about: str,
    ) -> None:
        self._runner, self._inputs, self._vocabulary = runner, inputs, vocabulary
        self._pixels, self._by_kind, self._temperature = pixels, dict(by_kind), temperature
        self._about = about
        self._closing = threading.Event()

    @property
    def available(self) -> bool:
        """False once closed or broken."""
        return self.healthy

    @property
    def healthy(self) -> bool:
        """False once closed, and while a call hangs."""
        return not self._closing.is_set() and self._runner.healthy

    @property
    def beats(self) -> int:
        """Grows while something is computed."""
        return self._runner.beats

    def generate(
        self,
        prompt: Prompt,
        *,
        schema: type[BaseModel] | None = None,
        max_tokens: int,
        labels: tuple[str, ...] = (),
        until: float,
    ) -> Generation:
        """Answer one prompt by `until` (time.monotonic). With labels nothing is written: they are weighed.

        Raises EngineError, EngineTimeout, PictureError.
        """
        if self._closing.is_set():
            raise EngineError("the engine is closed")
        label_ids = self._vocabulary.label_ids(labels) if labels else ()
        with self._runner.preparing():
            asked = self._encoded(prompt, max_tokens)
            answer = None
            if not labels:
                matcher = None if schema is None else self._vocabulary.matcher(json_schema(schema))
                answer = Answer(self._vocabulary, Wish(max_tokens, self._temperature), matcher)
            row = self._runner.ask(Row(asked, until, answer, label_ids))
        (result,) = row.results()
        return _generation(result, labels, row.prompt.shrunk)

    def check(self) -> str:
        """What answers here."""
        if self._closing.is_set():
            raise EngineError("the engine is closed")
        return self._about

    def close(self) -> None:
        """Give everything back; later calls raise EngineError. Safe to call twice."""
        self._closing.set()
        self._runner.close()

    def _encoded(self, prompt: Prompt, max_tokens: int) -> Encoded:
        said = (
            ChatMessage(Role.SYSTEM, (prompt.system,)),
            ChatMessage(Role.USER, (*prompt.pictures, prompt.text)),
        )
        kind = prompt.name.removeprefix("read_").split("_")[0] if prompt.name.startswith("read_") else ""
        pixels = self._pixels._replace(most=self._by_kind.get(kind, self._pixels.most), scale=prompt.scale)
        found = self._inputs.encode(said, pixels, room=max_tokens)
        if not self._runner.holds(found.key):
            for picture in found.pictures:
                picture.values()  # here, not in the thread that others wait for
        return found


def _generation(result: ChatPiece | Named, labels: tuple[str, ...], shrunk: float) -> Generation:
    if isinstance(result, Named):
        shares = dict(zip(labels, result.label_logprobs, strict=True))
        best = max(shares, key=lambda label: shares[label])
        text = best if shares[best] >= result.token.logprob else result.token.text
        return Generation(text, "stop", (result.token,), shares, shrunk)
    return Generation(result.text, result.finish_reason or "stop", result.tokens, None, shrunk)
