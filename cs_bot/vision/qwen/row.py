"""One question on its way through the runner, and what whoever asked it gets."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue

from cs_bot.errors import BotError, EngineTimeout
from cs_bot.vision.chat import ChatPiece
from cs_bot.vision.qwen.decoding import Answer, Named
from cs_bot.vision.qwen.inputs import Encoded
from cs_bot.vision.qwen.prefix import Prefix

SIGN_S = 0.25
LATE = "the checkpoint gave no answer in time"


@dataclass(eq=False)
class Row:
    """One question on its way: labels to weigh (`label_ids`), or an answer to write, in pieces when it `streams`."""

    prompt: Encoded
    until: float
    answer: Answer | None = None
    label_ids: Sequence[int] = ()
    streams: bool = False
    left: bool = False  # it is done, or nobody waits for it any more
    start: Prefix | None = None  # what the network knows when this row joins a batch
    pending: Sequence[int] = ()  # tokens that it has not seen
    _pieces: list[ChatPiece] = field(default_factory=list)
    _out: "SimpleQueue[ChatPiece | Named | BotError]" = field(default_factory=SimpleQueue)

    @property
    def ended(self) -> bool:
        """Whether the answer's last token is the one that ends it."""
        return self.answer is not None and self.answer.ended

    def tell(self, result: "ChatPiece | Named | BotError") -> bool:
        """Give a result to whoever waits; whether it was the last one."""
        if not isinstance(result, ChatPiece):
            self._out.put(result)
            return True
        self._pieces.append(result)
        if self.answer is not None and result.finish_reason is not None:
            last = result if self.streams else _joined(self._pieces)
            counted = replace(last, prompt_tokens=len(self.prompt.ids), completion_tokens=len(self.answer.ids))
            self._out.put(counted)
            return True
        if self.streams:
            self._out.put(result)
        return False

    def results(self) -> "Iterator[ChatPiece | Named]":
        """All results as they come; closing the iterator ends the row. Raises what went wrong, EngineTimeout.

        A row that streams gives an empty piece now and then while nothing comes: it can be closed there.
        """
        try:
            while True:
                left_s = max(0.0, self.until - time.monotonic())
                try:
                    found = self._out.get(timeout=min(left_s, SIGN_S) if self.streams else left_s)
                except Empty:
                    if self.streams and left_s > SIGN_S:
                        yield ChatPiece()
                        continue
                    raise EngineTimeout(LATE) from None
                if isinstance(found, BotError):
                    raise found
                yield found
                if isinstance(found, Named) or found.finish_reason is not None:
                    return
        finally:
            self.left = True

    def again(self) -> bool:
        """Ask anew with smaller pictures; False when that can't be, or some of the answer is out."""
        if self.prompt.smaller is None or (self.streams and self._pieces):
            return False
        self.prompt = self.prompt.smaller()
        self._pieces.clear()
        if self.answer is not None:
            self.answer = self.answer.anew()
        return True


def _joined(pieces: Sequence[ChatPiece]) -> ChatPiece:
    return ChatPiece(
        "".join(piece.text for piece in pieces),
        tuple(token for piece in pieces for token in piece.tokens),
        tuple(top for piece in pieces for top in piece.top),
        pieces[-1].finish_reason,
    )
