"""A real worker process on a real redis-server: woken by bells, deaf to anything else, fine without Redis."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from rq import Callback, Queue, Retry
from rq.registry import FailedJobRegistry
from rq.webhook import Webhook
from sqlalchemy import func, select

from cs_bot.bootstrap import Services
from cs_bot.jobs import JOBS, ringer
from cs_bot.receive import receive
from cs_bot.store import tables
from cs_bot.store.database import Database
from cs_bot.store.queries import workers as seen
from cs_bot.testing import shop_event, shop_message, shop_request
from tests.services import RedisServer, python_process, wait_for, worker_environment
from tests.web import services_on

ROOT = Path(__file__).parents[2]
SOON_S = 20.0  # the machine may be busy; what is measured in seconds says so itself

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def shop(sqlite_database: Database, tmp_path: Path) -> Iterator[Services]:
    """The web process's side: it stores messages and rings nobody."""
    services = services_on(sqlite_database, tmp_path, turns={"quiet_s": 0.0})
    yield services
    services.close()


@pytest.fixture
def start(sqlite_url: str, redis_server: RedisServer, tmp_path: Path) -> Iterator[Start]:
    """Start `python -m workers.NAME` on the test's own servers; its output goes to a file."""
    env = worker_environment(tmp_path, sqlite_url, redis_server)
    with ExitStack() as stack, (tmp_path / "log.jsonl").open("wb") as log:

        def go(name: str = "answer", **more: str) -> "subprocess.Popen[bytes]":
            given = {"env": env | more, "stdout": log, "stderr": log, "cwd": tmp_path}
            return stack.enter_context(python_process("-m", f"workers.{name}", **given))

        yield go


@pytest.fixture
def redis(redis_server: RedisServer) -> Iterator[Redis]:
    client = Redis.from_url(redis_server.url)
    yield client
    client.close()


def say(shop: Services, text: str = "good morning", **data: Any) -> None:
    """A message through the webhook's door; the worker hears nothing of it."""
    receive(
        shop_request(shop_event("message.created", shop_message(text, **data))),
        channel="generic",
        account="shop",
        channels=shop.channels,
        database=shop.database,
        ring=lambda _queue: None,
        settings=shop.settings,
    )


def finished(shop: Services) -> int:
    with shop.database.read() as tx:
        return int(tx.value(select(func.count()).select_from(tables.turns).where(tables.turns.c.state == "finished")))


def alive(shop: Services) -> list[str]:
    with shop.database.read() as tx:
        return [row["name"] for row in seen.alive(tx, within_s=60)]


def listening(redis: Redis, workers: int = 1) -> bool:
    return int(redis.scard("rq:workers")) >= workers


def wait_until_it_listens(redis: Redis, workers: int = 1) -> None:
    wait_for(lambda: listening(redis, workers), "a listening worker", SOON_S)
    time.sleep(0.3)  # it has said so a moment before it blocks


def ends_on_sigterm(process: "subprocess.Popen[bytes]") -> float:
    """Seconds until the process ended, with code 0."""
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0
    return time.monotonic() - began


def log_of(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "log.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def test_a_bell_wakes_the_worker_and_sigterm_ends_it_in_order(
    shop: Services, start: Start, redis: Redis, tmp_path: Path
) -> None:
    worker = start()
    wait_until_it_listens(redis)
    [name] = alive(shop)
    assert name.startswith("answer-")
    say(shop)
    time.sleep(0.5)
    assert finished(shop) == 0, "an idle worker does not look by itself"
    ringer(redis)("answer")
    wait_for(lambda: finished(shop) == 1, "the answer", SOON_S)
    assert ends_on_sigterm(worker) < 5
    assert alive(shop) == [], "a worker that stops in order says goodbye"
    assert "Traceback" not in (tmp_path / "log.jsonl").read_text()
    assert not [line for line in log_of(tmp_path) if line["level"] == "ERROR"]


def test_what_waited_before_the_worker_came_is_answered_without_a_bell(
    shop: Services, start: Start, redis: Redis
) -> None:
    say(shop)
    start()
    wait_for(lambda: finished(shop) == 1, "the answer", SOON_S)


