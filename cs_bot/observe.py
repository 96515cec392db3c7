"""Timing, log line and row around every stage; JSON log lines that hold ids only."""

import json
import logging
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, NamedTuple, TextIO

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.process_collector import ProcessCollector

from cs_bot import masking

MAX_WORDS = 300  # characters of one text value in a log line
MAX_ITEMS = 50  # items of one list in a log line

# What a log line may hold besides time, level, logger and event. Anything else is dropped, not masked: a new field is
# a decision taken here, not where somebody happens to log.
FIELDS = frozenset(
    {
        *("turn_id", "turn_ids", "conversation_id", "message_id", "event_id", "review_id", "outbound_id", "agent_id"),
        *("picture_use_id", "picture_id", "policy_version", "delivery_id", "customer_id"),
        *("stage", "seconds", "outcome", "outcomes", "kind", "route", "action", "reasons", "state", "mode"),
        *("channel", "account", "queue", "worker", "pid", "job", "engine", "engine_version"),
        *("count", "attempts", "restarts", "fence", "delay_s", "status", "method", "size", "type", "problem"),
        *("error", "where", "cause", "host", "port", "role", "backlog", "dialect", "ready"),
    }
)

_OUTBOUND_ID = re.compile(r"out_[0-9a-f]{32}")  # would be masked as a token otherwise

REGISTRY = CollectorRegistry(auto_describe=True)  # this process's own figures; /metrics adds the business figures
ProcessCollector(registry=REGISTRY)
STAGE_SECONDS = Histogram(
    "csbot_stage_seconds",
    "Seconds one stage took in this process, a list of turns at a time",
    ("stage", "outcome"),
    registry=REGISTRY,
    buckets=(0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
WEBHOOK_SECONDS = Histogram(
    "csbot_webhook_seconds",
    "Seconds from the first byte of a webhook's body to the answer",
    ("status",),
    registry=REGISTRY,
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 10, 30),
)
HTTP_ERRORS = Counter(
    "csbot_http_errors_total", "Requests of this process that ended in an error", ("type", "status"), registry=REGISTRY
)
ENGINE_RESULTS = Counter(
    "csbot_engine_results_total",
    "Pictures looked at and replies written by this process, by the engine that did it",
    ("engine", "call", "outcome"),
    registry=REGISTRY,
)
SERVE_REQUESTS = Counter(
    "csbot_serve_requests_total",
    "Chats asked of `cs-bot serve`, by the status of their answer",
    ("status",),
    registry=REGISTRY,
)
SERVE_TOKENS = Counter(
    "csbot_serve_tokens_total",
    "Tokens of finished chats: prompt (with pictures), completion",
    ("part",),
    registry=REGISTRY,
)
SERVE_SECONDS = Histogram(
    "csbot_serve_seconds",
    "Seconds of a chat: queue (until it had a place), first (from there to its first piece), whole (to its end)",
    ("part",),
    registry=REGISTRY,
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120),
)
SERVE_CHATS = Gauge("csbot_serve_chats", "Chats in `cs-bot serve` now: running, waiting", ("state",), registry=REGISTRY)
BUILD = Gauge("csbot_build_info", "Always 1; the version is the label", ("version",), registry=REGISTRY)

# The order matters: addresses and tokens hold digits that the patterns of numbers would cut in two.
_MASKS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"data:[\w.+/-]*[;,]\S*", re.IGNORECASE), "<data>"),
    (re.compile(r"\b[a-z][a-z0-9+.-]{1,30}://[^\s\"'<>]+", re.IGNORECASE), "<url>"),
    (re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+"), "<e-mail>"),
    (re.compile(r"\b(?:whsec_|v1,|Bearer\s+|token[=:]\s*|secret[=:]\s*)\S+", re.IGNORECASE), "<token>"),
    (re.compile(r"(?<![\w-])(?=[\w+/=-]*\d)(?=[\w+/=-]*[A-Za-z])[\w+/=-]{32,}"), "<token>"),
)
_NUMBER = re.compile(r"(?<![\w.])\+?\d[\d \-().]{5,}\d(?![\w.])")  # order numbers too


def mask(text: str) -> str:
    """`text` without addresses, e-mails, tokens, phone and order numbers, at most MAX_WORDS characters long."""
    text = text[: 20 * MAX_WORDS]
    for pattern, word in _MASKS:
        text = pattern.sub(word, text)
    return _NUMBER.sub("<number>", masking.mask(text))[:MAX_WORDS]


