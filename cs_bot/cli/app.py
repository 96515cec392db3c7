"""The command line's root: errors become one line on stderr and an exit code."""

import sys
from importlib import import_module

import typer
from rich.console import Console

from cs_bot import __version__
from cs_bot.errors import BotError, ConfigError, ImportRefused

EXIT_CODES = "Exit codes: 0 done, 1 something failed (one line says what), 2 wrong use or settings, 130 Ctrl-C."

app = typer.Typer(
    name="cs-bot",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="Answers the customer questions it can prove right, hands the rest to people with a draft ready.",
    epilog=EXIT_CODES,
)


@app.callback(invoke_without_command=True)
def _root(version: bool = typer.Option(False, "--version", help="Print the version and end.")) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


# each adds its commands to `app`; loaded here so that `--help` lists all of them
_COMMANDS = ("run", "serve", "data", "catalog", "customers", "look", "evaluate", "cache", "gate", "doctor", "demo")
for _module in _COMMANDS:
    import_module(f"cs_bot.cli.{_module}").register(app)


def main() -> None:
    """Entry point of `cs-bot`."""
    error = Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        app(prog_name="cs-bot")
    except ConfigError as problem:
        error.print(f"[red]cs-bot:[/] {_escaped(problem)}")
        sys.exit(2)
    except ImportRefused as problem:
        error.print(f"[red]cs-bot:[/] {_escaped(problem)}")
        sys.exit(1)
    except BotError as problem:
        error.print(f"[red]cs-bot:[/] {_escaped(problem)}")
        sys.exit(1)
    except OSError as problem:  # a file that can't be read or written, a disk that is full
        error.print(f"[red]cs-bot:[/] {_escaped(problem)}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _escaped(problem: Exception) -> str:
    from rich.markup import escape

    return escape(str(problem))
