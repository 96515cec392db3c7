"""What the terminal shows while stories are told: a line a message, what is still open, a table at the end."""

import time
import unicodedata
from collections.abc import Mapping, Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from cs_bot.demo.observer import TurnView
from cs_bot.demo.scenario import Outcome, Say, Scenario
from cs_bot.records import Action, End

HEARTBEAT_S = 10.0  # a sign of life where no bar can be drawn
COLOURS = {Action.SEND: "green", Action.REVIEW: "yellow"}

Row = tuple[Scenario, Mapping[str, str], int, Sequence[str]]


class Screen:
    """Prints from several threads. On a terminal a bar stays at the bottom; elsewhere only plain lines are written."""

    def __init__(self, console: Console, total: int) -> None:
        self._console, self._total = console, total
        self._done = 0
        self._spoken_at = self._started_at = time.monotonic()
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("stories", total=total)

    def __enter__(self) -> "Screen":
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()

    def message(self, scenario: Scenario, say: Say, view: TurnView | None, text: str) -> None:
        """One message that is settled."""
        self._print(message_line(scenario, say, view, text))

    def story(self, ok: bool, title: str, problems: Sequence[str]) -> None:
        """One story that is over; silent when all was as expected."""
        self._done += 1
        self._bar.update(self._task, completed=self._done)
        if not ok:
            self._print(Text.assemble((f"  not as expected: {title}: {plain('; '.join(problems))}", "red")))

    def tick(self) -> None:
        """Every half second: a sign of life now and then where there is no bar."""
        if self._bar.disable and self._done < self._total and time.monotonic() - self._spoken_at > HEARTBEAT_S:
            self._print(Text(f"... {self._done} of {self._total} stories told, {self._elapsed():.0f} s"))

    def table(self, rows: Sequence[Row]) -> None:
        """Expected against got, a row a story, and the sum."""
        table = Table("story", "expected", "got", "replies", "", title="stories", header_style="bold")
        for scenario, outcomes, replies, problems in rows:
            table.add_row(
                Text(scenario.title),
                ", ".join(dict.fromkeys(str(e.outcome) for e in scenario.expects)),
                ", ".join(dict.fromkeys(outcomes.values())) or "-",
                str(replies),
                Text("FAILED", "bold red") if problems else Text("ok", "green"),
            )
        self._console.print(table)
        good = sum(not problems for *_, problems in rows)
        style = "bold green" if good == len(rows) else "bold red"
        self._console.print(Text(f"{good} of {len(rows)} stories ended as expected, {self._elapsed():.0f} s", style))

    def _elapsed(self) -> float:
        return time.monotonic() - self._started_at

    def _print(self, line: Text) -> None:
        self._spoken_at = time.monotonic()
        self._console.print(line, soft_wrap=True, highlight=False)


def message_line(scenario: Scenario, say: Say, view: TurnView | None, text: str) -> Text:
    """Story, what was said, kind, decision with reasons, reply or draft, seconds per stage: one line."""
    said = " ".join(part for part in (f'"{plain(say.text)}"' if say.text else "", *_shown(say.pictures)) if part)
    line = Text.assemble((f"{scenario.key}", "bold"), f"  {said}  ")
    if view is None:
        return line.append("not let in" if say.forged else "unknown to cs-bot", "red" if not say.forged else "cyan")
    line.append(f"{view.kind or '-'}  ", "cyan")
    line.append(f"{_decision(view)}  ", COLOURS.get(view.action, "magenta") if view.action else "magenta")
    reasons = dict.fromkeys([*view.reasons, *([view.end_reason] if view.end_reason else [])])
    line.append(f"[{', '.join(reasons)}]  ", "dim")
    if view.end in (End.BOT, End.PERSON):
        line.append(f"-> {plain(text)}  ")
    elif view.review_open:
        line.append("held for a person: " + (f"draft: {plain(text)}  " if text else "no draft  "), "yellow")
    if view.seen:
        line.append(f"saw {plain('; '.join(view.seen))}  ", "blue")
    if view.words_by not in (None, "templates"):
        line.append(f"words by {view.words_by}  ", "blue")
    line.append("  ".join(f"{name} {seconds:.2f}s" for name, seconds in view.stages), "dim")
    return line


def plain(text: str) -> str:
    """The text on one line, without control or direction characters."""
    return "".join(" " if unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp") else char for char in text)


def _decision(view: TurnView) -> str:
    if view.end is not None and view.end is not End.BOT:
        return str(view.end)
    return str(view.action or (Outcome.REVIEW if view.review_open else "waiting"))


def _shown(pictures: Sequence[str]) -> list[str]:
    return [f"[{name}]" for name in pictures]
