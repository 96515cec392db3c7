"""python -m tests.faults.worker NAME: one real process, with a chaos engine, short sweeps, unreliable doorbells."""

import random
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from cs_bot import bootstrap
from tests.faults import engine, network
from tests.faults.mutants import MUTANTS, apply

DROPPED, DOUBLED = 0.3, 0.1
UPKEEP_S = 0.5
GRACE_S = 0.5  # for an engine that hangs


def unreliable(make: Callable[..., Callable[[str], None]]) -> Callable[..., Callable[[str], None]]:
    """ringer() whose bells get lost or doubled."""

    def ringer(redis: Any) -> Callable[[str], None]:
        ring = make(redis)

        def sometimes(queue: str) -> None:
            draw = random.random()
            for _ in range(0 if draw < DROPPED else 2 if draw > 1 - DOUBLED else 1):
                ring(queue)

        return sometimes

    return ringer


def main(name: str, without: str = "") -> int:
    """Run one process until it is told to stop, or killed; `without` a guard of mutants.py for a control run."""
    engine.register()
    network.register()
    if without:
        mutant = next(m for m in MUTANTS if m.name == without)
        apply(mutant.cuts, pytest.MonkeyPatch())  # for good: the process has no guard
    vars(bootstrap)["ringer"] = unreliable(bootstrap.ringer)
    if name == "web":
        from cs_bot.cli.run import web

        web(config=None, host=None, port=None, root_path="", quiet=True)
        return 0
    from workers import answer, deliver, fetch, runtime, upkeep

    vars(runtime)["replace_unless"] = partial(runtime.replace_unless, grace_s=GRACE_S)
    if name == "upkeep":
        return runtime.run_every(UPKEEP_S, name, upkeep.once)
    if name == "answer":
        return runtime.run(name, answer.drain, answer.ready)
    return runtime.run(name, {"deliver": deliver, "fetch": fetch}[name].drain)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
