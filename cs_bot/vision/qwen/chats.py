"""Conversations of `cs-bot serve` on a checkpoint in this process."""

from collections.abc import Iterator
from dataclasses import replace

from cs_bot.errors import EngineError
from cs_bot.vision.chat import Chat, ChatPiece, ChatState
from cs_bot.vision.qwen.core import Core
from cs_bot.vision.qwen.decoding import Answer, Wish
from cs_bot.vision.qwen.grammar import Matcher
from cs_bot.vision.qwen.memory import told_when_full
from cs_bot.vision.qwen.row import Row


class QwenChats:
    """Follows vision.chat.Chats. What several callers ask at once runs as one batch."""

    def __init__(self, core: Core, checkpoint: str) -> None:
        self._core, self.checkpoint = core, checkpoint
        self._closed = False

    @property
    def state(self) -> ChatState:
        """Now; cheap."""
        if self._closed:
            return ChatState("failed", problem="the engine is closed")
        if not self._core.runner.healthy:
            return ChatState("failed", problem="the engine hangs: restart this process")
        return ChatState("ready", 1.0)

    def chat(self, chat: Chat, *, until: float) -> Iterator[ChatPiece]:
        """Pieces until the answer ends; closing the iterator stops the computation.

        Raises PictureError, PromptTooLong, SchemaRefused and EngineError at once, EngineTimeout with the first piece,
        EngineFull at either; SchemaRefused later too, where only the answer shows that a schema asks too much.
        """
        if self._closed:
            raise EngineError("the engine is closed")
        core = self._core
        with core.runner.preparing(), told_when_full():
            prompt = core.encoded(chat.messages, core.budget, room=chat.max_new_tokens)
            answer = Answer(core.vocabulary, _wish(chat), self._matcher(chat))
        return self._pieces(Row(prompt, until, answer, streams=True), likelihoods=chat.top_logprobs is not None)

    def close(self) -> None:
        """Give everything back; later calls raise EngineError. Safe to call twice."""
        self._closed = True
        self._core.close()

    def _matcher(self, chat: Chat) -> Matcher | None:
        return None if chat.schema is None else self._core.vocabulary.grammars.matcher(chat.schema)

    def _pieces(self, row: Row, *, likelihoods: bool) -> Iterator[ChatPiece]:
        self._core.runner.ask(row)
        for piece in row.results():
            assert isinstance(piece, ChatPiece)
            yield _shown(piece, ended=row.ended, likelihoods=likelihoods)


def _wish(chat: Chat) -> Wish:
    return Wish(chat.max_new_tokens, chat.temperature, chat.top_p, chat.seed, chat.stop, chat.top_logprobs or 0)


def _shown(piece: ChatPiece, *, ended: bool, likelihoods: bool) -> ChatPiece:
    """A piece for others: the token that ends an answer is none of it; likelihoods only where they were asked for."""
    if not likelihoods:
        return replace(piece, tokens=(), top=())
    if ended and piece.finish_reason is not None:
        return replace(piece, tokens=piece.tokens[:-1], top=piece.top[:-1])
    return piece
