"""What an agent does: claim, renew, release, approve, edit, reject, dismiss, hand over, reassign, give back."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from cs_bot import claims
from cs_bot.errors import Conflict, NotFound
from cs_bot.records import HIDES_DRAFT, Action, End, Mode, Owner, Verdict
from cs_bot.review.cards import ReviewCard, burst_of, card_of, draft_text, mode_of, row_of
from cs_bot.review.judging import marks
from cs_bot.settings import ReviewSettings
from cs_bot.store.database import Database, Row, Transaction
from cs_bot.store.queries import conversations, messages, outbound, reviews, turns
from cs_bot.store.queries.sql import audit
from cs_bot.turns import end_unsent

MAX_REPLY = 5000


def claim(database: Database, review_id: int, *, agent_id: int, version: int, rules: ReviewSettings) -> ReviewCard:
    """Take a free review for `rules.claim_s` seconds; raises NotFound, Conflict."""
    with _moving(database, review_id) as tx:
        until = tx.now() + timedelta(seconds=rules.claim_s)
        _must(reviews.claim(tx, review_id, version, agent_id, until))
        reviews.record(tx, review_id, agent_id, "claimed", {})
        return card_of(tx, review_id)


def renew(database: Database, review_id: int, *, agent_id: int, rules: ReviewSettings) -> None:
    """Prolong one's claim; raises Conflict when it has run out."""
    with _moving(database, review_id) as tx:
        _must(reviews.renew(tx, review_id, agent_id, tx.now() + timedelta(seconds=rules.claim_s)))


def release(database: Database, review_id: int, *, agent_id: int, version: int) -> ReviewCard:
    """Give one's claim back."""
    with _moving(database, review_id) as tx:
        _must(reviews.move(tx, review_id, version, mine=agent_id, claimed_by=None, claimed_until=None))
        reviews.record(tx, review_id, agent_id, "released", {})
        return card_of(tx, review_id)


def reassign(
    database: Database, review_id: int, *, agent_id: int, version: int, to_agent_id: int, rules: ReviewSettings
) -> ReviewCard:
    """Give one's claim to another agent; raises NotFound for an unknown agent."""
    with _moving(database, review_id) as tx:
        if not reviews.agent_exists(tx, to_agent_id):
            raise NotFound("there is no such agent")
        until = tx.now() + timedelta(seconds=rules.claim_s)
        _must(reviews.move(tx, review_id, version, mine=agent_id, claimed_by=to_agent_id, claimed_until=until))
        reviews.record(tx, review_id, agent_id, "reassigned", {"to_agent_id": to_agent_id})
        return card_of(tx, review_id)


def approve(database: Database, review_id: int, *, agent_id: int, version: int, rules: ReviewSettings) -> ReviewCard:
    """Send the draft as it is; raises Conflict when the customer wrote again, or there is no draft to be seen."""
    with _moving(database, review_id) as tx:
        row = _shown(tx, review_id)
        text = draft_text(tx, row)
        if text is None:
            raise Conflict("there is no draft to approve: write an answer")
        _answer(tx, row, version, agent_id, text, "approved", Verdict.APPROVE, rules)
        return card_of(tx, review_id)


def edit(
    database: Database, review_id: int, *, agent_id: int, version: int, text: str, rules: ReviewSettings
) -> ReviewCard:
    """Send another text; numbers that are in no fact are flagged in the result and kept with the judgement.

    Where the draft is hidden it is the agent's own answer; in shadow mode the card then shows both (`judge_shadow`).
    """
    with _moving(database, review_id) as tx:
        row = row_of(tx, review_id)
        mode = mode_of(tx, row)
        shadow = mode is Mode.SHADOW and draft_text(tx, row) is not None
        outcome, verdict = "answered" if mode in HIDES_DRAFT else "edited", Verdict.SHADOW if shadow else Verdict.EDIT
        flags = _answer(tx, row, version, agent_id, _checked(text), outcome, verdict, rules)
        return card_of(tx, review_id).model_copy(update={"flags": flags})


def reject(
    database: Database,
    review_id: int,
    *,
    agent_id: int,
    version: int,
    reason: str,
    text: str | None = None,
    rules: ReviewSettings,
) -> ReviewCard:
    """The draft is wrong. With `text` that is sent instead; without, the review stays with the agent, draft gone.

    Raises Conflict where nobody has seen the draft.
    """
    with _moving(database, review_id) as tx:
        row = _shown(tx, review_id)
        if text is not None:
            flags = _answer(tx, row, version, agent_id, _checked(text), "rejected", Verdict.REJECT, rules, reason)
            return card_of(tx, review_id).model_copy(update={"flags": flags})
        _judge(tx, row, agent_id, Verdict.REJECT, None, ())
        _must(reviews.move(tx, review_id, version, mine=agent_id, draft_id=None))
        reviews.record(tx, review_id, agent_id, "draft_rejected", {"reason": reason[:300]})
        return card_of(tx, review_id)


def dismiss(database: Database, review_id: int, *, agent_id: int, version: int, reason: str) -> ReviewCard:
    """Nothing needs an answer."""
    with _moving(database, review_id) as tx:
        row = row_of(tx, review_id)
        _close(tx, row, version, agent_id, "dismissed", {"reason": reason[:300]})
        messages.end(tx, messages.of_review(review_id), End.DISMISSED)
        return card_of(tx, review_id)


