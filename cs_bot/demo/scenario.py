"""Stories told to cs-bot through the simulated platform: steps, and what must come of each message."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from cs_bot.records import Kind, Reason
from cs_bot.schemas import Person

MISSING = "no-such-picture.png"  # the platform answers 404
INSIDE = "inside:secret.png"  # an address that the account's list of picture hosts does not hold


class Outcome(StrEnum):
    """How a message may end: records.End, or with a person's answer still open, or never let in."""

    BOT = "bot"
    PERSON = "person"
    DISMISSED = "dismissed"
    HANDED_OVER = "handed_over"
    REVOKED = "revoked"
    IGNORED = "ignored"
    REVIEW = "review"
    REFUSED = "refused"


@dataclass(frozen=True)
class Say:
    """Post message.created. `pictures` are file names of the shop's pictures, MISSING or INSIDE.

    `again` posts the very same delivery that many times more. `same_id_as` takes the id of an earlier message.
    `echo_of` makes it the platform's echo of the bot's reply to that message. `status` is the HTTP status to expect.
    """

    name: str
    text: str = ""
    pictures: tuple[str, ...] = ()
    sender: str = "customer"
    sent_ago_s: float = 0.0
    again: int = 0
    same_id_as: str | None = None
    echo_of: str | None = None
    forged: bool = False
    status: int = 200


@dataclass(frozen=True)
class Event:
    """Post conversation.taken_by_human or conversation.released, or message.revoked of the message `of`."""

    kind: str
    of: str | None = None


@dataclass(frozen=True)
class Wait:
    """Wait until the message is claimed by a worker, or until it is settled."""

    name: str
    until: str = "settled"  # claimed | settled


@dataclass(frozen=True)
class Approve:
    """An agent approves the draft that answers the message, and its reply arrives."""

    name: str


@dataclass(frozen=True)
class Pause:
    """Wait a little."""

    seconds: float


Step = Say | Event | Wait | Approve | Pause


@dataclass(frozen=True)
class Expect:
    """What must come of a message. `reasons` must all be there, of `any_reason` at least one.

    `contains` and `without` are about the reply that the customer got, or about the draft where a person is asked.
    """

    name: str
    outcome: Outcome
    kind: Kind | None = None
    reasons: tuple[Reason, ...] = ()
    any_reason: tuple[Reason, ...] = ()
    contains: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    conflicts: int = 0


@dataclass(frozen=True)
class Ends:
    """How a story ends where an engine brings it to another end: its steps too, as far as they hang on the end."""

    steps: tuple[Step, ...]
    expects: tuple[Expect, ...]
    replies: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Scenario:
    """One conversation. `replies` is how many replies the customer may have got in the end (least, most).

    `otherwise` holds the ends on engines (names of demo.engines.ENGINES) that bring it to others.
    """

    key: str
    title: str
    customer: Person
    steps: tuple[Step, ...]
    expects: tuple[Expect, ...]
    replies: tuple[int, int] = (1, 1)
    tags: tuple[str, ...] = field(default=())
    otherwise: Mapping[str, Ends] = field(default_factory=dict)

    def on(self, engine: str) -> "Scenario":
        """The story as that engine must bring it to its end."""
        ends = self.otherwise.get(engine)
        if ends is None:
            return self
        return replace(self, steps=ends.steps, expects=ends.expects, replies=ends.replies)

    def say(self, name: str) -> Say:
        """The message of that name."""
        return next(step for step in self.steps if isinstance(step, Say) and step.name == name)

    @property
    def pictures(self) -> tuple[str, ...]:
        """Every picture of the shop that it needs."""
        named = [picture for step in self.steps if isinstance(step, Say) for picture in step.pictures]
        return tuple(dict.fromkeys(name for name in named if name not in (MISSING, INSIDE)))
