"""1b pictures of new messages: channel -> images -> media store; pictures of products when none of those waits."""

import random
from collections.abc import Callable

from cs_bot import turns
from cs_bot.errors import PictureError, PictureRefused, PictureUnreadable, StoreUnavailable
from cs_bot.images import FetchRules, StoredPicture, accept_picture, decode_data_url, fetch_picture
from cs_bot.knowledge.catalog import indexing
from cs_bot.records import Reason
from cs_bot.settings import Settings
from cs_bot.store.database import Database, Row, Transaction
from cs_bot.store.media import MediaStore
from cs_bot.store.queries import pictures, product_pictures

LEASE_FACTOR = 3  # a fetch that outlives this many time limits has lost its worker
PRODUCT_S = 3.0  # for one product's picture: a customer's may have to wait behind it
STORE_AWAY_S = 2.0  # a picture waits this long when the picture store takes nothing


def fetch_next(database: Database, *, media: MediaStore, settings: Settings, ring: Callable[[str], None]) -> bool:
    """Fetch one picture that is due; False when none is. Every outcome is a state of its row, never an exception.

    A store that can't be reached raises StoreUnavailable; the picture is tried again and none of its attempts is lost.
    """
    with database.read() as tx:  # a poll must not take SQLite's only write lock
        if not pictures.any_due(tx):
            return False
    with database.write() as tx:
        row = pictures.claim(
            tx, lease_s=settings.fetch.timeout_s * LEASE_FACTOR, max_attempts=settings.fetch.max_attempts
        )
    if row is None:
        return False
    try:
        picture = accept_picture(_bytes(row, settings))
    except PictureError as problem:
        _failed(database, row, problem, settings, ring)
        return True
    try:
        media.write(picture.sha256, picture.data)
    except StoreUnavailable:
        with database.write() as tx:
            pictures.retry_later(tx, row["id"], row["fence"], STORE_AWAY_S, counted=False)
        raise
    _stored(database, row, picture, settings, ring)
    media.write(picture.sha256, picture.data)  # retention may have removed the same picture of an older message
    return True


def index_next(database: Database, *, settings: Settings) -> bool:
    """Fetch and index one picture of a product that is due; False when none is, or OpenCV is missing."""
    if not indexing.can_index():
        return False
    rules_of = product_rules(settings, at_most_s=PRODUCT_S)
    return indexing.index_next(database, rules_of=rules_of, max_attempts=settings.fetch.max_attempts) is not None


def product_rules(settings: Settings, *, at_most_s: float | None = None) -> indexing.RulesOf:
    """What the product pictures of each account may be fetched from."""
    fetch = settings.fetch
    if at_most_s is not None:
        fetch = fetch.model_copy(update={"timeout_s": min(at_most_s, fetch.timeout_s)})

    def rules_of(channel: str, name: str) -> FetchRules | None:
        account = settings.account(channel, name)
        return None if account is None else FetchRules.of(account, fetch)

    return rules_of


def _bytes(row: Row, settings: Settings) -> bytes:
    source: str = row["source"]
    if source[:5].lower() == "data:":
        return decode_data_url(source, max_bytes=settings.web.max_data_url_bytes)
    account = settings.account(row["channel"], row["account"])
    if account is None:
        raise PictureRefused("the account of this picture is no longer configured")
    return fetch_picture(source, rules=FetchRules.of(account, settings.fetch))


def _stored(
    database: Database, row: Row, picture: StoredPicture, settings: Settings, ring: Callable[[str], None]
) -> None:
    with database.write() as tx:
        picture_id = pictures.store(
            tx,
            sha256=picture.sha256,
            pixels_sha256=picture.pixels_sha256,
            format=picture.format,
            width=picture.width,
            height=picture.height,
            size=picture.size,
            tags=list(picture.tags),
        )
        if pictures.settle(tx, row["id"], row["fence"], picture_id=picture_id, failure=None):
            turns.picture_settled(tx, row["conversation_id"], settings.turns)
    ring("answer")


def _failed(
    database: Database, row: Row, problem: PictureError, settings: Settings, ring: Callable[[str], None]
) -> None:
    with database.write() as tx:
        if problem.retryable and row["attempts"] < settings.fetch.max_attempts:
            pictures.retry_later(tx, row["id"], row["fence"], random.uniform(0, 2.0 ** row["attempts"]))
            return
        if pictures.settle(tx, row["id"], row["fence"], picture_id=None, failure=reason_of(problem)):
            turns.picture_settled(tx, row["conversation_id"], settings.turns)
    ring("answer")


def reason_of(problem: PictureError) -> Reason:
    """What the agent reads."""
    if isinstance(problem, PictureRefused):
        return Reason.PICTURE_REFUSED
    if isinstance(problem, PictureUnreadable):
        return Reason.PICTURE_UNREADABLE
    return Reason.PICTURE_UNREACHABLE


def sweep(database: Database, *, settings: Settings) -> int:
    """Give up pictures whose worker died too often (upkeep); how many."""
    given_up = 0
    with database.read() as tx:
        exhausted = pictures.exhausted(tx, settings.fetch.max_attempts)
    for row in exhausted:
        with database.write() as tx:
            if pictures.settle(tx, row["id"], row["fence"], picture_id=None, failure=Reason.PICTURE_UNREADABLE):
                turns.picture_settled(tx, row["conversation_id"], settings.turns)
                given_up += 1
    return given_up


def any_due(tx: Transaction) -> bool:
    """Whether a picture of a message or a product can be fetched now."""
    return pictures.any_due(tx) or (indexing.can_index() and product_pictures.any_due(tx))


def seconds_until_due(database: Database) -> float | None:
    """How long until a picture is due; None when none waits."""
    with database.read() as tx:
        times = [pictures.next_due_at(tx), product_pictures.next_due_at(tx) if indexing.can_index() else None]
        waits = [(due_at - tx.now()).total_seconds() for due_at in times if due_at is not None]
        return max(0.0, min(waits)) if waits else None
