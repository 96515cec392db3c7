"""demo: a simulated shop platform talks to a cs-bot started for the purpose."""

import shutil
import socket
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cs_bot import supervisor
from cs_bot.cli.run import stop_on_signals, upgrade
from cs_bot.errors import BotError
from cs_bot.settings import Settings, load_settings
from cs_bot.store.database import Database
from cs_bot.store.queries import agents

READY_S = 60.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: cs-bot demo   |   cs-bot demo --once")(demo)


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Run the stories, print the table, exit 0 only when each ended as expected.")
    ] = False,
    port: Annotated[int, typer.Option(help="Port of the review queue; 0 = a free one.")] = 0,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the demo's folder (database, pictures, log).")] = False,
) -> None:
    """Show the main job on real input: signed webhooks with pictures in, proven replies or drafts out.

    Ctrl-C ends it: exit code 130 while the stories are told, as they came out afterwards.
    """
    console = Console(highlight=False, soft_wrap=True)
    home = Path(tempfile.mkdtemp(prefix="cs-bot-demo-"))
    try:
        ok = _demo(console, home, once=once, port=port or _free_port())
    finally:
        if keep:
            console.print(f"kept: {home}")
        else:
            shutil.rmtree(home, ignore_errors=True)
    if not ok:
        raise typer.Exit(1)


def _demo(console: Console, home: Path, *, once: bool, port: int) -> bool:
    from cs_bot.demo.account import demo_settings, new_secret, webhook_url, write_settings
    from cs_bot.demo.desk import Agent
    from cs_bot.demo.platform import ShopPlatform
    from cs_bot.demo.run import run_scenarios
    from cs_bot.demo.shop import load_demo_data, load_shop
    from cs_bot.demo.stories import build_scenarios
    from cs_bot.demo.watching import StoreObserver

    shop, secret = load_shop(), new_secret()
    with ExitStack() as stack:
        platform = stack.enter_context(ShopPlatform(webhook_url(port), secret, pictures=shop.pictures))
        overrides = demo_settings(
            home, port=port, secret=secret, reply_url=platform.reply_url, lookup_url=platform.lookup_url
        )
        config = write_settings(home / "demo.toml", overrides)
        settings = load_settings(config)
        boss = supervisor.Supervisor(settings, say=console.print, log=home / "log.jsonl", config=config)
        stop_on_signals(boss)
        console.print("1/3 database, orders and questions of the demo shop")
        upgrade(settings)
        database = Database(settings.database)
        stack.callback(database.close)
        load_demo_data(database, shop)
        token = _agent(database)
        console.print("2/3 starting Redis, web and workers")
        stack.callback(boss.stop)
        supervisor.start_all(boss)
        _wait_until_ready(boss, settings)
        console.print("3/3 customers write\n")
        results = run_scenarios(
            platform,
            build_scenarios(shop),
            observer=StoreObserver(database),
            console=console,
            stopping=boss.stopped,
            agent=Agent(f"http://{settings.web.host}:{settings.web.port}", token),
        )
        if boss.stopping:
            raise typer.Exit(130)
        ok = all(result.ok for result in results)
        if not once:
            _say_where(console, settings, token)
            boss.run()
    return ok


def _agent(database: Database) -> str:
    from cs_bot.web.auth import new_token

    token, hashed = new_token()
    with database.write() as tx:
        agents.add(tx, name="demo", role="admin", token_sha256=hashed)
    return token


def _wait_until_ready(boss: supervisor.Supervisor, settings: Settings) -> None:
    from cs_bot.demo.watching import answers

    end = time.monotonic() + READY_S
    while time.monotonic() < end and not boss.stopping:
        boss.watch()
        if answers(f"http://{settings.web.host}:{settings.web.port}/health"):
            return
        time.sleep(0.1)
    if not boss.stopping:
        raise BotError("the web process did not start; run again with --keep and read log.jsonl in the folder it names")


def _say_where(console: Console, settings: Settings, token: str) -> None:
    address = f"http://{settings.web.host}:{settings.web.port}"
    console.print(f"\nreview queue  {address}/review")
    console.print(f"token         {token}")
    console.print(f"health        {address}/health?deep=1")
    console.print(f"metrics       {address}/metrics")
    console.print("Ctrl-C ends everything.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
