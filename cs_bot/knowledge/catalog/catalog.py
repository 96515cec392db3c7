"""The shop's catalog: found by words and by picture, and what a turn means by it."""

import logging
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cs_bot.errors import StoreUnavailable
from cs_bot.knowledge.catalog import lookup, search
from cs_bot.knowledge.catalog.lookup import Shown, Thing
from cs_bot.knowledge.catalog.pictures import PictureIndexes, cut_out, pixels_of
from cs_bot.knowledge.catalog.spelling import Vocabulary
from cs_bot.knowledge.intents import MAX_READ
from cs_bot.knowledge.likeness import Box as LikenessBox
from cs_bot.knowledge.likeness import Pixels, is_clear
from cs_bot.knowledge.likeness.judge import Verdict
from cs_bot.records import Likeness, ProductHit, ProductLookup, Reading, Turn
from cs_bot.store.database import Database, Transaction
from cs_bot.store.media import MediaStore
from cs_bot.store.queries import products

CHECK_S = 3.0  # what is held in memory is compared with the database at most this often
ACCOUNTS = 8  # of how many accounts something is held in memory

LIKENESS = {
    Verdict.SAME: Likeness.SAME_PICTURE,
    Verdict.OTHER_COLOUR: Likeness.OTHER_COLOUR,
    Verdict.SIMILAR: Likeness.SIMILAR,
}

Box = lookup.Box
log = logging.getLogger("cs_bot.catalog")


class Catalog:
    """The products of all accounts. One object a process; it may be used by several threads."""

    def __init__(self, database: Database, media: MediaStore) -> None:
        self._media = media
        self._pictures = PictureIndexes(database, check_s=CHECK_S, accounts=ACCOUNTS)
        self._lock = threading.Lock()
        self._words: dict[tuple[str, str], tuple[float, tuple[Any, ...], Vocabulary]] = {}

    def by_words(
        self,
        tx: Transaction,
        channel: str,
        account: str,
        text: str,
        *,
        attributes: Mapping[str, str] | None = None,
        limit: int = 3,
    ) -> tuple[ProductHit, ...]:
        """Products that words mean, best first, each with its score in 0..1 and its margin to the next one.

        A product id, SKU or style number in the text decides alone (likeness CODE, score 1 when it is exact). Of a text
        longer than MAX_READ characters only the start is read.
        `attributes`: keys of records.ITEM_ATTRIBUTES and `size`, as seen on a picture or asked for.
        """
        shelf = search.Shelf(tx, channel, account)
        wanted = search.Wanted(text[:MAX_READ], attributes or {})
        hits = search.by_codes(shelf, wanted)
        if not any(hit.score == 1.0 for hit in hits):
            hits += search.by_words(shelf, wanted, lambda: self._vocabulary(tx, channel, account))
        return search.ranked(hits, limit)

    def by_picture(
        self,
        tx: Transaction,
        channel: str,
        account: str,
        picture: bytes,
        boxes: Sequence[Box] = (),
        limit: int = 3,
    ) -> tuple[ProductHit, ...]:
        """Products whose pictures show what this one does, best first; () without OpenCV or when nothing is indexed.

        `picture`: a stored copy (upright, no metadata); `boxes`: where something is on it, pixels. A hit's `sku` is
        set when the picture is surely that of certain variants and those are only one.
        """
        shown = self._shown(tx, channel, account, pixels_of(picture), boxes, limit)
        return tuple(one.hit.model_copy(update={"sku": one.skus[0] if len(one.skus) == 1 else None}) for one in shown)

    def lookup(
        self, tx: Transaction, turn: Turn, reading: Reading, pictures: Mapping[str, bytes]
    ) -> tuple[ProductLookup, ...]:
        """What the turn means: one lookup for each thing on its pictures, else for its words; () for none.

        `pictures`: stored copies by SHA-256; a picture that is missing there is looked up by words alone.
        """
        channel, account = turn.channel, turn.account
        opened: dict[str, Pixels] = {}

        def by_words(text: str, attributes: Mapping[str, str]) -> Sequence[ProductHit]:
            return self.by_words(tx, channel, account, text, attributes=attributes, limit=lookup.HITS + 1)

        def by_picture(sha256: str, thing: Thing) -> Sequence[Shown]:
            if sha256 not in opened:
                opened[sha256] = pixels_of(pictures[sha256])
            pixels = opened[sha256]
            box = thing.box(pixels.shape[1], pixels.shape[0])
            if not thing.is_part:
                return self._shown(tx, channel, account, pixels, () if box is None else (box,), lookup.HITS)
            part = None if box is None else cut_out(pixels, box)
            return () if part is None else self._shown(tx, channel, account, part, (), lookup.HITS)

        return tuple(lookup.look_up(reading, by_words, by_picture, pictures))

    def _shown(
        self, tx: Transaction, channel: str, account: str, pixels: Pixels, boxes: Sequence[Box], limit: int
    ) -> list[Shown]:
        matches = self._pictures.search(channel, account, pixels, [LikenessBox(*box) for box in boxes])
        stored = products.by_ids(tx, channel, account, [match.key for match in matches])
        loaded = {product.product_id: product for product in stored}
        found = []
        for match in [match for match in matches if match.key in loaded][:limit]:
            hit = ProductHit(
                product=loaded[match.key],
                likeness=LIKENESS[match.verdict],
                score=round(match.score, 6),
                margin=round(match.margin, 6),
            )
            settles = is_clear(match) and bool(hit.product.variants)
            skus = self._pictures.variants_shown(channel, account, match.key, pixels) if settles else ()
            found.append(Shown(hit, skus))
        return found

    def keep_fresh(self, accounts: Iterable[tuple[str, str]]) -> None:
        """Load and renew the picture indexes of these (channel, account), so that no turn has to wait for it.

        Cheap when called often. What goes wrong is logged: questions that need no catalog must be answered.
        Raises StoreUnavailable.
        """
        try:
            self._pictures.keep_fresh(accounts)
        except StoreUnavailable:
            raise
        except Exception:
            log.exception("the index of product pictures could not be loaded")

    def forget(self) -> None:
        """Compare with the database again at once (tests)."""
        self._words.clear()
        self._pictures.forget()

    def _vocabulary(self, tx: Transaction, channel: str, account: str) -> Vocabulary:
        """The words of an account's catalog, read again when it has changed."""
        key = (channel, account)
        with self._lock:
            held = self._words.pop(key, None)
            if held is None or time.monotonic() - held[0] >= CHECK_S:
                version = products.version(tx, channel, account)
                same = held is not None and held[1] == version
                words = held[2] if held is not None and same else Vocabulary(products.all_grams(tx, channel, account))
                held = (time.monotonic(), version, words)
            self._words[key] = held  # last in the order of use
            while len(self._words) > ACCOUNTS:
                self._words.pop(next(iter(self._words)))
            return held[2]
