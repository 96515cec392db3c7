"""What speed to expect of a CPU: a short probe of it, and seconds a picture derived from what was measured elsewhere.

The figures of REFERENCE are from docs/measured/qwen.md: the 2B checkpoint's shape on two cores, and what the probe
gives there. Vision grows with the square of the picture's tokens, everything else with the number of parameters.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

ROWS, WIDTH, DEPTH = 512, 2048, 6144  # a layer of the 2B checkpoint
COLUMNS = 65_536  # of the matrix that is streamed: 256 MiB in bfloat16, larger than any cache
CLASSIFY, READ, ANSWER = 120, 240, 240  # tokens of our prompts after the picture; the system text's are kept
ORDER_TOKENS, REPLY_TOKENS = 80, 60  # written when an order page is read; of a reply


class Probe(NamedTuple):
    """Of this machine: multiplications a second, bytes a second copied, bytes a second of weights for one row."""

    flops: float
    copied: float
    streamed: float


class Reference(NamedTuple):
    """Seconds on the machine that was probed: `vision` and `vision_squared` a visual token, `prompt` and `written`
    a token of text.
    """

    probe: Probe
    parameters: float
    vision: float
    vision_squared: float
    prompt: float
    written: float


REFERENCE = Reference(Probe(0.75e12, 77e9, 31.6e9), 2.128e9, 2.76e-3, 1.256e-5, 3.9e-3, 0.148)


@dataclass(frozen=True)
class Expected:
    """Seconds: until a picture's kind is known; to read it then; for an order page, which is read twice, from the
    beginning; for a reply of 60 tokens.
    """

    kind_s: float
    read_s: float
    order_s: float
    reply_s: float

    @property
    def pictures_an_hour(self) -> int:
        """How many pictures with a reply are done in an hour, one after the other."""
        return int(3600 / (self.kind_s + self.read_s + self.reply_s))


def probe(dtype: str, threads: int, seconds: float = 2.0, clock: Callable[[], float] = time.perf_counter) -> Probe:
    """Measure this machine's CPU, for about `seconds` of the `clock`."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.inference_mode():
            kind, share = getattr(torch, dtype), seconds / 3
            many, layer = torch.ones(ROWS, WIDTH, dtype=kind), torch.ones(DEPTH, WIDTH, dtype=kind)
            flops = 2 * ROWS * WIDTH * DEPTH / _fastest(lambda: torch.nn.functional.linear(many, layer), share, clock)
            one, table = torch.ones(1, WIDTH, dtype=kind), torch.ones(COLUMNS, WIDTH, dtype=kind)
            streamed = _bytes(table) / _fastest(lambda: torch.nn.functional.linear(one, table), share, clock)
            copy = torch.empty_like(table)
            copied = 2 * _bytes(table) / _fastest(lambda: copy.copy_(table), share, clock)
    finally:
        torch.set_num_threads(before)
    return Probe(flops, copied, streamed)


def _bytes(tensor: Any) -> int:
    return int(tensor.numel() * tensor.element_size())


def _fastest(work: Callable[[], Any], seconds: float, clock: Callable[[], float]) -> float:
    """The shortest time of one call among those that fit into `seconds`; the first is not counted."""
    work()
    end, best = clock() + seconds, float("inf")
    while clock() < end or best == float("inf"):
        started = clock()
        work()
        best = min(best, clock() - started)
    return best


def expected(found: Probe, parameters: float, tokens: int) -> Expected:
    """What a checkpoint with so many parameters takes for a picture of so many visual tokens on the probed CPU."""
    size = parameters / REFERENCE.parameters
    computed = size * REFERENCE.probe.flops / found.flops
    written = size * REFERENCE.written * REFERENCE.probe.streamed / found.streamed
    vision = REFERENCE.vision * tokens + REFERENCE.vision_squared * tokens**2
    prefix = computed * (vision + REFERENCE.prompt * tokens)
    kind = prefix + computed * REFERENCE.prompt * CLASSIFY
    read = computed * REFERENCE.prompt * READ + ORDER_TOKENS * written
    reply = computed * REFERENCE.prompt * ANSWER + REPLY_TOKENS * written
    return Expected(kind, read, kind + read + prefix + read, reply)
