"""POST /v1/chat/completions, GET /v1/models, /health, /metrics."""

import uuid
from functools import partial
from typing import Any, cast

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse, Response

from cs_bot import observe
from cs_bot.errors import BadRequest, WrongType
from cs_bot.settings import ServeSettings
from cs_bot.web.auth import client_address
from cs_bot.web.service import asking
from cs_bot.web.service.asking import Asked, Form
from cs_bot.web.service.errors import status_here
from cs_bot.web.service.pictures import Pictures
from cs_bot.web.service.running import unless_gone
from cs_bot.web.service.shapes import Completion, ErrorBody, Health, Served, ServedList
from cs_bot.web.service.telling import Desk, Telling

MAX_FIELDS = 64
FILES = ("image", "images", "image[]")
router = APIRouter()


def desk(request: Request) -> Desk:
    """The app's desk."""
    found: Desk = request.app.state.desk
    return found


async def chat_completions(request: Request) -> Response:
    """Go on with a conversation of texts and pictures: JSON, or a form with `image` and `prompt`."""
    here, chat_id, status = desk(request), f"chatcmpl-{uuid.uuid4().hex}", 0
    try:
        client = here.keys.check(request.headers, client_address(request))
        here.require_ready()
        here.keys.count(client)
        with here.admission.door(client):
            asked = await _read(request, here)
        telling = Telling(here, asked, chat_id)
        response = await unless_gone(request.receive, telling.stream() if asked.stream else telling.whole())
        status = response.status_code
        return response
    except Exception as error:
        status = status_here(error)
        raise
    finally:
        observe.SERVE_REQUESTS.labels(str(status)).inc()


async def _read(request: Request, here: Desk) -> Asked:
    """The request, with its pictures fetched and decoded on another thread."""
    kind, pictures = _content_type(request), Pictures(here.rules, here.settings.serve.max_pictures)
    if kind == "application/json":
        body = await request.body()
        work = partial(asking.from_json, body, pictures, here.settings.engine, here.require_served)
    elif kind == "multipart/form-data":
        form = await _form(request, here.settings.serve)
        work = partial(asking.from_form, form, pictures, here.settings.engine, here.require_served)
    else:
        raise WrongType("Send application/json, or multipart/form-data with `image` and `prompt`.")
    return await unless_gone(request.receive, run_in_threadpool(work))


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _form(request: Request, serve: ServeSettings) -> Form:
    most, size = serve.max_pictures + 1, serve.max_body_bytes
    try:
        read = await request.form(max_files=most, max_fields=MAX_FIELDS, max_part_size=size)
    except HTTPException as problem:
        raise BadRequest(f"the form can't be read: {problem.detail}", None, "invalid_form") from None
    except (ValueError, LookupError):  # a charset that no text is in, a boundary that is none
        raise BadRequest("the form can't be read", None, "invalid_form") from None
    fields: dict[str, list[str]] = {}
    images = []
    try:
        for name, value in read.multi_items():
            if isinstance(value, UploadFile):
                if name not in FILES:
                    raise BadRequest("the only files that a form may hold are named `image`", None, "invalid_form")
                images.append(await value.read())
            elif name in FILES:
                raise BadRequest("`image` must be a file (curl: -F image=@photo.jpg)", "image", "invalid_form")
            else:
                fields.setdefault(name, []).append(value.encode("utf-8", "replace").decode())
    finally:
        await read.close()
    return Form(fields, images)


async def models(request: Request) -> ServedList:
    """What is served: one checkpoint."""
    here = _ready(request)
    return ServedList(data=[Served(id=here.chats.checkpoint, created=here.started_at)])


async def one_model(request: Request, name: str) -> Served:
    """That checkpoint by its name."""
    here = _ready(request)
    here.require_served(name)
    return Served(id=here.chats.checkpoint, created=here.started_at)


def _ready(request: Request) -> Desk:
    here = desk(request)
    here.keys.check(request.headers, client_address(request))
    here.require_ready()
    return here


async def health(request: Request) -> Response:
    """200 when chats are taken, 503 while the checkpoint is loading and when that failed. Needs no key."""
    state = desk(request).chats.state
    progress = round(state.share, 3) if state.state == "loading" else None
    said = Health(status=cast(Any, state.state), progress=progress).model_dump(exclude_none=True)
    return JSONResponse(said, 200 if state.state == "ready" else 503)


async def metrics() -> Response:
    """This process's figures, in Prometheus' text format. Needs no key: keep it inside your network."""
    return Response(generate_latest(observe.REGISTRY), media_type=CONTENT_TYPE_LATEST)


def _fails(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors that a route may answer with, for its OpenAPI."""
    return {status: {"model": ErrorBody, "description": WHY[status]} for status in statuses}


WHY = {
    400: "a bad picture, an empty prompt, a field that is wrong or not supported",
    401: "no key, or a wrong one",
    403: "without keys only programs on the server's own machine are answered",
    404: "no such checkpoint",
    408: "the body or its pictures took too long",
    413: "the body or a picture is too large",
    415: "neither JSON nor a form, or a compressed body",
    429: "too many requests; Retry-After says when to come back",
    500: "the engine failed",
    503: "loading, or out of memory; Retry-After says when to come back",
    504: "the chat took too long",
}
router.add_api_route(
    "/v1/chat/completions",
    chat_completions,
    methods=["POST"],
    tags=["chat"],
    summary="Chat with texts and pictures",
    response_model=None,
    responses={
        200: {
            "model": Completion,
            "description": "the answer, or the stream",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        **_fails(*WHY),
    },
)
_list = _fails(401, 403, 429, 503)
router.add_api_route("/v1/models", models, tags=["chat"], summary="What is served", responses=_list)
router.add_api_route(
    "/v1/models/{name:path}",
    one_model,
    tags=["chat"],
    summary="One checkpoint",
    responses={**_list, **_fails(404)},
)
router.add_api_route(
    "/health",
    health,
    tags=["operation"],
    summary="Whether chats are taken",
    response_model=Health,
    responses={503: {"model": Health, "description": "loading or failed"}},
)
router.add_api_route(
    "/metrics", metrics, tags=["operation"], summary="Figures for Prometheus", response_class=PlainTextResponse
)
