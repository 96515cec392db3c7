"""Which product pictures share key points with a query: a kd-tree over all descriptors, and votes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cs_bot.knowledge.likeness.extract import DESCRIPTOR, Descriptors
from cs_bot.knowledge.likeness.pixels import opencv

DIMENSIONS = 48  # descriptors are searched in their principal components
NEIGHBOURS = 10
CHECKS = 64  # leaves of the kd-trees looked at
TREES = 4
SEED = 7
SAMPLE = 20_000  # descriptors that the components are computed from

Short = NDArray[np.float32]  # n x DIMENSIONS


class Votes:
    """A frozen search structure over the first `most` descriptors of each picture."""

    def __init__(self, pictures: Mapping[int, Descriptors], most: int) -> None:
        cv2 = opencv()
        kept = {slot: found[:most] for slot, found in pictures.items() if len(found)}
        self.owners = np.repeat(
            np.array(list(kept), np.int64), np.array([len(found) for found in kept.values()], np.int64)
        )
        every = np.concatenate(list(kept.values())) if kept else np.zeros((0, DESCRIPTOR), np.uint8)
        self._mean, self._basis = _components(every)
        self._short = self._shorten(every)
        self._tree: Any = None
        if len(every) > NEIGHBOURS:
            cv2.setRNGSeed(SEED)
            self._tree = cv2.flann.Index(self._short, {"algorithm": 1, "trees": TREES, "random_seed": SEED})

    def __call__(self, query: Descriptors) -> dict[int, float]:
        """Votes per picture. A descriptor near to many pictures' speaks for none of them."""
        if self._tree is None or not len(query):
            return {}
        found, apart = self._tree.knnSearch(self._shorten(query), NEIGHBOURS, params={"checks": CHECKS})
        far = np.sqrt(np.maximum(apart, 0))
        weight = np.maximum(0, 1 - far / np.maximum(far[:, -1:], 1e-6))
        owners = self.owners[np.clip(found, 0, len(self.owners) - 1)]
        votes = np.zeros(int(self.owners.max()) + 1)
        for rank in range(NEIGHBOURS):  # a picture gets one vote a descriptor: its nearest
            first = (owners[:, :rank] != owners[:, rank : rank + 1]).all(axis=1)
            np.add.at(votes, owners[first, rank], weight[first, rank])
        return {int(slot): float(votes[slot]) for slot in np.flatnonzero(votes > 0)}

    def _shorten(self, descriptors: Descriptors) -> Short:
        return np.ascontiguousarray((descriptors.astype(np.float32) - self._mean) @ self._basis)


def _components(descriptors: Descriptors) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and principal directions of an even sample."""
    if len(descriptors) <= DIMENSIONS:
        return np.zeros(DESCRIPTOR, np.float32), np.eye(DESCRIPTOR, DIMENSIONS, dtype=np.float32)
    sample = descriptors[:: max(1, len(descriptors) // SAMPLE)].astype(np.float64)
    mean = sample.mean(axis=0)
    _, directions = np.linalg.eigh(np.cov(sample - mean, rowvar=False))
    return mean.astype(np.float32), np.ascontiguousarray(directions[:, ::-1][:, :DIMENSIONS]).astype(np.float32)