def test_a_bell_that_rings_before_the_burst_is_due_is_enough(shop: Services, start: Start, redis: Redis) -> None:
    start()
    wait_until_it_listens(redis)
    patient = shop.settings.turns.model_copy(update={"quiet_s": 1.0})
    shop.settings = shop.settings.model_copy(update={"turns": patient})
    say(shop)
    ringer(redis)("answer")
    began = time.monotonic()
    wait_for(lambda: finished(shop) == 1, "the answer", SOON_S)
    assert time.monotonic() - began > 0.8


def test_one_bell_is_enough_for_all_that_waits(shop: Services, start: Start, redis: Redis) -> None:
    start()
    wait_until_it_listens(redis)
    for number in range(10):
        say(shop, conversation_id=f"c{number}")
    ringer(redis)("answer")
    wait_for(lambda: finished(shop) == 10, "ten answers", SOON_S)


def test_two_workers_of_one_queue_have_names_of_their_own(shop: Services, start: Start, redis: Redis) -> None:
    start()
    start()
    wait_until_it_listens(redis, workers=2)
    assert len(set(alive(shop))) == 2
    for number in range(10):
        say(shop, conversation_id=f"c{number}")
    ring = ringer(redis)
    ring("answer")
    ring("answer")
    wait_for(lambda: finished(shop) == 10, "ten answers", SOON_S)


INTRUDER = """
from pathlib import Path

def ran(*given, **named):
    Path(__file__).with_name("ran.txt").write_text("ran")
"""


def test_a_job_that_is_no_plain_bell_is_refused_and_nothing_of_it_runs(
    shop: Services, start: Start, redis: Redis, tmp_path: Path
) -> None:
    (tmp_path / "intruder.py").write_text(INTRUDER)
    queue = Queue("answer", connection=redis, serializer="json")
    bell, ran, call_back = JOBS["answer"].path, tmp_path / "ran.txt", Callback("intruder.ran")
    somewhere = socket.create_server(("127.0.0.1", 0))
    somewhere.setblocking(False)
    address = f"http://127.0.0.1:{somewhere.getsockname()[1]}/"
    odd = [
        queue.enqueue(bell, webhooks=[Webhook(address, "finished", timeout=1)]),
        queue.enqueue("intruder.ran", webhooks=[Webhook(address, "failed", timeout=1)]),
        queue.enqueue("intruder.ran"),
        queue.enqueue("os.mkdir", str(tmp_path / "made")),
        queue.enqueue("workers.runtime.drain"),
        queue.enqueue(bell, 1),
        queue.enqueue(bell, kwargs={"a": 1}),
        queue.enqueue(bell, on_success=call_back),
        queue.enqueue(bell, on_failure=call_back),
        queue.enqueue("intruder.ran", on_failure=call_back, retry=Retry(max=3)),
        queue.enqueue("intruder.missing", on_failure=call_back),
    ]
    start(PYTHONPATH=f"{ROOT}{os.pathsep}{tmp_path}")
    wait_until_it_listens(redis)
    wait_for(lambda: queue.count == 0, "an empty queue", SOON_S)
    say(shop)
    ringer(redis)("answer")
    wait_for(lambda: finished(shop) == 1, "the answer to an honest bell", SOON_S)
    assert not ran.exists()
    with somewhere, pytest.raises(BlockingIOError):  # nobody has called
        somewhere.accept()
    assert not (tmp_path / "made").exists()
    refused = FailedJobRegistry("answer", connection=redis, serializer="json").get_job_ids(cleanup=False)
    assert set(refused) == {job.id for job in odd}


def test_a_job_of_another_serializer_is_refused(shop: Services, start: Start, redis: Redis, tmp_path: Path) -> None:
    (tmp_path / "intruder.py").write_text(INTRUDER)
    Queue("answer", connection=redis, serializer="pickle").enqueue("intruder.ran")
    start(PYTHONPATH=f"{ROOT}{os.pathsep}{tmp_path}")
    wait_until_it_listens(redis)
    say(shop)
    ringer(redis)("answer")
    wait_for(lambda: finished(shop) == 1, "the answer to an honest bell", SOON_S)
    assert not (tmp_path / "ran.txt").exists()


