"""Runs the service until a signal, or until its checkpoint turns out not to load."""

import signal
import threading
from collections.abc import Callable

import uvicorn

from cs_bot.errors import ConfigError
from cs_bot.settings import Settings
from cs_bot.vision.chat import Chats, ChatState
from cs_bot.web.service.app import create_service
from cs_bot.web.service.keys import require_keys
from cs_bot.web.service.loading import OpenedLater, Progress

GRACE_S = 4  # after SIGTERM, for the chats that are under way; with the rest it stays under 5 s


def serve(
    opener: Callable[[Progress], Chats],
    settings: Settings,
    *,
    changed: Callable[[ChatState], None] = lambda _: None,
    root_path: str = "",
) -> None:
    """Serve what `opener` opens. Returns after SIGINT or SIGTERM; raises ConfigError when it can't be opened."""
    require_keys(settings.serve)
    stop = threading.Event()

    def seen(state: ChatState) -> None:
        changed(state)
        if state.state == "failed":
            stop.set()

    chats = OpenedLater(opener, seen)
    server = _Server(
        uvicorn.Config(
            create_service(chats, settings),
            host=settings.serve.host,
            port=settings.serve.port,
            root_path=root_path,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
        ),
        stop,
    )
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn hands it on when it is done: close() comes after
    try:
        server.run()
    finally:
        chats.close()
    if chats.state.state == "failed":
        raise ConfigError(chats.state.problem)


class _Server(uvicorn.Server):
    """uvicorn's, which `stop` ends too."""

    def __init__(self, config: uvicorn.Config, stop: threading.Event) -> None:
        super().__init__(config)
        self._stop = stop

    async def on_tick(self, counter: int) -> bool:
        """Every 0.1 s."""
        return self._stop.is_set() or await super().on_tick(counter)
