"""Measures the tiny checkpoint on fresh drawings, through the engine that the worker runs.

    python -m cs_bot.demo.tiny.bars cs_bot/demo/data/tiny -n 500
    python -m cs_bot.demo.tiny.bars cs_bot/demo/data/tiny -n 100 --tasks classify,read_product --worse 3

Figures say how well it knows drawings of the same kind as those it was trained on, and nothing about Qwen3-VL.
"""

import argparse
import hashlib
import io
import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageFilter

from cs_bot.demo.cases import CASES
from cs_bot.demo.shop import DATA
from cs_bot.demo.tiny.samples import TASKS, Sample, fresh
from cs_bot.errors import EngineError, PictureUnreadable
from cs_bot.records import Kind
from cs_bot.settings import EngineSettings
from cs_bot.vision.answers import READS, Reply, Strict, Unusable, canonical, parse
from cs_bot.vision.base import PictureInput
from cs_bot.vision.generating import LABELS, Generation, Generator, Prompt, kind_shares
from cs_bot.vision.prompted import LABEL_TOKENS
from cs_bot.vision.prompts import Prompts, load_prompts
from cs_bot.vision.replies import judged

SEED, NEW_TOKENS, PATIENCE_S, AT_ONCE = 20_261, 512, 600.0, 16
_SLOT = re.compile(r"^\| \{([a-z0-9_.]+)\} = ", re.MULTILINE)


class Tried(NamedTuple):
    """One answer: what of it is right, by name; whether it has its form; how sure it was."""

    right: Mapping[str, bool]
    valid: bool
    sure: float


def ask(generator: Generator, sample: Sample) -> Generation | EngineError:
    """What the engine answers."""
    pictures = () if sample.picture is None else (as_input(sample.picture),)
    prompt = Prompt(sample.task, sample.system, sample.text, pictures)
    labels = LABELS if sample.task == "classify" else ()
    most = LABEL_TOKENS if labels else NEW_TOKENS
    until = time.monotonic() + PATIENCE_S
    try:
        return generator.generate(prompt, schema=shape_of(sample.task), max_tokens=most, labels=labels, until=until)
    except EngineError as failure:
        return failure


def shape_of(task: str) -> type[Strict] | None:
    """The form of a task's answers; None for a kind's name."""
    if task == "classify":
        return None
    return READS[Kind(task.split("_")[1])] if task.startswith("read_") else Reply


def as_input(pixels: Any) -> PictureInput:
    """A picture as the store holds it."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return PictureInput(hashlib.sha256(file.getvalue()).hexdigest(), file.getvalue())


def tried(sample: Sample, got: Generation | EngineError) -> Tried:
    """How an answer compares with what was drawn."""
    if isinstance(got, EngineError):
        return Tried({}, False, 0.0)
    if sample.task == "classify":
        found = kind_shares(got)
        shares = found[0] if found else {}
        named = max(shares, key=lambda kind: shares[kind], default=Kind.TEXT)
        return Tried({"kind": named.value == sample.answer}, bool(found), max(shares.values(), default=0.0))
    shape = shape_of(sample.task)
    assert shape is not None
    sure = got.likelihood or 0.0
    try:
        said, true = parse(shape, got.text), parse(shape, sample.answer)
        judge = _ordered if sample.task.startswith("read_order") else _named if "read" in sample.task else _written
        return Tried(judge(sample, said, true), True, sure)
    except Unusable:
        return Tried({}, False, sure)


def _ordered(sample: Sample, said: Any, true: Any) -> dict[str, bool]:
    """Each field that can be read; `made up`: none was stated that can't be."""
    found = {}
    values = {name: (canonical(name, getattr(said, name)), canonical(name, getattr(true, name))) for name in _FIELDS}
    for name, (ours, real) in values.items():
        if real is not None:
            found[name] = ours == real
    hidden = [ours for ours, real in values.values() if real is None]
    if hidden:
        found["nothing made up"] = all(ours is None for ours in hidden)
    return {**found, "all": said == true}


_FIELDS = ("order_id", "amount", "currency", "status", "order_time")


