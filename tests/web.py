"""A real web process of our own in a thread: the app over real services, uvicorn on loopback."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from cs_bot import bootstrap, upkeep
from cs_bot.settings import AccountSettings, Settings
from cs_bot.store.database import Database
from cs_bot.store.queries import agents
from cs_bot.testing import SECRET
from cs_bot.web import app as web_app
from cs_bot.web.auth import new_token
from tests.on_loopback import serving_app


def settings_for(home: Path, **values: Any) -> Settings:
    """Settings with one generic account named shop."""
    account = AccountSettings(
        channel="generic", name="shop", secrets=(SECRET,), options={"reply_url": "https://shop.invalid/reply"}
    )
    return Settings(home=home, accounts=(account,), **values)


def services_on(database: Database, home: Path, **settings: Any) -> bootstrap.Services:
    """Services over `database`, without Redis; `services.rung` lists the queues that were rung."""
    rung: list[str] = []
    services = bootstrap.build(settings_for(home, **settings), database=database, redis=None, ring=rung.append)
    services.rung = rung  # type: ignore[attr-defined]
    return services


def add_agent(database: Database, name: str = "mei", role: str = "agent") -> tuple[int, str]:
    """An agent: (id, token)."""
    token, hashed = new_token()
    with database.write() as tx:
        return agents.add(tx, name=name, role=role, token_sha256=hashed), token


@contextmanager
def running(services: bootstrap.Services, **app: Any) -> Iterator[str]:
    """The app behind a real server; its address."""
    with serving_app(web_app.create_app(services, **app)) as address:
        yield address


def client(address: str, **values: Any) -> httpx.Client:
    """A client without proxies or redirects."""
    return httpx.Client(base_url=address, trust_env=False, timeout=10, **values)


class Caller:
    """An agent's program."""

    def __init__(self, site: httpx.Client, database: Database, name: str = "mei", role: str = "agent") -> None:
        self._site = site
        self.agent_id, self.token = add_agent(database, name, role)

    def get(self, path: str) -> httpx.Response:
        """GET /api..."""
        return self._site.get(f"/api{path}", headers={"authorization": f"Bearer {self.token}"})

    def post(self, path: str, **body: Any) -> httpx.Response:
        """POST /api... with JSON."""
        return self._site.post(f"/api{path}", json=body, headers={"authorization": f"Bearer {self.token}"})


class Browser:
    """An agent's browser: cookies, and Origin with every write."""

    def __init__(self, site: httpx.Client, **headers: str) -> None:
        self.client = httpx.Client(
            base_url=site.base_url, trust_env=False, headers={"accept-language": "zh-CN", **headers}
        )
        self.origin = str(site.base_url).rstrip("/")

    def get(self, path: str) -> httpx.Response:
        """Open a page."""
        return self.client.get(path)

    def post(self, path: str, **form: Any) -> httpx.Response:
        """Send a form and follow where it leads."""
        answer = self.client.post(path, data=form, headers={"origin": self.origin})
        return self.client.get(answer.headers["location"]) if answer.status_code == 303 else answer


def version_in(page: httpx.Response) -> str:
    """The version that the page's forms carry."""
    found = re.search(r'name="version" value="(\d+)"', page.text)
    assert found is not None
    return found.group(1)


def upkeep_round(here: bootstrap.Services, **instead: Any) -> list[str]:
    """One round of upkeep with the parts of `here`, or others `instead`; the queues that it rang for."""
    rung: list[str] = []
    names = ("database", "channels", "media", "settings")
    parts = {name: getattr(here, name) for name in names} | {"policy": here.policy(), "ring": rung.append}
    upkeep.one_round(**(parts | instead))
    return rung
