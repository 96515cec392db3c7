"""JSON API of blind audits: /api/audits, with an agent's bearer token (docs/review-api.md)."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from cs_bot import review
from cs_bot.schemas import Text
from cs_bot.web.auth import BearerAgent
from cs_bot.web.reviews_api import Id

router = APIRouter(prefix="/api/audits")


class VerdictIn(BaseModel):
    """Whether a careful colleague would have sent the reply as it is."""

    model_config = ConfigDict(extra="forbid")

    right: bool
    note: Annotated[Text, Field(max_length=300)] = ""


@router.get("")
def waiting(request: Request, agent: BearerAgent, limit: Annotated[int, Query(ge=1, le=100)] = 1) -> dict[str, Any]:
    """The oldest replies that wait for a verdict."""
    found = review.audits_waiting(request.app.state.services.database, limit)
    return {"audits": [card.model_dump(mode="json") for card in found]}


@router.post("/{audit_id}")
def judge(request: Request, audit_id: Id, body: VerdictIn, agent: BearerAgent) -> dict[str, Any]:
    """Keep a verdict; 409 when there is one already."""
    database = request.app.state.services.database
    review.judge_audit(database, audit_id, agent_id=agent.agent_id, right=body.right, note=body.note)
    return {"audit_id": audit_id, "right": body.right}
