"""Opens a checkpoint on a thread, so that the port answers from the first second: loading, then ready or failed."""

import logging
import threading
from collections.abc import Callable, Iterator

from cs_bot.errors import BotError, EngineError
from cs_bot.vision.chat import Chat, ChatPiece, Chats, ChatState

Progress = Callable[[int, int], None]  # bytes, and bytes in all
_log = logging.getLogger("cs_bot.serve")


class OpenedLater:
    """Chats that `opener` opens on a thread of its own; it is given a function to tell how far it is.

    Follows vision.chat.Chats. `changed` is called with each new state, from that thread.
    """

    def __init__(
        self, opener: Callable[[Progress], Chats], changed: Callable[[ChatState], None] = lambda _: None
    ) -> None:
        self._opener, self._changed = opener, changed
        self._state = ChatState("loading")
        self._chats: Chats | None = None
        self._closed = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._open, name="loading", daemon=True)
        self._thread.start()

    @property
    def checkpoint(self) -> str:
        """Its name; nothing while it is not there."""
        return "" if self._chats is None else self._chats.checkpoint

    @property
    def state(self) -> ChatState:
        """Ours until it is open, then its own."""
        return self._state if self._chats is None else self._chats.state

    @property
    def opened(self) -> bool:
        """Whether the opener came to a good end."""
        return self._chats is not None

    def chat(self, chat: Chat, *, until: float) -> Iterator[ChatPiece]:
        """As Chats.chat; EngineError while nothing is open."""
        if self._chats is None:
            raise EngineError("the checkpoint is not loaded")
        return self._chats.chat(chat, until=until)

    def close(self) -> None:
        """Close what is open; what is still being opened is closed as soon as it is."""
        with self._lock:
            self._closed, chats = True, self._chats
        if chats is not None:
            chats.close()

    def _open(self) -> None:
        try:
            chats = self._opener(lambda done, most: self._tell(ChatState("loading", done / most if most else 0.0)))
        except BotError as problem:
            self._tell(ChatState("failed", problem=str(problem)))
        except Exception as problem:  # what a library raises on a broken file; its text may be pages long
            _log.error("the checkpoint could not be loaded", exc_info=problem)
            self._tell(ChatState("failed", problem=f"the checkpoint can't be loaded ({type(problem).__name__})"))
        else:
            with self._lock:
                self._chats, unwanted = chats, self._closed
            if unwanted:
                chats.close()
            self._tell(chats.state)

    def _tell(self, state: ChatState) -> None:
        self._state = state
        self._changed(state)
