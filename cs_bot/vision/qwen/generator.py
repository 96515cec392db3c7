"""Prompts of PromptedVision on a checkpoint in this process."""

from pydantic import BaseModel

from cs_bot.errors import EngineError
from cs_bot.vision.answers import json_schema
from cs_bot.vision.chat import ChatMessage, ChatPiece, Role
from cs_bot.vision.generating import Generation, Prompt
from cs_bot.vision.qwen.core import Core
from cs_bot.vision.qwen.decoding import Answer, Named, Wish
from cs_bot.vision.qwen.inputs import Encoded
from cs_bot.vision.qwen.memory import told_when_full
from cs_bot.vision.qwen.row import Row


class QwenGenerator:
    """Follows generating.Generator.

    What the network knows of the system text is shared by all pictures, of a picture by all that is asked of it.
    """

    def __init__(self, core: Core, temperature: float) -> None:
        self._core, self._temperature = core, temperature
        self._closed = False

    @property
    def available(self) -> bool:
        """False once closed or broken."""
        return self.healthy

    @property
    def healthy(self) -> bool:
        """False once closed, and while a call hangs."""
        return not self._closed and self._core.runner.healthy

    @property
    def beats(self) -> int:
        """Grows while something is computed."""
        return self._core.runner.beats

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
        if self._closed:
            raise EngineError("the engine is closed")
        label_ids = self._core.vocabulary.label_ids(labels) if labels else ()
        with self._core.runner.preparing(), told_when_full():
            asked = self._encoded(prompt, max_tokens)
            answer = None
            if not labels:
                matcher = None if schema is None else self._core.vocabulary.grammars.matcher(json_schema(schema))
                answer = Answer(self._core.vocabulary, Wish(max_tokens, self._temperature), matcher)
            row = self._core.runner.ask(Row(asked, until, answer, label_ids))
        (result,) = row.results()
        return _generation(result, labels, row.prompt.shrunk)

    def check(self) -> str:
        """What answers here."""
        if self._closed:
            raise EngineError("the engine is closed")
        return self._core.about

    def close(self) -> None:
        """Give everything back; later calls raise EngineError. Safe to call twice."""
        self._closed = True
        self._core.close()

    def _encoded(self, prompt: Prompt, max_tokens: int) -> Encoded:
        said = (
            ChatMessage(Role.SYSTEM, (prompt.system,)),
            ChatMessage(Role.USER, (*prompt.pictures, prompt.text)),
        )
        kind = prompt.name.split("_")[1] if prompt.name.startswith("read_") else ""
        budget = self._core.by_kind.get(kind, self._core.budget)._replace(scale=prompt.scale)
        return self._core.encoded(said, budget, room=max_tokens)


def _generation(result: ChatPiece | Named, labels: tuple[str, ...], shrunk: float) -> Generation:
    if isinstance(result, Named):
        shares = dict(zip(labels, result.label_logprobs, strict=True))
        best = max(shares, key=lambda label: shares[label])
        text = best if shares[best] >= result.token.logprob else result.token.text
        return Generation(text, "stop", (result.token,), shares, shrunk)
    return Generation(result.text, result.finish_reason or "stop", result.tokens, None, shrunk)
