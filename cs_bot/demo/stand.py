"""A demo that stands: the simulated platform, and a cs-bot of its own with the shop's records in its database."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cs_bot import supervisor
from cs_bot.demo.account import demo_settings, new_secret, webhook_url, write_settings
from cs_bot.demo.desk import Agent
from cs_bot.demo.observer import Observer
from cs_bot.demo.platform import ShopPlatform
from cs_bot.demo.shop import DemoShop, load_demo_data, load_shop
from cs_bot.demo.watching import StoreObserver, answers
from cs_bot.errors import BotError
from cs_bot.settings import Settings, load_settings
from cs_bot.store import migrate
from cs_bot.store.database import Database
from cs_bot.store.queries import agents, metrics
from cs_bot.vision.base import Checks, load_engine
from cs_bot.web.auth import new_token

READY_S, OPEN_S = 60.0, 1800.0  # longest waits for the web process, and for the engine
SAY_EVERY_S = 10.0
KEEP = "run again with --keep and read log.jsonl in the folder it names"
OURS = "cs-bot: "  # begins a line that a process says to people


@dataclass(frozen=True)
class Stand:
    """What a story needs, and what an onlooker does: `token` opens the review queue."""

    shop: DemoShop
    platform: ShopPlatform
    observer: Observer
    agent: Agent
    boss: supervisor.Supervisor
    settings: Settings
    token: str


@contextmanager
def standing(
    home: Path,
    *,
    port: int,
    engine: Mapping[str, str],
    say: Callable[[str], None],
    prepared: Callable[[supervisor.Supervisor], None] = lambda boss: None,
) -> Iterator[Stand]:
    """Start everything in the folder `home`, yield it, stop everything. `engine` are settings of that group.

    Call it from the main thread: children die with the thread that started them. `prepared` gets the supervisor
    before it has children. Raises what a wrong engine raises, before anything is started.
    """
    shop, secret = load_shop(), new_secret()
    with ExitStack() as stack:
        platform = stack.enter_context(ShopPlatform(webhook_url(port), secret, pictures=shop.pictures))
        overrides = demo_settings(
            home, port=port, secret=secret, reply_url=platform.reply_url, lookup_url=platform.lookup_url
        )
        config = write_settings(home / "demo.toml", overrides | ({"engine": dict(engine)} if engine else {}))
        settings = load_settings(config)
        _check_engine(settings, say)
        boss = supervisor.Supervisor(settings, say=say, log=home / "log.jsonl", config=config)
        prepared(boss)
        say("1/3 database, orders and questions of the demo shop")
        database = Database(settings.database)
        stack.callback(database.close)
        migrate.upgrade(database)
        load_demo_data(database, shop)
        token = _agent(database)
        say("2/3 starting Redis, web and workers")
        stack.callback(boss.stop)
        supervisor.start_all(boss)
        _wait_until_ready(boss, settings, database)
        address = f"http://{settings.web.host}:{settings.web.port}"
        yield Stand(shop, platform, StoreObserver(database), Agent(address, token), boss, settings, token)


def _check_engine(settings: Settings, say: Callable[[str], None]) -> None:
    """A server that is not there is one clear line here, not seventy stories that end with a person."""
    if settings.engine.name != "openai":
        return
    engine = load_engine(**dict(settings.engine))
    try:
        if isinstance(engine, Checks):
            say(engine.check())
    finally:
        engine.close()


def _agent(database: Database) -> str:
    token, hashed = new_token()
    with database.write() as tx:
        agents.add(tx, name="demo", role="admin", token_sha256=hashed)
    return token


def _wait_until_ready(boss: supervisor.Supervisor, settings: Settings, database: Database) -> None:
    """The web process answers and the answer worker has opened its engine; raises BotError saying why not."""
    address, began, said_at = f"http://{settings.web.host}:{settings.web.port}/health", time.monotonic(), 0.0
    web = False
    while not boss.stopping:
        boss.watch()
        web = web or answers(address)
        if web and _engine_is_open(database):
            return
        seconds = time.monotonic() - began
        if any(child.restarts for child in boss.children):
            raise BotError(_last_words(boss))
        if seconds > (OPEN_S if web else READY_S):
            raise BotError(f"the {'answer worker' if web else 'web process'} did not start: {KEEP}")
        if seconds - said_at > SAY_EVERY_S:
            boss.say(f"... the engine {settings.engine.name} is being opened, {seconds:.0f} s")
            said_at = seconds
        time.sleep(0.1)


def _engine_is_open(database: Database) -> bool:
    with database.read() as tx:
        return metrics.workers_by_queue(tx, within_s=OPEN_S).get("answer", 0) > 0


def _last_words(boss: supervisor.Supervisor) -> str:
    """What a child that ended has said for people, in one line."""
    lines = [] if boss.log is None else boss.log.read_text("utf-8", "replace").splitlines()
    said = [line.removeprefix(OURS) for line in lines if line.startswith(OURS)]
    return said[-1] if said else f"a process ended at once: {KEEP}"
