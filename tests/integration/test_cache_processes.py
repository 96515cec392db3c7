"""Many processes ask for the same look: one computes; a killed one is replaced; without Redis everybody computes."""

import json
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from cs_bot.cache import LookCache, PictureAsked
from cs_bot.store.media import MediaStore
from cs_bot.testing import ScriptedVision, a_look
from tests.services import RedisServer, python_process, wait_for

PICTURE = "c" * 64


class Crowd:
    """Processes of tests.integration.cache_asker around one Redis."""

    def __init__(self, folder: Path, redis: RedisServer, stack: ExitStack) -> None:
        self.folder, self.redis, self._stack = folder, redis, stack
        self.processes: list[subprocess.Popen[bytes]] = []
        MediaStore(f"file://{folder / 'media'}").write(PICTURE, b"picture")

    def start(self, *customers: str, **told: Any) -> subprocess.Popen[bytes]:
        given = {"folder": str(self.folder), "redis": self.redis.url, "picture": PICTURE, "customers": customers}
        given |= {"answer_s": 5.0, "wait_s": 30.0, "seconds": 0.5, "kind": "product", **told}
        arguments = ("-m", "tests.integration.cache_asker", json.dumps(given))
        process = self._stack.enter_context(python_process(*arguments, stdout=subprocess.PIPE))
        assert process.stdout is not None
        self._stack.callback(process.stdout.close)
        assert process.stdout.readline() == b"ready\n"
        self.processes.append(process)
        return process

    def go(self) -> None:
        """All at once."""
        (self.folder / "go").touch()

    def calls(self) -> list[str]:
        """Who called the engine, one entry a call."""
        file = self.folder / "calls"
        return [line.split()[0] for line in file.read_text().splitlines()] if file.exists() else []

    def results(self) -> list[dict[str, Any]]:
        """What every customer of every process that still runs was told; each process must end well."""
        found = []
        for process in self.processes:
            out, _ = process.communicate(timeout=60)
            assert process.returncode == 0
            found += [json.loads(line) for line in out.splitlines()]
        return found


@pytest.fixture
def crowd(tmp_path: Path, redis_server: RedisServer) -> Iterator[Crowd]:
    with ExitStack() as stack:
        yield Crowd(tmp_path, redis_server, stack)


def test_a_hundred_customers_in_four_processes_are_one_engine_call(crowd: Crowd) -> None:
    for n in range(4):
        crowd.start(*(f"customer-{n}-{i}" for i in range(25)))
    crowd.go()
    told = crowd.results()
    assert len(crowd.calls()) == 1
    assert len({one["who"] for one in told}) == 100
    assert {(one["kind"], *one["lines"]) for one in told} == {("product", "夏季新款")}
    redis = Redis.from_url(crowd.redis.url)
    keys = list(redis.scan_iter())
    assert keys
    assert [key for key in keys if redis.pttl(key) <= 0] == []
    redis.close()


def test_an_order_page_in_four_hands_is_computed_for_each_customer(crowd: Crowd) -> None:
    for n in range(2):
        crowd.start(f"one-{n}", f"other-{n}", kind="order", seconds=0.1)
    crowd.go()
    assert len(crowd.results()) == 4
    assert len(crowd.calls()) == 4
    crowd.processes.clear()
    crowd.start("one-0", "other-1", kind="order")
    assert len(crowd.results()) == 2
    assert len(crowd.calls()) == 4
    redis = Redis.from_url(crowd.redis.url)
    texts = [(key, redis.get(key)) for key in redis.scan_iter("*:look:*")]
    readable = [key for key, value in texts if value is not None and b"4021338819" in value]
    assert len(texts) == 5
    assert len(readable) == 4
    assert all(key.count(b":") == 5 for key in readable)  # the customer is part of the key
    redis.close()


def test_when_the_one_that_computes_is_killed_another_takes_over(crowd: Crowd) -> None:
    first = crowd.start("first", seconds=60, wait_s=2.0)
    crowd.go()
    wait_for(lambda: len(crowd.calls()) == 1, "the first call")
    crowd.start("second", "third", seconds=0.1)
    time.sleep(0.3)
    assert len(crowd.calls()) == 1
    first.kill()
    first.wait()
    crowd.processes.remove(first)
    assert {one["who"] for one in crowd.results()} == {"second", "third"}
    assert Counter(crowd.calls()) == {str(first.pid): 1, str(crowd.processes[0].pid): 1}


def test_when_redis_is_killed_everybody_computes_and_nothing_fails(crowd: Crowd) -> None:
    crowd.start("first", seconds=3)
    crowd.start("second", "third", seconds=0.1)
    (crowd.folder / "go").touch()
    wait_for(lambda: len(crowd.calls()) >= 1, "a call")
    crowd.redis.kill()
    assert {one["who"] for one in crowd.results()} == {"first", "second", "third"}
    crowd.processes.clear()
    crowd.start("fourth", seconds=0.1)
    assert [one["who"] for one in crowd.results()] == ["fourth"]


def test_a_redis_that_does_not_answer_costs_its_budget_and_no_more(redis_server: RedisServer) -> None:
    assert redis_server.process is not None
    redis = Redis.from_url(redis_server.url, socket_timeout=0.05, socket_connect_timeout=0.05, retry=None)
    cache = LookCache(redis, ttl_s=60, wait_s=30)
    redis_server.process.send_signal(signal.SIGSTOP)
    try:
        begun = time.monotonic()
        looks = cache.looks(
            [PictureAsked(PICTURE, PICTURE, None)],
            engine=ScriptedVision(),
            compute=lambda names, told: [a_look(PICTURE)],
        )
        assert time.monotonic() - begun < 1
        assert looks == [a_look(PICTURE)]
    finally:
        redis_server.process.send_signal(signal.SIGCONT)
        cache.close()
