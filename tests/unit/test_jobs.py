"""Doorbells: one too many changes nothing, one that is lost costs seconds, none may ever hold a webhook up."""

import json
import time
from importlib import import_module
from pathlib import Path

import fakeredis
import pytest
from redis import Redis
from rq import Queue

from cs_bot import jobs
from cs_bot.jobs import ENOUGH_BELLS, JOBS, QUEUES, ringer


@pytest.fixture
def redis() -> Redis:
    return fakeredis.FakeRedis()


def queued(redis: Redis, name: str) -> Queue:
    return Queue(name, connection=redis, serializer="json")


@pytest.mark.parametrize("name", QUEUES)
def test_a_bell_is_a_job_of_the_table_with_nothing_in_it(redis: Redis, name: str) -> None:
    ringer(redis)(name)
    [job] = queued(redis, name).jobs
    assert (job.func_name, list(job.args), job.kwargs) == (JOBS[name].path, [], {})
    assert (job.result_ttl, job.ttl, job.failure_ttl, job.timeout) == (0, 300, 3600, JOBS[name].timeout_s)
    assert [len(queued(redis, other).jobs) for other in QUEUES if other != name] == [0, 0]


def test_a_bell_is_written_as_json(redis: Redis) -> None:
    ringer(redis)("answer")
    [job] = queued(redis, "answer").jobs
    assert json.loads(job.data)[0] == "workers.answer.drain"


@pytest.mark.parametrize("name", QUEUES)
def test_every_job_of_the_table_is_there(name: str) -> None:
    module, function = JOBS[name].path.rsplit(".", 1)
    assert callable(getattr(import_module(module), function))


def test_the_table_has_a_job_for_every_queue() -> None:
    assert set(JOBS) == set(QUEUES)


def test_enough_bells_are_enough(redis: Redis) -> None:
    ring = ringer(redis)
    for _ in range(3 * ENOUGH_BELLS):
        ring("answer")
    assert queued(redis, "answer").count == ENOUGH_BELLS
    ring("fetch")
    assert queued(redis, "fetch").count == 1


def test_a_bell_rings_again_once_the_others_were_heard(redis: Redis) -> None:
    ring = ringer(redis)
    for _ in range(ENOUGH_BELLS):
        ring("answer")
    redis.delete(queued(redis, "answer").key)
    ring("answer")
    assert queued(redis, "answer").count == 1


@pytest.mark.parametrize("name", ["upkeep", "", "default", "rq:queue:answer"])
def test_a_queue_that_nobody_has_is_not_rung(redis: Redis, name: str) -> None:
    ringer(redis)(name)
    assert redis.keys() == []


def test_without_redis_ringing_does_nothing() -> None:
    ringer(None)("answer")


def test_a_redis_that_is_down_is_one_warning_and_no_error(caplog: pytest.LogCaptureFixture) -> None:
    server = fakeredis.FakeServer()
    server.connected = False
    ring = ringer(fakeredis.FakeRedis(server=server))
    ring("answer")
    [record] = [record for record in caplog.records if record.name == "cs_bot.jobs"]
    assert (record.message, record.__dict__["queue"]) == ("bell not rung", "answer")
    server.connected = True
    ring("answer")
    assert queued(fakeredis.FakeRedis(server=server), "answer").count == 1


def test_a_redis_whose_socket_is_not_there_costs_no_time(tmp_path: Path) -> None:
    ring = ringer(Redis.from_url(f"unix://{tmp_path / 'redis.sock'}", socket_timeout=0.05, retry=None))
    began = time.monotonic()
    for _ in range(10):
        ring("answer")
    assert time.monotonic() - began < 1


def test_a_redis_that_is_full_is_no_error(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    from redis.exceptions import OutOfMemoryError

    def full(*_: object, **__: object) -> None:
        raise OutOfMemoryError("command not allowed when used memory > 'maxmemory'.")

    # patched: the in-memory double has no limit
    monkeypatch.setattr(jobs.Queue, "enqueue", full)
    ringer(redis)("answer")
