"""JSON API of the review queue: /api/reviews, with an agent's bearer token (docs/review-api.md)."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from cs_bot import review
from cs_bot.records import Kind
from cs_bot.schemas import Text
from cs_bot.settings import ReviewSettings
from cs_bot.store.database import Database
from cs_bot.store.queries import agents
from cs_bot.web.auth import BearerAgent

router = APIRouter(prefix="/api")

Id = Annotated[int, Path(ge=1, lt=2**63)]
Words = Annotated[Text, Field(min_length=1, max_length=300)]


class Seen(BaseModel):
    """The version of the review that the agent has seen; another one now is a conflict (409)."""

    model_config = ConfigDict(extra="forbid")

    version: int = Field(ge=1, lt=2**31)


class EditIn(Seen):
    """Send this text instead of the draft."""

    text: Annotated[Text, Field(min_length=1, max_length=review.MAX_REPLY)]


class RejectIn(Seen):
    """The draft is wrong; with `text` that is sent instead, without it the review stays with the agent."""

    reason: Words
    text: Annotated[Text, Field(min_length=1, max_length=review.MAX_REPLY)] | None = None


class DismissIn(Seen):
    """Nothing needs an answer."""

    reason: Words


class HandOverIn(Seen):
    """People outside answer from now on."""

    note: Annotated[Text, Field(max_length=300)] = ""


class ShadowIn(BaseModel):
    """Whether a careful colleague would have sent the hidden draft as it is."""

    model_config = ConfigDict(extra="forbid")

    right: bool


class ReassignIn(Seen):
    """Give one's claim to another agent."""

    to_agent_id: int = Field(ge=1, lt=2**63)


class _Desk:
    """What every handler needs of the services."""

    def __init__(self, request: Request) -> None:
        services = request.app.state.services
        self.database: Database = services.database
        self.rules: ReviewSettings = services.settings.review
        self.ring: Callable[[str], None] = services.ring

    def sent(self, card: review.ReviewCard) -> dict[str, Any]:
        """An answer is in the outbox: wake the sender."""
        self.ring("deliver")
        return card.model_dump(mode="json")


@router.get("/me")
def me(agent: BearerAgent) -> dict[str, Any]:
    """Who the token belongs to."""
    return agent.model_dump()


@router.get("/agents")
def colleagues(request: Request, agent: BearerAgent) -> dict[str, Any]:
    """Everybody a review can be given to."""
    with _Desk(request).database.read() as tx:
        found = agents.active(tx)
    return {"agents": [{"agent_id": row["id"], "name": row["name"], "role": row["role"]} for row in found]}


