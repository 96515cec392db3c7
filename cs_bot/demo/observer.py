"""What a story needs to know about a message once it is posted: the Observer protocol and its TurnView."""

from typing import Protocol

from cs_bot.records import Action, End, Kind, Reason, Record


class TurnView(Record):
    """One message as the ledger has it, with the newest turn that holds it.

    `claimed`: a worker has taken it. `end` is None until the message ended; a message that a person is to answer has
    `review_open` and a `review_id` instead. `reply` and `draft` are texts as a person reads them; `stages` are
    (name, seconds) in order. `seen` has a line a picture: the engine that looked and what it said. `words_by` is the
    engine that put the draft into words, `templates` where none did. `conflicts` counts deliveries under the same id
    with another body.
    """

    claimed: bool = False
    kind: Kind | None = None
    action: Action | None = None
    reasons: tuple[Reason, ...] = ()
    end: End | None = None
    end_reason: Reason | None = None
    review_open: bool = False
    review_id: int | None = None
    reply: str | None = None
    draft: str | None = None
    stages: tuple[tuple[str, float], ...] = ()
    seen: tuple[str, ...] = ()
    words_by: str | None = None
    conflicts: int = 0

    @property
    def settled(self) -> bool:
        """Nothing more will happen to it without a person."""
        return self.end is not None or self.review_open


class Observer(Protocol):
    """Looks messages up; called every 0.1 s from several threads."""

    def find_turn(self, channel: str, account: str, message_external_id: str) -> TurnView | None:
        """The message's state now, None while it is not known."""
