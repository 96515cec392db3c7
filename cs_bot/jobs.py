"""The job table: name -> dotted path, queue, timeout; ring(); the only file here that knows rq."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

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


def ringer(redis: Redis | None) -> Callable[[str], None]:
    """ring(queue): wake a worker of that queue. Never raises or takes long; a lost ring costs seconds only.

    `redis` has short time limits (50 ms) and no retries.
    """
    queues = {} if redis is None else {name: Queue(name, connection=redis, serializer="json") for name in QUEUES}
    log = logging.getLogger("cs_bot.jobs")

    def ring(queue: str) -> None:
        if queue not in queues:
            return
        try:
            if queues[queue].count >= ENOUGH_BELLS:
                return
            job = JOBS[queue]
            queues[queue].enqueue(job.path, result_ttl=0, ttl=300, failure_ttl=3600, job_timeout=job.timeout_s)
        except RedisError as problem:
            log.warning("bell not rung", extra={"queue": queue, "error": type(problem).__name__})

    return ring
