"""Batches from loader processes: each draws its own samples, seeded by run, phase, worker and first step."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from cs_bot.demo.tiny.attention import Runs
from cs_bot.demo.tiny.corpus import Ground
from cs_bot.demo.tiny.packing import Packed
from cs_bot.demo.tiny.samples import TASKS, Mark, Sample, draw_sample, use_pages

SILENT = 0.03  # of the conversations come without the system prompt
MOST_ASIDE = 5  # pixels: less than any margin that the drawings keep
AHEAD = 2  # batches that each loader prepares
SEEN_TASKS = ("read_order", "read_order_again", "read_product", "read_comparison", "read_scene")  # with dense labels


@dataclass(frozen=True)
class Order:
    """What the loaders draw: `dense` for pictures with dense labels only, whole conversations otherwise."""

    dense: bool
    batch: int
    seed: int
    start: int = 0
    views: int = 1
    pages: str = ""


class Batch(NamedTuple):
    """A packed batch as tensors. `words` and `pictures` are the longest conversation and picture."""

    arrays: dict[str, Any]
    words: int
    pictures: int

    def to(self, device: str) -> "Batch":
        """On the device, without waiting for it."""
        moved = {name: array.to(device, non_blocking=True) for name, array in self.arrays.items()}
        return Batch(moved, self.words, self.pictures)

    def pin_memory(self) -> "Batch":
        """For quick copies; DataLoader calls it."""
        return Batch({name: array.pin_memory() for name, array in self.arrays.items()}, self.words, self.pictures)

    def runs(self) -> tuple[Runs, Runs]:
        """Of conversations and of pictures."""
        arrays = self.arrays
        return Runs(arrays["bounds"], self.words), Runs(arrays["picture_bounds"], self.pictures)


def batch_of(packed: Packed) -> Batch:
    """As tensors."""
    longest = [int((bounds[1:] - bounds[:-1]).max(initial=0)) for bounds in (packed.bounds, packed.picture_bounds)]
    return Batch({name: torch.from_numpy(array) for name, array in packed._asdict().items()}, *longest)


class Draws(IterableDataset[Batch]):
    """Endless batches of one loader."""

    def __init__(self, ground: Ground, order: Order) -> None:
        super().__init__()
        self.ground, self.order = ground, order

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        order = self.order
        rng = random.Random(f"{order.seed}/{order.dense}/{order.start}/{worker.id if worker else 0}")
        torch.set_num_threads(1)
        coder = self.ground.coder()
        use_pages(Path(order.pages) if order.pages else None)
        while True:
            drawn = [_drawn(order, rng) for _ in range(order.batch // order.views)]
            samples = drawn + [moved(sample, rng) for sample in drawn for _ in range(order.views - 1)]
            yield batch_of(coder.pack(samples, words=not order.dense))


def batches(ground: Ground, order: Order, *, workers: int, device: str) -> Iterator[Batch]:
    """Batches for a device; `workers` 0 draws in this process."""
    more: dict[str, Any] = {"prefetch_factor": AHEAD} if workers else {}
    pin = device.startswith("cuda")
    loader = DataLoader(Draws(ground, order), batch_size=None, num_workers=workers, pin_memory=pin, **more)
    for batch in loader:
        yield batch.to(device)


def moved(sample: Sample, rng: random.Random) -> Sample:
    """Another view of a sample, some pixels aside: drawing costs more than looking twice."""
    if sample.picture is None:
        return sample
    across, down = rng.randint(-MOST_ASIDE, MOST_ASIDE), rng.randint(-MOST_ASIDE, MOST_ASIDE)
    height, width = sample.picture.shape[:2]
    picture = _aside(_aside(sample.picture, down, 0), across, 1)
    marks = []
    for (left, top, right, bottom), what in sample.marks:
        box = (max(0, left + across), max(0, top + down), min(width, right + across), min(height, bottom + down))
        if box[0] < box[2] and box[1] < box[3]:
            marks.append(Mark(box, what))
    return sample._replace(picture=picture, marks=tuple(marks))


def _aside(picture: NDArray[np.uint8], by: int, axis: int) -> NDArray[np.uint8]:
    """Moved along an axis; the edge is drawn out."""
    if by == 0:
        return picture
    edge = picture.take([0 if by > 0 else -1], axis).repeat(abs(by), axis)
    kept = picture.swapaxes(0, axis)[max(0, -by) : len(picture.swapaxes(0, axis)) - max(0, by)].swapaxes(0, axis)
    return np.concatenate([edge, kept] if by > 0 else [kept, edge], axis)


def _drawn(order: Order, rng: random.Random) -> Sample:
    tasks = {name: TASKS[name] for name in SEEN_TASKS if name in TASKS} if order.dense else TASKS
    [task] = rng.choices(tuple(tasks), tuple(tasks.values()))
    sample = draw_sample(task, rng)
    return sample._replace(system="") if rng.random() < SILENT else sample
