"""An answer worker opens its engine before it takes work: alive but not ready meanwhile, one line when that fails."""

import logging
import signal
import sys
import threading
from collections.abc import Callable

from cs_bot.errors import BotError, ConfigError
from workers import runtime

ENGINE_AWAY = 69  # exit code: the engine can't be opened now
BEAT_S = 5.0

log = logging.getLogger("cs_bot.worker")


class _Stopped(BaseException):
    """SIGTERM came while the engine was being opened."""


def prepare(open_engine: Callable[[], object]) -> int | None:
    """Open the engine; None when the worker may begin, else the exit code.

    Meanwhile the database hears that this worker lives and is not ready. SIGTERM and SIGINT end it at once: nothing is
    claimed yet.
    """
    runtime.State.ready = False
    done = threading.Event()
    beats = threading.Thread(target=_beat, args=(done,), name="beats", daemon=True)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    beats.start()
    try:
        code = _opened(open_engine)
    except _Stopped:
        code = 0
    finally:
        runtime.end_on_signals()
        done.set()
        beats.join()
    if code is None:
        runtime.State.ready = True
        runtime.State.seen_at = 0.0  # at once, not with the next beat
    return code


def _stop(*_: object) -> None:
    """Raises once: a second signal must not interrupt the end that the first one began."""
    if not runtime.State.stopping.is_set():
        runtime.State.stopping.set()
        raise _Stopped


def _opened(open_engine: Callable[[], object]) -> int | None:
    try:
        open_engine()
    except ConfigError as problem:
        sys.stderr.write(f"cs-bot: {problem}\n")
        return runtime.WRONG_SETTINGS
    except BotError as problem:
        sys.stderr.write(f"cs-bot: {problem}\n")
        return ENGINE_AWAY
    except Exception:
        log.exception("the engine can't be opened")
        return ENGINE_AWAY
    return None


def _beat(done: threading.Event) -> None:
    while True:
        runtime.still_here()
        if done.wait(BEAT_S):
            return
