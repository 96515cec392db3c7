"""Real worker processes, one fault at a time."""

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cs_bot import testing
from cs_bot.receive import receive
from cs_bot.settings import load_settings
from cs_bot.store import migrate
from cs_bot.store.database import Database
from cs_bot.store.tables import messages, reviews, turns
from tests.conftest import missing
from tests.faults import engine
from tests.faults.chaos import SETTINGS
from tests.faults.processes import ROOT
from tests.services import RedisServer, redis_binary, wait_for


class Stage:
    """SQLite, Redis and a settings file; workers are started one by one."""

    def __init__(self, folder: Path, engine_toml: str = engine.TOML, deadline_s: float = 20.0) -> None:
        self.folder, self.redis = folder, RedisServer(folder)
        url = f"sqlite:///{folder / 'stage.db'}"
        self.config = folder / "csbot.toml"
        values: dict[str, Any] = {"secret": testing.SECRET, "port": 0, "platform": 9, "dedupes": "true", "lookup": ""}
        values |= {"engine": engine_toml, "deadline": deadline_s}
        text = SETTINGS.format(home=folder, database=url, redis=self.redis.url, **values)
        self.config.write_text(text.replace("quiet_s = 0.3", "quiet_s = 0.0\nbatch = 4"), encoding="utf-8")
        self.settings = load_settings(self.config)
        self.database = Database(url)
        migrate.upgrade(self.database)
        self.workers: list[subprocess.Popen[bytes]] = []

    def start(self, name: str) -> subprocess.Popen[bytes]:
        """One worker."""
        with (self.folder / "log").open("ab") as output:
            command = [sys.executable, "-m", "tests.faults.worker", name]
            env = {"CSBOT_CONFIG": str(self.config), "PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
            process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=output, stderr=output)
        self.workers.append(process)
        return process

    def write(self, conversation: str, order_id: str) -> None:
        """A customer sends a picture of that order; it is fetched here."""
        from cs_bot import fetch
        from cs_bot.store.media import MediaStore

        data = testing.shop_message(
            "where is my order",
            conversation_id=conversation,
            attachments=[{"url": engine.picture_of(order_id, len(conversation))}],
        )
        request = testing.shop_request(testing.shop_event("message.created", data))
        channels = {("generic", "shop"): testing.RecordingChannel()}
        silent: Any = lambda queue: None  # noqa: E731 - shorter than a def here
        receive(
            request,
            channel="generic",
            account="shop",
            channels=channels,
            database=self.database,
            ring=silent,
            settings=self.settings,
        )
        media = MediaStore(self.settings.media)
        while fetch.fetch_next(self.database, media=media, settings=self.settings, ring=silent):
            pass

    def rows(self, table: Any) -> list[dict[str, Any]]:
        """All rows of a table."""
        with self.database.read() as tx:
            return [dict(row) for row in tx.rows(select(table).order_by(table.c.id))]

    def close(self) -> None:
        """Kill what still runs."""
        for process in self.workers:
            process.kill()
            process.wait()
        self.redis.kill()
        self.database.close()


@pytest.fixture
def stage() -> Iterator[Stage]:
    try:
        redis_binary()
    except Exception as problem:
        missing(problem)
    folder = Path(tempfile.mkdtemp(prefix="cs-bot-stage-"))  # short: it holds a unix socket
    made = Stage(folder)
    yield made
    made.close()
    shutil.rmtree(folder, ignore_errors=True)


def test_sigterm_in_the_middle_of_a_turn_lets_it_be_finished(stage: Stage) -> None:
    stage.redis.start()
    stage.write("c0", engine.SLOW)
    worker = stage.start("answer")
    wait_for(lambda: bool(stage.rows(turns)), "the claim", 20)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(engine.SLOW_S + 5) == 0
    [turn] = stage.rows(turns)
    assert (turn["state"], turn["attempts"]) == ("finished", 1)


def test_a_turn_that_kills_its_worker_goes_to_a_person_and_its_batch_is_answered(stage: Stage) -> None:
    stage.redis.start()
    for conversation, order_id in (("c0", "7000000001"), ("c1", engine.POISON), ("c2", "7000000002")):
        stage.write(conversation, order_id)
    stage.start("upkeep")
    deaths, end = 0, time.monotonic() + 45

    def unfinished() -> bool:
        states = [turn["state"] for turn in stage.rows(turns)]
        return time.monotonic() < end and states != ["finished"] * 3

    while unfinished():
        worker = stage.start("answer")
        while worker.poll() is None and unfinished():
            time.sleep(0.1)
        deaths += worker.poll() == -signal.SIGKILL
    found = {turn["conversation_id"]: turn for turn in stage.rows(turns)}
    reasons = {row["conversation_id"]: row["reasons"] for row in stage.rows(reviews)}
    assert deaths == stage.settings.turns.max_attempts
    assert reasons[2] == ["poison"]
    assert all("poison" not in reasons.get(mate, []) for mate in (1, 3))
    assert [found[mate]["attempts"] for mate in (1, 3)] == [2, 2], "they were in the first claim, then each alone"
    assert all(row["end"] is not None or row["review_id"] for row in stage.rows(messages))


def test_a_worker_outlives_redis_without_leaving_threads_behind_and_ends_in_order(stage: Stage) -> None:
    stage.redis.start()
    worker = stage.start("deliver")

    def threads() -> int:
        return len(list(Path(f"/proc/{worker.pid}/task").iterdir()))

    def listening() -> bool:
        import redis

        with redis.Redis.from_url(stage.redis.url) as client:
            return any("blmove" in c["cmd"] or "brpop" in c["cmd"] or "blpop" in c["cmd"] for c in client.client_list())

    wait_for(listening, "the worker listens", 20)
    before = threads()
    for _ in range(3):
        stage.redis.kill()
        stage.redis.start()
        wait_for(listening, "the worker listens again", 20)
    wait_for(lambda: threads() <= before, f"{threads()} threads become {before}", 10)
    stage.redis.kill()
    time.sleep(1.5)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(10) == 0
