"""ScriptedChats: a checkpoint's double for `cs-bot serve`."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cs_bot.errors import BotError, EngineError, EngineTimeout
from cs_bot.images import accept_picture
from cs_bot.vision.base import PictureInput
from cs_bot.vision.chat import Chat, ChatPiece, ChatState
from cs_bot.vision.generating import Token


def echoed(chat: Chat) -> str:
    """What a ScriptedChats says of itself: the least JSON of a schema, else the user's last words."""
    if chat.schema is not None:
        return json.dumps(_least(chat.schema), ensure_ascii=False)
    return " ".join(part for part in chat.messages[-1].parts if isinstance(part, str))


def _least(schema: Mapping[str, Any]) -> Any:
    """A value of a schema without references."""
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "object":
        return {name: _least(schema["properties"][name]) for name in schema.get("required", ())}
    return {"string": "", "integer": 0, "number": 0, "boolean": False, "array": []}.get(str(schema.get("type")))


class ScriptedChats:
    """A checkpoint of three-letter tokens that says what `says` makes of a chat. Follows vision.chat.Chats.

    `before` is called before each token: there tests make it wait or raise. `seen` lists the chats in the order they
    came; `now` and `most_at_once` count those that are computed, `stopped` those that were closed before their end.
    """

    def __init__(
        self,
        says: Callable[[Chat], str] = echoed,
        *,
        checkpoint: str = "scripted/chat-1",
        before: Callable[[], None] = lambda: None,
        state: ChatState | None = None,
    ) -> None:
        self._says, self._before = says, before
        self.checkpoint = checkpoint
        self.state = state or ChatState("ready", 1.0)
        self.seen: list[Chat] = []
        self.now = self.most_at_once = self.stopped = 0
        self._closed = False
        self._lock = threading.Lock()

    def chat(self, chat: Chat, *, until: float) -> Iterator[ChatPiece]:
        """A piece a token."""
        for part in (part for message in chat.messages for part in message.parts):
            if isinstance(part, PictureInput):
                accept_picture(part.data)
        with self._lock:
            self.seen.append(chat)
            self.now += 1
            self.most_at_once = max(self.most_at_once, self.now)
        ended = False
        try:
            for piece in self._pieces(chat, until):
                ended = piece.finish_reason is not None
                yield piece
        except BotError:
            ended = True
            raise
        finally:
            with self._lock:
                self.now -= 1
                self.stopped += not ended

    def _pieces(self, chat: Chat, until: float) -> Iterator[ChatPiece]:
        text, whole = self._says(chat), "stop"
        for stop in chat.stop:
            text = text.partition(stop)[0]
        tokens = [text[at : at + 3] for at in range(0, len(text), 3)]
        if len(tokens) > chat.max_new_tokens:
            tokens, whole = tokens[: chat.max_new_tokens], "length"
        for token in tokens:
            self._before()
            if self._closed:
                raise EngineError("the engine is closed")
            if time.monotonic() >= until:
                raise EngineTimeout
            yield _piece(token, chat.top_logprobs)
        if self._closed:
            raise EngineError("the engine is closed")
        if time.monotonic() >= until:
            raise EngineTimeout
        said = sum(len(part) for message in chat.messages for part in message.parts if isinstance(part, str))
        yield ChatPiece(finish_reason=whole, prompt_tokens=1 + said // 3, completion_tokens=len(tokens))

    def close(self) -> None:
        """Later chats raise EngineError."""
        self._closed = True


def _piece(token: str, top: int | None) -> ChatPiece:
    if top is None:
        return ChatPiece(text=token)
    likely = Token(token, -0.25)
    return ChatPiece(text=token, tokens=(likely,), top=((likely, Token("?", -1.75))[:top],))
