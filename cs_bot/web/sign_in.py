"""Sign in with an agent's token, sign out, choose a language."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from cs_bot.errors import NotSignedIn
from cs_bot.web import words
from cs_bot.web.auth import COOKIE, SESSION_S, client_address, gatekeeper, same_origin
from cs_bot.web.render import base_of, is_page, page, set_cookie

router = APIRouter()
Typed = Annotated[str, Form(max_length=1000)]
Ours = Depends(same_origin)


@router.get("/login")
def loginpage(request: Request) -> Response:
    """The form that asks for an agent's token."""
    return page(request, "login.html", wrong=False)


@router.post("/login", dependencies=[Ours])
def login(request: Request, token: Typed) -> Response:
    """Start a session; a wrong token shows the form again."""
    try:
        cookie = gatekeeper(request).cookie_for(token.strip(), client_address(request))
    except NotSignedIn:
        return page(request, "login.html", 401, wrong=True)
    answer = RedirectResponse(f"{base_of(request)}/review", 303)
    set_cookie(request, answer, COOKIE, cookie, SESSION_S)
    return answer


@router.post("/logout", dependencies=[Ours])
def logout(request: Request) -> Response:
    """End the session in this browser."""
    base = base_of(request)
    answer = RedirectResponse(f"{base}/login", 303)
    answer.delete_cookie(COOKIE, path=base or "/")
    return answer


@router.post("/language", dependencies=[Ours])
def language(request: Request, to: Typed, back: Typed = "/review") -> Response:
    """Remember the visitor's language and go back to a page of ours."""
    answer = RedirectResponse(f"{base_of(request)}{back if is_page(back) else '/review'}", 303)
    if to in words.LANGUAGES:
        set_cookie(request, answer, words.COOKIE, to, 365 * 86_400)
    return answer
