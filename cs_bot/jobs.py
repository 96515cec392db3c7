"""The job table: name -> dotted path, queue, timeout; ring(); the only file here that knows rq."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue

ENOUGH_BELLS = 8  # each bell makes a worker take all that is due: more in the queue change nothing
QUEUES = ("fetch", "answer", "deliver")


@dataclass(frozen=True)
class Job:
    """A doorbell: no arguments, safe to lose and to run twice."""

    path: str
    timeout_s: int


JOBS = {
    "fetch": Job("workers.fetch.drain", timeout_s=300),
    "answer": Job("workers.answer.drain", timeout_s=300),
    "deliver": Job("workers.deliver.drain", timeout_s=300),
}


class _Bell:
    """One queue's bell. Threads that ask while another one rings share the next ring."""

    def __init__(self, name: str, redis: Redis) -> None:
        self._queue = Queue(name, connection=redis, serializer="json")
        self._job = JOBS[name]
        self._lock = threading.Lock()
        self._asked = count(1)
        self._latest = 0  # highest ticket given out
        self._answered = 0  # tickets up to this one have had a ring after them

    def ring(self) -> None:
        """Enqueue the doorbell unless enough wait already; raises RedisError."""
        ticket = self._latest = next(self._asked)
        with self._lock:
            if self._answered >= ticket:
                return
            covers = self._latest
            if self._queue.count < ENOUGH_BELLS:
                with self._queue.connection.pipeline() as together:  # one round trip instead of three
                    self._queue.enqueue(
                        self._job.path,
                        result_ttl=0,
                        ttl=300,
                        failure_ttl=3600,
                        job_timeout=self._job.timeout_s,
                        pipeline=together,
                    )
                    together.execute()
            self._answered = max(self._answered, covers)


def ringer(redis: Redis | None) -> Callable[[str], None]:
    """ring(queue): wake a worker of that queue. Never raises or takes long; a lost ring costs seconds only.

    `redis` has short time limits (50 ms) and no retries.
    """
    bells = {} if redis is None else {name: _Bell(name, redis) for name in QUEUES}
    log = logging.getLogger("cs_bot.jobs")

    def ring(queue: str) -> None:
        if queue not in bells:
            return
        try:
            bells[queue].ring()
        except RedisError as problem:
            log.warning("bell not rung", extra={"queue": queue, "error": type(problem).__name__})

    return ring
