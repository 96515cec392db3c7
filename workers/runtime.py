"""Services once per process; the loop that listens for doorbells; errors -> outcome."""

import logging
import os
import random
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from secrets import token_hex
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.timeouts import JobTimeoutException, TimerDeathPenalty
from rq.utils import now
from rq.worker.base import StopRequested, WorkerStatus

from cs_bot import bootstrap
from cs_bot.errors import ConfigError, StoreUnavailable
from cs_bot.observe import log_to
from cs_bot.settings import load_settings
from cs_bot.store.queries import workers as seen
from workers.doorbell import Doorbell

WORKER_TTL_S = 60
DRAIN_S = 60.0  # a drain ends after this long, so that the worker's loop can breathe
AWAY_S = 3.0  # without Redis for this long, poll the database
POLL_S = 1.0
SOON_S = 12.0  # a drain waits for work that will be due this soon
TICK_S = 0.05
SEEN_EVERY_S = 10.0
BEAT_EVERY = timedelta(seconds=5)  # in Redis; WORKER_TTL_S is how long it lasts
GRACE_S = 10.0
ENGINE_HANGS = 70  # exit code
WRONG_SETTINGS = 2  # exit code

log = logging.getLogger("cs_bot.worker")


class State:
    """What one worker process has; RQ imports worker modules a second time, so it lives here only."""

    services: bootstrap.Services | None = None
    stopping = threading.Event()
    name = ""
    queue = ""
    seen_at = 0.0
    ready = True  # False while an engine is being opened


def services() -> bootstrap.Services:
    """The process's services, built after it has started."""
    if State.services is None:
        settings = load_settings()
        log_to(level=settings.log_level)
        State.services = bootstrap.build(settings)
    return State.services


class ListeningQueue(Queue):  # type: ignore[misc]
    """A queue that ends the listening loop when Redis is away, instead of retrying for ever longer."""

    job_class = Doorbell

    @classmethod
    def dequeue_any(cls, *args: Any, **kwargs: Any) -> Any:
        """As RQ's, but a lost connection stops this worker's loop; run() goes on without Redis."""
        if State.stopping.is_set():  # the signal came before RQ listened for it
            raise StopRequested
        try:
            return super().dequeue_any(*args, **kwargs)
        except RedisError as problem:
            raise StopRequested from problem


class Listener(SimpleWorker):  # type: ignore[misc]
    """Runs doorbells in this process: nothing forks after an engine is loaded."""

    queue_class = ListeningQueue
    job_class = Doorbell
    death_penalty_class = TimerDeathPenalty  # drains bound themselves; no SIGALRM inside a transaction

    def heartbeat(self, *args: Any, **kwargs: Any) -> Any:
        """As RQ's, but a lost connection stops the loop; an idle worker is seen in the database too."""
        still_here()
        if not (args or kwargs) and self.last_heartbeat is not None and now() - self.last_heartbeat < BEAT_EVERY:
            return None  # RQ beats several times around each job
        try:
            return super().heartbeat(*args, **kwargs)
        except RedisError as problem:
            raise StopRequested from problem

    def execute_job(self, job: Doorbell, queue: Queue) -> None:
        """Forget the doorbell, then do what it rings for. Anything else goes RQ's way, where it is refused.

        RQ would note the start and the end of each job in a dozen round trips, so that somebody can look at its result
        or run it again; nobody does with a doorbell: what is tried again is the row in the database.
        """
        try:
            job.check()
        except Exception:  # also a job that can't be read: RQ counts it as failed and says why
            super().execute_job(job, queue)
            return
        try:
            with self.connection.pipeline() as together:
                together.lrem(queue.intermediate_queue_key, 1, job.id)
                together.delete(job.key)
                self.set_state(WorkerStatus.BUSY, pipeline=together)
                self.heartbeat(self.get_heartbeat_ttl(job), pipeline=together)
                together.execute()
        except RedisError as problem:
            raise StopRequested from problem
        with self.death_penalty_class(job.timeout, JobTimeoutException, job_id=job.id):
            job.func()

    def handle_warm_shutdown_request(self) -> None:
        """SIGTERM: the drain stops claiming too."""
        State.stopping.set()
        super().handle_warm_shutdown_request()

    def set_shutdown_requested_date(self) -> None:
        """As RQ's; called by the signal's handler, where an error would hit whatever is being worked on."""
        with suppress(RedisError):
            super().set_shutdown_requested_date()


