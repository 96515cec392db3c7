"""Works cases off through the real stages, on a database made for them; nothing is sent."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from cs_bot import bootstrap, pipeline
from cs_bot.errors import BotError
from cs_bot.evaluate.cases import ACCOUNT, CHANNEL, FAQ, ORDERS, PRODUCTS, Case, CaseSet
from cs_bot.images import accept_picture
from cs_bot.knowledge import imports
from cs_bot.knowledge.catalog import indexing
from cs_bot.knowledge.catalog.importing import import_catalog
from cs_bot.records import (
    Customer,
    Decision,
    Draft,
    Facts,
    Message,
    PictureState,
    PictureUse,
    Policy,
    Reading,
    Reason,
    Turn,
)
from cs_bot.settings import Settings
from cs_bot.store import migrate
from cs_bot.store.database import Database
from cs_bot.store.media import MediaStore
from cs_bot.store.queries import customers
from cs_bot.vision.base import Vision

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Ran:
    """What came of one case. `problem` is set where a stage failed; seconds by stage."""

    case: Case
    reading: Reading | None
    facts: Facts
    draft: Draft | None
    decision: Decision | None
    seconds: dict[str, float]
    problem: str | None = None


def run_cases(
    cases: CaseSet,
    settings: Settings,
    *,
    policy: Policy | None = None,
    vision: Vision | None = None,
    progress: Progress | None = None,
) -> list[Ran]:
    """Every case in order, with the engine of the settings (or `vision`) and a policy (default: the settings' first).

    Records and pictures come from the set. Raises ImportRefused for records that can't be read, NotFound for a picture
    that is not there, and what opening the engine raises.
    """
    with _place(settings, vision) as here:
        _import(here, cases)
        parts = replace(here.parts(), policy=policy or here.policy())
        found = []
        for done, case in enumerate(cases.cases, start=1):
            found.append(_run(case, cases, parts))
            if progress is not None:
                progress(done, len(cases.cases))
        return found


@contextmanager
def _place(settings: Settings, vision: Vision | None) -> Iterator[bootstrap.Services]:
    """Services over a database and a picture store of the cases' own; no Redis, so no caches: all is computed."""
    with tempfile.TemporaryDirectory(prefix="cs-bot-evaluate-") as folder:
        database = Database(f"sqlite:///{folder}/cases.db")
        media = MediaStore(f"file://{folder}/media")
        here = bootstrap.build(settings, vision=vision, database=database, media=media, redis=None, channels={})
        try:
            migrate.upgrade(database)
            yield here
        finally:
            here.close()


def _import(here: bootstrap.Services, cases: CaseSet) -> None:
    zone = here.settings.shop.timezone
    if path := cases.records(ORDERS):
        imports.import_orders(here.database, path, channel=CHANNEL, account=ACCOUNT, timezone=zone)
    if path := cases.records(FAQ):
        imports.import_faq(here.database, path, timezone=zone)
    if path := cases.records(PRODUCTS):
        import_catalog(here.database, path, channel=CHANNEL, account=ACCOUNT, file_format="own", timezone=zone)
        indexing.index_folder(here.database, cases.folder, of=(CHANNEL, ACCOUNT))


def _run(case: Case, cases: CaseSet, parts: pipeline.Parts) -> Ran:
    done = pipeline.work([_turn(case, cases, parts)], parts)[0]
    return Ran(
        case=case,
        reading=done.reading,
        facts=done.facts,
        draft=done.draft,
        decision=done.decision,
        seconds={row.stage: row.seconds for row in done.stages},
        problem=None if done.problem is None else type(done.problem).__name__,
    )


def _turn(case: Case, cases: CaseSet, parts: pipeline.Parts) -> Turn:
    now = datetime.now(UTC)
    with parts.database.write() as tx:
        customer_id = customers.upsert(tx, CHANNEL, ACCOUNT, case.customer, now=tx.now())
        customer = customers.get(tx, customer_id)
    assert customer is not None
    uses = tuple(_use(n, cases.picture(name), parts.media) for n, name in enumerate(case.pictures))
    message = Message(
        message_id=1,
        external_id=case.case_id,
        seq=1,
        text=case.text,
        sent_at=now,
        received_at=now,
        customer_id=customer_id,
        pictures=uses,
    )
    return _about(case, message, customer, now)


def _about(case: Case, message: Message, customer: Customer, now: datetime) -> Turn:
    return Turn(
        turn_id=0,
        conversation_id=0,
        channel=CHANNEL,
        account=ACCOUNT,
        fence=0,
        attempts=1,
        restarts=0,
        round=1,
        origin="customer",
        deadline_at=now + timedelta(seconds=120),
        messages=(message,),
        customers=(customer,),
        earlier=case.earlier,
    )


def _use(position: int, data: bytes, media: MediaStore) -> PictureUse:
    at = {"picture_use_id": position, "message_id": 1, "position": position}
    try:
        picture = accept_picture(data)
    except BotError:
        return PictureUse(**at, state=PictureState.FAILED, failure=Reason.PICTURE_UNREADABLE)
    media.write(picture.sha256, picture.data)
    return PictureUse(**at, state=PictureState.READY, sha256=picture.sha256, tags=picture.tags)
