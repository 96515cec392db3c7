"""Pages out of templates: words, clocks and times as a person reads them, cookies, error pages."""

import hashlib
import math
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Request
from itsdangerous import BadSignature as BadCookie
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse, Response

from cs_bot.errors import Conflict, NotSignedIn, Rejected
from cs_bot.web import words
from cs_bot.web.auth import gatekeeper

FOLDER = Path(__file__).parent
FLASH = "csbot_flash"
SOON_S = 120.0  # a review that is due within this time is shown in amber


@lru_cache(maxsize=1)
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@lru_cache(maxsize=1)
def _assets_version() -> str:
    """Changes with every change of a static file: browsers may keep them for good."""
    files = sorted((FOLDER / "static").iterdir())
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def is_page(path: str) -> bool:
    """Whether an error there is shown to a person."""
    return path in ("/review", "/audits", "/login", "/logout", "/language") or path.startswith(("/review/", "/audits/"))


def _words(request: Request) -> words.Words:
    return words.words_of(
        words.choose(
            request.cookies.get(words.COOKIE),
            request.headers.get("accept-language", ""),
            request.app.state.services.settings.shop.language,
        )
    )


def plain_page(template: str, **values: Any) -> HTMLResponse:
    """A page without a visitor: no language, no session."""
    return HTMLResponse(_templates().get_template(template).render(assets=_assets_version(), **values))


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page out of `template` in the visitor's language."""
    zone, w = ZoneInfo(request.app.state.services.settings.shop.timezone), _words(request)
    known = {
        "w": w,
        "base": base_of(request),
        "assets": _assets_version(),
        "other_language": "en" if w.language == "zh" else "zh",
        "here": request.url.path.removeprefix(base_of(request)),
        "local": lambda moment: _local(moment, zone),
        "clock": lambda due_at: _clock(due_at, w),
        "agent": None,
    }
    return HTMLResponse(_templates().get_template(template).render(known | values), status)


def _local(moment: datetime | str, zone: ZoneInfo) -> str:
    moment = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return moment.astimezone(zone).strftime("%m-%d %H:%M")


def _clock(due_at: datetime, w: words.Words) -> dict[str, Any]:
    """How long until a review is late, for the page's clock: words, a class, and the moment in ms for the script."""
    left = (due_at - datetime.now(UTC)).total_seconds()
    minutes, seconds = divmod(math.floor(abs(left)), 60)
    text = f"{minutes}:{seconds:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
    urgency = "late" if left < 0 else "soon" if left < SOON_S else "calm"
    return {
        "text": w("late" if left < 0 else "left", time=text),
        "urgency": urgency,
        "at": int(due_at.timestamp() * 1000),
    }


def error_page(request: Request, error: Exception, status: int, headers: dict[str, str]) -> Response:
    """An error on a page: who is not signed in goes to the sign-in page, anybody else reads what happened."""
    base = base_of(request)
    if isinstance(error, NotSignedIn) and request.scope["path"].removeprefix(base) != "/login":
        return RedirectResponse(f"{base}/login", 303)
    w = _words(request)
    said = w.of("error", type(error).__name__ if isinstance(error, Rejected | Conflict) else status)
    answer = page(request, "error.html", status, said=said)
    answer.headers.update({name: value for name, value in headers.items() if name != "www-authenticate"})
    return answer


def base_of(request: Request) -> str:
    """The prefix that a proxy strips, for addresses of ours."""
    return str(request.scope.get("root_path", ""))


def set_cookie(request: Request, answer: Response, name: str, value: str, age_s: int) -> None:
    """A cookie that scripts can't read and other sites' writes don't carry."""
    answer.set_cookie(
        name,
        value,
        max_age=age_s,
        path=base_of(request) or "/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def forget_flash(request: Request, answer: Response) -> None:
    """It has been read."""
    if FLASH in request.cookies:
        answer.delete_cookie(FLASH, path=base_of(request) or "/")


def read_flash(request: Request) -> dict[str, Any] | None:
    """What the last action has to say on the next page."""
    try:
        action, flags = gatekeeper(request).unsign(request.cookies.get(FLASH, ""), max_age_s=60)
    except (BadCookie, ValueError, TypeError):
        return None
    return {"action": action, "flags": flags}
