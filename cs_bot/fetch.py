"""1b pictures of new messages: channel -> images -> media store."""

import random
from collections.abc import Callable

from cs_bot import turns
from cs_bot.errors import PictureError, PictureRefused, PictureUnreadable, StoreUnavailable
from cs_bot.images import FetchRules, StoredPicture, accept_picture, decode_data_url, fetch_picture
from cs_bot.records import Reason
from cs_bot.settings import Settings
from cs_bot.store.database import Database, Row
from cs_bot.store.media import MediaStore
from cs_bot.store.queries import pictures

LEASE_FACTOR = 3  # a fetch that outlives this many time limits has lost its worker
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


def _bytes(row: Row, settings: Settings) -> bytes:
    source: str = row["source"]
    if source[:5].lower() == "data:":
        return decode_data_url(source, max_bytes=settings.web.max_data_url_bytes)
    account = settings.account(row["channel"], row["account"])
    if account is None:
        raise PictureRefused("the account of this picture is no longer configured")
    return fetch_picture(
        source,
        rules=FetchRules(
            hosts=account.media_hosts,
            allow_http=account.allow_http,
            allow_private=account.allow_private,
            max_bytes=settings.fetch.max_bytes,
            total_s=settings.fetch.timeout_s,
        ),
    )


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


def seconds_until_due(database: Database) -> float | None:
    """How long until a picture is due; None when none waits."""
    with database.read() as tx:
        due_at = pictures.next_due_at(tx)
        return None if due_at is None else max(0.0, (due_at - tx.now()).total_seconds())
