"""The indexed product pictures of each account in memory, read from the database and kept in step with it."""

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from cs_bot.errors import FeaturesUnreadable
from cs_bot.knowledge.likeness import FEATURES_VERSION, Box, Features, LikenessIndex, Match, Pixels, is_clear
from cs_bot.store.database import Database
from cs_bot.store.queries import product_pictures
from cs_bot.store.queries.product_pictures import IndexEntry

MOST_PICTURES = 20_000  # of one account; about 30 kB each where there are many, 75 kB where there are few
AT_ONCE = 200  # features read in one transaction
log = logging.getLogger("cs_bot.catalog")


@dataclass
class _Held:
    """What is in memory of one account."""

    index: LikenessIndex = field(default_factory=LikenessIndex)
    products: dict[str, frozenset[tuple[int, Any]]] = field(default_factory=dict)  # id -> its pictures, when indexed
    entries: dict[str, list[IndexEntry]] = field(default_factory=dict)
    stamp: tuple[Any, ...] | None = None
    checked_at: float | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class PictureIndexes:
    """One index an account, loaded when it is first asked for; of `accounts` accounts at most, the last used stay."""

    def __init__(self, database: Database, *, check_s: float, accounts: int) -> None:
        self._database, self._check_s, self._accounts = database, check_s, accounts
        self._held: dict[tuple[str, str], _Held] = {}
        self._lock = threading.Lock()
        self._told: set[str] = set()

    def search(self, channel: str, account: str, pixels: Pixels, boxes: Sequence[Box] = ()) -> list[Match]:
        """Products that a picture is like, best first; `key` is the product's id. [] where OpenCV is missing."""
        if not self._can_compare():
            return []
        held = self._fresh(channel, account)
        return held.index.search(pixels, boxes)

    def variants_shown(self, channel: str, account: str, product_id: str, pixels: Pixels) -> tuple[str, ...]:
        """SKUs of the variants whose own picture this surely is; () when that is not settled."""
        entries = self._fresh(channel, account).entries.get(product_id, [])
        if not any(entry.skus for entry in entries):
            return ()
        by_id = {entry.picture_id: entry for entry in entries}
        own = LikenessIndex((str(picture_id), one) for picture_id, one in self._features(list(by_id)))
        best = next(iter(own.search(pixels)), None)
        return by_id[int(best.key)].skus if best is not None and is_clear(best) else ()

    def keep_fresh(self, accounts: Iterable[tuple[str, str]]) -> None:
        """Bring what is held up to date, and load others while there is room. Raises StoreUnavailable."""
        if not self._can_compare():
            return
        for channel, account in accounts:
            if (channel, account) in self._held or len(self._held) < self._accounts:
                self._fresh(channel, account)

    def forget(self) -> None:
        """Compare with the database at the next search (tests)."""
        for held in self._held.values():
            held.checked_at = None

    def _can_compare(self) -> bool:
        if find_spec("cv2") is not None:
            return True
        self._once("no OpenCV here: products are found by words alone (pip install -e '.[lite]')")
        return False

    def _once(self, what: str) -> None:
        if what not in self._told:
            self._told.add(what)
            log.warning(what)

    def _fresh(self, channel: str, account: str) -> _Held:
        """What is held of an account, brought up to date when it is time to look."""
        with self._lock:
            held = self._held.pop((channel, account), None) or _Held()
            self._held[channel, account] = held
            while len(self._held) > self._accounts:
                self._held.pop(next(iter(self._held)))
        with held.lock:  # one thread loads, the others wait for it
            now = time.monotonic()
            if held.checked_at is None or now - held.checked_at >= self._check_s:
                self._follow(held, channel, account)
                held.checked_at = time.monotonic()
        return held

    def _follow(self, held: _Held, channel: str, account: str) -> None:
        with self._database.read() as tx:
            stamp = product_pictures.index_stamp(tx, channel, account)
            if stamp == held.stamp:
                return
            rows = product_pictures.index_entries(tx, channel, account, FEATURES_VERSION, MOST_PICTURES)
        if len(rows) == MOST_PICTURES:
            self._once(
                f"{channel}/{account} has more than {MOST_PICTURES} product pictures: the newest are not compared"
            )
        entries: dict[str, list[IndexEntry]] = {}
        for row in rows:
            entries.setdefault(row.product_id, []).append(row)
        wanted = {i: frozenset((row.picture_id, row.indexed_at) for row in rows) for i, rows in entries.items()}
        changed = {i for i in wanted.keys() | held.products.keys() if wanted.get(i) != held.products.get(i)}
        for product_id in changed:
            held.index.remove(product_id)
        owner = {row.picture_id: row.product_id for i in changed for row in entries.get(i, ())}
        for picture_id, features in self._features(sorted(owner)):
            held.index.add(owner[picture_id], features)
        held.products, held.entries, held.stamp = wanted, entries, stamp

    def _features(self, picture_ids: Sequence[int]) -> Iterable[tuple[int, Features]]:
        for start in range(0, len(picture_ids), AT_ONCE):
            with self._database.read() as tx:
                stored = list(product_pictures.features_of(tx, picture_ids[start : start + AT_ONCE]))
            for picture_id, data in stored:
                try:
                    yield picture_id, Features.from_bytes(data)
                except FeaturesUnreadable as problem:
                    self._once(f"product picture {picture_id}: {problem}")


def pixels_of(picture: bytes) -> Pixels:
    """A stored picture (see images.StoredPicture) as RGB pixels."""
    with Image.open(BytesIO(picture)) as image:
        return np.asarray(image.convert("RGB"))


def cut_out(pixels: Pixels, box: tuple[int, int, int, int]) -> Pixels | None:
    """The part in a box; None when nothing of it lies in the picture."""
    height, width = pixels.shape[:2]
    left, top = max(0, box[0]), max(0, box[1])
    right, bottom = min(width, box[2]), min(height, box[3])
    return pixels[top:bottom, left:right] if right - left >= 8 and bottom - top >= 8 else None
