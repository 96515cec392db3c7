"""All product pictures of a shop: shortlist by hash, colours and key points; then compare one by one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from threading import RLock
from typing import Literal

from PIL import Image

from cs_bot.knowledge.likeness.extract import Features, colour_histogram, phash256
from cs_bot.knowledge.likeness.judge import PART_FLOOR, Verdict
from cs_bot.knowledge.likeness.pixels import Box, Pixels, as_pixels
from cs_bot.knowledge.likeness.regions import propose_regions
from cs_bot.knowledge.likeness.shelf import Shelf
from cs_bot.knowledge.likeness.views import View, flip, look_at, sight_of

CLEAR_MARGIN = 0.05  # a "same" this far above the next product may be stated without asking


@dataclass(frozen=True)
class Limits:
    """Bounds of memory and time.

    Up to `full` pictures the kd-tree holds `points` key points a picture; above, `lean_points`, and each picture is
    kept with only so many; above `lean` pictures none at all, and whole pictures are found by hash alone.
    At most `candidates` pictures are compared for each region of a query.
    """

    full: int = 3_000
    points: int = 150
    lean: int = 10_000
    lean_points: int = 60
    candidates: int = 12


@dataclass(frozen=True)
class Match:
    """One product that a query is like.

    `score` is in 0..1; `margin` is how far it lies above the best score of any other product (0 when another one fits
    as well: ask). `how` says whether the whole picture was recognised or parts of it; `region` is where in the query,
    None for all of it. `mirrored` says that the query shows it flipped left to right.
    """

    key: str
    verdict: Verdict
    score: float
    margin: float
    how: Literal["picture", "parts"]
    region: Box | None = None
    mirrored: bool = False


def is_clear(match: Match) -> bool:
    """Whether a match may be stated as the product, without "is it this one?"."""
    return match.verdict is Verdict.SAME and match.margin >= CLEAR_MARGIN


class LikenessIndex:
    """The product pictures of a shop in memory. A key may have several pictures; several keys may share one.

    Searches may run in several threads; changes wait for each other. The same pictures and query always give the same
    matches.
    """

    def __init__(self, pictures: Iterable[tuple[str, Features]] = (), *, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._lock = RLock()
        self._shelf = Shelf(self.limits.full, self.limits.points, self.limits.lean, self.limits.lean_points)
        for key, features in pictures:
            self._shelf.add(key, features)

    def __len__(self) -> int:
        """How many different pictures are held."""
        return len(self._shelf)

    def add(self, key: str, features: Features) -> None:
        """Add a picture of the product `key`, beside those it has."""
        with self._lock:
            self._shelf.add(key, features)

    def remove(self, key: str) -> None:
        """Forget all pictures of a product; an unknown key is fine."""
        with self._lock:
            self._shelf.remove(key)

    @property
    def mode(self) -> Literal["full", "lean", "hash"]:
        """What the size of the catalog allows: all key points, few, or whole pictures only (see Limits)."""
        return self._shelf.mode

    def search(self, query: Image.Image | Pixels, regions: Sequence[Box] = (), *, propose: bool = True) -> list[Match]:
        """Products that a picture is like, best first; one match a product.

        Looked at are the whole picture, `regions` (in its pixels) and, unless `propose` is off, what looks like a
        picture inside it. Raises ValueError for an array that is no RGB picture, MissingExtra without OpenCV.
        """
        pixels = as_pixels(query)
        with self._lock:
            if not len(self._shelf):
                return []
            self._shelf.settle()
        boxes = [Box(*box) for box in regions]
        boxes += [box for box in (propose_regions(pixels) if propose else ()) if box not in boxes]
        views = [view for box in (None, *boxes) if (view := look_at(pixels, box)) is not None]
        found = _Found()
        for view in views:
            self._look(pixels, view, found)
        if not found.sure():
            for view in views:
                self._look(pixels, flip(view), found)
        return found.ranked()

    def _look(self, pixels: Pixels, view: View, found: "_Found") -> None:
        """Compare a view with its shortlist and note what fits better than before."""
        phash, colours = phash256(view.raster.pixels), colour_histogram(view.raster.pixels)
        with self._lock:
            shortlist, dropped = self._shelf.shortlist(phash, colours, view.parts.descriptors, self.limits.candidates)
        for entry in shortlist:
            sight = sight_of(pixels, view, entry.features, entry.near)
            if sight is None:
                continue
            for key in entry.keys:
                found.note(
                    Match(key, sight.verdict, sight.score, 0.0, sight.how, sight.region, view.flipped), dropped=dropped
                )


class _Found:
    """The best match of each product so far."""

    def __init__(self) -> None:
        self._best: dict[str, Match] = {}
        self._unsure: set[str] = set()  # as good a picture could not be compared any more

    def note(self, match: Match, *, dropped: bool) -> None:
        """Keep a match when it is the product's best."""
        if match.key not in self._best or match.score > self._best[match.key].score:
            self._best[match.key] = match
            (self._unsure.add if dropped else self._unsure.discard)(match.key)

    def _same(self) -> list[Match]:
        return [match for match in self._best.values() if match.verdict is Verdict.SAME]

    def sure(self) -> bool:
        """Whether something fits so well that the flipped query need not be looked at."""
        return any(match.score >= PART_FLOOR for match in self._best.values())

    def ranked(self) -> list[Match]:
        """Best first, each with its margin over the best other one; two that are both the same have none."""
        order = sorted(self._best.values(), key=lambda match: (-match.score, match.key))
        several = len(self._same()) > 1
        ranked = []
        for match in order:
            others = max((other.score for other in order if other is not match), default=0.0)
            tied = match.verdict is Verdict.SAME and (several or match.key in self._unsure)
            ranked.append(replace(match, margin=0.0 if tied else max(0.0, match.score - others)))
        return ranked
