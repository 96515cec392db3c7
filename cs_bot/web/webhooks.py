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


@router.post("/webhooks/{channel}/{account}")
async def take(channel: str, account: str, request: Request) -> Response:
    """Hand the raw bytes over; 200 only once everything in them is stored. Errors: the table in app.py."""
    services = request.app.state.services
    begun, status = time.perf_counter(), "error"
    try:
        body = await request.body()
        raw = RawRequest(headers=dict(request.headers), body=body, received_at=datetime.now(UTC))
        await run_in_threadpool(
            receive,
            raw,
            channel=channel,
            account=account,
            channels=services.channels,
            database=services.database,
            ring=services.ring,
            settings=services.settings,
        )
        status = "200"
    finally:
        observe.WEBHOOK_SECONDS.labels(status).observe(time.perf_counter() - begun)
    return JSONResponse({"ok": True})


@router.head("/webhooks/{channel}/{account}")
async def probe(channel: str, account: str) -> Response:
    """Platforms look whether somebody is there before they save an address; says nothing about the account."""
    return Response(status_code=200)
