"""python -m tests.faults.chaos: real processes, real servers, everything goes wrong; then it must all come to an end.

Exit code 0 when every promise held.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from cs_bot import review, testing
from cs_bot.errors import Conflict, NotFound, StoreUnavailable
from cs_bot.schemas import OrderIn
from cs_bot.settings import ReviewSettings
from cs_bot.store import migrate
from cs_bot.store.database import Database
from cs_bot.store.queries import agents, metrics, orders
from tests.faults import engine, promises
from tests.faults.chaos_platform import LyingPlatform
from tests.faults.processes import Processes
from tests.faults.verdict import Outside, Verdict, judge, open_conversations
from tests.makers import order_in
from tests.services import PostgresServer, RedisServer, free_port, wait_for

CONVERSATIONS = 40
POSTERS, AGENTS = 3, 3
SETTINGS = """
home = "{home}"
database_url = "{database}"
redis_url = "{redis}"
log_level = "WARNING"
engine = {{ name = "chaos", fallback = "" }}
[web]
port = {port}
[turns]
quiet_s = 0.3
wait_at_most_s = 1.5
lease_s = 2.0
deadline_s = 20.0
[fetch]
timeout_s = 1.0
[deliver]
timeout_s = 1.0
settle_s = 3.0
max_attempts = 12
backoff_s = 0.1
backoff_at_most_s = 1.0
breaker_failures = 8
breaker_pause_s = 1.0
[review]
claim_s = 2.0
[policy]
loop_max = 100000
[[accounts]]
channel = "generic"
name = "shop"
secrets = ["{secret}"]
allow_http = true
[accounts.options]
reply_url = "http://127.0.0.1:{platform}/replies"
dedupes = {dedupes}
{lookup}
"""


class Chaos:
    """One run."""

    def __init__(
        self, *, messages: int, seed: int, database: str, mode: str, rate: float, folder: Path, without: str
    ) -> None:
        self.messages, self.seed, self.mode, self.rate = messages, seed, mode, rate
        self.verdict = Verdict(database=database, mode=mode, seed=seed)
        self.outside, self.counts = Outside(), Counter[str]()
        self.faulty, self.over = True, False
        self.platform = LyingPlatform(mode, seed)
        self.redis = RedisServer(folder).start()
        self.postgres = PostgresServer(durable=True) if database == "postgresql" else None
        url = f"sqlite:///{folder / 'chaos.db'}" if self.postgres is None else self.postgres.create_database()
        self.port = free_port()
        text = SETTINGS.format(
            home=folder,
            database=url,
            redis=self.redis.url,
            port=self.port,
            secret=testing.SECRET,
            platform=self.platform.port,
            dedupes=str(mode == "key").lower(),
            lookup=f'lookup_url = "http://127.0.0.1:{self.platform.port}/sent"' if mode == "lookup" else "",
        )
        config = folder / "csbot.toml"
        config.write_text(text, encoding="utf-8")
        self.database = Database(url)
        migrate.upgrade(self.database)
        self._prepare()
        self.processes = Processes(config, folder / "processes.log", self.redis, self.postgres, without)
        self._todo: list[tuple[float, str, dict[str, Any], str]] = []
        self._todo_lock = threading.Lock()
        self._rules = ReviewSettings(claim_s=2.0)

    def _prepare(self) -> None:
        with self.database.write() as tx:
            self.agents = [
                agents.add(tx, name=f"agent {n}", role="agent", token_sha256=f"{n}" * 64) for n in range(AGENTS)
            ]
            for number in range(CONVERSATIONS):
                orders.upsert(tx, "generic", "shop", self._order(number))

    def _order(self, number: int, **values: Any) -> OrderIn:
        return order_in(f"70000000{number:02d}", customer_id=f"u{number}", amount=engine.AMOUNT, **values)

    # --- the outside

    def traffic(self) -> None:
        """What customers and people do; each delivery may come twice, late, and in another order."""
        dice = random.Random(self.seed)
        for n in range(self.messages):
            number = dice.randrange(CONVERSATIONS)
            self._customer(dice, n, number)
            if dice.random() < 0.04:
                self._person(dice, number)
            if dice.random() < 0.04 and n:
                self._revoke(dice, number)
            time.sleep(dice.expovariate(self.rate))

    def _customer(self, dice: random.Random, n: int, number: int) -> None:
        message_id, draw = f"m{n}", dice.random()
        order_id = f"70000000{number:02d}"
        if draw < 0.01:
            order_id = f"{engine.POISON}{n:07d}"
        elif draw < 0.04:
            order_id = f"{engine.STICKY}{n:07d}"
        with_picture = draw < 0.85
        data = {
            "conversation_id": f"c{number}",
            "message_id": message_id,
            "customer": {"id": f"u{number}"},
            "text": "where is my order" if draw < 0.85 else "what do you recommend for my aunt",
            "attachments": [{"url": engine.picture_of(order_id, n)}] if with_picture else [],
        }
        self._post("message.created", data, f"evt_{n}", dice.uniform(0, 0.2) if dice.random() < 0.2 else 0.0)
        if dice.random() < 0.15:
            self.counts["webhook doubled"] += 1
            self._post("message.created", data, f"evt_{n}", dice.uniform(0, 1))
        if dice.random() < 0.05:
            self.counts["message in two deliveries"] += 1
            self._post("message.created", data, f"evt_{n}_again", dice.uniform(0, 1))
        if dice.random() < 0.03:
            self.counts["order changed"] += 1
            order = self._order(number, updated_at=datetime.now(UTC)).model_dump(mode="json")
            self._post("order.upserted", order, f"evt_o{n}", 0.0)

    def _person(self, dice: random.Random, number: int) -> None:
        self.counts["takeover"] += 1
        now, later = datetime.now(UTC), dice.uniform(1.5, 4)
        taken = {"conversation_id": f"c{number}", "at": now.isoformat()}
        given = {"conversation_id": f"c{number}", "at": (now + timedelta(seconds=later)).isoformat()}
        self._post("conversation.taken_by_human", taken, f"evt_t{time.monotonic_ns()}", 0.0)
        self._post("conversation.released", given, f"evt_r{time.monotonic_ns()}", later)

    def _revoke(self, dice: random.Random, number: int) -> None:
        mine = [message for message, name in list(self.outside.accepted.items())[-40:] if name == f"c{number}"]
        if mine:
            self.counts["revoke"] += 1
            data = {"conversation_id": f"c{number}", "message_id": dice.choice(mine)}
            self._post("message.revoked", data, f"evt_v{time.monotonic_ns()}", 0.0)

    def _post(self, kind: str, data: dict[str, Any], delivery_id: str, delay_s: float) -> None:
        with self._todo_lock:
            self._todo.append((time.monotonic() + delay_s, kind, data, delivery_id))

    def _next(self) -> tuple[float, str, dict[str, Any], str] | None:
        with self._todo_lock:
            due = [i for i, item in enumerate(self._todo) if item[0] <= time.monotonic()]
            return self._todo.pop(due[0]) if due else None

    def poster(self) -> None:
        """Posts what is due; what is not acknowledged comes again later, as platforms do."""
        with httpx.Client(timeout=8, trust_env=False) as client:
            while not self.over:
                item = self._next()
                if item is None:
                    time.sleep(0.01)
                    continue
                _, kind, data, delivery_id = item
                if kind == "conversation.released":  # it may be stored although its answer gets lost
                    self.outside.released.append((data["conversation_id"], data["at"], time.monotonic()))
                headers, body = testing.sign_webhook(testing.shop_event(kind, data), delivery_id=delivery_id)
                try:
                    status = client.post(
                        f"http://127.0.0.1:{self.port}/webhooks/generic/shop", content=body, headers=headers
                    ).status_code
                except httpx.TransportError:
                    status = 0
                if status == 200:
                    self._acknowledged(kind, data)
                else:
                    self.counts[f"webhook answered {status}"] += 1
                    self._post(kind, data, delivery_id, 0.5)

    def _acknowledged(self, kind: str, data: dict[str, Any]) -> None:
        now = time.monotonic()
        if kind == "message.created":
            self.outside.accepted.setdefault(data["message_id"], data["conversation_id"])
        elif kind == "message.revoked":
            self.outside.revoked.setdefault(data["message_id"], now)
        elif kind == "conversation.taken_by_human":
            self.outside.taken.append((data["conversation_id"], data["at"], now))

    def agent(self, number: int) -> None:
        """A person works in the queue while customers go on writing."""
        dice = random.Random(self.seed + 1000 * number)
        while not self.over:
            time.sleep(dice.uniform(0.02, 0.2))
            try:
                found = review.list_open(self.database, claimed=False, limit=10)
                if found:
                    self._decide(dice, dice.choice(found), self.agents[number])
            except (Conflict, NotFound):
                self.counts["agent refused"] += 1
            except StoreUnavailable:
                self.counts["agent: store away"] += 1

    def _decide(self, dice: random.Random, line: review.ReviewSummary, agent_id: int) -> None:
        mine: dict[str, Any] = {"agent_id": agent_id, "rules": self._rules}
        card = review.claim(self.database, line.review_id, version=line.version, **mine)
        time.sleep(dice.uniform(0, 0.5))
        if card.draft is not None and dice.random() < 0.5:
            review.approve(self.database, line.review_id, version=card.version, **mine)
        elif dice.random() < 0.9:
            review.edit(self.database, line.review_id, version=card.version, text="a person's answer", **mine)
        else:
            review.dismiss(
                self.database, line.review_id, agent_id=agent_id, version=card.version, reason="nothing to say"
            )
        self.counts["agent decided"] += 1

    def watch(self) -> None:
        """Unaccounted is 0 at every moment, not only at the end."""
        while not self.over:
            time.sleep(0.3)
            try:
                with self.database.write() as tx:  # one snapshot
                    self.outside.unaccounted = max(self.outside.unaccounted, metrics.unaccounted(tx))
            except StoreUnavailable:
                continue

    # --- the run

    def run(self) -> Verdict:
        """Faults while there is traffic; then quiet, and all must end."""
        began = time.monotonic()
        try:
            wait_for(self._web_is_up, "the web process", 60)
            loops = [self.watch, *[self.poster] * POSTERS]
            threads = [threading.Thread(target=loop, daemon=True) for loop in loops]
            threads += [threading.Thread(target=self.agent, args=(n,), daemon=True) for n in range(AGENTS)]
            traffic = threading.Thread(target=self.traffic, daemon=True)
            for thread in (*threads, traffic):
                thread.start()
            dice = random.Random(self.seed + 2)
            while traffic.is_alive():
                time.sleep(dice.uniform(0.4, 1.3))
                self.processes.revive()
                self.processes.strike(dice)
            self._drain()
            self.over = True
            for thread in threads:
                thread.join(15)
        finally:
            self.over = True
            self.processes.stop()
        judge(self.verdict, self.database, self.outside, self.platform.seen, slack_s=2.6)
        self.verdict.faults = dict(sorted((self.counts + self.processes.counts + self.platform.counts).items()))
        self.verdict.wall_s = round(time.monotonic() - began, 1)
        return self.verdict

    def _web_is_up(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/health", timeout=1, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def _drain(self) -> None:
        self.platform.faulty, began = False, time.monotonic()
        while time.monotonic() < began + 60:
            time.sleep(0.25)
            self.processes.revive()
            try:
                left = {**promises.stuck(self.database), "due": open_conversations(self.database)}
            except StoreUnavailable:
                continue
            if not self._todo and not any(left.values()):
                self.verdict.drained = True
                break
        else:
            self.verdict.wrong.update({f"LEFT {name}": number for name, number in left.items() if number})
        self.verdict.drain_s = round(time.monotonic() - began, 1)

    def close(self) -> None:
        """Stop the servers."""
        self.database.close()
        self.platform.stop()
        self.redis.kill()
        if self.postgres is not None:
            self.postgres.close()


def chaos(
    *, messages: int, seed: int, database: str, mode: str, rate: float = 12.0, folder: Path, without: str = ""
) -> Verdict:
    """One run in `folder`; the processes' output is left there. `without`: a guard is taken out (mutants.py)."""
    run = Chaos(messages=messages, seed=seed, database=database, mode=mode, rate=rate, folder=folder, without=without)
    try:
        return run.run()
    finally:
        run.close()


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.chaos", description=__doc__)
    parser.add_argument("--messages", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=12.0, help="messages per second")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--mode", choices=["key", "lookup", "none"], default="key")
    parser.add_argument("--folder", type=Path, help="keep database and output here")
    parser.add_argument("--without", default="", help="control run: take this guard out (a name in mutants.py)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cs-bot-chaos-") as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        verdict = chaos(
            messages=given.messages,
            seed=given.seed,
            database=given.database,
            mode=given.mode,
            rate=given.rate,
            folder=folder,
            without=given.without,
        )
    for name, value in vars(verdict).items():
        sys.stdout.write(f"{name:10} {value}\n")
    return 0 if verdict.holds else 1


if __name__ == "__main__":
    sys.exit(main())