def test_without_redis_the_worker_polls_the_database_and_listens_again_when_it_is_back(
    shop: Services, start: Start, redis: Redis, redis_server: RedisServer, tmp_path: Path
) -> None:
    worker = start()
    wait_until_it_listens(redis)
    redis_server.kill()
    say(shop)
    began = time.monotonic()
    wait_for(lambda: finished(shop) == 1, "an answer without Redis", SOON_S)
    assert time.monotonic() - began < 8
    say(shop, conversation_id="c2")
    began = time.monotonic()
    wait_for(lambda: finished(shop) == 2, "another one", SOON_S)
    assert time.monotonic() - began < 4, "by now it looks every second"
    redis_server.start()
    wait_until_it_listens(redis)
    say(shop, conversation_id="c3")
    ringer(redis)("answer")
    wait_for(lambda: finished(shop) == 3, "an answer by bell", SOON_S)
    redis_server.kill()
    wait_for(lambda: any("polling" in line["event"] for line in log_of(tmp_path)), "a warning", SOON_S)
    assert ends_on_sigterm(worker) < 5, "SIGTERM is heard while Redis is away, too"


def test_a_worker_that_starts_without_redis_works_all_the_same(
    shop: Services, start: Start, redis_server: RedisServer
) -> None:
    redis_server.kill()
    worker = start()
    wait_for(lambda: alive(shop) != [], "a worker", SOON_S)
    say(shop)
    wait_for(lambda: finished(shop) == 1, "an answer without Redis", SOON_S)
    assert ends_on_sigterm(worker) < 5


def test_sigterm_ends_a_busy_worker_after_the_turn_it_is_at(shop: Services, start: Start, redis: Redis) -> None:
    worker = start()
    wait_until_it_listens(redis)
    for number in range(150):
        say(shop, conversation_id=f"c{number}")
    ringer(redis)("answer")
    wait_for(lambda: finished(shop) >= 3, "some answers", SOON_S)
    assert ends_on_sigterm(worker) < 5
    done = finished(shop)
    assert done < 150, "it was still busy"
    with shop.database.read() as tx:
        working = tx.value(select(func.count()).select_from(tables.turns).where(tables.turns.c.state == "working"))
        leased = tx.value(select(func.count()).where(tables.conversations.c.lease_until.is_not(None)))
    assert (working, leased) == (0, 0), "the turn it was at is finished, no other is begun"


def test_a_worker_outlives_a_database_that_has_no_tables_yet(
    start: Start, redis: Redis, redis_server: RedisServer, tmp_path: Path
) -> None:
    worker = start(CSBOT_DATABASE_URL=f"sqlite:///{tmp_path / 'empty.db'}")
    wait_for(lambda: "store unavailable" in (tmp_path / "log.jsonl").read_text(), "a warning", SOON_S)
    assert worker.poll() is None
    assert ends_on_sigterm(worker) < 5


def test_a_wrong_setting_is_one_line_and_exit_code_2(start: Start, tmp_path: Path) -> None:
    worker = start(CSBOT_WEB__PORT="many")
    assert worker.wait(SOON_S) == 2
    said = (tmp_path / "log.jsonl").read_text()
    assert "web.port" in said
    assert "Traceback" not in said


def test_the_upkeep_loop_rings_for_what_is_due_and_ends_on_sigterm(shop: Services, start: Start, redis: Redis) -> None:
    say(shop)
    upkeep = start("upkeep")
    queue = Queue("answer", connection=redis, serializer="json")
    wait_for(lambda: queue.count == 1, "a bell of the upkeep", SOON_S)
    assert [name.split("-")[0] for name in alive(shop)] == ["upkeep"]
    assert ends_on_sigterm(upkeep) < 5


def test_starting_a_worker_by_hand_names_the_known_ones() -> None:
    command = [sys.executable, "-m", "cs_bot.cli", "worker", "sweep"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 2
    assert "known: fetch, answer, deliver, upkeep" in done.stderr


def test_a_process_whose_engine_hangs_is_replaced_and_a_healthy_one_goes_on() -> None:
    code = "from workers import runtime; runtime.replace_unless(lambda: {}, grace_s=0.2); print('goes on')"
    hangs = subprocess.run([sys.executable, "-c", code.format(False)], cwd=ROOT, capture_output=True, timeout=60)
    assert (hangs.returncode, hangs.stdout) == (70, b"")
    healthy = subprocess.run([sys.executable, "-c", code.format(True)], cwd=ROOT, capture_output=True, timeout=60)
    assert (healthy.returncode, healthy.stdout) == (0, b"goes on\n")
