"""One chat from its place to its end, told as one answer or as a stream."""

import logging
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from cs_bot import observe
from cs_bot.errors import NotFound, NotReady
from cs_bot.images import FetchRules
from cs_bot.settings import Settings
from cs_bot.vision.chat import ChatPiece, Chats
from cs_bot.web.boundary import note
from cs_bot.web.service import replies
from cs_bot.web.service.admission import Admission
from cs_bot.web.service.asking import Asked
from cs_bot.web.service.errors import problem_of, status_here
from cs_bot.web.service.keys import Keys
from cs_bot.web.service.running import Run

LOADING_RETRY_S, FAILED_RETRY_S = 5.0, 60.0
_log = logging.getLogger("cs_bot.serve")


@dataclass
class Desk:
    """What the routes work with. `first_s`: a stream begins after so long even without a piece."""

    chats: Chats
    settings: Settings
    keys: Keys
    admission: Admission
    rules: FetchRules
    first_s: float
    keep_s: float
    started_at: int

    def require_ready(self) -> None:
        """Raise NotReady while chats are not taken."""
        state = self.chats.state
        if state.state == "loading":
            raise NotReady(LOADING_RETRY_S, f"The checkpoint is being loaded ({state.share:.0%}).")
        if state.state != "ready":
            raise NotReady(FAILED_RETRY_S, "The checkpoint could not be loaded; the server's log says why.")

    def require_served(self, name: str | None) -> None:
        """Raise NotFound for another checkpoint than the one that is served."""
        if name not in (None, self.chats.checkpoint):
            raise NotFound(f"There is no such checkpoint here; this server has {self.chats.checkpoint!r}.")


class Telling:
    """One chat from its place to its end, told as one answer or as a stream."""

    def __init__(self, here: Desk, asked: Asked, chat_id: str) -> None:
        self._here, self._asked, self._id = here, asked, chat_id
        self._began = time.monotonic()

    async def whole(self) -> Response:
        """The answer, when it is there."""
        run = await self._run()
        try:
            pieces = [piece async for piece in run.pieces() if piece is not None]
        finally:
            run.stop()
        self._finished(pieces[-1])
        checkpoint = self._here.chats.checkpoint
        said = replies.completion(self._asked, self._id, checkpoint, pieces)
        return Response(said.model_dump_json(), media_type="application/json", headers={"x-request-id": self._id})

    async def stream(self) -> Response:
        """The stream; what fails before it begins is an answer of its own."""
        run = await self._run()
        try:
            await run.begun(self._here.first_s)
        except BaseException:
            run.stop()
            raise
        return _Stream(run, self._events(run), self._id)

    async def _events(self, run: Run) -> AsyncIterator[bytes]:
        events = replies.Events(self._asked, self._id, self._here.chats.checkpoint)
        yield events.first().encode()
        try:
            async for piece in run.pieces(self._here.keep_s):
                said = replies.WAITING if piece is None else events.piece(piece)
                if said:
                    yield said.encode("utf-8", "replace")
                if piece is not None and piece.finish_reason is not None:
                    self._finished(piece)
        except Exception as error:
            status = status_here(error)
            note(error, status, "POST")
            yield replies.failure(problem_of(error, status)).encode()

    async def _run(self) -> Run:
        """The chat, as soon as it has a place."""
        place = await self._here.admission.enter()
        observe.SERVE_SECONDS.labels("queue").observe(time.monotonic() - self._began)
        until = time.monotonic() + self._here.settings.serve.timeout_s
        try:
            return Run(self._here.chats, self._asked.chat, until=until, ended=place.leave)
        except BaseException:
            place.leave()
            raise

    def _finished(self, last: ChatPiece) -> None:
        seconds = time.monotonic() - self._began
        observe.SERVE_SECONDS.labels("whole").observe(seconds)
        observe.SERVE_TOKENS.labels("prompt").inc(last.prompt_tokens)
        observe.SERVE_TOKENS.labels("completion").inc(last.completion_tokens)
        _log.info(
            "chat",
            extra={"outcome": last.finish_reason, "seconds": round(seconds, 3), "count": last.completion_tokens},
        )


class _Stream(StreamingResponse):
    """Server-sent events; the chat stops when they end, however they end."""

    def __init__(self, run: Run, events: AsyncIterator[bytes], chat_id: str) -> None:
        headers = {"x-request-id": chat_id, "x-accel-buffering": "no"}  # the second: nginx passes each event on
        super().__init__(events, media_type="text/event-stream", headers=headers)
        self._run = run

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the chat or the client ends."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._run.stop()
