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
from pathlib import Path
from typing import Any

import httpx

from cs_bot import review, testing
from cs_bot.errors import Conflict, NotFound, StoreUnavailable
from cs_bot.settings import ReviewSettings
from cs_bot.store import migrate
from cs_bot.store.database import Database
from cs_bot.store.queries import agents, metrics, orders
from tests.faults import engine, network, promises
from tests.faults.chaos_platform import LyingPlatform
from tests.faults.customers import CONVERSATIONS, Customers, order_of
from tests.faults.processes import Processes
from tests.faults.verdict import Outside, Verdict, judge, open_conversations
from tests.services import PostgresServer, RedisServer, free_port, wait_for

PAUSE_S, NETWORK_PAUSE_S = (0.4, 1.3), (2.0, 5.0)  # between faults; a worker that opens a network needs seconds
DRAIN_S, NETWORK_DRAIN_S = 60.0, 400.0
NETWORK_DEADLINE_S = 120.0
READY_S = 120.0
POSTERS, AGENTS = 3, 3
SETTINGS = """
home = "{home}"
database_url = "{database}"
redis_url = "{redis}"
log_level = "WARNING"
engine = {engine}
[web]
port = {port}
[turns]
quiet_s = 0.3
wait_at_most_s = 1.5
lease_s = 2.0
deadline_s = {deadline}
[fetch]
timeout_s = 4.0
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
        self,
        *,
        messages: int,
        seed: int,
        database: str,
        mode: str,
        rate: float,
        folder: Path,
        without: str,
        checkpoint: Path | None = None,
    ) -> None:
        self.seed = seed
        self.pause_s, self.drain_s = (PAUSE_S, DRAIN_S) if checkpoint is None else (NETWORK_PAUSE_S, NETWORK_DRAIN_S)
        self.verdict = Verdict(database, mode, seed, engine="pixels" if checkpoint is None else "qwen")
        self.outside, self.counts = Outside(), Counter[str]()
        self.platform = LyingPlatform(mode, seed)
        self.redis = RedisServer(folder).start()
        self.postgres = PostgresServer(durable=True) if database == "postgresql" else None
        url = f"sqlite:///{folder / 'chaos.db'}" if self.postgres is None else self.postgres.create_database()
        self.port = free_port()
        self.customers = Customers(messages, seed, rate, self.port, checkpoint is not None, self.outside, self.counts)
        text = SETTINGS.format(
            home=folder,
            engine=engine.TOML if checkpoint is None else network.toml(checkpoint),
            deadline=20.0 if checkpoint is None else NETWORK_DEADLINE_S,
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
        self._rules = ReviewSettings(claim_s=2.0)

    def _prepare(self) -> None:
        with self.database.write() as tx:
            self.agents = [
                agents.add(tx, name=f"agent {n}", role="agent", token_sha256=f"{n}" * 64) for n in range(AGENTS)
            ]
            for number in range(CONVERSATIONS):
                orders.upsert(tx, "generic", "shop", order_of(number))

    def agent(self, number: int) -> None:
        """A person works in the queue while customers go on writing."""
        dice = random.Random(self.seed + 1000 * number)
        while not self.customers.over:
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
        while not self.customers.over:
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
            wait_for(self._web_is_up, "the web process", READY_S)
            wait_for(self._engine_is_open, "an answer worker that is ready", READY_S)
            loops = [self.watch, *[self.customers.poster] * POSTERS]
            threads = [threading.Thread(target=loop, daemon=True) for loop in loops]
            threads += [threading.Thread(target=self.agent, args=(n,), daemon=True) for n in range(AGENTS)]
            traffic = threading.Thread(target=self.customers.traffic, daemon=True)
            for thread in (*threads, traffic):
                thread.start()
            dice = random.Random(self.seed + 2)
            while traffic.is_alive():
                time.sleep(dice.uniform(*self.pause_s))
                self.processes.revive()
                self.processes.strike(dice, most="answer" if self.customers.network else "")
            self._drain()
            self.customers.over = True
            for thread in threads:
                thread.join(15)
        finally:
            self.customers.over = True
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

    def _engine_is_open(self) -> bool:
        with self.database.read() as tx:
            return metrics.workers_by_queue(tx, within_s=READY_S).get("answer", 0) > 0

    def _drain(self) -> None:
        self.platform.faulty, began = False, time.monotonic()
        while time.monotonic() < began + self.drain_s:
            time.sleep(0.25)
            self.processes.revive()
            try:
                left = {**promises.stuck(self.database), "due": open_conversations(self.database)}
            except StoreUnavailable:
                continue
            if not self.customers.todo and not any(left.values()):
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
    *,
    messages: int,
    seed: int,
    database: str,
    mode: str,
    rate: float = 12.0,
    folder: Path,
    without: str = "",
    checkpoint: Path | None = None,
) -> Verdict:
    """One run in `folder`; the processes' output is left there. `without`: a guard is taken out (mutants.py).

    With a checkpoint a network computes every look (network.py).
    """
    run = Chaos(
        messages=messages,
        seed=seed,
        database=database,
        mode=mode,
        rate=rate,
        folder=folder,
        without=without,
        checkpoint=checkpoint,
    )
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
    parser.add_argument("--checkpoint", type=Path, help="a network computes the looks: python -m tests.checkpoints")
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
            checkpoint=given.checkpoint,
        )
    for name, value in vars(verdict).items():
        sys.stdout.write(f"{name:10} {value}\n")
    return 0 if verdict.holds else 1


if __name__ == "__main__":
    sys.exit(main())
