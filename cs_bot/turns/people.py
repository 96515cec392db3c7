"""People first: takeover, release, revoke."""

from datetime import datetime

from cs_bot.records import End, Owner, Reason
from cs_bot.store.database import Row, Transaction
from cs_bot.store.queries import conversations, messages, outbound, reviews, turns
from cs_bot.store.queries.sql import changed
from cs_bot.turns.holding import end_waiting


def take_over(tx: Transaction, channel: str, account: str, conversation: str, at: datetime) -> None:
    """A person outside cs-bot answers from now on; what is not answered yet is theirs."""
    take_over_locked(tx, conversations.open_and_lock(tx, channel, account, conversation), at)


def take_over_locked(tx: Transaction, row: Row, at: datetime) -> None:
    """The same for a conversation that this transaction has locked."""
    if not conversations.set_owner(tx, row, Owner.OUTSIDE, at):
        return
    end_unsent(tx, row)
    review = reviews.open_of(tx, row["id"])
    if review is not None:
        messages.end(tx, messages.of_review(review["id"]), End.HANDED_OVER, Reason.TAKEN_OVER)
        reviews.close(tx, review["id"], "handed_over")
    changed(tx, "conversation", row["id"])


def end_unsent(tx: Transaction, row: Row) -> None:
    """What the bot has not answered yet ends with the people outside, who may answer it and give the conversation back
    before the bot comes to it: messages that wait, the live turn (a worker that has it finds the fence moved on), and
    replies in the outbox. A reply that may have been sent stays until that is known. The conversation is locked.
    """
    turn_ids = outbound.cancel_replies(tx, row["id"], Reason.TAKEN_OVER)
    working = turns.working(tx, row["id"])
    if working is not None:
        conversations.change(tx, row["id"], lease_until=None, fence=row["fence"] + 1)
        turns.finish(tx, working["id"], "handed_over")
        turn_ids.append(working["id"])
    for turn_id in turn_ids:
        messages.end(tx, messages.of_turn(turn_id), End.HANDED_OVER, Reason.TAKEN_OVER)
    end_waiting(tx, row["id"])


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
