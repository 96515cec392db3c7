"""A process of `cs-bot serve` over scripted chats: python -m tests.served_process PORT SECONDS_A_TOKEN [WORDS]."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen

import httpx

from cs_bot.cli.serve import Telling, leave
from cs_bot.errors import ConfigError
from cs_bot.observe import log_to
from cs_bot.settings import ServeSettings, Settings
from cs_bot.testing import ScriptedChats
from cs_bot.vision.chat import Chats
from tests import services
from tests.served import KEY

ROOT = Path(__file__).parents[1]


@contextmanager
def process(delay_s: float = 0.0, *words: str, port: int | None = None) -> Iterator[tuple[str, Popen[bytes]]]:
    """The process and its address, once it is ready; killed at the end."""
    chosen = port or services.free_port()
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    arguments = ("-m", "tests.served_process", str(chosen), str(delay_s), *words)
    with services.python_process(*arguments, env=env, stderr=PIPE) as child:
        address = f"http://127.0.0.1:{chosen}"
        if not words:
            services.wait_for(lambda: ready(address), "a ready service", 120)
        try:
            yield address, child
        finally:
            if child.stderr is not None:
                child.stderr.close()


def ready(address: str) -> bool:
    """Whether it takes chats."""
    try:
        return httpx.get(f"{address}/health", trust_env=False, timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def main() -> None:
    """Serve until a signal."""
    from rich.console import Console

    from cs_bot.web.service.run import serve

    port, delay_s, words = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]

    def opener(progress: object) -> Chats:
        if words:
            raise ConfigError(" ".join(words))
        return ScriptedChats(before=lambda: time.sleep(delay_s))

    log_to()
    settings = Settings(serve=ServeSettings(port=port, api_keys=(KEY,)))
    with Telling(Console(stderr=True)) as telling:
        try:
            serve(opener, settings, changed=telling.changed)
        except ConfigError as problem:
            sys.exit(f"cs-bot: {problem}")
        except KeyboardInterrupt:
            leave(130)
    leave(0)


if __name__ == "__main__":
    main()
