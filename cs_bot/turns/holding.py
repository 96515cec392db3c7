"""A turn goes to a person, or its messages wait for a new turn."""

from collections.abc import Sequence

from cs_bot.records import End, Owner, Reason
from cs_bot.settings import Settings
from cs_bot.store.database import Row, Transaction
from cs_bot.store.queries import conversations, messages, outbound, reviews, turns


def ask_a_person(
    tx: Transaction,
    conversation: Row,
    *,
    turn_id: int,
    reasons: Sequence[Reason],
    settings: Settings,
    suggestion: str = "",
    text: str = "",
    kind: str | None = None,
    draft_id: int | None = None,
    decision_id: int | None = None,
) -> None:
    """A turn's open messages, and all that wait, go to who answers for the bot: the person who took over, the
    platform's own desk (a hand-off is queued), or our review queue. The conversation is locked by this transaction.
    """
    if conversation["owner"] == Owner.OUTSIDE:
        messages.end(tx, messages.of_turn(turn_id), End.HANDED_OVER, Reason.TAKEN_OVER)
        end_waiting(tx, conversation["id"], turn_id=turn_id)
        return
    account = settings.account(conversation["channel"], conversation["account"])
    if account is not None and account.desk == "platform":
        _hand_off(tx, conversation, turn_id, reasons, suggestion, text)
        return
    if Reason.ASKED_FOR_PERSON in reasons:
        conversations.set_owner(tx, conversation, Owner.DESK)
    hold(
        tx,
        conversation,
        turn_id=turn_id,
        reasons=reasons,
        due_s=settings.review.due_s,
        suggestion=suggestion,
        kind=kind,
        draft_id=draft_id,
        decision_id=decision_id,
    )


def _hand_off(
    tx: Transaction, conversation: Row, turn_id: int, reasons: Sequence[Reason], suggestion: str, text: str
) -> None:
    turn = turns.get(tx, turn_id)
    assert turn is not None
    conversations.set_owner(tx, conversation, Owner.OUTSIDE)
    outbound.add(
        tx,
        conversation_id=conversation["id"],
        turn_id=turn_id,
        origin=f"handoff:{turn_id}:{turn['round']}",
        kind="handoff",
        text=text,
        epoch=conversation["epoch"] + 1,
        extra={"reasons": list(reasons), "suggestion": suggestion},
    )
    end_waiting(tx, conversation["id"], turn_id=turn_id)


def end_waiting(tx: Transaction, conversation_id: int, *, turn_id: int | None = None) -> None:
    """Messages that no turn has taken yet end with the person who took over."""
    messages.end(tx, messages.all_waiting(conversation_id), End.HANDED_OVER, Reason.TAKEN_OVER)
    nothing_due(tx, conversation_id, turn_id=turn_id)


def nothing_due(tx: Transaction, conversation_id: int, *, turn_id: int | None) -> None:
    """Nothing waits any more, unless another turn than `turn_id` waits for its next attempt."""
    working = turns.working(tx, conversation_id)
    if working is None or working["id"] == turn_id:
        conversations.change(tx, conversation_id, due_at=None, burst_started_at=None)


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
    nothing_due(tx, conversation["id"], turn_id=turn_id)
    return review_id


def send_back(tx: Transaction, conversation: Row, turn_id: int) -> None:
    """The turn's draft is void (facts changed, a message revoked): what is open of it waits for a new turn, due now."""
    turns.change(tx, turn_id, outcome="sent_back")
    if messages.release_from_turn(tx, turn_id):
        conversations.change(tx, conversation["id"], due_at=tx.now(), burst_started_at=tx.now())
