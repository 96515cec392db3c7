"""A turn goes to a person, or its messages wait for a new turn."""

from collections.abc import Sequence

from cs_bot.records import Reason
from cs_bot.store.database import Row, Transaction
from cs_bot.store.queries import conversations, messages, reviews, turns


def hold(
    tx: Transaction,
    conversation: Row,
    *,
    turn_id: int | None,
    reasons: Sequence[Reason],
    due_s: float,
    suggestion: str = "",
    kind: str | None = None,
    draft_id: int | None = None,
    decision_id: int | None = None,
) -> int:
    """Open the conversation's review, or join it, with the turn's messages and all that wait; the review's id.

    The conversation is locked by this transaction.
    """
    if turn_id is not None and draft_id is None:
        draft = turns.latest_draft(tx, turn_id)
        decision = turns.latest_decision(tx, turn_id)
        draft_id = None if draft is None else draft["id"]
        decision_id = None if decision is None else decision["id"]
        kind = kind or (None if decision is None else decision["kind"])
        suggestion = suggestion or ("" if decision is None else decision["body"]["suggestion"])
    review_id = reviews.open_or_join(
        tx,
        conversation["id"],
        reasons=reasons,
        suggestion=suggestion,
        due_s=due_s,
        kind=kind,
        draft_id=draft_id,
        decision_id=decision_id,
    )
    messages.join_review(tx, conversation["id"], review_id, turn_id=turn_id)
    conversations.change(tx, conversation["id"], due_at=None, burst_started_at=None)
    return review_id


def send_back(tx: Transaction, conversation: Row, turn_id: int) -> None:
    """The turn's draft is void (facts changed, a message revoked): what is open of it waits for a new turn, due now."""
    turns.change(tx, turn_id, outcome="sent_back")
    if messages.release_from_turn(tx, turn_id) and reviews.open_of(tx, conversation["id"]) is None:
        conversations.change(tx, conversation["id"], due_at=tx.now(), burst_started_at=tx.now())