def _named(sample: Sample, said: Any, true: Any) -> dict[str, bool]:
    """Things by category and colour, in their places."""
    ours, real = ([(one.where, one.category, one.colour) for one in read.items] for read in (said, true))
    return {"category and colour": ours == real, "all": said == true}


def _written(sample: Sample, said: Any, true: Any) -> dict[str, bool]:
    """Whether a reply may go on to the claims' judge, and whether it is the one that was meant."""
    try:
        judged(said.reply, _SLOT.findall(sample.text), f"{sample.system}\n{sample.text.partition('<shop>')[0]}")
        allowed = True
    except Unusable:
        allowed = False
    return {"may stand": allowed, "as meant": said.reply == true.reply}


def _as_drawn(sample: Sample) -> Sample:
    return sample


def worse(sample: Sample, times: int = 1) -> Sample:
    """The same picture after a bad camera and a chat that shrinks files; `times` as bad."""
    if sample.picture is None:
        return sample
    noise = np.random.default_rng(sample.picture.size).normal(0, 9 * times, sample.picture.shape)
    image = Image.fromarray((sample.picture + noise).clip(0, 255).astype(np.uint8))
    file = io.BytesIO()
    image.filter(ImageFilter.GaussianBlur(0.7 * times)).save(file, "JPEG", quality=max(5, 40 // times))
    with Image.open(file) as opened:
        return sample._replace(picture=np.asarray(opened.convert("RGB")))


def measure(
    generator: Generator, task: str, count: int, *, change: Callable[[Sample], Sample], tell: Callable[[], Any]
) -> list[Tried]:
    """`count` fresh samples of a task."""

    def one(sample: Sample) -> Tried:
        sample = change(sample)
        found = tried(sample, ask(generator, sample))
        tell()
        return found

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, fresh(task, count, SEED)))


def demo_kinds(generator: Generator, prompts: Prompts) -> list[tuple[str, str, str]]:
    """The kinds of the demo's own pictures: (file, as its story has it, as told)."""
    rows = [json.loads(line) for line in (DATA / CASES).read_text("utf-8").splitlines()]
    shown = {row["pictures"][0]: row["expect"].get("kind") for row in rows if len(row.get("pictures", ())) == 1}
    found = []
    for name, kind in shown.items():
        data = (DATA / name).read_bytes()
        prompt = prompts.classify(PictureInput(hashlib.sha256(data).hexdigest(), data))
        until = time.monotonic() + PATIENCE_S
        try:
            told = generator.generate(prompt, max_tokens=LABEL_TOKENS, labels=LABELS, until=until).text
        except PictureUnreadable:  # one of them is cut off in transit, and has no kind
            continue
        if kind in LABELS:
            found.append((name, kind, told))
    return found


def auroc(sure: Sequence[float], right: Sequence[bool]) -> float | None:
    """The chance that a right answer is surer than a wrong one; None when all are right or all wrong."""
    order = np.argsort(np.argsort(np.array(sure), kind="stable"), kind="stable") + 1.0
    yes = np.array(right, bool)
    hits, misses = int(yes.sum()), int((~yes).sum())
    if not hits or not misses:
        return None
    return float((order[yes].sum() - hits * (hits + 1) / 2) / (hits * misses))


def calibration_error(sure: Sequence[float], right: Sequence[bool], bins: int = 10) -> float:
    """How far certainty and truth lie apart, over equal bins of certainty."""
    values, yes = np.array(sure), np.array(right, float)
    at = np.minimum((values * bins).astype(int), bins - 1)
    parts = [(at == number) for number in range(bins)]
    return float(sum(part.mean() * abs(values[part].mean() - yes[part].mean()) for part in parts if part.any()))


def surest(sure: Sequence[float], right: Sequence[bool], share: float) -> float:
    """How many of the surest `share` are right."""
    order = np.argsort(-np.array(sure), kind="stable")[: max(1, round(len(sure) * share))]
    return float(np.array(right, float)[order].mean())


