"""People first: takeover, release, revoke."""

from datetime import datetime

from cs_bot.records import End, Owner, Reason
from cs_bot.store.database import Row, Transaction
from cs_bot.store.queries import conversations, messages, reviews, turns
from cs_bot.store.queries.sql import changed
from cs_bot.turns.holding import end_waiting


def take_over(tx: Transaction, channel: str, account: str, conversation: str, at: datetime) -> None:
    """A person outside cs-bot answers from now on; what waits is theirs. Unsent bot replies stop at the send claim."""
    take_over_locked(tx, conversations.open_and_lock(tx, channel, account, conversation), at)


def take_over_locked(tx: Transaction, row: Row, at: datetime) -> None:
    """The same for a conversation that this transaction has locked."""
    if not conversations.set_owner(tx, row, Owner.OUTSIDE, at):
        return
    working = turns.working(tx, row["id"])
    if working is not None and row["lease_until"] is None:  # it waits for its next attempt: no worker will end it
        messages.end(tx, messages.of_turn(working["id"]), End.HANDED_OVER, Reason.TAKEN_OVER)
        turns.finish(tx, working["id"], "handed_over")
    end_waiting(tx, row["id"])
    review = reviews.open_of(tx, row["id"])
    if review is not None:
        messages.end(tx, messages.of_review(review["id"]), End.HANDED_OVER, Reason.TAKEN_OVER)
        reviews.close(tx, review["id"], "handed_over")
    changed(tx, "conversation", row["id"])


def release(tx: Transaction, channel: str, account: str, conversation: str, at: datetime) -> None:
    """The conversation is given back to the bot."""
    row = conversations.open_and_lock(tx, channel, account, conversation)
    if conversations.set_owner(tx, row, Owner.BOT, at):
        changed(tx, "conversation", row["id"])


def revoke(tx: Transaction, channel: str, account: str, conversation: str, message: str) -> None:
    """The customer took a message back; it changes only what is not yet answered."""
    row = conversations.open_and_lock(tx, channel, account, conversation)
    taken = messages.revoke(tx, channel, account, message)
    if taken is None or taken["end"] is not None:
        return
    if taken["conversation_id"] != row["id"]:  # the platform named another conversation: the message's own counts
        row = conversations.lock(tx, taken["conversation_id"])
    changed(tx, "conversation", row["id"])
    if taken["review_id"] is not None:
        _revoked_in_review(tx, taken["review_id"])
        return
    nothing_left = taken["turn_id"] is None and not messages.any_waiting(tx, row["id"])
    if nothing_left and turns.working(tx, row["id"]) is None:
        conversations.change(tx, row["id"], due_at=None, burst_started_at=None)


def _revoked_in_review(tx: Transaction, review_id: int) -> None:
    review = reviews.get(tx, review_id)
    if review is None or review["state"] != "open":
        return
    if messages.count_open(tx, messages.of_review(review_id)):
        reviews.bump(tx, review_id)
        reviews.record(tx, review_id, None, "message_revoked", {})
    else:
        reviews.close(tx, review_id, "revoked")
