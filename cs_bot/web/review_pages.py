"""The review pages: the queue, one conversation with its draft, what agents decide, pictures."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi import Path as InPath
from starlette.responses import HTMLResponse, RedirectResponse, Response

from cs_bot import review
from cs_bot.errors import Conflict
from cs_bot.images import resize_for
from cs_bot.records import Kind
from cs_bot.store.queries import agents
from cs_bot.web.auth import AnyAgent, PageAgent, gatekeeper, same_origin
from cs_bot.web.render import FLASH, base_of, forget_flash, page, read_flash, set_cookie
from cs_bot.web.reviews_api import Id, open_reviews

PICTURE_SIDES = (320, 1600)  # longest side in pixels: in the page, and behind a click
MOST_TYPED = 20_000
MOST_UNJUDGED = 100  # so many shadow drafts to judge are counted at most

router = APIRouter()
Typed = Annotated[str, Form(max_length=MOST_TYPED)]
Ours = Depends(same_origin)


class Filters:
    """What part of the queue is shown."""

    def __init__(
        self,
        kind: Annotated[str, Query(max_length=16)] = "",
        show: Annotated[str, Query(pattern="^(all|free|mine)$")] = "all",
    ) -> None:
        self.kind, self.show = (Kind(kind) if kind in set(Kind) else None), show

    @property
    def query(self) -> str:
        """The same filters in an address."""
        return f"?show={self.show}" + (f"&kind={self.kind}" if self.kind else "")


def _queue(request: Request, agent_id: int, filters: Filters) -> dict[str, Any]:
    database = request.app.state.services.database
    claimed = None if filters.show == "all" else filters.show
    found = open_reviews(database, agent_id, kind=filters.kind, claimed=claimed)
    unjudged = review.shadows_waiting(database, agent_id=agent_id, limit=MOST_UNJUDGED)
    return {"queue": found, "filters": filters, "kinds": list(Kind), "unjudged": unjudged}


@router.get("/review")
def queue_page(request: Request, agent: PageAgent, filters: Annotated[Filters, Depends()]) -> Response:
    """The open reviews, the most urgent first."""
    flash = read_flash(request)
    answer = page(
        request, "review.html", agent=agent, card=None, flash=flash, **_queue(request, agent.agent_id, filters)
    )
    forget_flash(request, answer)
    return answer


@router.get("/review/queue")
def queue_part(
    request: Request, agent: PageAgent, filters: Annotated[Filters, Depends()], current: int = 0
) -> Response:
    """The list alone, for the script that keeps it fresh."""
    return page(request, "_queue.html", agent=agent, current=current, **_queue(request, agent.agent_id, filters))


@router.get("/review/{review_id}")
def review_page(request: Request, review_id: Id, agent: PageAgent, filters: Annotated[Filters, Depends()]) -> Response:
    """One review; looking at it claims nothing."""
    answer = _review_page(request, agent, review_id, filters, flash=read_flash(request))
    forget_flash(request, answer)
    return answer


def _review_page(request: Request, agent: Any, review_id: int, filters: Filters, **values: Any) -> HTMLResponse:
    services = request.app.state.services
    card = review.get(services.database, review_id)
    with services.database.read() as tx:
        colleagues = [row for row in agents.active(tx) if row["id"] != agent.agent_id]
    held = card.claimed_by is not None and card.claimed_until is not None and card.claimed_until > datetime.now(UTC)
    shown: dict[str, Any] = {
        "agent": agent,
        "card": card,
        "mine": held and card.claimed_by == agent.agent_id and card.state == "open",
        "taken": held and card.claimed_by != agent.agent_id,
        "colleagues": colleagues,
        "typed": None,
        "problem": None,
        "flash": None,
        "claim_s": services.settings.review.claim_s,
        **_queue(request, agent.agent_id, filters),
    }
    return page(request, "review.html", **shown | values)


@router.post("/review/{review_id}/renew", dependencies=[Ours])
def renew(request: Request, review_id: Id, agent: PageAgent) -> Response:
    """The script says that the page is still open."""
    services = request.app.state.services
    review.renew(services.database, review_id, agent_id=agent.agent_id, rules=services.settings.review)
    return Response(status_code=204)


@router.post("/review/{review_id}/{action}", dependencies=[Ours])
def act(
    request: Request,
    review_id: Id,
    action: Annotated[
        str, InPath(pattern="^(claim|release|send|reject|discard|dismiss|hand-over|reassign|give-back|right|wrong)$")
    ],
    agent: PageAgent,
    filters: Annotated[Filters, Depends()],
    version: Annotated[int, Form(ge=1, lt=2**31)],
    text: Typed = "",
    note: Typed = "",
    to_agent_id: Annotated[int, Form(ge=0, lt=2**63)] = 0,
) -> Response:
    """What an agent decided. When somebody was faster, the page comes back with the text as it was typed."""
    services = request.app.state.services
    doing = Doing(services, review_id, agent.agent_id, version, text.replace("\r\n", "\n"), note[:300], to_agent_id)
    try:
        card = doing.run(action)
    except Conflict:
        return _review_page(request, agent, review_id, filters, typed=text, problem="conflict")
    to_judge = card is not None and card.shadow is not None and card.shadow.right is None
    stays = to_judge or action in ("claim", "discard", "give-back")
    base = base_of(request)
    answer = RedirectResponse(f"{base}/review{f'/{review_id}' if stays else ''}{filters.query}", 303)
    if action != "claim":
        signed = gatekeeper(request).sign([action, list(card.flags) if card is not None else []])
        set_cookie(request, answer, FLASH, signed, 60)
    return answer


class Doing:
    """One decision, as the page's form describes it."""

    def __init__(
        self, services: Any, review_id: int, agent_id: int, version: int, text: str, note: str, to_agent_id: int
    ) -> None:
        self.services, self.review_id, self.text, self.note, self.to = services, review_id, text, note, to_agent_id
        self.seen: dict[str, Any] = {"agent_id": agent_id, "version": version}

    def run(self, action: str) -> review.ReviewCard | None:
        """Do it; the review as it is then, where something was said or judged. Raises Conflict, NotFound."""
        database, rules = self.services.database, self.services.settings.review
        match action:
            case "claim":
                review.claim(database, self.review_id, **self.seen, rules=rules)
            case "release":
                review.release(database, self.review_id, **self.seen)
            case "dismiss":
                review.dismiss(database, self.review_id, **self.seen, reason=self.note)
            case "reassign":
                review.reassign(database, self.review_id, **self.seen, to_agent_id=self.to, rules=rules)
            case "give-back":
                conversation_id = review.get(database, self.review_id).conversation_id
                review.give_back(database, conversation_id, agent_id=self.seen["agent_id"])
                self.services.ring("answer")
            case "right" | "wrong":
                agent_id, right = self.seen["agent_id"], action == "right"
                return review.judge_shadow(database, self.review_id, agent_id=agent_id, right=right)
            case _:
                return self._answer(action)
        return None

    def _answer(self, action: str) -> review.ReviewCard:
        """What puts something into the outbox. Approving a text that was changed is an edit."""
        database, rules = self.services.database, self.services.settings.review
        if action == "hand-over":
            card = review.hand_over(database, self.review_id, **self.seen, note=self.note)
        elif action in ("reject", "discard"):
            own = self.text if action == "reject" else None
            card = review.reject(database, self.review_id, **self.seen, reason=self.note, text=own, rules=rules)
        else:
            draft = review.get(database, self.review_id).draft
            if draft is not None and draft["text"].strip() == self.text.strip():
                card = review.approve(database, self.review_id, **self.seen, rules=rules)
            else:
                card = review.edit(database, self.review_id, **self.seen, text=self.text, rules=rules)
        self.services.ring("deliver")
        return card


@router.get("/media/{sha256}.jpg")
def picture(
    request: Request,
    sha256: Annotated[str, InPath(pattern="^[0-9a-f]{64}$")],
    agent: AnyAgent,
    side: Annotated[int, Query()] = PICTURE_SIDES[0],
) -> Response:
    """A customer's picture, re-encoded as JPEG, for agents only; `side` is the longest side in pixels."""
    data = request.app.state.services.media.read(sha256)
    smaller = resize_for(data, side if side in PICTURE_SIDES else PICTURE_SIDES[0])
    headers = {"cache-control": "private, max-age=3600", "content-disposition": "inline"}
    return Response(smaller, media_type="image/jpeg", headers=headers)
