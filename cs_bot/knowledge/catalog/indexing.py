"""Product pictures fetched and indexed, one at a time; every outcome is a state of the picture's row."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote, urlsplit

from PIL import Image

from cs_bot.errors import MissingExtra, PictureError, PictureRefused, PictureUnreachable, PictureUnreadable
from cs_bot.images import FetchRules, accept_picture, decode_data_url, fetch_picture
from cs_bot.knowledge.catalog.columns import GRAMS_VERSION, searchable
from cs_bot.knowledge.likeness import FEATURES_VERSION, features
from cs_bot.store.database import Database, Row
from cs_bot.store.queries import product_pictures, products

LEASE_FACTOR = 3  # a fetch that outlives this many time limits has lost its process
WORDS_AT_ONCE = 200

Account = tuple[str, str]  # channel, account
RulesOf = Callable[[str, str], FetchRules | None]


@dataclass(frozen=True)
class Indexed:
    """What became of one picture: `ready`, `failed`, or `waiting` for another try. `reason` is one line."""

    product_id: str
    position: int
    url: str
    state: str
    reason: str | None = None


def index_next(
    database: Database,
    *,
    rules_of: RulesOf,
    max_attempts: int,
    of: Account | None = None,
    folder: Path | None = None,
) -> Indexed | None:
    """Fetch and index one picture that is due; None when none is.

    `rules_of` gives what an account's pictures may be fetched from. `folder`: where local pictures lie (`file://` or
    paths without a scheme, never outside it); None: only addresses of the net are taken up.
    Raises MissingExtra without OpenCV, StoreUnavailable.
    """
    if not can_index():
        raise MissingExtra("indexing product pictures", "lite")
    with database.read() as tx:  # a poll must not take SQLite's only write lock
        if not product_pictures.any_due(tx, of=of, local=folder is not None):
            return None
    with database.write() as tx:
        lease_s = LEASE_FACTOR * FetchRules().total_s
        row = product_pictures.claim(tx, lease_s=lease_s, of=of, local=folder is not None)
    if row is None:
        return None
    if row["attempts"] > max_attempts:  # it may be what kills the processes
        return _settle(database, row, PictureUnreadable("given up: every attempt was cut short"), max_attempts)
    try:
        picture = accept_picture(_bytes(row, rules_of, folder))
        with Image.open(BytesIO(picture.data)) as image:
            found = features(image.convert("RGB")).to_bytes()
    except PictureError as problem:
        return _settle(database, row, problem, max_attempts)
    with database.write() as tx:
        product_pictures.ready(
            tx, row["id"], row["fence"], sha256=picture.sha256, features=found, version=FEATURES_VERSION
        )
    return _told(row, product_pictures.READY)


def index_folder(
    database: Database, folder: Path, *, of: Account, progress: Callable[[int], None] | None = None
) -> list[Indexed]:
    """Index an account's pictures that lie in a folder, nothing of the net; what became of each.

    Without OpenCV nothing is indexed: products are then found by words alone. `progress(done)` counts pictures.
    """
    found: list[Indexed] = []
    while can_index():
        one = index_next(database, rules_of=lambda channel, account: None, max_attempts=1, of=of, folder=folder)
        if one is None:
            break
        found.append(one)
        if progress is not None:
            progress(len(found))
    return found


def can_index() -> bool:
    """Whether OpenCV is installed."""
    return find_spec("cv2") is not None


def renew_words(database: Database) -> int:
    """Build the search columns of products anew that were stored with another version of them; how many."""
    renewed = 0
    while True:
        with database.write() as tx:
            found = products.outdated(tx, GRAMS_VERSION, WORDS_AT_ONCE)
            for row_id, item in found:
                products.set_columns(tx, row_id, searchable(item))
        renewed += len(found)
        if len(found) < WORDS_AT_ONCE:
            return renewed


def _settle(database: Database, row: Row, problem: PictureError, max_attempts: int) -> Indexed:
    reason = str(problem)
    with database.write() as tx:
        if problem.retryable and row["attempts"] < max_attempts:
            product_pictures.retry_later(tx, row["id"], row["fence"], random.uniform(0, 2.0 ** row["attempts"]), reason)
            return _told(row, product_pictures.WAITING, reason)
        product_pictures.failed(tx, row["id"], row["fence"], reason)
    return _told(row, product_pictures.FAILED, reason)


def _told(row: Row, state: str, reason: str | None = None) -> Indexed:
    return Indexed(row["product_id"], row["position"], row["url"], state, reason)


def _bytes(row: Row, rules_of: RulesOf, folder: Path | None) -> bytes:
    url: str = row["url"]
    if url[:5].lower() == "data:":
        return decode_data_url(url)
    if product_pictures.is_local(url):
        return _local(url, folder)
    rules = rules_of(row["channel"], row["account"])
    if rules is None:
        raise PictureRefused("the account of this product is no longer configured")
    return fetch_picture(url, rules=rules)


def _local(url: str, folder: Path | None) -> bytes:
    if folder is None:
        raise PictureRefused("a picture file of this machine; say --pictures FOLDER")
    root = folder.resolve()
    path = (root / unquote(urlsplit(url).path if url[:5].lower() == "file:" else url)).resolve()
    if not path.is_relative_to(root):
        raise PictureRefused(f"the picture file lies outside {folder.name}/")
    try:
        return path.read_bytes()
    except OSError as problem:
        missing = PictureUnreachable(f"the picture file can't be read ({type(problem).__name__})")
        missing.retryable = False
        raise missing from None
