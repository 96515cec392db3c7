"""The pictures behind the index: kept once each, with hash and colour tables and the votes over their key points."""

from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cs_bot.knowledge.likeness.extract import Descriptors, Features
from cs_bot.knowledge.likeness.votes import Votes

BY_HASH, BY_COLOURS = 4, 3  # compared too: the nearest by hash and by colours
HASH_FAR, COLOURS_FAR = 100, 0.45  # ... unless they are as far off as any two pictures
VOTES_LEAST = 3.0
VOTES_SHARE = 0.2  # of the best; pictures with fewer votes are not compared
CLOSE_RACE = 0.6  # a picture left out with this share of the votes of the last one taken was as good
REBUILD_SHARE = 0.1  # the kd-tree is built anew when so many of its pictures changed


class Near(NamedTuple):
    """How far two whole pictures are apart: bits of the hash, and colours (Hellinger distance, 0..1)."""

    bits: int
    colours: float


class Entry(NamedTuple):
    """A shortlisted picture and the products it shows."""

    keys: tuple[str, ...]
    features: Features
    near: Near


@dataclass
class _Slot:
    digest: bytes
    features: Features
    keys: list[str] = field(default_factory=list)


class Shelf:
    """Not thread-safe: the index holds a lock around it."""

    def __init__(self, full: int, points: int, lean: int, lean_points: int) -> None:
        self._full, self._points, self._lean, self._lean_points = full, points, lean, lean_points
        self._slots: dict[int, _Slot] = {}
        self._by_digest: dict[bytes, int] = {}
        self._by_key: dict[str, set[int]] = {}
        self._next = 0
        self._order: NDArray[np.int64] = np.zeros(0, np.int64)
        self._phashes: NDArray[np.uint8] = np.zeros((0, 32), np.uint8)
        self._colours: NDArray[np.float32] = np.zeros((0, 1), np.float32)
        self._votes: Votes | None = None
        self._fresh: Votes | None = None  # over the pictures added since the large one was built
        self._in_votes: set[int] = set()
        self._settled = False

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def mode(self) -> Literal["full", "lean", "hash"]:
        """See Limits."""
        if len(self._slots) <= self._full:
            return "full"
        return "lean" if len(self._slots) <= self._lean else "hash"

    def add(self, key: str, features: Features) -> None:
        """A picture that is held already gets a further key."""
        digest = sha256(features.phash.tobytes() + features.copy).digest()
        slot = self._by_digest.get(digest)
        if slot is None:
            slot = self._by_digest[digest] = self._next
            self._next += 1
            self._slots[slot] = _Slot(digest, features)
            self._settled = False
        if key not in self._slots[slot].keys:
            self._slots[slot].keys.append(key)
            self._by_key.setdefault(key, set()).add(slot)

    def remove(self, key: str) -> None:
        """Pictures that lose their last key are dropped."""
        for slot in self._by_key.pop(key, set()):
            held = self._slots[slot]
            held.keys.remove(key)
            if not held.keys:
                del self._slots[slot], self._by_digest[held.digest]
                self._settled = False

    def settle(self) -> None:
        """Bring the tables in step with the pictures; called before a search."""
        if self._settled:
            return
        self._order = np.array(list(self._slots), np.int64)
        self._phashes = np.stack([held.features.phash for held in self._slots.values()])
        self._colours = np.stack([held.features.colours for held in self._slots.values()]).astype(np.float32)
        self._colours /= 255
        self._settle_votes()
        self._settled = True

    def _settle_votes(self) -> None:
        mode = self.mode
        if mode == "hash":
            self._votes = self._fresh = None
            self._in_votes = set()
            return
        most = self._points if mode == "full" else self._lean_points
        if mode == "lean":
            self._trim(most)
        here = set(self._slots)
        changed = len(here ^ self._in_votes)
        if self._votes is None or changed > REBUILD_SHARE * len(here):
            self._votes, self._in_votes, self._fresh = Votes(self._descriptors(here), most), here, None
        elif new := here - self._in_votes:
            self._fresh = Votes(self._descriptors(new), most)

    def _trim(self, most: int) -> None:
        """Keep only the first key points of each picture: memory before recall."""
        for held in self._slots.values():
            if len(held.features.points) > 2 * most:
                points, descriptors = held.features.points, held.features.descriptors
                held.features = replace(
                    held.features, points=points[: 2 * most].copy(), descriptors=descriptors[: 2 * most].copy()
                )

    def _descriptors(self, slots: set[int]) -> dict[int, Descriptors]:
        return {slot: self._slots[slot].features.descriptors for slot in sorted(slots)}

    def shortlist(
        self, phash: NDArray[np.uint8], colours: NDArray[np.uint8], descriptors: Descriptors, most: int
    ) -> tuple[list[Entry], bool]:
        """Pictures worth comparing, and whether some just as good had to be left out."""
        bits = np.bitwise_count(self._phashes ^ phash).sum(axis=1)
        apart = np.sqrt(np.maximum(0, 1 - self._colours @ (colours.astype(np.float32) / 255)))
        place = {int(slot): at for at, slot in enumerate(self._order)}
        by_votes, dropped = self._by_votes(descriptors, most)
        chosen = dict.fromkeys(by_votes)
        for ranking, count, far in ((bits, BY_HASH, HASH_FAR), (apart, BY_COLOURS, COLOURS_FAR)):
            nearest = np.argsort(ranking, kind="stable")[:count]
            chosen.update(dict.fromkeys(self._order[nearest[ranking[nearest] < far]].tolist()))
        entries = [
            Entry(tuple(self._slots[slot].keys), self._slots[slot].features, Near(int(bits[at]), float(apart[at])))
            for slot in chosen
            for at in [place[slot]]
        ]
        return entries, dropped

    def _by_votes(self, descriptors: Descriptors, most: int) -> tuple[list[int], bool]:
        if len(self._slots) <= most:
            return list(self._slots), False  # so few are all compared
        votes: dict[int, float] = {}
        for tree in (self._votes, self._fresh):
            if tree is not None:
                votes.update(tree(descriptors[: self._points]))
        ranked = sorted(
            ((slot, count) for slot, count in votes.items() if slot in self._slots), key=lambda v: (-v[1], v[0])
        )
        if not ranked:
            return [], False
        enough = [(slot, n) for slot, n in ranked if n >= max(VOTES_LEAST, VOTES_SHARE * ranked[0][1])]
        dropped = len(enough) > most and enough[most][1] >= CLOSE_RACE * enough[0][1]
        return [slot for slot, _ in enough[:most]], dropped
