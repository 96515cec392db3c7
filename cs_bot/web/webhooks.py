"""POST /webhooks/{channel}/{account}: what platforms call."""

import time
from datetime import UTC, datetime

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from cs_bot import observe
from cs_bot.channels.base import RawRequest
from cs_bot.receive import receive

router = APIRouter()


async def take(request: Request) -> Response:
    """Hand the raw bytes over; 200 only once everything in them is stored. Errors: the table in app.py."""
    services = request.app.state.services
    begun, status = time.perf_counter(), "error"
    try:
        body = await request.body()
        raw = RawRequest(headers=dict(request.headers), body=body, received_at=datetime.now(UTC))
        await run_in_threadpool(
            receive,
            raw,
            channel=request.path_params["channel"],
            account=request.path_params["account"],
            channels=services.channels,
            database=services.database,
            ring=services.ring,
            settings=services.settings,
        )
        status = "200"
    finally:
        observe.WEBHOOK_SECONDS.labels(status).observe(time.perf_counter() - begun)
    return JSONResponse({"ok": True})


async def answer(request: Request) -> Response:
    """POST takes an event. HEAD: platforms look whether somebody is there before they save an address."""
    return Response(status_code=200) if request.method == "HEAD" else await take(request)


# A plain route: nothing of the request is to be parsed, and every platform's every event comes this way.
router.add_route("/webhooks/{channel}/{account}", answer, methods=["POST", "HEAD"])
