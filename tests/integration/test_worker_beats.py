"""An answer worker whose engine needs minutes says all the while that it lives."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete, select

from cs_bot.bootstrap import Services
from cs_bot.records import Kind
from cs_bot.store import tables
from cs_bot.store.database import Database
from cs_bot.testing import ScriptedVision, a_look
from tests.desk import a_picture, say
from tests.web import services_on
from workers import answer, runtime


@pytest.fixture
def shop(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """The services of a worker that is this process."""
    services = services_on(database, tmp_path, turns={"quiet_s": 0.0, "wait_at_most_s": 0.0})
    for name, value in {"services": services, "name": "answer-here-1-abcdef", "queue": "answer"}.items():
        monkeypatch.setattr(runtime.State, name, value)  # patched: what a worker process has of its own
    monkeypatch.setattr(runtime.State, "seen_at", 0.0)
    yield services
    services.close()


def test_it_is_seen_while_it_looks_at_pictures(shop: Services) -> None:
    seen: list[int] = []

    def minutes_pass(_sha256: str) -> None:
        with shop.database.write() as tx:
            seen.append(len(tx.rows(select(tables.workers_seen))))
            tx.execute(delete(tables.workers_seen))
        runtime.State.seen_at = 0.0

    shop._vision = ScriptedVision(default=a_look(kind=Kind.PRODUCT), before=minutes_pass)
    say(shop, attachments=[{"url": a_picture(colour)} for colour in ("teal", "red", "blue")])
    answer.drain()
    assert seen == [1, 1, 1]


def test_a_database_that_is_away_does_not_end_the_work_it_does(
    shop: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gone = services_on(Database("postgresql+psycopg://nobody@127.0.0.1:1/none"), shop.settings.home)
    monkeypatch.setattr(runtime.State, "services", gone)  # patched: as above
    runtime.still_here()
    assert caplog.messages == ["store unavailable"]
    gone.close()