def hand_over(database: Database, review_id: int, *, agent_id: int, version: int, note: str = "") -> ReviewCard:
    """People outside answer: the platform is told, the bot is silent until the conversation is given back."""
    with _moving(database, review_id) as tx:
        row = row_of(tx, review_id)
        conversation = conversations.lock(tx, row["conversation_id"])
        _close(tx, row, version, agent_id, "handed_over", {"note": note[:300]})
        conversations.set_owner(tx, conversation, Owner.OUTSIDE)
        end_unsent(tx, conversation)
        outbound.add(
            tx,
            conversation_id=conversation["id"],
            review_id=review_id,
            origin=f"handoff:review:{review_id}",
            kind="handoff",
            text="" if mode_of(tx, row) in HIDES_DRAFT else draft_text(tx, row) or "",
            epoch=conversation["epoch"] + 1,
            extra={"reasons": row["reasons"], "suggestion": row["suggestion"], "note": note[:300]},
        )
        return card_of(tx, review_id)


def give_back(database: Database, conversation_id: int, *, agent_id: int) -> None:
    """The bot may speak in this conversation again."""
    with database.write() as tx:
        if not conversations.exists(tx, conversation_id):
            raise NotFound
        row = conversations.lock(tx, conversation_id)
        conversations.set_owner(tx, row, Owner.BOT)
        audit(tx, f"agent:{agent_id}", "conversation.given_back", "conversation", conversation_id)


def sweep(database: Database) -> int:
    """Free claims that have run out (upkeep); how many."""
    with database.write() as tx:
        return reviews.release_stale(tx)


@contextmanager
def _moving(database: Database, review_id: int) -> Iterator[Transaction]:
    """A write transaction that has locked the review's conversation (arrivals and sends queue behind it)."""
    with database.write() as tx:
        conversations.lock(tx, row_of(tx, review_id)["conversation_id"])
        yield tx


def _shown(tx: Transaction, review_id: int) -> Row:
    """The review's row; raises Conflict when its draft is hidden."""
    row = row_of(tx, review_id)
    if mode_of(tx, row) in HIDES_DRAFT:
        raise Conflict("the draft is hidden here: write an answer of your own (edit)")
    return row


def _must(done: bool) -> None:
    if not done:
        raise Conflict("this review has changed, is closed or is not yours: load it again")


def _checked(text: str) -> str:
    clean = text.strip()
    if not clean:
        raise Conflict("an empty answer can't be sent")
    if len(clean) > MAX_REPLY:
        raise Conflict(f"an answer may have at most {MAX_REPLY} characters")
    return clean


def _close(tx: Transaction, row: Row, version: int, agent_id: int, outcome: str, detail: dict[str, Any]) -> None:
    closed = {"state": "closed", "outcome": outcome, "closed_at": tx.now()}
    _must(reviews.move(tx, row["id"], version, mine=agent_id, **closed))
    reviews.record(tx, row["id"], agent_id, outcome, detail)


def _answer(
    tx: Transaction,
    row: Row,
    version: int,
    agent_id: int,
    text: str,
    outcome: str,
    verdict: Verdict,
    rules: ReviewSettings,
    reason: str = "",
) -> tuple[str, ...]:
    """Close the review and queue the answer in one transaction; the flagged numbers."""
    flags = unknown_numbers(text, tx, row)
    _judge(tx, row, agent_id, verdict, text, flags)
    _close(tx, row, version, agent_id, outcome, {"reason": reason[:300], "flags": list(flags)})
    conversation = conversations.lock(tx, row["conversation_id"])
    outbound.add(
        tx,
        conversation_id=row["conversation_id"],
        review_id=row["id"],
        origin=f"review:{row['id']}",
        kind="agent",
        text=text,
        epoch=conversation["epoch"],
        due_at=tx.now() + timedelta(seconds=rules.undo_s),
    )
    return flags


def _judge(
    tx: Transaction, row: Row, agent_id: int, verdict: Verdict, text: str | None, flags: tuple[str, ...]
) -> None:
    found = None if row["decision_id"] is None else turns.decision(tx, row["decision_id"])
    decision = None if found is None else turns.as_decision(found)
    unseen = decision is not None and decision.mode in HIDES_DRAFT and verdict is not Verdict.SHADOW
    reviews.add_judgement(
        tx,
        review_id=row["id"],
        turn_id=None if found is None else found["turn_id"],
        decision_id=row["decision_id"],
        draft_id=None if unseen else row["draft_id"],
        agent_id=agent_id,
        verdict=verdict,
        text=text,
        flags=list(flags),
        counts=decision is not None and decision.eligible and decision.action is Action.REVIEW,
        kind=None if decision is None else decision.kind,
        route=None if decision is None else decision.route,
        policy_version=0 if decision is None else decision.policy_version,
        **marks(verdict, None if unseen else draft_text(tx, row), text).model_dump(),
    )


def unknown_numbers(text: str, tx: Transaction, row: Row) -> tuple[str, ...]:
    """Numbers of an answer that are neither in the records, nor in the draft, nor in the customer's words."""
    known = [m["text"] for m in burst_of(tx, row["id"])]
    found = turns.draft(tx, row["draft_id"]) if row["draft_id"] is not None else None
    if found is not None:
        known.append((found["draft"] or {}).get("text", ""))
        known.append(_flat([found["facts"]["order"], [hit["faq"]["answer"] for hit in found["facts"]["faq"]]]))
    return claims.unknown_numbers(text, known)


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(_flat(v) for v in value.values())
    if isinstance(value, list):
        return " ".join(_flat(v) for v in value)
    return "" if value is None else str(value)
