"""A real `cs-bot serve` in a thread, over chats of the test's choice, and pictures to send."""

import base64
import io
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn
from PIL import Image

from cs_bot.settings import EngineSettings, ServeSettings, Settings
from cs_bot.vision.chat import Chats
from cs_bot.web.service.app import create_service

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
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        config = uvicorn.Config(
            create_service(chats, settings or settings_of(), **app),
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        end = time.monotonic() + 10
        while not server.started and time.monotonic() < end:
            time.sleep(0.01)
        assert server.started
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)
            assert not thread.is_alive()


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
