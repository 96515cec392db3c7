"""What `cs-bot serve` asks of a checkpoint that runs in its own process: a conversation in, pieces of text out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from cs_bot.vision.base import PictureInput
from cs_bot.vision.generating import Token


class Role(StrEnum):
    """Who says a message."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True)
class ChatMessage:
    """One message: texts and pictures in the order in which they are meant. Nothing in it is a control token."""

    role: Role
    parts: tuple[str | PictureInput, ...]


@dataclass(frozen=True)
class Chat:
    """A conversation to go on with. `temperature` 0 takes the likeliest token; `seed` makes sampling repeatable.

    `schema` is a JSON schema that the answer must follow; None: free text. `top_logprobs` asks for that many
    alternatives a token, None for no likelihoods at all. The answer ends before any of `stop`.
    """

    messages: tuple[ChatMessage, ...]
    max_new_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    schema: Mapping[str, Any] | None = None
    top_logprobs: int | None = None
    stop: tuple[str, ...] = ()


@dataclass(frozen=True)
class ChatPiece:
    """What came since the last piece. `text` holds whole characters only; `finish_reason` is set on the last piece.

    A piece may be empty: a sign of life while nothing comes, so that a chat can be stopped between two.

    `tokens` and `top` (one tuple a token) are filled when likelihoods were asked for. The counts are of all tokens so
    far and are set on the last piece: of the prompt with its pictures, and of the answer.
    """

    text: str = ""
    tokens: tuple[Token, ...] = ()
    top: tuple[tuple[Token, ...], ...] = ()
    finish_reason: str | None = None  # stop | length
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True)
class ChatState:
    """Whether chats are taken: `loading` (with how far, 0..1), `ready`, or `failed` with one line on what to do."""

    state: str
    share: float = 0.0
    problem: str = ""


class Chats(Protocol):
    """Runs chats on a checkpoint. Calls may come from several threads; what runs at once is batched inside."""

    @property
    def checkpoint(self) -> str:
        """The name that clients ask for, as it was given: a repository's id or a folder's name."""

    @property
    def state(self) -> ChatState:
        """Now; cheap."""

    def chat(self, chat: Chat, *, until: float) -> Iterator[ChatPiece]:
        """Pieces until the answer ends; closing the iterator stops the computation. `until` is time.monotonic.

        Raises PictureError for a picture that can't be read or is too large, PromptTooLong, SchemaRefused, EngineFull
        (worth another try later), EngineTimeout, EngineError; all before the first piece wherever that is possible.
        """

    def close(self) -> None:
        """Give everything back; later calls raise EngineError. Safe to call twice."""
