"""evaluate: labelled cases against the engine and the policy of today, or a stored day against a changed one."""

import json
import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from cs_bot import bootstrap, evaluate
from cs_bot.cli.data import LARGEST_ID, progress_bar, services
from cs_bot.cli.run import Config
from cs_bot.errors import ConfigError, UnknownPlugin
from cs_bot.records import Policy
from cs_bot.settings import Settings, load_settings
from cs_bot.vision.base import ENGINES

EXAMPLE = (
    "Example: cs-bot evaluate cases.jsonl --report report.html   |   cs-bot evaluate --simulate 2026-11-20 --policy "
    "stricter.toml   |   cs-bot evaluate cases.jsonl --save 42"
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("evaluate", epilog=EXAMPLE)(run)


def run(
    cases: Annotated[
        Path | None, typer.Argument(help="JSON Lines of cases; orders, products, faq, pictures beside it.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write an HTML report here.")] = None,
    baseline: Annotated[Path | None, typer.Option(help="An earlier run's figures: worse now is exit code 1.")] = None,
    write_baseline: Annotated[Path | None, typer.Option(help="Write this run's figures here.")] = None,
    simulate: Annotated[str | None, typer.Option(help="Replay a stored day, YYYY-MM-DD in the shop's zone.")] = None,
    policy: Annotated[Path | None, typer.Option(help="TOML with policy numbers that replace today's.")] = None,
    engine: Annotated[str | None, typer.Option(help="Another engine than the settings'.")] = None,
    save: Annotated[
        int | None, typer.Option(min=1, max=LARGEST_ID, help="Save this turn as a case into CASES.")
    ] = None,
    price: Annotated[float | None, typer.Option(min=0, help="What an hour of the machine costs, for the cost.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The figures as JSON on stdout.")] = False,
    config: Config = None,
) -> None:
    """Say how good the answers are, and what a change would do. Sends nothing, changes nothing of the shop's.

    A wrong reply that would have gone out by itself is counted apart from a needless review. With --simulate, a day of
    stored traffic is judged anew: by a changed --policy from what was seen then, with --engine by looking again.
    """
    settings = load_settings(config)
    for path in (report, write_baseline):
        if path is not None:
            _writable(path)
    if engine is not None:
        if engine not in ENGINES:
            raise UnknownPlugin("engine", engine, tuple(ENGINES))
        settings = settings.model_copy(update={"engine": settings.engine.model_copy(update={"name": engine})})
    if simulate is not None:
        _simulate(settings, simulate, policy, engine, report, as_json)
    elif cases is None:
        raise ConfigError("nothing to evaluate: give a file of cases, or a day with --simulate")
    elif save is not None:
        _save(config, save, cases)
    else:
        _evaluate(settings, cases, policy, report, baseline, write_baseline, price, as_json)


def _writable(path: Path) -> None:
    """Raise ConfigError for what can't be written at the end, before the work is done."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise ConfigError(f"{path} can't be written ({type(problem).__name__})") from None
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ConfigError(f"{path} can't be written")


def _save(config: Path | None, turn_id: int, path: Path) -> None:
    with services(config) as here:
        case = evaluate.save_case(
            here.database, here.media, turn_id, path, settings=here.settings, policy=here.policy()
        )
    typer.echo(f"{case.case_id} is in {path}; look at what is expected of it")


def _evaluate(
    settings: Settings,
    path: Path,
    policy: Path | None,
    report: Path | None,
    baseline: Path | None,
    write_baseline: Path | None,
    price: float | None,
    as_json: bool,
) -> None:
    before = _figures(baseline) if baseline is not None else None
    cases = evaluate.load_cases(path)
    if not cases.cases:
        raise ConfigError(f"{path} holds no case")
    rules = _changed(bootstrap.first_policy(settings), policy)
    with progress_bar("cases") as progress:
        ran = evaluate.run_cases(cases, settings, policy=rules, progress=progress)
    verdicts = [evaluate.judge(one) for one in ran]
    found = evaluate.figures(verdicts, engine=settings.engine.name, price_per_hour=price)
    worse = evaluate.compare(found, before) if before is not None else []
    if report is not None:
        evaluate.write_report(report, cases, verdicts, found, worse=worse)
    if write_baseline is not None:
        write_baseline.write_text(found.model_dump_json(indent=1) + "\n", encoding="utf-8")
    _show(found, verdicts, as_json)
    for line in worse:
        typer.echo(f"worse: {line}", err=True)
    if worse:
        raise typer.Exit(1)


def _figures(path: Path) -> evaluate.Figures:
    try:
        return evaluate.Figures.model_validate_json(path.read_text("utf-8"))
    except (OSError, ValueError) as problem:
        raise ConfigError(f"{path} holds no figures of an evaluation ({type(problem).__name__})") from None


def _changed(policy: Policy, path: Path | None) -> Policy:
    """The policy with the numbers of a TOML file."""
    if path is None:
        return policy
    try:
        values = tomllib.loads(path.read_text("utf-8"))
        changed = Policy.model_validate({**policy.model_dump(), **values})
    except OSError as problem:
        raise ConfigError(f"the policy {path} can't be read ({type(problem).__name__})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise ConfigError(f"{path} is not valid TOML: {problem}") from None
    except ValidationError as problem:
        told = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in problem.errors())
        raise ConfigError(f"the policy {path} is wrong: {told}") from None
    if wrong := changed.misspelt():
        raise ConfigError(f"the policy {path} is wrong: no KIND/ROUTE: {', '.join(wrong)}")
    return changed


def _show(found: evaluate.Figures, verdicts: list[evaluate.Verdict], as_json: bool) -> None:
    if as_json:
        typer.echo(found.model_dump_json())
        return
    table = Table(title=f"{found.rows[0].cases} cases, engine {found.engine}", title_justify="left")
    for name in ("kind", "cases", "kind right", "text right", "sent", "wrong replies", "needless reviews", "p50 s"):
        table.add_column(name, justify="left" if name == "kind" else "right")
    for row in found.rows:
        shares = [_percent(row.kind_right), _percent(row.text_right)]
        counts = [str(row.sent), str(row.wrong_send), str(row.needless_review)]
        table.add_row(row.kind, str(row.cases), *shares, *counts, "–" if row.p50_s is None else f"{row.p50_s:.2f}")
    console = Console(highlight=False)
    console.print(table)
    if found.cost_per_1000 is not None:
        console.print(f"{found.cost_per_1000:.2f} per 1,000 turns at that price")
    for verdict in verdicts:
        if not verdict.ok:
            console.print(f"{verdict.ran.case.case_id}: {'; '.join(verdict.problems)}", markup=False)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def _simulate(
    settings: Settings,
    day: str,
    policy: Path | None,
    engine: str | None,
    report: Path | None,
    as_json: bool,
) -> None:
    since, until = _day(day, settings.shop.timezone)
    what = " and ".join(
        [*([f"the policy of {policy.name}"] if policy else []), *([f"the engine {engine}"] if engine else [])]
    )
    with _services(settings) as here, progress_bar("turns") as progress:
        parts = replace(here.parts(), policy=_changed(here.policy(), policy), looks=None, words=None)
        again = engine is not None
        changes = evaluate.simulate(parts, since, until, looks_again=again, progress=progress)
    if report is not None:
        evaluate.write_simulation(report, changes, day=day, what=what or "today's policy and templates")
    counts = evaluate.summary(changes)
    if as_json:
        typer.echo(json.dumps({"day": day, "turns": len(changes), **counts}))
        return
    told = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in counts.items())
    typer.echo(f"{len(changes)} turns of {day}: {told}")
    for change in changes:
        if change.what not in ("same", "other_text"):
            why = f" ({change.problem})" if change.problem else ""
            typer.echo(f"turn {change.turn_id} {change.what.replace('_', ' ')}{why}: {change.text[:60]!r}")


@contextmanager
def _services(settings: Settings) -> Iterator[bootstrap.Services]:
    here = bootstrap.build(settings)
    try:
        bootstrap.require_newest_tables(here)
        yield here
    finally:
        here.close()


def _day(day: str, timezone: str) -> tuple[datetime, datetime]:
    try:
        begin = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=ZoneInfo(timezone))
        return begin.astimezone(UTC), (begin + timedelta(days=1)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ConfigError(f"{day!r} is no day; write it as 2026-11-20") from None
