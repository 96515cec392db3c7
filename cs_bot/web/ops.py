"""/health for supervisors and load balancers, /metrics for Prometheus, / for people."""

from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any

import redis
from fastapi import APIRouter, Query, Request
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, RedirectResponse, Response

from cs_bot.errors import StoreUnavailable
from cs_bot.store.queries import metrics as figures
from cs_bot.web import metrics

router = APIRouter()
PINGS = 3


@router.get("/")
def root(request: Request) -> Response:
    """People want the review queue."""
    return RedirectResponse(f"{request.scope.get('root_path', '')}/review", 303)


@router.get("/health")
async def health(request: Request, deep: Annotated[bool, Query()] = False) -> Response:
    """Whether this process answers; with ?deep=1 whether everything behind it does (503 when something does not)."""
    if not deep:  # answered here, not in a thread: those may all be waiting for a locked database
        return JSONResponse({"status": "healthy"})
    return await run_in_threadpool(_deep, request.app.state.services)


def _deep(services: Any) -> Response:
    checks = {"database": _tried(lambda: _database(services)), "redis": _tried(lambda: _redis(services.redis))}
    if checks["database"] == "ok":
        checks["workers"] = _tried(lambda: _workers(services))
    healthy = all(said == "ok" for said in checks.values())
    return JSONResponse({"status": "healthy" if healthy else "unhealthy", "checks": checks}, 200 if healthy else 503)


@router.get("/metrics")
def show_metrics(request: Request) -> Response:
    """This process's figures and the shop's, in Prometheus' text format."""
    services = request.app.state.services
    text = metrics.exposition(services.database, services.redis)
    return Response(text, media_type=CONTENT_TYPE_LATEST)


def _tried(check: Callable[[], str]) -> str:
    try:
        return check()
    except (StoreUnavailable, redis.RedisError, OSError):
        return "unreachable"


def _database(services: Any) -> str:
    with services.database.read() as tx:
        return "ok" if figures.alive(tx) else "unreachable"


def _redis(client: Any) -> str:
    """Without Redis everything still works, a second slower: workers poll the database."""
    if client is None:
        return "not configured"
    for _ in range(PINGS - 1):  # the client's time limit is that of a doorbell: one slow answer says little
        with suppress(redis.RedisError):
            return "ok" if client.ping() else "unreachable"
    return "ok" if client.ping() else "unreachable"


def _workers(services: Any) -> str:
    with services.database.read() as tx:
        seen = figures.workers_by_queue(tx, within_s=metrics.WORKER_SEEN_S)
        getting_ready = figures.workers_by_queue(tx, within_s=metrics.WORKER_SEEN_S, ready=False)
    without = [queue for queue in metrics.QUEUES if not seen.get(queue)]
    said = {
        "missing": [queue for queue in without if queue not in getting_ready],
        "not ready": [queue for queue in without if queue in getting_ready],
    }
    return "; ".join(f"{what}: {', '.join(queues)}" for what, queues in said.items() if queues) or "ok"
