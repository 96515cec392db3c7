"""The figures of /metrics and /health are those of the database, and unaccounted finds what nobody looks after."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis
from sqlalchemy import delete, select, update

from cs_bot import bootstrap, deliver, review
from cs_bot.records import Policy, Receipt, SendState
from cs_bot.settings import TurnSettings
from cs_bot.store.database import Database, Transaction
from cs_bot.store.queries import metrics as figures
from cs_bot.store.queries import turns as turn_queries
from cs_bot.store.tables import conversations, messages, outbound, reviews, turns, workers_seen
from cs_bot.testing import RecordingChannel, a_look, sign_webhook
from cs_bot.web.metrics import QUEUES, exposition
from tests import desk, web
from tests import services as servers

AT_ONCE = TurnSettings(quiet_s=0, wait_at_most_s=0)


@pytest.fixture
def services(database: Database, tmp_path: Path) -> bootstrap.Services:
    return web.services_on(database, tmp_path, turns=AT_ONCE)


def values(database: Database) -> dict[str, float]:
    """Every sample as `name{label=value,...}`."""
    found = {}
    for family in text_string_to_metric_families(exposition(database).decode()):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[sample.name + (f"{{{labels}}}" if labels else "")] = sample.value
    return found


def lost(database: Database) -> list[int]:
    """What nobody looks after."""
    with database.read() as tx:
        found = figures.unaccounted_ids(tx)
        assert figures.unaccounted(tx) == len(found)
    return found


def write(database: Database, statement: Any) -> None:
    """Break something on purpose."""
    with database.write() as tx:
        tx.execute(statement)


def test_an_empty_shop_has_zeros_everywhere(services: bootstrap.Services, database: Database) -> None:
    found = values(database)
    assert found["csbot_database_up"] == 1
    assert found["csbot_messages_unaccounted"] == 0
    assert found["csbot_messages{end=bot}"] == 0
    assert found["csbot_outbound{state=unknown}"] == 0
    assert found["csbot_workers{queue=answer}"] == 0
    assert found["csbot_oldest_unanswered_seconds"] == 0


def test_a_message_is_accounted_for_from_its_arrival_to_its_end(
    services: bootstrap.Services, database: Database
) -> None:
    channel = RecordingChannel(receipts=[Receipt(state=SendState.UNKNOWN), Receipt(state=SendState.SENT)])
    channels = {("generic", "shop"): channel}

    def send() -> None:
        deliver.send_next(
            database, channels=channels, settings=services.settings, policy=Policy(), refetch=lambda *_: ""
        )

    desk.say(services)
    assert (lost(database), values(database)["csbot_messages{end=open}"]) == ([], 1)  # waits for its quiet
    review_id = desk.hold(services)
    assert lost(database) == []  # in an open review
    assert values(database)["csbot_reviews_open{claim=free}"] == 1
    _, token = web.add_agent(database)
    card = review.claim(database, review_id, agent_id=1, version=1, rules=services.settings.review)
    review.approve(database, review_id, agent_id=1, version=card.version, rules=services.settings.review)
    assert (lost(database), values(database)["csbot_outbound{state=pending}"]) == ([], 1)  # on its way
    send()
    assert (lost(database), values(database)["csbot_sends_unknown"]) == ([], 1)  # may have arrived
    database.shift(60)
    deliver.sweep(database, channels=channels, settings=services.settings)
    found = values(database)
    assert lost(database) == []
    assert found["csbot_messages{end=person}"] == 1
    assert found["csbot_messages{end=open}"] == 0
    assert found["csbot_outbound{state=sent}"] == 1
    assert found["csbot_sends_unknown"] == 0
    assert found["csbot_judgements{verdict=approve}"] == 1
    assert found["csbot_turns{kind=order,outcome=review,route=proof}"] == 1
    assert token


def test_a_turn_that_is_worked_on_is_accounted_for_also_when_its_worker_is_gone(
    services: bootstrap.Services, database: Database
) -> None:
    from cs_bot import turns as flow

    desk.say(services)
    assert flow.claim(database, settings=services.settings, policy=Policy(), limit=1)
    assert lost(database) == []
    database.shift(3600)
    assert lost(database) == []
    assert values(database)["csbot_turns{kind=none,outcome=working,route=none}"] == 1


BREAKS = {
    "the wait is forgotten": lambda: update(conversations).values(due_at=None, lease_until=None),
    "the turn is closed": lambda: update(turns).values(state="finished", outcome="review"),
    "the review is closed": lambda: update(reviews).values(state="closed"),
    "the answer is cancelled": lambda: update(outbound).values(state="cancelled"),
}


@pytest.mark.parametrize("how", sorted(BREAKS))
def test_a_message_that_falls_between_two_states_is_found(
    services: bootstrap.Services, database: Database, how: str
) -> None:
    from cs_bot import turns as flow

    desk.say(services)
    if how == "the turn is closed":
        flow.claim(database, settings=services.settings, policy=Policy(), limit=1)
    elif how != "the wait is forgotten":
        review_id = desk.hold(services)
        if how == "the answer is cancelled":
            web.add_agent(database)
            review.claim(database, review_id, agent_id=1, version=1, rules=services.settings.review)
            review.approve(database, review_id, agent_id=1, version=2, rules=services.settings.review)
    assert lost(database) == []
    write(database, BREAKS[how]())
    assert len(lost(database)) == 1
    assert values(database)["csbot_messages_unaccounted"] == 1
    write(database, update(messages).values(end="ignored"))
    assert lost(database) == []


def test_the_newest_looks_are_counted_by_the_engine_that_made_them(
    services: bootstrap.Services, database: Database
) -> None:
    desk.say(services)
    desk.hold(services)
    with database.write() as tx:
        turn_id = tx.value(select(turns.c.id))
        before = figures.recent_looks(tx)
        made = [a_look(f"{n:064x}", engine=name) for n, name in enumerate(("openai", "openai", "lite"))]
        turn_queries.add_looks(tx, turn_id, made)
    found = values(database)
    assert found["csbot_recent_looks{engine=openai}"] == 2
    assert found["csbot_recent_looks{engine=lite}"] == 1
    with database.read() as tx:
        assert figures.recent_looks(tx, window=1) == {"lite": 1}
        assert sum(figures.recent_looks(tx).values()) == 3 + sum(before.values())


def test_ages_are_those_of_the_oldest(services: bootstrap.Services, database: Database) -> None:
    desk.say(services, conversation_id="c1")
    desk.hold(services)
    database.shift(100)
    desk.say(services, conversation_id="c2")
    found = values(database)
    assert 99 <= found["csbot_oldest_unanswered_seconds"] < 160
    assert 99 <= found["csbot_oldest_review_seconds"] < 160


def test_deliveries_that_nobody_could_read_are_counted(services: bootstrap.Services, database: Database) -> None:
    with web.running(services) as address, web.client(address) as site:
        for body in ({"type": "x"}, [], b"no json"):
            headers, data = sign_webhook(body if isinstance(body, bytes) else json.dumps(body).encode())
            site.post("/webhooks/generic/shop", content=data, headers=headers)
        text = site.get("/metrics").text
    found = values(database)
    assert (found["csbot_events{state=unparsed}"], found["csbot_events{state=not_json}"]) == (2, 1)
    assert "csbot_webhook_seconds_bucket" in text
    assert "process_resident_memory_bytes" in text


def test_when_the_database_is_away_the_scrape_says_so(tmp_path: Path) -> None:
    database = Database(f"postgresql://nobody@127.0.0.1:{servers.free_port()}/none")
    found = values(database)
    assert found["csbot_database_up"] == 0
    assert "csbot_messages_unaccounted" not in found
    database.close()


# Health


@pytest.fixture
def one_of_each_worker(database: Database) -> None:
    def add(tx: Transaction, queue: str) -> None:
        values = {"name": f"w-{queue}", "queue": queue, "pid": 1, "ready": True}
        tx.execute(workers_seen.insert().values(started_at=tx.now(), seen_at=tx.now(), **values))

    with database.write() as tx:
        for queue in QUEUES:
            add(tx, queue)


@pytest.fixture
def healthy(
    services: bootstrap.Services, one_of_each_worker: None, redis_server: servers.RedisServer
) -> Iterator[httpx.Client]:
    services.redis = Redis.from_url(redis_server.url, socket_timeout=0.05, retry=None)
    with web.running(services) as address, web.client(address) as site:
        yield site
    services.redis.close()


def test_health_is_healthy_and_deep_looks_behind(healthy: httpx.Client) -> None:
    assert healthy.get("/health").json() == {"status": "healthy"}
    answer = healthy.get("/health?deep=1")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "healthy",
        "checks": {"database": "ok", "redis": "ok", "workers": "ok"},
    }


def test_deep_health_names_what_is_bad(
    healthy: httpx.Client, database: Database, redis_server: servers.RedisServer
) -> None:
    redis_server.kill()
    write(database, update(workers_seen).where(workers_seen.c.queue == "fetch").values(ready=False))
    answer = healthy.get("/health?deep=1")
    assert answer.status_code == 503
    assert answer.json()["checks"] == {"database": "ok", "redis": "unreachable", "workers": "not ready: fetch"}
    assert healthy.get("/health").status_code == 200
    write(database, delete(workers_seen).where(workers_seen.c.queue == "upkeep"))
    both = healthy.get("/health?deep=1").json()["checks"]["workers"]
    assert both == "missing: upkeep; not ready: fetch"
    database.shift(120)
    assert "answer" in healthy.get("/health?deep=1").json()["checks"]["workers"]


def test_deep_health_without_a_database_is_an_answer_too(tmp_path: Path) -> None:
    database = Database(f"postgresql://nobody@127.0.0.1:{servers.free_port()}/none")
    with web.running(web.services_on(database, tmp_path)) as address, web.client(address) as site:
        answer = site.get("/health?deep=1")
        assert (answer.status_code, answer.json()["checks"]["database"]) == (503, "unreachable")
        assert site.get("/health").status_code == 200
        assert site.get("/metrics").status_code == 200
    database.close()


# The web process stays small

LOOK = """
import json, sys
import cs_bot.web.app, cs_bot.bootstrap
heavy = {"torch", "transformers", "cv2", "onnxruntime", "rapidocr", "scipy", "jieba"}
print(json.dumps(sorted(heavy & {name.split(".")[0] for name in sys.modules})))
protocols = {f"cs_bot.vision.{name}" for name in ("base", "chat", "generating")}  # no engine is behind their imports
engines = {name for name in sys.modules if name.startswith("cs_bot.vision.")} - protocols
print(json.dumps(sorted(engines)))
"""


def test_the_web_process_imports_no_engine() -> None:
    out = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True, timeout=60)
    heavy, engines = (json.loads(line) for line in out.stdout.splitlines())
    assert heavy == []
    assert engines == []


SERVE = """
import sys
from pathlib import Path
from cs_bot.store import migrate
from cs_bot.store.database import Database
from tests import web
home = Path(sys.argv[1])
database = Database(f"sqlite:///{home}/x.db")
migrate.upgrade(database)
with web.running(web.services_on(database, home)) as address:
    print(address, flush=True)
    sys.stdin.readline()
"""


def test_an_idle_web_process_needs_at_most_150_mb(tmp_path: Path) -> None:
    with servers.python_process("-c", SERVE, str(tmp_path), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        address = process.stdout.readline().decode().strip()
        assert address.startswith("http://127.0.0.1:")
        with web.client(address) as site:
            for path in ("/health", "/metrics", "/login", "/review"):
                assert site.get(path).status_code < 400
        assert psutil.Process(process.pid).memory_info().rss < 150e6
        process.communicate(b"\n", timeout=20)
