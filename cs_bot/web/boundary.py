"""The one table from errors to HTTP, security headers on every answer, and middleware that applies both."""

import logging
import math
import re
from collections.abc import Awaitable, Callable

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cs_bot import observe
from cs_bot.errors import (
    BotError,
    Conflict,
    EngineError,
    EngineFull,
    EngineTimeout,
    NotFound,
    NotReady,
    NotSignedIn,
    PictureError,
    PictureTooLarge,
    PromptTooLong,
    Rejected,
    SchemaRefused,
    StoreUnavailable,
    TooManyRequests,
)

RETRY_AFTER_S = 5
# The errors that are no Rejected (those carry their own status); the first that fits counts.
STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (StoreUnavailable, 503),
    (NotFound, 404),
    (Conflict, 409),
    (PictureTooLarge, 413),
    (PictureError, 422),
    (PromptTooLong, 400),
    (SchemaRefused, 400),
    (EngineFull, 503),
    (EngineTimeout, 504),
    (EngineError, 500),
    (MemoryError, 503),
    (RequestValidationError, 422),
    (ClientDisconnect, 400),
)
HANGS_UP = frozenset({408, 413, 415})  # answered before the body was read: the connection can't be used again
HEADERS = {
    "content-security-policy": "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # no-referrer would make browsers send `Origin: null` with our own forms
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
ASSET_HEADERS = {"cache-control": "public, max-age=31536000, immutable"}  # their addresses change with their bytes
Answer = Callable[[Request, Exception], Awaitable[Response]]
_log = logging.getLogger("cs_bot.web.app")


class Boundary:
    """Outermost: every error becomes an answer of the table, every answer carries the security headers.

    `answer` gives an error its shape.
    """

    def __init__(self, app: ASGIApp, answer: Answer) -> None:
        self._app, self._answer = app, answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app; answer its errors unless an answer has already begun."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def guarded(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                given = {name.lower() for name, _ in message["headers"]}
                ours = HEADERS | (ASSET_HEADERS if "/static/" in scope["path"] else {})
                more = ((name.encode(), value.encode()) for name, value in ours.items())
                message["headers"] = [*message["headers"], *(pair for pair in more if pair[0] not in given)]
            await send(message)

        try:
            await self._app(scope, receive, guarded)
        except Exception as error:
            if begun:
                raise
            await (await self._answer(Request(scope), error))(scope, receive, guarded)


def unwrapped(error: Exception) -> Exception:
    """FastAPI wraps what is raised while it reads a body: the error of ours that is inside, if any."""
    inside = error.__cause__ if isinstance(error, HTTPException) else None
    return inside if isinstance(inside, BotError) else error


def status_of(error: Exception, *, webhook: bool = False) -> int:
    """The table. What nobody foresaw is 500; to a platform 503, so that it sends the event again."""
    if isinstance(error, Rejected):
        return error.status
    if isinstance(error, HTTPException):
        return error.status_code
    known = next((status for kind, status in STATUSES if isinstance(error, kind)), None)
    return known or (503 if webhook else 500)


def note(error: Exception, status: int, method: str) -> str:
    """Count an error and log what is our own fault; the error's type, as programs are told it."""
    kind = _type_of(error, status)
    observe.HTTP_ERRORS.labels(kind, str(status)).inc()
    if status >= 500 and not isinstance(error, NotReady):
        _log.error("request failed", exc_info=error, extra={"status": status, "method": method, "type": kind})
    return kind


def message_of(error: Exception, status: int) -> str:
    """What may be told: our own client errors say it themselves, everything else is a plain sentence."""
    if isinstance(error, RequestValidationError):
        return "; ".join(f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors()[:5])
    if isinstance(error, NotReady) or (isinstance(error, BotError) and status < 500):
        return str(error)
    if isinstance(error, HTTPException):
        return str(error.detail)
    return "Try again in a moment." if status in (503, 504) else "Something went wrong here; it has been logged."


def headers_of(error: Exception, status: int) -> dict[str, str]:
    """Headers that belong to an error."""
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if status == 503:
        headers["retry-after"] = str(RETRY_AFTER_S)
    if isinstance(error, TooManyRequests | NotReady):
        headers["retry-after"] = str(max(1, math.ceil(error.wait_s)))
    if isinstance(error, NotSignedIn):
        headers["www-authenticate"] = 'Bearer realm="cs-bot"'
    if status in HANGS_UP:
        headers["connection"] = "close"
    return headers


def _type_of(error: Exception, status: int) -> str:
    """BadSignature -> bad_signature; what is not ours is named by its status."""
    if isinstance(error, BotError):
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(error).__name__).lower()
    names = {404: "not_found", 405: "method_not_allowed", 422: "invalid", 503: "unavailable"}
    return names.get(status, "invalid" if status < 500 else "internal")
