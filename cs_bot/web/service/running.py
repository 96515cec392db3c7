"""A chat on a thread of its own: its pieces reach the event loop as they are made, and it stops when nobody listens."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from cs_bot import observe
from cs_bot.errors import EngineError, EngineTimeout
from cs_bot.vision.chat import Chat, ChatPiece, Chats

LATE_S = 5.0  # a chat that is silent so long after its time is over counts as timed out
_T = TypeVar("_T")
_End = Exception | None


class Run:
    """One chat that is being computed. Made in the event loop; `ended` is called there when its thread is done."""

    def __init__(self, chats: Chats, chat: Chat, *, until: float, ended: Callable[[], None]) -> None:
        self._chats, self._chat, self._until, self._ended = chats, chat, until, ended
        self._loop = asyncio.get_running_loop()
        self._made: asyncio.Queue[ChatPiece | _End] = asyncio.Queue()
        self._held: list[ChatPiece | _End] = []
        self._stopped = threading.Event()
        threading.Thread(target=self._work, name="chat", daemon=True).start()

    def stop(self) -> None:
        """End the computation at its next piece; safe to call at any time."""
        self._stopped.set()

    async def begun(self, within_s: float) -> None:
        """Wait for the first piece, but not longer; raises what the chat failed with."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                first = await self._made.get()
                if isinstance(first, Exception):
                    raise first
                self._held.append(first)

    async def pieces(self, quiet_s: float | None = None) -> AsyncIterator[ChatPiece | None]:
        """All pieces; with `quiet_s` a None whenever nothing came for so long. Raises what the chat failed with."""
        while True:
            try:
                made = self._held.pop() if self._held else await self._next(quiet_s)
            except TimeoutError:
                if time.monotonic() > self._until + LATE_S:
                    self.stop()
                    raise EngineTimeout from None
                if quiet_s is not None:
                    yield None
                continue
            if isinstance(made, Exception):
                raise made
            if made is None:
                raise EngineError("the chat ended without saying why")
            yield made
            if made.finish_reason is not None:
                return

    async def _next(self, quiet_s: float | None) -> ChatPiece | _End:
        async with asyncio.timeout(quiet_s or LATE_S):
            return await self._made.get()

    def _work(self) -> None:
        end: _End = None
        began: float | None = time.monotonic()
        try:
            pieces = self._chats.chat(self._chat, until=self._until)
            try:
                for piece in pieces:
                    if piece.text or piece.tokens or piece.finish_reason is not None:
                        self._tell(piece)
                        if began is not None:
                            observe.SERVE_SECONDS.labels("first").observe(time.monotonic() - began)
                            began = None
                    if self._stopped.is_set():
                        break
            finally:
                close = getattr(pieces, "close", None)
                if close is not None:
                    close()
        except Exception as error:  # it is raised again where somebody listens
            end = error
        self._tell(end)
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._ended)

    def _tell(self, made: ChatPiece | _End) -> None:
        with suppress(RuntimeError):  # the loop is closed: the process ends
            self._loop.call_soon_threadsafe(self._made.put_nowait, made)


async def unless_gone(receive: Receive, work: Awaitable[_T]) -> _T:
    """What `work` gives; it is cancelled, and ClientDisconnect raised, when the client goes away before that."""
    task, watch = asyncio.ensure_future(work), asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        for one in (task, watch):
            one.cancel()
        await asyncio.wait({task, watch})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
