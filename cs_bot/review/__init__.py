"""7b the human queue: claim, approve, edit, reject, reassign, release."""

from cs_bot.review.actions import (
    MAX_REPLY,
    approve,
    claim,
    dismiss,
    distance,
    edit,
    give_back,
    hand_over,
    reassign,
    reject,
    release,
    renew,
    sweep,
)
from cs_bot.review.cards import CardMessage, CardPicture, ReviewCard, ReviewSummary, get, list_open

__all__ = [
    "MAX_REPLY",
    "CardMessage",
    "CardPicture",
    "ReviewCard",
    "ReviewSummary",
    "approve",
    "claim",
    "dismiss",
    "distance",
    "edit",
    "get",
    "give_back",
    "hand_over",
    "list_open",
    "reassign",
    "reject",
    "release",
    "renew",
    "sweep",
]
