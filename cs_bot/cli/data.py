"""orders import, faq import, user add | list | disable."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cs_bot import bootstrap
from cs_bot.cli.run import Config
from cs_bot.errors import ConfigError, NotFound
from cs_bot.knowledge import imports
from cs_bot.settings import load_settings
from cs_bot.store.queries import agents

orders_app = typer.Typer(no_args_is_help=True, help="The mirror of the shop's orders.")
faq_app = typer.Typer(no_args_is_help=True, help="Questions the shop answers always the same way.")
user_app = typer.Typer(no_args_is_help=True, help="People and programs that may use the review queue.")

LARGEST_ID = 2**63 - 1  # that a database holds
File = Annotated[Path, typer.Argument(help="CSV or JSON Lines.", exists=True, dir_okay=False, readable=True)]


def register(app: typer.Typer) -> None:
    """Add the command groups."""
    app.add_typer(orders_app, name="orders")
    app.add_typer(faq_app, name="faq")
    app.add_typer(user_app, name="user")


@contextmanager
def services(config: Path | None) -> Iterator[bootstrap.Services]:
    """Services with the newest tables, closed at the end."""
    built = bootstrap.build(load_settings(config))
    try:
        bootstrap.require_newest_tables(built)
        yield built
    finally:
        built.close()


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress(done, total) that draws a bar on stderr when that is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@orders_app.command("import", epilog="Example: cs-bot orders import orders.csv --account shop")
def import_orders(
    file: File,
    account: Annotated[str, typer.Option(help="Account whose customers these orders belong to.")],
    channel: Annotated[str, typer.Option(help="Channel of that account.")] = "generic",
    config: Config = None,
) -> None:
    """Import orders: all rows or none; every bad row is named with its line. An older updated_at never overwrites."""
    with services(config) as here, progress_bar("orders") as progress:
        if here.settings.account(channel, account) is None:
            known = ", ".join(f"{a.channel}/{a.name}" for a in here.settings.accounts) or "none"
            raise ConfigError(f"unknown account {channel}/{account}; known: {known}")
        done = imports.import_orders(
            here.database,
            file,
            channel=channel,
            account=account,
            timezone=here.settings.shop.timezone,
            progress=progress,
        )
    typer.echo(f"orders: {done.created} new, {done.updated} updated, {done.unchanged} unchanged, {done.stale} older")


@faq_app.command("import", epilog="Example: cs-bot faq import faq.jsonl")
def import_faq(file: File, config: Config = None) -> None:
    """Import FAQ entries: all rows or none; every bad row is named with its line."""
    with services(config) as here, progress_bar("faq") as progress:
        done = imports.import_faq(here.database, file, timezone=here.settings.shop.timezone, progress=progress)
    typer.echo(f"faq: {done.created} new, {done.updated} updated, {done.unchanged} unchanged, {done.stale} older")


@user_app.command("add", epilog="Example: cs-bot user add mei --role agent")
def add_user(
    name: Annotated[str, typer.Argument(help="Name, shown in the queue.")],
    role: Annotated[str, typer.Option(help=f"One of {', '.join(agents.ROLES)}.")] = "agent",
    config: Config = None,
) -> None:
    """Add a person or program; prints the token once (only its hash is stored)."""
    from cs_bot.web.auth import new_token

    if role not in agents.ROLES:
        raise ConfigError(f"unknown role {role!r}; known: {', '.join(agents.ROLES)}")
    with services(config) as here:
        token, hashed = new_token()
        with here.database.write() as tx:
            if agents.by_name(tx, name) is not None:
                raise ConfigError(f"there is a user {name!r} already")
            agents.add(tx, name=name, role=role, token_sha256=hashed)
    typer.echo(token)


@user_app.command("list", epilog="Example: cs-bot user list")
def list_users(config: Config = None) -> None:
    """List who may use the review queue."""
    with services(config) as here, here.database.read() as tx:
        for row in agents.active(tx):
            typer.echo(f"{row['id']}\t{row['role']}\t{row['name']}")


@user_app.command("disable", epilog="Example: cs-bot user disable mei")
def disable_user(name: Annotated[str, typer.Argument(help="Name of the user.")], config: Config = None) -> None:
    """Shut a user out; the history keeps the name."""
    with services(config) as here, here.database.write() as tx:
        row = agents.by_name(tx, name)
        if row is None:
            raise NotFound(f"there is no user {name!r}")
        agents.change(tx, row["id"], disabled_at=tx.now())
    typer.echo(f"{name} is disabled")
