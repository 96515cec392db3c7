"""The service's application: routes, middleware, errors in OpenAI's shape."""

import time
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from cs_bot import __version__, observe
from cs_bot.settings import Settings
from cs_bot.vision.chat import Chats
from cs_bot.web.boundary import Boundary
from cs_bot.web.limits import BodyLimit
from cs_bot.web.render import FOLDER, plain_page
from cs_bot.web.service.admission import Admission
from cs_bot.web.service.errors import answer
from cs_bot.web.service.keys import Keys, require_keys
from cs_bot.web.service.openapi import describe, page
from cs_bot.web.service.pictures import rules_of
from cs_bot.web.service.routes import router
from cs_bot.web.service.telling import Desk

BODY_S = 20.0  # a body that has not arrived whole by then is refused
FIRST_S = 10.0  # a stream begins after so long even without a piece: proxies cut lines that stay silent
KEEP_S = 10.0  # and is never silent for longer


def create_service(
    chats: Chats, settings: Settings, *, body_s: float = BODY_S, first_s: float = FIRST_S, keep_s: float = KEEP_S
) -> FastAPI:
    """The app over `chats`, which may still be loading; the caller closes them. Raises ConfigError without keys."""
    serve = settings.serve
    require_keys(serve)
    app = FastAPI(title="cs-bot serve", docs_url=None, redoc_url=None)
    app.state.desk = Desk(
        chats=chats,
        settings=settings,
        keys=Keys(serve),
        admission=Admission(settings.max_concurrency, serve.queue, serve.queue_s, clients=len(serve.api_keys)),
        rules=rules_of(serve, settings.fetch),
        first_s=first_s,
        keep_s=keep_s,
        started_at=int(time.time()),
    )
    observe.BUILD.labels(__version__).set(1)
    app.include_router(router)
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]
    app.add_api_route("/docs", _docs, include_in_schema=False, response_class=HTMLResponse)
    app.mount("/static", StaticFiles(directory=FOLDER / "static"), name="static")
    app.add_exception_handler(HTTPException, answer)
    app.add_exception_handler(RequestValidationError, answer)
    app.add_middleware(BodyLimit, max_bytes=serve.max_body_bytes, seconds=body_s)
    app.add_middleware(Boundary, answer=answer)  # added last = outermost
    return app


async def _docs(request: Request) -> Response:
    """The OpenAPI as a page."""
    shown: dict[str, Any] = page(request.app.openapi())
    return plain_page("service.html", root=request.scope.get("root_path", ""), **shown)
