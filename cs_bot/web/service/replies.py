"""Pieces of text -> answers and events in OpenAI's shapes."""

import json
from collections.abc import Sequence
from typing import Any, Literal

from cs_bot.vision.chat import ChatPiece
from cs_bot.vision.generating import Token
from cs_bot.web.service.asking import Asked
from cs_bot.web.service.shapes import (
    Alternative,
    Choice,
    Chunk,
    ChunkChoice,
    Completion,
    Delta,
    Likelihoods,
    Problem,
    Reply,
    TokenRow,
    Usage,
)

WAITING = ": waiting\n\n"  # a comment: clients pass over it, proxies see that the line lives
DONE = "data: [DONE]\n\n"
_LINE_ENDS = {"\x85": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_Finish = Literal["stop", "length"]


def usage_of(last: ChatPiece) -> Usage:
    """The counts of a last piece."""
    return Usage(
        prompt_tokens=last.prompt_tokens,
        completion_tokens=last.completion_tokens,
        total_tokens=last.prompt_tokens + last.completion_tokens,
    )


def completion(asked: Asked, chat_id: str, checkpoint: str, pieces: Sequence[ChatPiece]) -> Completion:
    """The whole answer; `pieces` are all of it."""
    text = "".join(piece.text for piece in pieces)
    tokens = [token for piece in pieces for token in piece.tokens]
    top = [others for piece in pieces for others in piece.top]
    choice = Choice(
        message=Reply(content=text),
        logprobs=_likelihoods(tokens, top, asked),
        finish_reason=_finish(pieces[-1]),
    )
    return Completion(id=chat_id, created=asked.at, model=checkpoint, choices=[choice], usage=usage_of(pieces[-1]))


class Events:
    """The events of one stream, each as its line."""

    def __init__(self, asked: Asked, chat_id: str, checkpoint: str) -> None:
        self._asked, self._id, self._checkpoint = asked, chat_id, checkpoint

    def first(self) -> str:
        """Who speaks."""
        return self._event(ChunkChoice(delta=Delta(role="assistant", content="")))

    def piece(self, piece: ChatPiece) -> str:
        """A piece of text; the last one is followed by why it ended, and by the counts where they are wanted."""
        said = ""
        if piece.text or piece.tokens:
            logprobs = _likelihoods(piece.tokens, piece.top, self._asked)
            said = self._event(ChunkChoice(delta=Delta(content=piece.text), logprobs=logprobs))
        if piece.finish_reason is not None:
            said += self._event(ChunkChoice(delta=Delta(), finish_reason=_finish(piece)))
            said += self._event(None, usage_of(piece)) if self._asked.include_usage else ""
            said += DONE
        return said

    def _event(self, choice: ChunkChoice | None, usage: Usage | None = None) -> str:
        chunk = Chunk(
            id=self._id,
            created=self._asked.at,
            model=self._checkpoint,
            choices=[] if choice is None else [choice],
            usage=usage,
        )
        return _line(_lean(chunk, self._asked.include_usage))


def failure(problem: Problem) -> str:
    """An event that ends a stream which had begun: clients raise it."""
    return _line({"error": problem.model_dump()}) + DONE


def _lean(chunk: Chunk, with_usage: bool) -> dict[str, Any]:
    """As OpenAI sends it: nothing in a delta that is not new, and `usage` only where it was asked for."""
    said = chunk.model_dump()
    for choice in said["choices"]:
        choice["delta"] = {name: value for name, value in choice["delta"].items() if value is not None}
    if not with_usage:
        del said["usage"]
    return said


def _line(said: dict[str, Any]) -> str:
    text = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
    for separator, escaped in _LINE_ENDS.items():  # JSON may hold them; careless readers of lines split there
        text = text.replace(separator, escaped)
    return f"data: {text}\n\n"


def _finish(piece: ChatPiece) -> _Finish:
    return "length" if piece.finish_reason == "length" else "stop"


def _likelihoods(tokens: Sequence[Token], top: Sequence[Sequence[Token]], asked: Asked) -> Likelihoods | None:
    if asked.chat.top_logprobs is None:
        return None
    rows = [
        TokenRow(**_alternative(token).model_dump(), top_logprobs=[_alternative(other) for other in others])
        for token, others in zip(tokens, [*top, *[()] * (len(tokens) - len(top))], strict=True)
    ]
    return Likelihoods(content=rows)


def _alternative(token: Token) -> Alternative:
    """A likelihood of 0 has no number in JSON: -9999 stands for it, as OpenAI's own server has it."""
    found = token.logprob if token.logprob > -9999.0 else -9999.0
    data = token.text.encode("utf-8", "replace") if token.data is None else token.data
    return Alternative(token=token.text, logprob=found, bytes=list(data))
