"""The web application: routes, the one table from errors to HTTP, security headers."""

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cs_bot import __version__, observe
from cs_bot.errors import (
    BotError,
    Conflict,
    NotFound,
    NotSignedIn,
    PictureError,
    Rejected,
    StoreUnavailable,
    TooManyTries,
)
from cs_bot.web import audits_api, ops, render, review_pages, reviews_api, sign_in, webhooks
from cs_bot.web.auth import Gatekeeper, session_secret
from cs_bot.web.limits import BodyLimit

if TYPE_CHECKING:
    from cs_bot.bootstrap import Services

STATIC = Path(__file__).parent / "static"
BODY_S = 20.0  # a body that has not arrived whole by then is refused
RETRY_AFTER_S = 5
# The errors that are no Rejected (those carry their own status).
STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (StoreUnavailable, 503),
    (NotFound, 404),
    (Conflict, 409),
    (PictureError, 422),
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
_log = logging.getLogger(__name__)


def create_app(services: "Services", *, body_s: float = BODY_S) -> FastAPI:
    """The app over built services; the caller closes them. Opens nothing but HOME/secret.key."""
    app = FastAPI(title="cs-bot", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.services = services
    observe.BUILD.labels(__version__).set(1)
    app.state.gatekeeper = Gatekeeper(services.database, session_secret(services.settings.home))
    app.include_router(webhooks.router)
    app.include_router(reviews_api.router)
    app.include_router(audits_api.router)
    app.include_router(sign_in.router)
    app.include_router(review_pages.router)
    app.include_router(ops.router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_exception_handler(HTTPException, _answer)
    app.add_exception_handler(RequestValidationError, _answer)
    app.add_middleware(BodyLimit, max_bytes=services.settings.web.max_body_bytes, seconds=body_s)
    app.add_middleware(Boundary)  # added last = outermost
    return app


class Boundary:
    """Outermost: every error becomes an answer of the table, every answer carries the security headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

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
            await (await _answer(Request(scope), error))(scope, receive, guarded)


def status_of(error: Exception, *, webhook: bool = False) -> int:
    """The table. What nobody foresaw is 500; to a platform 503, so that it sends the event again."""
    if isinstance(error, Rejected):
        return error.status
    if isinstance(error, HTTPException):
        return error.status_code
    known = next((status for kind, status in STATUSES if isinstance(error, kind)), None)
    return known or (503 if webhook else 500)


async def _answer(request: Request, error: Exception) -> Response:
    """The answer to an error: a page for people, `{"error": {"type", "message"}}` for programs."""
    if isinstance(error, HTTPException) and isinstance(error.__cause__, BotError):
        error = error.__cause__  # FastAPI wraps what is raised while it reads a body
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    status = status_of(error, webhook=path.startswith("/webhooks/"))
    kind = _type_of(error, status)
    observe.HTTP_ERRORS.labels(kind, str(status)).inc()
    if status >= 500:
        _log.error("request failed", exc_info=error, extra={"status": status, "method": request.method, "type": kind})
    headers = _headers(error, status)
    if render.is_page(path):
        return render.error_page(request, error, status, headers)
    said = {"type": kind, "message": _message(error, status)}
    if isinstance(error, RequestValidationError):
        said["message"] = "; ".join(f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors()[:5])
    return JSONResponse({"error": said}, status, headers=headers)


def _type_of(error: Exception, status: int) -> str:
    """BadSignature -> bad_signature; what is not ours is named by its status."""
    if isinstance(error, BotError):
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(error).__name__).lower()
    names = {404: "not_found", 405: "method_not_allowed", 422: "invalid", 503: "unavailable"}
    return names.get(status, "invalid" if status < 500 else "internal")


def _message(error: Exception, status: int) -> str:
    """What may be told: our own client errors say it themselves, everything else is a plain sentence."""
    if isinstance(error, BotError) and status < 500:
        return str(error)
    if isinstance(error, HTTPException):
        return str(error.detail)
    return "Try again in a moment." if status == 503 else "Something went wrong here; it has been logged."


def _headers(error: Exception, status: int) -> dict[str, str]:
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if status == 503:
        headers["retry-after"] = str(RETRY_AFTER_S)
    if isinstance(error, TooManyTries):
        headers["retry-after"] = str(max(1, round(error.wait_s)))
    if isinstance(error, NotSignedIn):
        headers["www-authenticate"] = 'Bearer realm="cs-bot"'
    if status in HANGS_UP:
        headers["connection"] = "close"
    return headers
