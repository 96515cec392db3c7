"""7b the human queue: claim, approve, edit, reject, reassign, release."""

from cs_bot.review.actions import (
    MAX_REPLY,
    approve,
    claim,
    dismiss,
    edit,
    give_back,
    hand_over,
    reassign,
    reject,
    release,
    renew,
    sweep,
)
from cs_bot.review.audits import AuditCard
from cs_bot.review.audits import how_many as count_audits
from cs_bot.review.audits import judge as judge_audit
from cs_bot.review.audits import waiting as audits_waiting
from cs_bot.review.cards import CardMessage, CardPicture, ReviewCard, ReviewSummary, Shadow, get, list_open
from cs_bot.review.judging import Marks, distance, marks
from cs_bot.review.shadow import judge as judge_shadow
from cs_bot.review.shadow import waiting as shadows_waiting

__all__ = [
    "MAX_REPLY",
    "AuditCard",
    "CardMessage",
    "CardPicture",
    "Marks",
    "ReviewCard",
    "ReviewSummary",
    "Shadow",
    "approve",
    "audits_waiting",
    "claim",
    "count_audits",
    "dismiss",
    "distance",
    "edit",
    "get",
    "give_back",
    "hand_over",
    "judge_audit",
    "judge_shadow",
    "list_open",
    "marks",
    "reassign",
    "reject",
    "release",
    "renew",
    "shadows_waiting",
    "sweep",
]
