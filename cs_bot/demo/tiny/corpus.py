"""What is fixed before training: the tokenizer and the dense tags, learnt from a first draw of samples."""

import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from cs_bot.demo.tiny.packing import Coder
from cs_bot.demo.tiny.samples import TASKS, Sample, draw_sample
from cs_bot.demo.tiny.tokenizer import build_tokenizer
from cs_bot.errors import ConfigError

TOKENIZER, TAGS, FILE = "tokenizer", "tags.json", "tokenizer.json"
LEAST_TAGGED = 5  # a mark that is rarer is no tag


class Ground(NamedTuple):
    """The tokenizer's file and the names of the dense tags."""

    tokenizer: Path
    tags: tuple[str, ...]
    size: int

    def coder(self) -> Coder:
        """Needs the package `tokenizers` only."""
        from tokenizers import Tokenizer

        return Coder(Tokenizer.from_file(str(self.tokenizer)), tuple(TASKS), self.tags)


def lay_ground(folder: Path, *, seed: int, draws: int, progress: Callable[[], Any]) -> Ground:
    """Read the ground of `folder`, or draw `draws` samples of each task and write it there first."""
    if not (folder / TAGS).exists():
        _write(folder, [_drawn(task, seed, number, progress) for task in TASKS for number in range(draws)])
    try:
        known = json.loads((folder / TAGS).read_text("utf-8"))
        return Ground(folder / TOKENIZER / FILE, tuple(known["tags"]), int(known["size"]))
    except (OSError, ValueError, KeyError) as problem:
        raise ConfigError(
            f"{folder / TAGS} can't be read ({type(problem).__name__}): remove it to draw again"
        ) from None


def _drawn(task: str, seed: int, number: int, progress: Callable[[], Any]) -> Sample:
    progress()
    return draw_sample(task, random.Random(f"{seed}/ground/{task}/{number}"))


def _write(folder: Path, samples: list[Sample]) -> None:
    asked = [text for sample in samples for text in (sample.system, sample.text)]
    tokenizer = build_tokenizer(asked, [sample.answer for sample in samples])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(folder / TOKENIZER)
    seen = Counter(what for sample in samples for what in {mark.what for mark in sample.marks})
    tags = sorted(what for what, count in seen.items() if count >= LEAST_TAGGED and not what.startswith("digit:"))
    size = (len(tokenizer) + 31) // 32 * 32
    (folder / TAGS).write_text(json.dumps({"size": size, "tags": tags}, ensure_ascii=False, indent=1) + "\n", "utf-8")
