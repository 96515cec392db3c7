"""serve: a checkpoint behind the protocol of OpenAI's chat completions."""

import logging
import os
import sys
import threading
from functools import partial
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from cs_bot import bootstrap
from cs_bot.cli.run import Config, free_port
from cs_bot.errors import ConfigError
from cs_bot.observe import log_to
from cs_bot.settings import EngineSettings, ServeSettings, Settings, load_settings
from cs_bot.vision.chat import ChatState

EXAMPLES = """Example: cs-bot serve --model-path Qwen/Qwen3-VL-2B-Instruct --port 8000   |
CSBOT_SERVE__API_KEYS=$KEY cs-bot serve --host 0.0.0.0 --model-path ./qwen3-vl-2b --device-map cuda"""
STEP = 0.1  # where no bar can be drawn, a line is said so often


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EXAMPLES)(serve)


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; other than loopback needs keys.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on; 0 = a free one.")] = None,
    model_path: Annotated[str | None, typer.Option(help="A folder, or a repository's id.")] = None,
    dtype: Annotated[str | None, typer.Option(help="auto, bfloat16, float16 or float32.")] = None,
    device_map: Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N.")] = None,
    max_new_tokens: Annotated[int | None, typer.Option(help="Longest answer, in tokens.")] = None,
    temperature: Annotated[float | None, typer.Option(help="Where a request says none; 0 = likeliest token.")] = None,
    root_path: Annotated[str, typer.Option(help="Path prefix that a proxy strips.")] = "",
    config: Config = None,
) -> None:
    """Serve a checkpoint to programs: POST /v1/chat/completions, /v1/models, /health, /docs. Ctrl-C ends it.

    The port answers at once (503 while the checkpoint is loading). Settings: CSBOT_SERVE__…, CSBOT_MAX_CONCURRENCY.
    """
    from cs_bot.web.service.keys import require_keys
    from cs_bot.web.service.run import serve as run

    settings = load_settings(config)
    engine = {"checkpoint": model_path, "dtype": dtype, "device_map": device_map}
    engine |= {"max_new_tokens": max_new_tokens, "temperature": temperature}  # type: ignore[dict-item]
    settings = _with(settings, engine, {"host": host, "port": port})
    require_keys(settings.serve)
    free = free_port(settings.serve.host, settings.serve.port, "CSBOT_SERVE__PORT")
    settings = _with(settings, {}, {"port": free})
    log_to(level=settings.log_level)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)  # where it listens is said below
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"listening on http://{settings.serve.host}:{settings.serve.port} (503 while it loads)")
    try:
        with Telling(console) as telling:
            run(partial(bootstrap.open_chats, settings), settings, changed=telling.changed, root_path=root_path)
    except KeyboardInterrupt:
        leave(130)
    leave(0)


def leave(code: int) -> None:
    """Without taking the interpreter apart: a thread may be deep inside the network, and torch needs seconds for it."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _with(settings: Settings, engine: dict[str, Any], serve: dict[str, Any]) -> Settings:
    """The settings, with what the command line says on top; raises ConfigError as load_settings does."""
    said = {name: value for name, value in engine.items() if value is not None}
    where = {name: value for name, value in serve.items() if value is not None}
    try:
        made = {
            "engine": EngineSettings(**{**dict(settings.engine), **said}),
            "serve": ServeSettings(**{**dict(settings.serve), **where}),
        }
    except ValidationError as problem:
        lines = [
            f"--{str(e['loc'][0]).replace('_', '-')}: {str(e['msg']).removeprefix('Value error, ')}"
            for e in problem.errors()
        ]
        raise ConfigError("; ".join(lines)) from None
    return settings.model_copy(update=made)


class Telling:
    """Says how far the loading is: a bar on a terminal, else a line now and then."""

    def __init__(self, console: Console) -> None:
        columns = (TextColumn("loading"), BarColumn(), TaskProgressColumn())
        self._console = console
        self._bar = Progress(*columns, console=console, disable=not console.is_terminal, transient=True)
        self._task = self._bar.add_task("loading", total=1.0)
        self._said = 0.0
        self._lock = threading.Lock()

    def __enter__(self) -> "Telling":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def changed(self, state: ChatState) -> None:
        """A new state; called from the thread that loads."""
        with self._lock:
            if state.state != "loading":
                self._bar.stop()
                if state.state == "ready":
                    self._console.print("ready; Ctrl-C ends it")
                return
            self._bar.update(self._task, completed=state.share)
            if not self._console.is_terminal and state.share >= self._said + STEP:
                self._said = state.share
                self._console.print(f"loading: {state.share:.0%}")
