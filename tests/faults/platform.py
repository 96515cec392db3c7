"""A platform without a network: what the customer sees, in order; it does exactly what a step says."""

from dataclasses import dataclass

from cs_bot.channels import generic
from cs_bot.channels.base import Caps, Delivery, RawRequest
from cs_bot.records import Outbound, Receipt, SendState

MODES = {
    "key": Caps(idempotent_send=True, can_look_up=False, hand_off=True),
    "lookup": Caps(idempotent_send=False, can_look_up=True, hand_off=True),
    "none": Caps(idempotent_send=False, can_look_up=False, hand_off=True),
}


@dataclass(frozen=True)
class Shown:
    """One thing that the customer (or, a hand-off, the shop's desk) sees."""

    row_id: int
    outbound: Outbound


class Platform:
    """One account's platform. `mode` is key (shows a webhook-id once), lookup (can be asked) or none of both."""

    name = "virtual"

    def __init__(self, mode: str) -> None:
        self.mode, self.caps = mode, MODES[mode]
        self.shown: list[Shown] = []
        self.mute = False  # the look-up gets no answer
        self.denied: set[str] = set()  # ids that a look-up has said to be absent

    def verify(self, request: RawRequest) -> None:
        """Signatures are not what is tested here."""

    def parse(self, request: RawRequest) -> Delivery:
        """As the generic channel does."""
        return generic.parse(request)

    def send(self, outbound: Outbound) -> Receipt:
        """Steps call show() themselves, between the claim and the outcome."""
        raise AssertionError("the steps send")

    def show(self, row_id: int, outbound: Outbound) -> None:
        """The request arrives."""
        if self.caps.idempotent_send and self.has(outbound.outbound_id):
            return
        self.shown.append(Shown(row_id, outbound))

    def has(self, outbound_id: str) -> bool:
        """Whether that id was taken."""
        return any(s.outbound.outbound_id == outbound_id for s in self.shown)

    def look_up(self, outbound_id: str) -> Receipt | None:
        """The truth, or nothing while mute."""
        if self.mute:
            return None
        if self.has(outbound_id):
            return Receipt(state=SendState.SENT)
        self.denied.add(outbound_id)
        return Receipt(state=SendState.NOT_SENT)

    def close(self) -> None:
        """Nothing is open."""
