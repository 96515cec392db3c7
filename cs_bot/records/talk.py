"""Who writes what: pictures of messages, customers, messages, turns."""

from datetime import datetime
from enum import StrEnum

from cs_bot.records.base import Record
from cs_bot.records.seen import Look
from cs_bot.records.words import Owner, Reason


class PictureState(StrEnum):
    """Where one picture of a message stands."""

    WAITING = "waiting"
    FETCHING = "fetching"
    READY = "ready"
    FAILED = "failed"


class PictureUse(Record):
    """One picture of one message. `sha256` is that of the original bytes and names the stored file.

    `pixels_sha256` is that of its decoded pixels: two files with the same ones show the same.
    """

    picture_use_id: int
    message_id: int
    position: int
    state: PictureState
    sha256: str | None = None
    pixels_sha256: str | None = None
    failure: Reason | None = None
    tags: tuple[str, ...] = ()  # evidence from metadata: edited-with, ai-generated ...


class Customer(Record):
    """A person on one account of one channel; contacts come only from signed events or imports."""

    customer_id: int
    channel: str
    account: str
    external_id: str
    name: str | None = None
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()


class Message(Record):
    """One inbound message as stored."""

    message_id: int
    external_id: str
    seq: int
    text: str
    sent_at: datetime
    received_at: datetime
    customer_id: int
    revoked: bool = False
    pictures: tuple[PictureUse, ...] = ()


class Turn(Record):
    """The burst of messages answered together, with what the stages need to know of its conversation."""

    turn_id: int
    conversation_id: int
    channel: str
    account: str
    fence: int
    attempts: int
    restarts: int
    round: int  # moves when an unsent draft is dropped
    origin: str  # customer | redraft | playground
    deadline_at: datetime
    messages: tuple[Message, ...]
    customers: tuple[Customer, ...]  # of those messages; more than one is a reason to hold
    earlier: tuple[tuple[str, str], ...] = ()  # (customer | bot | agent, text), oldest first
    earlier_looks: tuple[Look, ...] = ()  # without a picture: of this customer's last ones here, not long ago
    owner: Owner = Owner.BOT
    recent_bot_replies: int = 0  # sent within the loop guard's window

    @property
    def text(self) -> str:
        """The words of the burst, one message a line."""
        return "\n".join(m.text for m in self.messages if m.text)

    @property
    def pictures(self) -> tuple[PictureUse, ...]:
        """All pictures of the burst in order."""
        return tuple(p for m in self.messages for p in m.pictures)
