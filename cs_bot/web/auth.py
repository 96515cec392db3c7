"""Who may use the review queue: bearer tokens for programs, a signed session cookie for browsers."""

import hashlib
import os
import secrets
import tempfile
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, Request
from itsdangerous import BadSignature as BadCookie
from itsdangerous import URLSafeTimedSerializer

from cs_bot.errors import NotAllowed, NotSignedIn, TooManyTries
from cs_bot.records import Record
from cs_bot.store.database import Database
from cs_bot.store.queries import agents

COOKIE = "csbot_session"
SESSION_S = 12 * 3600
FAILED_TRIES = 10  # from one address ...
TRIES_WINDOW_S = 60.0  # ... within this time; then it waits until the oldest is this old


class Agent(Record):
    """A signed-in person or program."""

    agent_id: int
    name: str
    role: str  # agent | supervisor | admin


def new_token() -> tuple[str, str]:
    """A fresh 256-bit token to show once, and the SHA-256 (hex) to store of it."""
    token = "csb_" + secrets.token_urlsafe(32)
    return token, hash_token(token)


def hash_token(token: str) -> str:
    """What is stored of a token. A plain hash will do: 256 random bits can't be guessed from it."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def session_secret(home: Path) -> str:
    """The key that signs sessions: HOME/secret.key, made at the first start, readable by its owner only.

    Web processes that start together agree: the file appears whole or not at all, and the first one wins.
    """
    path = home / "secret.key"
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=home, prefix=".secret-")  # made with mode 0600
        try:
            with os.fdopen(handle, "w") as file:
                file.write(secrets.token_hex(32))
            os.link(draft, path)
        except FileExistsError:
            pass  # another process made it meanwhile: its key is read below
        finally:
            os.unlink(draft)
    return path.read_text().strip()


class Throttle:
    """Counts failed tries per address in this process; too many and even a right token from there has to wait.

    A token that has worked before is not held up: behind one proxy everybody may share an address.
    """

    MOST_ADDRESSES = 10_000

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: OrderedDict[str, list[float]] = OrderedDict()
        self._worked: OrderedDict[str, None] = OrderedDict()

    def check(self, address: str, token_sha256: str) -> None:
        """Raise TooManyTries when the address has to wait."""
        if token_sha256 in self._worked:
            return
        recent = [at for at in self._failed.get(address, []) if at > self._clock() - TRIES_WINDOW_S]
        if len(recent) >= FAILED_TRIES:
            raise TooManyTries(recent[0] + TRIES_WINDOW_S - self._clock())

    def failed(self, address: str) -> None:
        """Count a failed try."""
        since = self._clock() - TRIES_WINDOW_S
        recent = [at for at in self._failed.pop(address, []) if at > since]
        self._failed[address] = [*recent[-FAILED_TRIES:], self._clock()]
        if len(self._failed) > self.MOST_ADDRESSES:
            self._failed.popitem(last=False)

    def worked(self, token_sha256: str) -> None:
        """Remember a token that was right."""
        self._worked[token_sha256] = None
        if len(self._worked) > self.MOST_ADDRESSES:
            self._worked.popitem(last=False)


class Gatekeeper:
    """Checks tokens and sessions against the agents table; one per app."""

    def __init__(self, database: Database, secret: str, throttle: Throttle | None = None) -> None:
        self._database, self._throttle = database, throttle or Throttle()
        self._cookies = URLSafeTimedSerializer(secret, salt="cs-bot session")
        self._notes = URLSafeTimedSerializer(secret, salt="cs-bot note")

    def by_token(self, token: str, address: str) -> Agent:
        """The agent of a token; raises NotSignedIn, TooManyTries."""
        hashed = hash_token(token)
        self._throttle.check(address, hashed)
        with self._database.read() as tx:
            row = agents.by_token(tx, hashed)
        if row is None:
            self._throttle.failed(address)
            raise NotSignedIn
        self._throttle.worked(hashed)
        return _agent(row)

    def cookie_for(self, token: str, address: str) -> str:
        """A new session's cookie value; raises as by_token does."""
        agent = self.by_token(token, address)
        return str(self._cookies.dumps([agent.agent_id, hash_token(token)[:16]]))

    def sign(self, value: Any) -> str:
        """`value` as a signed word for a short-lived cookie."""
        return str(self._notes.dumps(value))

    def unsign(self, word: str, *, max_age_s: int) -> Any:
        """The value again; raises itsdangerous.BadSignature when it is forged or old."""
        return self._notes.loads(word, max_age=max_age_s)

    def by_cookie(self, cookie: str) -> Agent:
        """The agent of a session; raises NotSignedIn when forged, old, or its agent is gone or has a new token."""
        try:
            agent_id, start = self._cookies.loads(cookie, max_age=SESSION_S)
            with self._database.read() as tx:
                row = agents.get(tx, int(agent_id))
        except (BadCookie, ValueError, TypeError):
            raise NotSignedIn from None
        if row is None or row["disabled_at"] is not None or not row["token_sha256"].startswith(str(start)):
            raise NotSignedIn
        return _agent(row)


def _agent(row: Any) -> Agent:
    return Agent(agent_id=row["id"], name=row["name"], role=row["role"])


def gatekeeper(request: Request) -> Gatekeeper:
    """The app's gatekeeper."""
    found: Gatekeeper = request.app.state.gatekeeper
    return found


def client_address(request: Request) -> str:
    """Where the request comes from (uvicorn puts a trusted proxy's X-Forwarded-For here)."""
    return request.client.host if request.client else "unknown"


def bearer_agent(request: Request) -> Agent:
    """The agent of an `Authorization: Bearer` header; raises NotSignedIn, TooManyTries."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotSignedIn("Send an agent's token: Authorization: Bearer <token>")
    return gatekeeper(request).by_token(token.strip(), client_address(request))


def page_agent(request: Request) -> Agent:
    """The agent of the session cookie; raises NotSignedIn."""
    return gatekeeper(request).by_cookie(request.cookies.get(COOKIE, ""))


def any_agent(request: Request) -> Agent:
    """The agent of the cookie or of the bearer header; raises NotSignedIn, TooManyTries."""
    return bearer_agent(request) if "authorization" in request.headers else page_agent(request)


def same_origin(request: Request) -> None:
    """Raise NotAllowed unless a write comes from one of our own pages.

    Browsers send Origin with every POST; one that sends neither Origin nor Sec-Fetch-Site is refused.
    """
    origin = request.headers.get("origin")
    if origin is not None:
        if urlsplit(origin).netloc != request.headers.get("host", ""):
            raise NotAllowed("This write does not come from one of our own pages.")
    elif request.headers.get("sec-fetch-site") not in ("same-origin", "none"):
        raise NotAllowed("This write does not come from one of our own pages.")


BearerAgent = Annotated[Agent, Depends(bearer_agent)]
PageAgent = Annotated[Agent, Depends(page_agent)]
AnyAgent = Annotated[Agent, Depends(any_agent)]
