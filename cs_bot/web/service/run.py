"""Runs the service until a signal, or until its checkpoint turns out not to load."""

import signal
import threading
from collections.abc import Callable

import uvicorn

from cs_bot.errors import ConfigError, EngineError
from cs_bot.settings import Settings
from cs_bot.vision.chat import Chats, ChatState
from cs_bot.web.service.app import create_service
from cs_bot.web.service.keys import require_keys
from cs_bot.web.service.loading import OpenedLater, Progress

GRACE_S = 3  # after SIGTERM, for the chats that are under way; together with CLOSE_S it stays under 5 s
CLOSE_S = 1.0  # then for the engine, which ends after the token that it computes


def serve(
    opener: Callable[[Progress], Chats],
    settings: Settings,
    *,
    changed: Callable[[ChatState], None] = lambda _: None,
    root_path: str = "",
) -> None:
    """Serve what `opener` opens. Returns after SIGTERM, KeyboardInterrupt goes on upwards.

    Raises ConfigError when the checkpoint can't be opened, EngineError when it fails for good later: a process that
    can't answer any more is better ended and started again by whoever looks after it.
    """
    require_keys(settings.serve)
    chats = OpenedLater(opener, changed)
    config = uvicorn.Config(
        create_service(chats, settings),
        host=settings.serve.host,
        port=settings.serve.port,
        root_path=root_path,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn hands it on when it is done: close() comes after
    try:
        _Server(config, chats).run()
        opened, state = chats.opened, chats.state
    finally:
        closing = threading.Thread(target=chats.close, name="closing", daemon=True)
        closing.start()
        closing.join(CLOSE_S)
    if state.state == "failed":
        raise (EngineError if opened else ConfigError)(state.problem)


class _Server(uvicorn.Server):
    """uvicorn's, which ends too when the checkpoint has failed."""

    def __init__(self, config: uvicorn.Config, chats: Chats) -> None:
        super().__init__(config)
        self._chats = chats

    async def on_tick(self, counter: int) -> bool:
        """Every 0.1 s."""
        return self._chats.state.state == "failed" or await super().on_tick(counter)
