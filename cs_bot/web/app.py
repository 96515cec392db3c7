"""The web application: routes, middleware, and the shape of its errors."""

from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from cs_bot import __version__, observe
from cs_bot.web import audit_pages, audits_api, ops, render, review_pages, reviews_api, sign_in, webhooks
from cs_bot.web.auth import Gatekeeper, session_secret
from cs_bot.web.boundary import Boundary, headers_of, message_of, note, status_of, unwrapped
from cs_bot.web.limits import BodyLimit

if TYPE_CHECKING:
    from cs_bot.bootstrap import Services

STATIC = Path(__file__).parent / "static"
BODY_S = 20.0  # a body that has not arrived whole by then is refused


def create_app(services: "Services", *, body_s: float = BODY_S) -> FastAPI:
    """The app over built services; the caller closes them. Opens nothing but HOME/secret.key."""
    app = FastAPI(title="cs-bot", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.services = services
    observe.BUILD.labels(__version__).set(1)
    app.state.gatekeeper = Gatekeeper(services.database, session_secret(services.settings.home))
    app.include_router(webhooks.router)
    app.include_router(reviews_api.router)
    app.include_router(audits_api.router)
    app.include_router(audit_pages.router)
    app.include_router(sign_in.router)
    app.include_router(review_pages.router)
    app.include_router(ops.router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_exception_handler(HTTPException, _answer)
    app.add_exception_handler(RequestValidationError, _answer)
    app.add_middleware(BodyLimit, max_bytes=services.settings.web.max_body_bytes, seconds=body_s)
    app.add_middleware(Boundary, answer=_answer)  # added last = outermost
    return app


async def _answer(request: Request, error: Exception) -> Response:
    """The answer to an error: a page for people, `{"error": {"type", "message"}}` for programs."""
    error = unwrapped(error)
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    status = status_of(error, webhook=path.startswith("/webhooks/"))
    kind, headers = note(error, status, request.method), headers_of(error, status)
    if render.is_page(path):
        return render.error_page(request, error, status, headers)
    return JSONResponse({"error": {"type": kind, "message": message_of(error, status)}}, status, headers=headers)