def drain(work: Callable[[], bool], until_due: Callable[[], float | None]) -> None:
    """Work off what is due, wait for what will be due soon, and return when there is neither.

    `work` does one piece and says whether there was one. Errors of the store are waited out; others are logged and
    the loop goes on: the row that caused them has its own lease and attempts.
    """
    end = time.monotonic() + DRAIN_S
    while time.monotonic() < end and not State.stopping.is_set():
        try:
            i_am_here()
            if work():
                continue
            wait = until_due()
        except StoreUnavailable as problem:
            log.warning("store unavailable", extra={"error": type(problem).__name__})
            State.stopping.wait(random.uniform(0.2, 1.0))
            continue
        except Exception:
            log.exception("a piece of work failed")
            State.stopping.wait(0.2)
            continue
        if wait is None or wait > SOON_S:
            return
        State.stopping.wait(min(TICK_S, wait) or TICK_S)  # 0: due, but another worker has it or the account pauses


def replace_unless(healthy: Callable[[], bool], grace_s: float = GRACE_S) -> None:
    """End this process when its engine hangs in a call that nothing can interrupt; the supervisor starts another.

    The turn went back when its time was up, so nothing is lost. A call that returns within the grace is forgiven.
    """
    end = time.monotonic() + grace_s
    while not healthy():
        if time.monotonic() >= end:
            log.error("the engine hangs, this process is replaced", extra={"worker": State.name})
            os._exit(ENGINE_HANGS)  # a plain exit would wait for the hanging thread
        time.sleep(TICK_S)


def i_am_here() -> None:
    """Tell the database every few seconds that this worker lives."""
    if time.monotonic() - State.seen_at < SEEN_EVERY_S:
        return
    State.seen_at = time.monotonic()
    with services().database.write() as tx:
        seen.saw(tx, name=State.name, queue=State.queue, pid=os.getpid(), ready=State.ready)


def still_here() -> None:
    """As i_am_here, in the middle of work that a database which is away must not end."""
    try:
        i_am_here()
    except StoreUnavailable:
        log.warning("store unavailable", extra={"worker": State.name})


def run(queue: str, loop: Callable[[], None], prepare: Callable[[], int | None] = lambda: None) -> int:
    """Listen for doorbells of `queue` until SIGTERM; without Redis, look at the database every second.

    `prepare` comes first; what it returns, unless None, is the exit code.
    """
    here = _begin(queue)
    if here is None:
        return WRONG_SETTINGS
    code = prepare()
    if code is not None:
        _goodbye()
        return code
    away_since: float | None = None
    while not State.stopping.is_set():
        loop()  # what came in while nobody listened
        if State.stopping.is_set():
            break
        redis = Redis.from_url(here.settings.redis, socket_connect_timeout=1, retry=None)
        try:
            redis.ping()
            away_since = None
            _listen(redis, queue)
        except (RedisError, OSError) as problem:
            away_since = away_since or time.monotonic()
            if time.monotonic() - away_since >= AWAY_S:
                log.warning("Redis is away, polling the database", extra={"error": type(problem).__name__})
            State.stopping.wait(POLL_S)
        except StopRequested:  # raised by RQ's handler of a signal that came while RQ was on its way out
            State.stopping.set()
        finally:
            redis.close()
    _goodbye()
    return 0


def _begin(name: str) -> bootstrap.Services | None:
    """Name the process and build its services; None when the settings are wrong, which one line on stderr says."""
    State.queue = name
    State.name = f"{name}-{socket.gethostname()}-{os.getpid()}-{token_hex(3)}"
    end_on_signals()
    try:
        return services()
    except ConfigError as problem:
        sys.stderr.write(f"cs-bot: {problem}\n")
        return None


def _listen(redis: "Redis", queue: str) -> None:
    bell = ListeningQueue(queue, connection=redis, serializer="json")
    worker = Listener(
        [bell], connection=redis, name=State.name + token_hex(2), serializer="json", worker_ttl=WORKER_TTL_S
    )
    worker.log_job_description = False
    try:
        worker.work(logging_level="WARNING", with_scheduler=False)
    finally:
        if worker.pubsub_thread is not None:  # RQ leaves it running when Redis was lost: one more each time
            worker.pubsub_thread.stop()
        end_on_signals()


def end_on_signals() -> None:
    """SIGTERM and SIGINT end the loop. While RQ listens it has its own handlers, which call State.stopping too."""
    signal.signal(signal.SIGTERM, lambda *_: State.stopping.set())
    signal.signal(signal.SIGINT, lambda *_: State.stopping.set())


def _goodbye() -> None:
    try:
        with services().database.write() as tx:
            seen.gone(tx, State.name)
    except StoreUnavailable:
        pass
    services().close()


def run_every(every_s: float, name: str, work: Callable[[], object]) -> int:
    """Call `work` every `every_s` seconds until SIGTERM; what fails is logged and tried again next time."""
    if _begin(name) is None:
        return WRONG_SETTINGS
    while not State.stopping.is_set():
        try:
            i_am_here()
            work()
        except StoreUnavailable as problem:
            log.warning("store unavailable", extra={"error": type(problem).__name__})
        except Exception:
            log.exception("a sweep failed")
        State.stopping.wait(every_s)
    _goodbye()
    return 0
