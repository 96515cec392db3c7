"""read, ask, replay: look at pictures and turns without sending anything."""

import json
import sys
from dataclasses import replace as replace_parts
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cs_bot import pipeline, turns
from cs_bot.cli.data import LARGEST_ID, progress_bar, services
from cs_bot.cli.run import Config
from cs_bot.errors import BotError, ConfigError, EngineError
from cs_bot.images import accept_picture
from cs_bot.records import Customer, Message, PictureState, PictureUse, Turn
from cs_bot.settings import load_settings
from cs_bot.store.media import MediaStore
from cs_bot.store.queries import customers
from cs_bot.store.queries import turns as turn_queries
from cs_bot.vision.base import PictureInput, Vision, load_engine, look_json


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: cs-bot read order.png --json   |   cs-bot read shots/*.jpg --json > looks.jsonl")(read)
    app.command(epilog='Example: cs-bot ask --image order.png "为什么还没发货？" --account shop --customer c-1001')(ask)
    app.command(epilog="Example: cs-bot replay 42")(replay)


def read(
    pictures: Annotated[list[Path], typer.Argument(help="Picture files.", exists=True, dir_okay=False)],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line a picture on stdout.")] = False,
    engine: Annotated[str | None, typer.Option(help="Engine; default: the settings'.")] = None,
    config: Config = None,
) -> None:
    """Say what pictures show. Exit code 0 when every line was written; an unreadable file's line has `error`."""
    settings = load_settings(config)
    vision = load_engine(**{**dict(settings.engine), "name": engine or settings.engine.name})
    console = Console(highlight=False)
    try:
        with progress_bar("pictures") as progress:
            for done, path in enumerate(pictures, start=1):
                line = {"file": str(path), **_look(vision, path)}
                if as_json:
                    sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
                    sys.stdout.flush()
                else:
                    console.print(_shown(line))
                progress(done, len(pictures))
    finally:
        vision.close()


def _look(vision: Vision, path: Path) -> dict[str, Any]:
    try:
        picture = accept_picture(path.read_bytes())
        result = vision.look([PictureInput(picture.sha256, picture.data)])[0]
        if isinstance(result, EngineError):
            raise result
    except (BotError, OSError) as problem:
        return {"error": str(problem), "kind": None, "kinds": {}, "fields": {}, "states": {}, "seconds": None}
    return look_json(result)


def _shown(line: dict[str, Any]) -> Table:
    table = Table(title=line["file"], title_justify="left", show_header=False, box=None)
    if "error" in line:
        table.add_row("error", line["error"])
        return table
    table.add_row("kind", f"{line['kind']}  ({line['kinds'][line['kind']]:.0%})")
    for name, state in line["states"].items():
        table.add_row(name, f"{line['fields'][name] if line['fields'][name] is not None else '–'}  [{state}]")
    table.add_row("seconds", f"{line['seconds']:.2f}")
    return table


def ask(
    question: Annotated[str, typer.Argument(help="The customer's words.")] = "",
    image: Annotated[list[Path] | None, typer.Option("--image", exists=True, dir_okay=False, help="A picture.")] = None,
    account: Annotated[str, typer.Option(help="Account that the customer writes to.")] = "ask",
    channel: Annotated[str, typer.Option(help="Channel of that account.")] = "generic",
    customer: Annotated[str, typer.Option(help="The platform's customer id; decides whose orders count.")] = "nobody",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    config: Config = None,
) -> None:
    """Show what cs-bot would do with a question; nothing is stored or sent."""
    with services(config) as here:
        media = MediaStore("memory://cs-bot-ask")
        turn = _asked(question, image or [], media, _customer(here, channel, account, customer))
        parts = here.parts()
        done = pipeline.work([turn], replace_parts(parts, media=media, looks=None, words=None))[0]
    _show(done, as_json)


def _customer(here: Any, channel: str, account: str, external_id: str) -> Customer:
    with here.database.read() as tx:
        found = customers.find(tx, channel, account, external_id)
    return found or Customer(customer_id=0, channel=channel, account=account, external_id=external_id)


def _asked(question: str, images: list[Path], media: MediaStore, customer: Customer) -> Turn:
    if not question.strip() and not images:
        raise ConfigError("nothing to ask: give a question, a picture (--image), or both")
    now = datetime.now(UTC)
    uses = []
    for position, path in enumerate(images):
        picture = accept_picture(path.read_bytes())
        media.write(picture.sha256, picture.data)
        uses.append(
            PictureUse(
                picture_use_id=position,
                message_id=0,
                position=position,
                state=PictureState.READY,
                sha256=picture.sha256,
                tags=picture.tags,
            )
        )
    message = Message(
        message_id=0,
        external_id="ask",
        seq=1,
        text=question,
        sent_at=now,
        received_at=now,
        customer_id=customer.customer_id,
        pictures=tuple(uses),
    )
    return Turn(
        turn_id=0,
        conversation_id=0,
        channel=customer.channel,
        account=customer.account,
        fence=0,
        attempts=1,
        restarts=0,
        round=1,
        origin="customer",  # what would be done if one wrote this; work() stores and sends nothing
        deadline_at=now + timedelta(seconds=120),
        messages=(message,),
        customers=(customer,),
    )


def replay(
    turn_id: Annotated[int, typer.Argument(min=1, max=LARGEST_ID, help="The turn's id, as in the logs.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    config: Config = None,
) -> None:
    """Work a stored turn again with today's engine, records and policy, and show both results; sends nothing."""
    with services(config) as here:
        turn = turns.stored(here.database, turn_id, settings=here.settings, policy=here.policy())
        with here.database.read() as tx:
            before = turn_queries.latest_decision(tx, turn_id)
        done = pipeline.work([turn], replace_parts(here.parts(), looks=None, words=None))[0]
    then = None if before is None else before["body"]
    if not as_json and then is not None:
        typer.echo(f"then: {then['action']} {then['kind']}/{then['route']}: {', '.join(then['reasons'])}")
    _show(done, as_json, then=then)


def _show(done: pipeline.Worked, as_json: bool, **more: Any) -> None:
    if done.problem is not None:
        raise done.problem
    assert done.decision is not None
    if as_json:
        shown = {name: getattr(done, name) for name in ("reading", "facts", "draft", "decision")}
        body = {name: None if part is None else part.model_dump(mode="json") for name, part in shown.items()}
        stages = {row.stage: round(row.seconds, 4) for row in done.stages}
        typer.echo(json.dumps({**body, "stages": stages, **more}, ensure_ascii=False))
        return
    decision = done.decision
    typer.echo(f"kind      {decision.kind} ({decision.route})")
    typer.echo(f"decision  {decision.action}: {', '.join(decision.reasons)}")
    typer.echo(f"reply     {done.draft.text if done.draft is not None else '(nothing can be said)'}")
    typer.echo("stages    " + "  ".join(f"{row.stage} {row.seconds:.2f} s" for row in done.stages))
