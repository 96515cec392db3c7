"""Qwen3-VL on this CPU: classify and answer from one look beside two full calls, tokens a second, memory.

The engine's own code runs, over random weights in the published shape (bfloat16). Times are the shortest of several.
On a machine that is busy with other things, --busy measures with one thread and counts the seconds that it computed:
the shares are then right, the seconds those of one core.
"""

import argparse
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent))

import _qwen as q

EXAMPLE = "example: nice -n 15 python benchmarks/qwen_cpu.py --write     quick check: --small"


Clock = Callable[[], float]


class Row(NamedTuple):
    """Seconds of one size of picture."""

    tokens: int
    vision: float
    shared_first: float
    full_first: float
    shared_whole: float
    full_whole: float
    written: int
    first_token: float

    @property
    def a_token(self) -> float:
        """Seconds a written token."""
        return (self.shared_whole - self.shared_first) / max(1, self.written - 1)


def main() -> None:
    """Measure, print the table, write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=EXAMPLE)
    parser.add_argument("--small", action="store_true", help="a network of a million parameters: is the script well?")
    parser.add_argument("--shape", choices=["2B/4", "2B", "4B"], default="2B", help="2B/4: a quarter of the layers")
    parser.add_argument("--tokens", type=int, nargs="+", default=[256, 576], help="visual tokens of a picture")
    parser.add_argument("--written", type=int, default=48, help="tokens of the answer")
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--threads", type=int, default=0, help="0 = all free cores")
    parser.add_argument("--minutes", type=float, default=6.0, help="begin nothing new after so long")
    parser.add_argument("--out", type=Path, help="write the table into this file, too")
    parser.add_argument("--write", action="store_true", help="put the table into docs/measured/qwen.md")
    parser.add_argument("--busy", action="store_true", help="one thread, seconds of CPU instead of the wall's")
    given = parser.parse_args()
    from cs_bot.vision.qwen import devices, speed

    told, shape = q.Told(given.minutes), "small" if given.small else given.shape
    threads, busy = 1 if given.busy else given.threads or devices.free_cores(), q.load()
    clock = time.process_time if given.busy else time.perf_counter
    told.say(f"probing the CPU, {threads} threads, {busy}")
    probe = speed.probe("bfloat16", threads, clock=clock)
    rows: list[Row] = []
    for tokens in given.tokens:
        if told.over:
            told.say(f"no time left for {tokens} visual tokens")
            break
        told.say(f"{shape}: building the network, pictures of {tokens} visual tokens")
        with q.engine(shape, device="cpu", tokens=tokens, threads=threads) as bench:
            rows.append(measured(bench, tokens, given.written, given.repeat, told, clock))
            parameters, weights = bench.parameters, bench.weight_bytes
    counted = "seconds that one thread computed" if given.busy else f"{threads} threads"
    text = report(rows, shape, parameters, weights, probe, f"{counted}, {busy} before, {q.load()} after")
    print(text)
    if given.out:
        given.out.write_text(text, encoding="utf-8")
    if given.write:
        told.say(f"written to {q.write_section('cpu', text)}")


def measured(bench: q.Bench, tokens: int, written: int, repeat: int, told: q.Told, clock: Clock) -> Row:
    """One size of picture, both ways, turn about."""
    number = iter(range(1000))

    def timed(core: Any, shown: Any, count: int) -> tuple[float, int]:
        return q.clocked(lambda: q.turn(core, bench.prompts, shown, count), clock)

    told.say("warming up")
    timed(bench.core, q.picture(next(number), tokens), 2)
    found: dict[str, list[float]] = {"shared 1": [], "full 1": [], "shared": [], "full": []}
    count = written
    for at in range(repeat):
        if at and told.over:
            break
        shown = q.picture(next(number), tokens)
        for name, core in (("shared", bench.core), ("full", bench.full)):
            found[f"{name} 1"].append(timed(core, shown, 1)[0])
            told.say(f"round {at + 1}: {name}, before the first token of the answer: {found[f'{name} 1'][-1]:.2f} s")
        shown = q.picture(next(number), tokens)
        for name, core in (("shared", bench.core), ("full", bench.full)):
            took, count = timed(core, shown, written)
            found[name].append(took)
            told.say(f"round {at + 1}: {name}, whole turn with {count} tokens: {took:.2f} s")
    best = {name: min(values) for name, values in found.items()}
    vision = vision_alone(bench, q.picture(next(number), tokens), clock)
    shown = q.picture(next(number), tokens)
    first = q.clocked(lambda: q.alone(bench.full, bench.prompts, shown, 1), clock)[0]
    return Row(tokens, vision, best["shared 1"], best["full 1"], best["shared"], best["full"], count, first)


def vision_alone(bench: q.Bench, shown: Any, clock: Clock) -> float:
    """Seconds of the vision tower."""
    import torch

    from cs_bot.vision.chat import ChatMessage, Role

    message = (ChatMessage(Role.USER, (shown, "x")),)
    (seen,) = bench.core.inputs.encode(message, bench.core.budget, room=8).pictures
    values, grid = seen.values().to(torch.bfloat16), torch.tensor([seen.grid])
    with torch.inference_mode():
        return min(q.clocked(lambda: bench.network.model.get_image_features(values, grid), clock)[0] for _ in range(2))


def report(rows: list[Row], shape: str, parameters: int, weights: int, probe: Any, how: str) -> str:
    """The section: a table for people, and what it means."""
    head = ("picture, visual tokens", *(str(row.tokens) for row in rows))
    lines = [
        ("vision tower", *(f"{row.vision:.2f} s" for row in rows)),
        ("one full call, to its first token", *(f"{row.first_token:.2f} s" for row in rows)),
        ("two full calls, to the answer's first token", *(f"{row.full_first:.2f} s" for row in rows)),
        ("classify and answer from one look, to the same", *(f"{row.shared_first:.2f} s" for row in rows)),
        ("of the naive time", *(f"**{row.shared_first / row.full_first:.2f}**" for row in rows)),
        ("whole turn, two full calls", *(f"{row.full_whole:.2f} s" for row in rows)),
        ("whole turn, one look", *(f"{row.shared_whole:.2f} s" for row in rows)),
        ("of the naive time", *(f"{row.shared_whole / row.full_whole:.2f}" for row in rows)),
        ("tokens a second", *(f"{1 / row.a_token:.1f}" for row in rows)),
        ("weights read for them", *(f"{weights / row.a_token / 1e9:.0f} GB/s" for row in rows)),
    ]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    written = statistics.mode(row.written for row in rows)
    return f"""## {shape} on a CPU
{parameters / 1e9:.3f} billion parameters in bfloat16 ({weights / 2**30:.2f} GiB), {platform.machine()}, {how}.
Answers of {written} tokens. Peak memory {peak:.2f} GiB. The same run's probe: {probe.flops / 1e12:.2f} TFLOP/s,
{probe.copied / 1e9:.0f} GB/s copied, {probe.streamed / 1e9:.0f} GB/s of weights for one row.

{q.markdown(head, lines)}
"""


if __name__ == "__main__":
    main()
