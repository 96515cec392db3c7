"""up, web, worker, migrate."""

import os
import signal
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cs_bot import bootstrap, supervisor
from cs_bot.errors import ConfigError
from cs_bot.observe import log_to
from cs_bot.settings import Settings, load_settings
from cs_bot.store import migrate as migrations
from cs_bot.store.database import Database

WEB_GRACE_S = 2  # after SIGTERM; live pages keep their connection open for ever
QUEUES = ("fetch", "answer", "deliver", "upkeep")
Config = Annotated[
    Path | None, typer.Option("--config", help="Settings file; default $CSBOT_CONFIG, else ./csbot.toml.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: cs-bot up --port 8080")(up)
    app.command(epilog="Example: cs-bot web --host 0.0.0.0 --port 8080")(web)
    app.command(epilog="Example: cs-bot worker answer")(worker)
    app.command(epilog="Example: cs-bot migrate   |   cs-bot migrate --to base")(migrate)


def with_overrides(config: Path | None, host: str | None = None, port: int | None = None) -> Settings:
    """The settings, with what the command line says on top."""
    settings = load_settings(config)
    said = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    return settings.model_copy(update={"web": settings.web.model_copy(update=said)}) if said else settings


def upgrade(settings: Settings) -> None:
    """Bring the database to the newest tables."""
    database = Database(settings.database)
    try:
        migrations.upgrade(database)
    finally:
        database.close()


def up(
    config: Config = None,
    host: Annotated[str | None, typer.Option(help="Address of the web process.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port of the web process; 0 = a free one.")] = None,
) -> None:
    """Run everything on this machine: Redis (unless CSBOT_REDIS_URL is set), web, one worker of each kind, upkeep."""
    console = Console(highlight=False, soft_wrap=True)
    settings = with_overrides(config, host, port)
    if not settings.accounts:
        raise ConfigError("no account is configured: see docs/configuration.md, or try `cs-bot demo`")
    settings = with_free_port(settings)
    bootstrap.build(settings).close()  # a wrong account or policy is one clear line here, not four workers that die
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    upgrade(settings)
    boss = supervisor.Supervisor(settings, say=console.print, config=config)
    stop_on_signals(boss)
    try:
        supervisor.start_all(boss)
        console.print(f"review queue  http://{settings.web.host}:{settings.web.port}/review")
        for account in settings.accounts:
            address = f"http://{settings.web.host}:{settings.web.port}/webhooks/{account.channel}/{account.name}"
            console.print(f"webhook       {address}")
        console.print("Ctrl-C ends everything.")
        boss.run()
    finally:
        boss.stop()


def with_free_port(settings: Settings) -> Settings:
    """The settings with a port that can be listened on (0 = any); raises ConfigError when somebody has it."""
    port = free_port(settings.web.host, settings.web.port, "CSBOT_WEB__PORT")
    return settings.model_copy(update={"web": settings.web.model_copy(update={"port": port})})


def free_port(host: str, port: int, setting: str) -> int:
    """The port, or any for 0; raises ConfigError when it can't be listened on."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.create_server((host, port), family=family) as probe:
            return int(probe.getsockname()[1])
    except OSError as problem:
        why = os.strerror(problem.errno) if problem.errno else type(problem).__name__
        raise ConfigError(f"can't listen on {host}:{port} ({why}): choose another with --port or {setting}") from None


def stop_on_signals(boss: supervisor.Supervisor) -> None:
    """SIGINT and SIGTERM end the supervisor's loop."""

    def stop(*_: object) -> None:
        boss.stopped.set()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)


def web(
    config: Config = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on.")] = None,
    root_path: Annotated[str, typer.Option(help="Path prefix that a proxy strips.")] = "",
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not say where it listens.")] = False,
) -> None:
    """Run the web process: webhooks, review queue, /health, /metrics."""
    import uvicorn

    from cs_bot.web.app import create_app

    settings = with_free_port(with_overrides(config, host, port))
    log_to(level=settings.log_level)
    services = bootstrap.build(settings)
    bootstrap.require_newest_tables(services)
    if not quiet:
        Console(highlight=False, soft_wrap=True).print(f"listening on http://{settings.web.host}:{settings.web.port}")
    try:
        uvicorn.run(
            create_app(services),
            host=settings.web.host,
            port=settings.web.port,
            root_path=root_path,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=WEB_GRACE_S,
        )
    finally:
        services.close()


def worker(
    queue: Annotated[str, typer.Argument(help="fetch, answer, deliver or upkeep")],
    config: Config = None,
) -> None:
    """Run one worker until SIGTERM; start as many of each as you need (upkeep: any number, one is enough)."""
    if queue not in QUEUES:
        raise ConfigError(f"unknown worker {queue!r}; known: {', '.join(QUEUES)}")
    settings = load_settings(config)  # a wrong setting is one clear line here, not one in the log
    env = supervisor.Supervisor(settings, say=typer.echo, config=config).environment()
    os.execve(sys.executable, [sys.executable, "-m", f"workers.{queue}"], env)


def migrate(
    to: Annotated[str, typer.Option("--to", help="Revision to go to; `base` removes every table.")] = "head",
    config: Config = None,
) -> None:
    """Bring the database's tables to this version (or back with --to)."""
    settings = load_settings(config)
    database = Database(settings.database)
    try:
        current, newest = migrations.state(database)
        migrations.move(database, to)
        after, _ = migrations.state(database)
        typer.echo(f"database at {after or 'nothing'} (was {current or 'nothing'}, newest {newest})")
    finally:
        database.close()
