"""The page of blind audits: a reply that was sent alone, what it answered, and right or wrong."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi import Path as InPath
from starlette.responses import RedirectResponse, Response

from cs_bot import review
from cs_bot.errors import Conflict
from cs_bot.web.auth import PageAgent, gatekeeper, same_origin
from cs_bot.web.render import FLASH, base_of, forget_flash, page, read_flash, set_cookie
from cs_bot.web.reviews_api import Id

MOST_WAITING = 100  # so many are counted at most

router = APIRouter()
Ours = Depends(same_origin)


@router.get("/audits")
def audits_page(request: Request, agent: PageAgent, after: Annotated[int, Query(ge=0, lt=2**63)] = 0) -> Response:
    """The oldest reply that waits, or the next after the one that was passed over."""
    database = request.app.state.services.database
    found = review.audits_waiting(database, after=after) or review.audits_waiting(database)
    waiting = review.count_audits(database, MOST_WAITING)
    card = found[0] if found else None
    answer = page(request, "audits.html", agent=agent, card=card, waiting=waiting, flash=read_flash(request))
    forget_flash(request, answer)
    return answer


@router.post("/audits/{audit_id}/{verdict}", dependencies=[Ours])
def judge(
    request: Request,
    audit_id: Id,
    verdict: Annotated[str, InPath(pattern="^(right|wrong)$")],
    agent: PageAgent,
    note: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    """Keep a verdict and show the next; when somebody was faster, theirs stands."""
    said = f"audit-{verdict}"
    database = request.app.state.services.database
    try:
        review.judge_audit(database, audit_id, agent_id=agent.agent_id, right=verdict == "right", note=note[:300])
    except Conflict:
        said = "audit-late"
    answer = RedirectResponse(f"{base_of(request)}/audits", 303)
    set_cookie(request, answer, FLASH, gatekeeper(request).sign([said, []]), 60)
    return answer
