"""Drafts that people answered beside without having seen them: would the bot's reply have been right too?"""

from cs_bot.errors import Conflict, NotFound
from cs_bot.review.cards import ReviewCard, card_of, row_of
from cs_bot.store.database import Database
from cs_bot.store.queries import reviews, shadows


def waiting(database: Database, *, agent_id: int | None, limit: int) -> list[int]:
    """The oldest answered reviews whose draft nobody has judged; of one agent, or (None) of all."""
    with database.read() as tx:
        return shadows.waiting(tx, agent_id, limit)


def judge(database: Database, review_id: int, *, agent_id: int, right: bool) -> ReviewCard:
    """Keep a verdict: would a careful colleague have sent the draft as it is? Raises NotFound, Conflict when judged."""
    with database.write() as tx:
        if shadows.of_review(tx, row_of(tx, review_id)["id"]) is None:
            raise NotFound("nothing was answered here beside a hidden draft")
        if not shadows.judge(tx, review_id, right=right):
            raise Conflict("this draft has been judged already, or what it said is forgotten")
        reviews.record(tx, review_id, agent_id, "shadow_judged", {"right": right})
        return card_of(tx, review_id)
