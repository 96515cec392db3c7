"""What the simulated platform may do to a reply: seeded, so that a run can be repeated."""

import random
from collections.abc import Callable, Mapping
from enum import StrEnum


class Fault(StrEnum):
    """How one attempt to deliver a reply goes wrong."""

    TOO_MANY = "too_many"  # 429 with Retry-After, not taken
    ERROR = "error"  # 500, not taken
    ERROR_AFTER = "error_after"  # taken, then 500
    HANG = "hang"  # not taken, no answer until the platform gives up
    HANG_AFTER = "hang_after"  # taken, then no answer
    DROP = "drop"  # not taken, connection closed without an answer
    DROP_AFTER = "drop_after"  # taken, then the connection is closed without an answer
    REFUSE = "refuse"  # 400: refused for good


TAKEN = frozenset({Fault.ERROR_AFTER, Fault.HANG_AFTER, Fault.DROP_AFTER})

FaultPlan = Callable[[str, int], Fault | None]
"""(outbound id, attempt counted from 1) -> what goes wrong, None for nothing. Called from several threads."""


def no_faults(outbound_id: str, attempt: int) -> Fault | None:
    """A platform that always works."""
    return None


def seeded_faults(seed: int, shares: Mapping[Fault, float], *, attempts: int = 3) -> FaultPlan:
    """Each of the first `attempts` attempts of a reply fails with these shares; later ones always succeed.

    The same seed, outbound id and attempt give the same fault, whatever the order of calls.
    """
    if sum(shares.values()) > 1:
        raise ValueError("the shares of faults add up to more than 1")

    def plan(outbound_id: str, attempt: int) -> Fault | None:
        if attempt > attempts:
            return None
        draw = random.Random(f"{seed}/{outbound_id}/{attempt}").random()
        for fault, share in shares.items():
            if draw < share:
                return fault
            draw -= share
        return None

    return plan
