"""Plain ASGI middleware in front of every route: how large, how slow and how encoded a body may be."""

import asyncio
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cs_bot.errors import Encoded, TooLarge, TooSlow

DRAIN_S = 2.0  # a refused sender gets this long to finish, so that it reads the answer and not a reset


class BodyLimit:
    """Refuse a body that is compressed (Encoded), over `max_bytes` (TooLarge) or slower than `seconds` (TooSlow).

    Counts while the body streams in: at most `max_bytes` plus one chunk are ever held. Nothing is decompressed.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int, seconds: float) -> None:
        self._app, self._max_bytes, self._seconds = app, max_bytes, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what fits; raise what does not (the error table outside answers)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if headers.get(b"content-encoding", b"identity").strip().lower() not in (b"identity", b""):
            await self._drain(receive)
            raise Encoded
        if int(headers.get(b"content-length", b"0")) > self._max_bytes:
            await self._drain(receive)
            raise TooLarge(f"The body is larger than {self._max_bytes} bytes.")
        await self._app(scope, self._counting(receive), send)

    def _counting(self, receive: Receive) -> Receive:
        read, complete, end = 0, False, time.monotonic() + self._seconds

        async def limited() -> Message:
            nonlocal read, complete
            if complete:
                return await receive()
            try:
                async with asyncio.timeout(max(0.0, end - time.monotonic())):
                    message = await receive()
            except TimeoutError:
                raise TooSlow from None
            read += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if read > self._max_bytes:
                if not complete:
                    await self._drain(receive)
                raise TooLarge(f"The body is larger than {self._max_bytes} bytes.")
            return message

        return limited

    async def _drain(self, receive: Receive) -> None:
        """Throw away what still comes, within bounds; whoever sends more than that meets a closed connection."""
        left = self._max_bytes
        try:
            async with asyncio.timeout(DRAIN_S):
                while left > 0:
                    message = await receive()
                    left -= len(message.get("body", b""))
                    if not message.get("more_body", False):
                        return
        except TimeoutError:
            return