class JsonLines(logging.Formatter):
    """One JSON object a line: at, level, logger, event, the fields of FIELDS, and of an error its class and place."""

    def format(self, record: logging.LogRecord) -> str:
        """The line. An exception's text and its local values never appear: they may quote what a customer wrote."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "event": mask(record.getMessage()),
        }
        line |= {name: _shown(name, value) for name, value in vars(record).items() if name in FIELDS}
        if record.exc_info and record.exc_info[1] is not None:
            line |= describe(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False)


def _shown(name: str, value: Any) -> Any:
    if name == "outbound_id" and isinstance(value, str) and _OUTBOUND_ID.fullmatch(value):
        return value
    return _plain(value)


def _plain(value: Any) -> Any:
    """Numbers as they are, words masked, short lists and flat tables of them; of anything else only its type."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, Mapping):
        return {mask(str(key)): _plain(item) for key, item in list(value.items())[:MAX_ITEMS]}
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, bytes | bytearray):
        return [_plain(item) for item in list(value)[:MAX_ITEMS]]
    return f"<{type(value).__name__}>"


def describe(error: BaseException) -> dict[str, str]:
    """Class, place and cause of an error for a log line: nothing that it says."""
    frames, trace = [], error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}:{code.co_name}")
        trace = trace.tb_next
    said = {"error": type(error).__name__, "where": " < ".join(reversed(frames[-5:]))}
    if error.__cause__ is not None:
        said["cause"] = type(error.__cause__).__name__
    return said


def log_to(stream: TextIO | None = None, level: str = "INFO") -> None:
    """Send every log line of this process to `stream` (default stderr) as JSON. Entry points call it once."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    sys.excepthook = _ends  # Python's own would print what the error says, which may be what a customer wrote
    threading.excepthook = lambda hook: _ends(hook.exc_type, hook.exc_value, hook.exc_traceback)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "rq.worker"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    for name in ("httpx", "httpcore", "uvicorn.access", "rq.worker", "fsspec", "PIL"):  # chatty, and they log addresses
        logging.getLogger(name).setLevel(logging.WARNING)


def _ends(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    """A process or thread ends with an error that nobody caught: its class and place, as for every other."""
    if issubclass(kind, KeyboardInterrupt):
        return
    found = (error or kind()).with_traceback(trace)
    logging.getLogger("cs_bot").critical("an error ends this process or thread", exc_info=(kind, found, trace))


class StageRow(NamedTuple):
    """How one stage went for one turn: what table `stages` keeps."""

    turn_id: int
    stage: str
    seconds: float
    outcome: str  # ok, or the class of the error


@dataclass
class Timed:
    """What a stage may say of itself while it runs; `failed` marks single turns of the list."""

    outcome: str = "ok"
    outcomes: dict[int, str] = field(default_factory=dict)

    def failed(self, turn_id: int, error: BaseException | str) -> None:
        """One turn of the list did not come through."""
        self.outcomes[turn_id] = (error if isinstance(error, str) else type(error).__name__)[:60]


@contextmanager
def stage(
    name: str, turn_ids: Sequence[int] = (), *, collect: Callable[[StageRow], None] | None = None
) -> Iterator[Timed]:
    """Time a stage over a list of turns: one log line, one histogram value, one row per turn handed to `collect`.

    `seconds` of a row are those of the whole list (its turns went through together). An error ends the stage with its
    class as outcome and goes on upwards.
    """
    timed, begun = Timed(), time.perf_counter()
    try:
        yield timed
    except BaseException as error:
        timed.outcome = type(error).__name__[:60]
        raise
    finally:
        seconds = time.perf_counter() - begun
        STAGE_SECONDS.labels(name, timed.outcome).observe(seconds)
        said = {"stage": name, "turn_ids": list(turn_ids), "seconds": round(seconds, 4), "outcome": timed.outcome}
        if timed.outcomes:
            said["outcomes"] = dict(timed.outcomes)
        logging.getLogger("cs_bot.stage").info("stage", extra=said)
        for turn_id in turn_ids if collect is not None else ():
            collect(StageRow(turn_id, name, seconds, timed.outcomes.get(turn_id, timed.outcome)))  # type: ignore[misc]
