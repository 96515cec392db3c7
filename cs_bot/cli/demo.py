"""demo: a simulated shop platform talks to a cs-bot started for the purpose."""

import shutil
import socket
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cs_bot.cli.run import stop_on_signals
from cs_bot.settings import Settings, set_aside_variables

KEPT = ("CSBOT_ENGINE", "CSBOT_CACHE", "CSBOT_TURNS", "CSBOT_LOG_LEVEL")  # what a demo may take from outside


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: cs-bot demo   |   cs-bot demo --once   |   cs-bot demo --once --engine tiny")(demo)


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Run the stories, print the table, exit 0 only when each ended as expected.")
    ] = False,
    engine: Annotated[
        str | None,
        typer.Option(help="lite, openai (needs CSBOT_ENGINE__URL), qwen, or tiny; default: CSBOT_ENGINE, else lite."),
    ] = None,
    port: Annotated[int, typer.Option(help="Port of the review queue; 0 = a free one.")] = 0,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the demo's folder (database, pictures, log).")] = False,
) -> None:
    """Show the main job on real input: signed webhooks with pictures in, proven replies or drafts out.

    Ctrl-C ends it: exit code 130 while the stories are told, as they came out afterwards.
    """
    from cs_bot.demo.engines import demo_engine

    chosen = demo_engine(engine)
    console = Console(highlight=False, soft_wrap=True)
    ours = () if chosen is None else chosen.variables
    if left_out := set_aside_variables(lambda name: name.startswith(KEPT) and name not in ours):
        console.print(f"not used by the demo: {', '.join(left_out)}")
    home = Path(tempfile.mkdtemp(prefix="cs-bot-demo-"))
    try:
        ok = _demo(console, home, engine, once=once, port=port or _free_port())
    finally:
        if keep:
            console.print(f"kept: {home}")
        else:
            shutil.rmtree(home, ignore_errors=True)
    if not ok:
        raise typer.Exit(1)


def _demo(console: Console, home: Path, engine: str | None, *, once: bool, port: int) -> bool:
    from cs_bot.demo.engines import ENGINES, demo_engine
    from cs_bot.demo.run import run_scenarios
    from cs_bot.demo.stand import standing
    from cs_bot.demo.stories import build_scenarios

    chosen = demo_engine(engine)
    settings = {} if chosen is None else dict(chosen.settings)
    with standing(home, port=port, engine=settings, say=console.print, prepared=stop_on_signals) as stand:
        looks = chosen or ENGINES[stand.settings.engine.name]
        console.print(f"3/3 customers write; {engine or stand.settings.engine.name} looks\n")
        results = run_scenarios(
            stand.platform,
            [story.on(looks.ends) for story in build_scenarios(stand.shop)],
            observer=stand.observer,
            console=console,
            timeout_s=looks.patience_s,
            stopping=stand.boss.stopped,
            agent=stand.agent,
        )
        if stand.boss.stopping:
            raise typer.Exit(130)
        ok = all(result.ok for result in results)
        if not once:
            _say_where(console, stand.settings, stand.token)
            stand.boss.run()
    return ok


def _say_where(console: Console, settings: Settings, token: str) -> None:
    address = f"http://{settings.web.host}:{settings.web.port}"
    console.print(f"\nreview queue  {address}/review")
    console.print(f"token         {token}")
    console.print(f"health        {address}/health?deep=1")
    console.print(f"metrics       {address}/metrics")
    console.print("Ctrl-C ends everything.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
