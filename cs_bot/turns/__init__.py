"""Claim, renew, absorb, finish, sweep: the only place that moves a turn (invariants 1 and 4)."""

from cs_bot.turns.arrival import Incoming, arrive, picture_settled
from cs_bot.turns.claiming import claim, seconds_until_due, stored
from cs_bot.turns.ending import Finished, fail, sweep
from cs_bot.turns.holding import ask_a_person, hold, send_back
from cs_bot.turns.leases import Leases, renew
from cs_bot.turns.people import end_unsent, release, revoke, take_over
from cs_bot.turns.work import Queued, Work, finish

__all__ = [
    "Finished",
    "Incoming",
    "Leases",
    "Queued",
    "Work",
    "arrive",
    "ask_a_person",
    "claim",
    "end_unsent",
    "fail",
    "finish",
    "hold",
    "picture_settled",
    "release",
    "renew",
    "revoke",
    "seconds_until_due",
    "send_back",
    "stored",
    "sweep",
    "take_over",
]