def row(task: str, found: Sequence[Tried]) -> dict[str, Any]:
    """A task's figures."""
    names = dict.fromkeys(name for one in found for name in one.right)
    shares = {
        name: (float(np.mean([one.right[name] for one in known])), len(known))
        for name in names
        if (known := [one for one in found if name in one.right])
    }
    first = {"classify": "kind", "read_order": "all", "read_order_again": "all"}.get(task, next(iter(names), ""))
    right, sure = [one.right.get(first, False) for one in found], [one.sure for one in found]
    return {
        "task": task,
        "n": len(found),
        "valid": float(np.mean([one.valid for one in found])),
        "right": shares,
        "auroc": auroc(sure, right),
        "ece": calibration_error(sure, right),
        "surest": {share: surest(sure, right, share) for share in (0.5, 0.8, 0.9)},
    }


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """As Markdown."""
    lines = ["| task | n | form | right | AUROC | ECE | right of the surest 50 / 80 / 90 % |", "| --- " * 7 + "|"]
    for one in rows:
        parts = "; ".join(f"{name} {share:.3f} ({count})" for name, (share, count) in one["right"].items())
        area = "–" if one["auroc"] is None else f"{one['auroc']:.3f}"
        best = " / ".join(f"{share:.3f}" for share in one["surest"].values())
        lines.append(
            f"| {one['task']} | {one['n']} | {one['valid']:.3f} | {parts} | {area} | {one['ece']:.3f} | {best} |"
        )
    return "\n".join(lines)


def open_generator(checkpoint: Path, *, threads: int, dtype: str, device: str) -> tuple[Generator, Prompts]:
    """The generator of the qwen engine on this checkpoint, and the checkpoint's prompts."""
    from cs_bot.vision.qwen.core import open_core
    from cs_bot.vision.qwen.generator import QwenGenerator
    from cs_bot.vision.qwen.loading import load

    settings = EngineSettings(
        name="qwen", checkpoint=str(checkpoint), threads=threads, dtype=dtype, device_map=device, batch=AT_ONCE
    )
    loaded = load(settings)
    own = None if loaded.profile is None else loaded.profile.prompts
    return QwenGenerator(open_core(loaded, settings), 0.0), own or load_prompts()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print a table; --json keeps the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m cs_bot.demo.tiny.bars",
        description="Measures the tiny checkpoint on fresh drawings.",
        epilog=(__doc__ or "").partition("\n")[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", type=Path, help="its folder")
    parser.add_argument("-n", type=int, default=500, help="drawings a task (default: 500)")
    parser.add_argument("--tasks", default=",".join(TASKS), help="with commas between them (default: all)")
    parser.add_argument("--worse", type=int, default=0, metavar="TIMES", help="noise, blur and strong JPEG; 3 is hard")
    parser.add_argument("--demo", action="store_true", help="only the kinds of the demo's own pictures")
    parser.add_argument("--threads", type=int, default=1, help="of torch (default: 1)")
    parser.add_argument("--dtype", default="float32", help="(default: float32)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    parser.add_argument("--json", type=Path, help="file for the figures")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.tasks.split(",")) - set(TASKS):
        parser.error(f"no such task: {', '.join(sorted(unknown))}; there are {', '.join(TASKS)}")
    generator, prompts = open_generator(asked.checkpoint, threads=asked.threads, dtype=asked.dtype, device=asked.device)
    if asked.demo:
        kinds = demo_kinds(generator, prompts)
        wrong = [f"{name}: {told} for {kind}" for name, kind, told in kinds if told != kind]
        print(f"kinds of the demo's pictures: {len(kinds) - len(wrong)} of {len(kinds)}", *wrong, sep="\n")
        generator.close()
        return 0
    change = partial(worse, times=asked.worse) if asked.worse else _as_drawn
    rows = []
    for task in asked.tasks.split(","):
        done = 0

        def tell(task: str = task) -> None:
            nonlocal done
            done += 1
            sys.stderr.write(f"\r{task} {done}/{asked.n} ")

        found = measure(generator, task, asked.n, change=change, tell=tell)
        rows.append(row(task, found))
        sys.stderr.write("\n")
        if asked.json:
            asked.json.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    generator.close()
    print(table(rows))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
