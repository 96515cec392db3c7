"""The real processes of a chaos run: started, killed, frozen, and started again; Redis and PostgreSQL too."""

import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Collection
from pathlib import Path

from cs_bot.settings import child_environment
from tests.services import PostgresServer, RedisServer

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("web", "answer", "answer", "fetch", "deliver", "deliver", "upkeep")
LONGEST_FREEZE_S = 6.0  # leases are 2 s, unknown outcomes are settled after 3 s


class Processes:
    """All of them. `log` collects what they write."""

    def __init__(
        self, config: Path, log: Path, redis: RedisServer, postgres: PostgresServer | None, without: str = ""
    ) -> None:
        self._config, self._log, self.redis, self.postgres, self._without = config, log, redis, postgres, without
        self.counts: Counter[str] = Counter()
        self._lock = threading.RLock()
        self.children = [self._start(name) for name in NAMES]

    def _start(self, name: str) -> tuple[str, subprocess.Popen[bytes]]:
        env = child_environment(CSBOT_CONFIG=str(self._config), PYTHONPATH=str(ROOT))
        with self._log.open("ab") as output:
            command = [sys.executable, "-m", "tests.faults.worker", name, self._without]
            return name, subprocess.Popen(command, cwd=ROOT, env=env, stdout=output, stderr=output)

    def revive(self) -> None:
        """What died by itself (a poisoned worker) is started again, as a supervisor does."""
        with self._lock:
            for i, (name, process) in enumerate(self.children):
                if process.poll() is not None:
                    self.counts[f"{name} died by itself" if process.returncode != -9 else "died of SIGKILL"] += 1
                    self.children[i] = self._start(name)

    def kill(self, dice: random.Random, names: Collection[str] = NAMES) -> None:
        """SIGKILL one of those names."""
        with self._lock:
            i = dice.choice([i for i, (name, _) in enumerate(self.children) if name in names])
            name, process = self.children[i]
            process.kill()
            process.wait()
            self.counts[f"SIGKILL {name}"] += 1
            self.children[i] = self._start(name)

    def freeze(self, dice: random.Random) -> None:
        """SIGSTOP one worker for a while, often for longer than its lease; then it goes on as if nothing was."""
        workers = [process for name, process in self.children if name in ("answer", "deliver", "fetch")]
        process = dice.choice(workers)
        seconds = dice.uniform(0.5, LONGEST_FREEZE_S)
        self.counts["frozen"] += 1
        process.send_signal(signal.SIGSTOP)
        timer = threading.Timer(seconds, lambda: process.poll() is None and process.send_signal(signal.SIGCONT))
        timer.daemon = True
        timer.start()

    def wipe_redis(self, dice: random.Random) -> None:
        """SIGKILL redis-server; it comes back empty."""
        self.counts["redis wiped"] += 1
        self.redis.kill()
        time.sleep(dice.uniform(0, 1.5))
        self.redis.start()

    def crash_postgres(self) -> None:
        """pg_ctl -m immediate, then start."""
        if self.postgres is not None:
            self.counts["postgres crashed"] += 1
            self.postgres.stop("immediate")
            self.postgres.start()

    def strike(self, dice: random.Random, most: str = "") -> None:
        """One fault; with `most` every second one is a SIGKILL of such a process, and so is the first."""
        if most and (not self.counts[f"SIGKILL {most}"] or dice.random() < 0.5):
            self.kill(dice, (most,))
            return
        draw = dice.random()
        if draw < 0.45:
            self.kill(dice)
        elif draw < 0.75:
            self.freeze(dice)
        elif draw < 0.88 or self.postgres is None:
            self.wipe_redis(dice)
        else:
            self.crash_postgres()

    def stop(self) -> None:
        """SIGTERM, then SIGKILL."""
        for _, process in self.children:
            process.send_signal(signal.SIGCONT)
            process.terminate()
        end = time.monotonic() + 5
        for _, process in self.children:
            try:
                process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
