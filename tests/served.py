"""A real `cs-bot serve` in a thread, over chats of the test's choice, and pictures to send."""

import base64
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from PIL import Image

from cs_bot.settings import EngineSettings, ServeSettings, Settings
from cs_bot.vision.chat import Chats
from cs_bot.web.service.app import create_service
from tests.on_loopback import serving_app

KEY = "sk-CANARY-serve-0123456789"
CHAT = "/v1/chat/completions"


def settings_of(
    *, engine: dict[str, Any] | None = None, max_concurrency: int = 3, keys: tuple[str, ...] = (KEY,), **serve: Any
) -> Settings:
    """Settings with a key."""
    return Settings(
        serve=ServeSettings(api_keys=keys, **serve),
        engine=EngineSettings(**(engine or {})),
        max_concurrency=max_concurrency,
    )


@contextmanager
def running(chats: Chats, settings: Settings | None = None, **app: Any) -> Iterator[str]:
    """The service behind a real server; its address."""
    with serving_app(create_service(chats, settings or settings_of(), **app)) as address:
        yield address


def client(address: str, key: str | None = KEY, **values: Any) -> httpx.Client:
    """A client without proxies, with the key."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return httpx.Client(base_url=address, headers=headers, trust_env=False, timeout=20, **values)


def picture(colour: str = "red", size: tuple[int, int] = (64, 48), kind: str = "PNG") -> bytes:
    """An evenly coloured picture."""
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, kind)
    return out.getvalue()


def data_url(data: bytes, kind: str = "png") -> str:
    """The picture as an address."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def shown(url: str) -> dict[str, Any]:
    """A part with a picture."""
    return {"type": "image_url", "image_url": {"url": url}}


def words(text: str) -> dict[str, Any]:
    """A part with words."""
    return {"type": "text", "text": text}


def asking(*content: Any, **options: Any) -> dict[str, Any]:
    """A request: one message of the user, whose content is a text or parts."""
    said = content[0] if len(content) == 1 and isinstance(content[0], str) else list(content)
    return {"messages": [{"role": "user", "content": said}], **options}


def events(text: str) -> list[dict[str, Any]]:
    """The events of a stream, which must end properly."""
    blocks = [block for block in text.split("\n\n") if block and not block.startswith(":")]
    assert all(block.startswith("data: ") for block in blocks)
    assert blocks[-1] == "data: [DONE]"
    return [json.loads(block.removeprefix("data: ")) for block in blocks[:-1]]