@router.get("/reviews")
def list_open(
    request: Request,
    agent: BearerAgent,
    kind: Kind | None = None,
    claimed: Annotated[str | None, Query(pattern="^(free|claimed|mine)$")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> dict[str, Any]:
    """The open reviews, the most urgent first."""
    found = open_reviews(_Desk(request).database, agent.agent_id, kind=kind, claimed=claimed, limit=limit)
    return {"reviews": [summary.model_dump(mode="json") for summary in found]}


def open_reviews(
    database: Database, agent_id: int, *, kind: str | None, claimed: str | None, limit: int = 200
) -> list[review.ReviewSummary]:
    """Open reviews: all (None), `free`, `claimed`, or `mine`."""
    held = None if claimed is None else claimed != "free"
    found = review.list_open(database, kind=kind, claimed=held, limit=limit)
    return [summary for summary in found if claimed != "mine" or summary.claimed_by == agent_id]


@router.get("/reviews/{review_id}")
def show(request: Request, review_id: Id, agent: BearerAgent) -> dict[str, Any]:
    """One review with its conversation, draft, facts and looks."""
    return review.get(_Desk(request).database, review_id).model_dump(mode="json")


@router.post("/reviews/{review_id}/claim")
def claim(request: Request, review_id: Id, body: Seen, agent: BearerAgent) -> dict[str, Any]:
    """Take a free review, for as long as the settings say."""
    desk = _Desk(request)
    card = review.claim(desk.database, review_id, agent_id=agent.agent_id, version=body.version, rules=desk.rules)
    return card.model_dump(mode="json")


@router.post("/reviews/{review_id}/renew")
def renew(request: Request, review_id: Id, agent: BearerAgent) -> dict[str, Any]:
    """Prolong one's claim; the version stays."""
    desk = _Desk(request)
    review.renew(desk.database, review_id, agent_id=agent.agent_id, rules=desk.rules)
    return {"renewed_s": desk.rules.claim_s}


@router.post("/reviews/{review_id}/release")
def release(request: Request, review_id: Id, body: Seen, agent: BearerAgent) -> dict[str, Any]:
    """Give one's claim back."""
    card = review.release(_Desk(request).database, review_id, agent_id=agent.agent_id, version=body.version)
    return card.model_dump(mode="json")


@router.post("/reviews/{review_id}/approve")
def approve(request: Request, review_id: Id, body: Seen, agent: BearerAgent) -> dict[str, Any]:
    """Send the draft as it is."""
    desk = _Desk(request)
    return desk.sent(
        review.approve(desk.database, review_id, agent_id=agent.agent_id, version=body.version, rules=desk.rules)
    )


@router.post("/reviews/{review_id}/edit")
def edit(request: Request, review_id: Id, body: EditIn, agent: BearerAgent) -> dict[str, Any]:
    """Send another text; `flags` of the answer names its numbers that are in no fact."""
    desk = _Desk(request)
    seen = {"agent_id": agent.agent_id, "version": body.version}
    return desk.sent(review.edit(desk.database, review_id, **seen, text=body.text, rules=desk.rules))


@router.post("/reviews/{review_id}/reject")
def reject(request: Request, review_id: Id, body: RejectIn, agent: BearerAgent) -> dict[str, Any]:
    """The draft is wrong."""
    desk = _Desk(request)
    seen = {"agent_id": agent.agent_id, "version": body.version}
    return desk.sent(
        review.reject(desk.database, review_id, **seen, reason=body.reason, text=body.text, rules=desk.rules)
    )


@router.get("/shadows")
def shadows(
    request: Request,
    agent: BearerAgent,
    whose: Annotated[str, Query(pattern="^(mine|all)$")] = "mine",
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> dict[str, Any]:
    """The oldest answers beside a hidden draft that nobody has judged."""
    database, mine = _Desk(request).database, agent.agent_id if whose == "mine" else None
    found = review.shadows_waiting(database, agent_id=mine, limit=limit)
    return {"reviews": [review.get(database, review_id).model_dump(mode="json") for review_id in found]}


@router.post("/reviews/{review_id}/shadow")
def judge_shadow(request: Request, review_id: Id, body: ShadowIn, agent: BearerAgent) -> dict[str, Any]:
    """Whether the draft that was hidden would have been right; 409 when that is known already."""
    database = _Desk(request).database
    return review.judge_shadow(database, review_id, agent_id=agent.agent_id, right=body.right).model_dump(mode="json")


@router.post("/reviews/{review_id}/dismiss")
def dismiss(request: Request, review_id: Id, body: DismissIn, agent: BearerAgent) -> dict[str, Any]:
    """Nothing needs an answer."""
    seen = {"agent_id": agent.agent_id, "version": body.version}
    return review.dismiss(_Desk(request).database, review_id, **seen, reason=body.reason).model_dump(mode="json")


@router.post("/reviews/{review_id}/hand-over")
def hand_over(request: Request, review_id: Id, body: HandOverIn, agent: BearerAgent) -> dict[str, Any]:
    """People outside answer; the bot is silent there until the conversation is given back."""
    desk = _Desk(request)
    seen = {"agent_id": agent.agent_id, "version": body.version}
    return desk.sent(review.hand_over(desk.database, review_id, **seen, note=body.note))


@router.post("/reviews/{review_id}/reassign")
def reassign(request: Request, review_id: Id, body: ReassignIn, agent: BearerAgent) -> dict[str, Any]:
    """Give one's claim to another agent."""
    desk = _Desk(request)
    seen = {"agent_id": agent.agent_id, "version": body.version}
    card = review.reassign(desk.database, review_id, **seen, to_agent_id=body.to_agent_id, rules=desk.rules)
    return card.model_dump(mode="json")


@router.post("/conversations/{conversation_id}/give-back")
def give_back(request: Request, conversation_id: Id, agent: BearerAgent) -> dict[str, Any]:
    """The bot may speak in this conversation again."""
    desk = _Desk(request)
    review.give_back(desk.database, conversation_id, agent_id=agent.agent_id)
    desk.ring("answer")
    return {"conversation_id": conversation_id, "owner": "bot"}
