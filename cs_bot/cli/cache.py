"""cache stats | purge."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from redis import Redis
from redis.exceptions import RedisError
from rich.console import Console
from rich.table import Table

from cs_bot import bootstrap, cache
from cs_bot.cli.data import services
from cs_bot.cli.run import Config
from cs_bot.errors import ConfigError, NotFound, StoreUnavailable
from cs_bot.images import accept_picture
from cs_bot.settings import Settings
from cs_bot.store.queries import cache_checks, pictures

ANSWER_S = 5.0
cache_app = typer.Typer(no_args_is_help=True, help="Looks and drafts that are kept in Redis.")


def register(app: typer.Typer) -> None:
    """Add the command group."""
    app.add_typer(cache_app, name="cache")


@contextmanager
def _redis(settings: Settings) -> Iterator[Redis]:
    """A patient client; what Redis does not answer is one clear line."""
    client = bootstrap.redis_client(settings, answer_s=ANSWER_S)
    try:
        yield client
    except RedisError as problem:
        raise StoreUnavailable(
            f"Redis can't be reached ({type(problem).__name__}): is `cs-bot up` running, is CSBOT_REDIS_URL right?"
        ) from None
    finally:
        client.close()


@cache_app.command("stats", epilog="Example: cs-bot cache stats")
def stats(config: Config = None) -> None:
    """Show what is kept, how often it helped, and how often a checked hit was false."""
    with services(config) as here, _redis(here.settings) as redis:
        with here.database.read() as tx:
            checks = cache_checks.by_result(tx)
        memory: Any = redis.info("memory")
        events: Any = redis.info("stats")
        counts, kept = cache.counts(redis), cache.kept(redis)
    console = Console(highlight=False)
    table = Table("", *cache.CACHES, title="cache", title_justify="left", box=None)
    for word in (*cache.RESULTS, "dropped"):
        table.add_row(word, *(f"{counts.get(f'{name}.{word}', 0):,.0f}" for name in cache.CACHES))
    table.add_row("seconds saved", *(f"{counts.get(f'{name}.saved_s', 0):,.1f}" for name in cache.CACHES))
    table.add_row("kept now", *(f"{kept[name]:,}" for name in cache.CACHES))
    console.print(table)
    limit = memory.get("maxmemory_human", "?") if memory.get("maxmemory") else "none"
    console.print(f"Redis uses {memory['used_memory_human']} (limit {limit}), {events['evicted_keys']} keys evicted")
    console.print("checked hits: " + ", ".join(f"{count} {result}" for result, count in checks.items()))
    compared = checks["same"] + checks["differs"]
    console.print(f"false hits: {checks['differs']} of {compared}" if compared else "false hits: nothing checked yet")


@cache_app.command("purge", epilog="Example: cs-bot cache purge --picture photo.jpg   |   cs-bot cache purge --all")
def purge(
    picture: Annotated[
        str | None, typer.Option(metavar="SHA256|FILE", help="A picture: its file, or the SHA-256 of its bytes.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All looks and drafts.")] = False,
    config: Config = None,
) -> None:
    """Forget what was kept of one picture, or everything; it is computed again when it is asked for."""
    if (picture is None) != everything:
        raise ConfigError("say what to forget: --picture SHA256|FILE or --all")
    with services(config) as here, _redis(here.settings) as redis:
        names = None if picture is None else _names(here, picture)
        deleted = cache.purge(redis, pictures=names)
    typer.echo(f"{deleted} keys deleted")


def _names(here: bootstrap.Services, picture: str) -> list[str]:
    """The SHA-256s of the picture's bytes and pixels."""
    if re.fullmatch(r"[0-9a-f]{64}", picture):
        with here.database.read() as tx:
            pixels = pictures.pixels_of(tx, picture)
        return [picture] if pixels is None else [picture, pixels]
    file = Path(picture)
    if not file.is_file():
        raise NotFound(f"{picture} is neither a file nor a SHA-256 (64 hex digits)")
    accepted = accept_picture(file.read_bytes())
    return [accepted.sha256, accepted.pixels_sha256]
