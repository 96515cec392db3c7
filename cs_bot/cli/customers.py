"""customer show | delete."""

import getpass
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer
from redis.exceptions import RedisError

from cs_bot import bootstrap, retention
from cs_bot.cache import purge
from cs_bot.cli.data import LARGEST_ID, progress_bar, services
from cs_bot.cli.run import Config
from cs_bot.errors import ConfigError
from cs_bot.records import Customer

REDIS_S = 5.0
customer_app = typer.Typer(no_args_is_help=True, help="What is stored of one customer, and deleting it.")

Number = Annotated[
    int | None, typer.Argument(metavar="[ID]", min=1, max=LARGEST_ID, help="Our number of the customer.")
]
ChannelName = Annotated[str, typer.Option(help="Channel of the account.")]
AccountName = Annotated[str | None, typer.Option(help="Account, with --external-id.")]
External = Annotated[str | None, typer.Option("--external-id", help="The platform's id of the customer.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    app.add_typer(customer_app, name="customer")


@customer_app.command(
    epilog="Example: cs-bot customer show 12   |   cs-bot customer show --account shop --external-id u1"
)
def show(
    customer_id: Number = None,
    channel: ChannelName = "generic",
    account: AccountName = None,
    external_id: External = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Show what is stored of a customer, or the proof of their deletion."""
    with services(config) as here:
        found = retention.show(here.database, _which(here, customer_id, channel, account, external_id))
    if as_json:
        typer.echo(json.dumps(asdict(found), ensure_ascii=False, default=str))
        return
    if found.deletion is not None:
        _tell(found.deletion)
        return
    typer.echo(f"customer {found.customer_id}: {found.external_id} on {found.channel}/{found.account}")
    typer.echo(f"since     {found.created_at:%Y-%m-%d %H:%M} UTC")
    typer.echo(f"name      {found.name or '-'}")
    typer.echo(f"e-mail    {', '.join(found.emails) or '-'}")
    typer.echo(f"phone     {', '.join(found.phones) or '-'}")
    typer.echo(f"stored    {_counts(found.counts)}")
    typer.echo(f"not over  {_counts(found.live)}")


@customer_app.command(epilog="Example: cs-bot customer delete 12 --by mei")
def delete(
    customer_id: Number = None,
    channel: ChannelName = "generic",
    account: AccountName = None,
    external_id: External = None,
    by: Annotated[str | None, typer.Option(help="Who does it, for the proof; default: your login name.")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="First take back what nobody has answered, and cancel unsent replies.")
    ] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Delete everything personal of a customer for good and print the proof; refused while something is not over.

    Orders stay (they are the shop's records) without the customer's id and contacts. The next message of the same
    person starts a new record.
    """
    with services(config) as here, progress_bar("raw bodies") as progress:
        done = retention.delete(
            here.database,
            _which(here, customer_id, channel, account, external_id),
            media=here.media,
            actor=by or getpass.getuser(),
            force=force,
            uncache=lambda customer, pictures: _uncache(here, customer, pictures),
            progress=progress,
        )
    if as_json:
        typer.echo(json.dumps(asdict(done), ensure_ascii=False, default=str))
        return
    _tell(done)


def _uncache(here: bootstrap.Services, customer: Customer, pictures: Sequence[str]) -> None:
    """What the cache holds of them goes now; without Redis it runs out by itself."""
    redis = bootstrap.redis_client(here.settings, answer_s=REDIS_S)
    try:
        purge(redis, customer=customer)
        if pictures:
            purge(redis, pictures=pictures)
    except RedisError as problem:
        typer.echo(
            f"note: the cache can't be reached ({type(problem).__name__}); what it holds of them runs out within"
            f" {here.settings.cache.look_ttl_s / 3600:g} h",
            err=True,
        )
    finally:
        redis.close()


def _which(
    here: bootstrap.Services, customer_id: int | None, channel: str, account: str | None, external_id: str | None
) -> int:
    if (customer_id is None) == (external_id is None):
        raise ConfigError("say which customer: ID, or --account NAME --external-id ID")
    if customer_id is not None:
        return customer_id
    if account is None:
        raise ConfigError("--external-id needs --account (and --channel, when it is not generic)")
    return retention.find(here.database, channel, account, str(external_id))


def _tell(done: retention.Deletion) -> None:
    again = " already" if done.already else ""
    typer.echo(f"customer {done.customer_id} on {done.channel}/{done.account} was{again} deleted")
    typer.echo(f"when      {done.at:%Y-%m-%d %H:%M:%S} UTC by {done.actor}")
    typer.echo(f"id        {done.external_id_sha256}")
    typer.echo(f"what      {_counts(done.counts)}")


def _counts(counts: dict[str, Any]) -> str:
    return ", ".join(f"{n} {what.replace('_', ' ')}" for what, n in counts.items() if n) or "nothing"
