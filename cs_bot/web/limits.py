"""How large, how slow and how encoded a body may be (plain ASGI middleware), and how often a client may come."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cs_bot.errors import Encoded, TooLarge, TooManyRequests, TooSlow

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


class Rates:
    """A token bucket for each client of this process: `per_minute` may come at once, then one by one; 0 = no limit."""

    MOST_CLIENTS = 10_000

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute, self._clock = per_minute, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # client -> (tokens, when)

    def take(self, client: str) -> None:
        """Count one request; raises TooManyRequests with the seconds until the next one may come."""
        if not self._per_minute:
            return
        now, rate = self._clock(), self._per_minute / 60
        tokens, at = self._buckets.pop(client, (float(self._per_minute), now))
        tokens = min(float(self._per_minute), tokens + (now - at) * rate)
        taken = tokens >= 1.0
        self._buckets[client] = (tokens - taken, now)
        if len(self._buckets) > self.MOST_CLIENTS:
            self._buckets.popitem(last=False)
        if not taken:
            raise TooManyRequests((1.0 - tokens) / rate, f"More than {self._per_minute} requests a minute.")
