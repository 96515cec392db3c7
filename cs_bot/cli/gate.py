"""gate report | start | step | calibrate | mode | set | history, audit next | judge."""

from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from cs_bot import bootstrap, calibration, review
from cs_bot.cli.data import LARGEST_ID, progress_bar, services
from cs_bot.cli.run import Config
from cs_bot.errors import ConfigError, NotFound
from cs_bot.records import Mode, Policy
from cs_bot.store.queries import agents, policies

gate_app = typer.Typer(
    no_args_is_help=True, help="What is sent alone: thresholds, shares, modes, and what would change."
)
audit_app = typer.Typer(no_args_is_help=True, help="Blind audits of replies that were sent alone.")
BY = "command line"
SETTABLE = ("wrong_target", "audit_share", "canary_audit_share", "autopilot", "share")

KeyArgument = Annotated[str, typer.Argument(metavar="KIND/ROUTE", help="For example text/faq.")]
MaybeKey = Annotated[str | None, typer.Argument(metavar="[KIND/ROUTE]", help="One of them; default: all.")]


def register(app: typer.Typer) -> None:
    """Add the command groups."""
    app.add_typer(gate_app, name="gate")
    app.add_typer(audit_app, name="audit")


@gate_app.command("report", epilog="Example: cs-bot gate report   |   cs-bot gate report text/faq")
def report(key: MaybeKey = None, config: Config = None) -> None:
    """Where each kind stands and what would change; of one kind also reliability and risk-coverage."""
    console = Console(highlight=False)
    with services(config) as here:
        policy = here.policy()
        if key is None:
            console.print(_standing(calibration.lines(here.database, policy)))
            console.print(
                f"at most {policy.wrong_target:.1%} wrong, at 95 % confidence; policy {policy.version}; autopilot "
                f"{'on' if policy.autopilot else 'off'}"
            )
            return
        line = calibration.line(here.database, policy, calibration.key_of(key))
    console.print(_standing([line]))
    console.print(line.next)
    _detail(console, line, policy)


def _standing(found: list[calibration.Line]) -> Table:
    columns = ("kind/route", "mode", "judged", "shadow", "threshold", "n", "bound", "audits", "next")
    table = Table(*columns, box=None)
    for line in found:
        mode = line.mode.value + (f" {line.share:.0%}" if line.share < 1 else "")
        fit = line.fit
        shown = ("–", "–", "–") if fit is None else (f"{fit.threshold:.3f}", str(fit.n), f"{fit.bound:.2%}")
        audits = f"{line.audited_wrong}/{line.audited}"
        shadow = "/".join(str(line.shadow.get(state, 0)) for state in ("right", "wrong", "waiting"))
        judged = (str(line.found.judged), shadow if line.shadow else "–")
        table.add_row(line.key, mode, *judged, *shown, audits, line.next)
    return table


def _detail(console: Console, line: calibration.Line, policy: Policy) -> None:
    found = calibration.report(line.found, policy.wrong_target)
    if found is None or line.found.trial is None:
        return
    weights = ", ".join(f"{name} {weight:+.2f}" for name, weight in line.found.trial.weights.items())
    console.print(f"\nscore: bias {line.found.trial.bias:+.2f}, {weights}")
    console.print(f"{found.n} turns that did not shape it: ECE {found.ece:.3f}, Brier {found.brier:.3f}")
    bins = Table("score", "right", "95 %", "n", title="reliability", title_justify="left", box=None)
    for part in found.bins:
        bins.add_row(f"{part.score:.3f}", f"{part.right:.3f}", f"{part.low:.3f}–{part.high:.3f}", str(part.n))
    console.print(bins)
    cuts = Table("threshold", "coverage", "risk", "at most", "n", title="risk-coverage", title_justify="left", box=None)
    for cut in found.cuts:
        cuts.add_row(f"{cut.threshold:.3f}", f"{cut.coverage:.0%}", f"{cut.risk:.2%}", f"{cut.bound:.2%}", str(cut.n))
    console.print(cuts)


@gate_app.command("start", epilog="Example: cs-bot gate start text/faq   |   cs-bot gate start text/faq --from assist")
def start(
    key: KeyArgument,
    begin: Annotated[
        str, typer.Option("--from", help="shadow: people answer without seeing the draft; assist: they see it.")
    ] = Mode.SHADOW.value,
    config: Config = None,
) -> None:
    """Begin a roll-out: shadow, then 5 %, 25 % and all as the evidence allows. A roll-back comes back to its start."""
    if begin not in calibration.STARTS:
        raise ConfigError(f"a roll-out starts from {' or '.join(calibration.STARTS)}, not {begin!r}")
    with services(config) as here:
        policy = calibration.start(here.database, here.policy(), calibration.key_of(key), Mode(begin), by=BY)
    typer.echo(f"{key} is {begin}; policy {policy.version}")


@gate_app.command("step", epilog="Example: cs-bot gate step text/faq")
def step(key: KeyArgument, config: Config = None) -> None:
    """Take the next step up, if judgements and audits allow it: 5 %, 25 %, all. Else say what is missing, exit 1."""
    with services(config) as here:
        policy = calibration.step_up(here.database, here.policy(), calibration.key_of(key), by=BY)
    typer.echo(f"{key} is {Mode.AUTO.value} {policy.shares.get(key, 1.0):.0%}; policy {policy.version}")


@gate_app.command("calibrate", epilog="Example: cs-bot gate calibrate   |   cs-bot gate calibrate text/faq --apply")
def calibrate(
    key: MaybeKey = None,
    apply: Annotated[bool, typer.Option("--apply", help="Keep it, and begin the first canary.")] = False,
    config: Config = None,
) -> None:
    """Find thresholds in the judgements. With --apply a threshold that is found begins a canary of 5 %."""
    if apply and key is None:
        raise ConfigError("name the kind to apply it to: cs-bot gate calibrate text/faq --apply")
    with services(config) as here:
        policy = here.policy()
        if apply and key is not None:
            found, policy = calibration.apply(here.database, policy, calibration.key_of(key), by=BY)
            typer.echo(_said(key, found) + (f"; policy {policy.version}" if found.fit is not None else ""))
            return
        keys = [key] if key is not None else calibration.judged_keys(here.database)
        with progress_bar("kinds") as progress:
            for done, name in enumerate(keys, start=1):
                typer.echo(_said(name, calibration.look(here.database, policy, calibration.key_of(name))))
                progress(done, len(keys))
    if not keys:
        typer.echo("nothing has been judged yet")


def _said(key: str, found: calibration.Calibrated) -> str:
    if found.fit is None:
        return f"{key}: no threshold: {found.why}"
    fit = found.fit
    return f"{key}: threshold {fit.threshold:.4f}, {fit.wrong} of {fit.n} wrong, at most {fit.bound:.2%}"


@gate_app.command(
    "mode", epilog="Example: cs-bot gate mode text/faq auto --share 0.25   |   cs-bot gate mode text/faq assist"
)
def set_mode(
    key: KeyArgument,
    mode: Annotated[str, typer.Argument(help=f"One of {', '.join(Mode)}.")],
    share: Annotated[float, typer.Option(min=0.0, max=1.0, help="With auto: the part that is sent.")] = 1.0,
    config: Config = None,
) -> None:
    """Set what a kind may do. `auto` needs a calibration, except for proofs."""
    if mode not in list(Mode):
        raise ConfigError(f"unknown mode {mode!r}; known: {', '.join(Mode)}")
    with services(config) as here:
        policy = calibration.set_mode(
            here.database, here.policy(), calibration.key_of(key), Mode(mode), share=share, by=BY
        )
    typer.echo(f"{key} is {mode}{f' {share:.0%}' if mode == Mode.AUTO else ''}; policy {policy.version}")


@gate_app.command("set", epilog="Example: cs-bot gate set wrong_target 0.01   |   cs-bot gate set autopilot true")
def set_value(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(SETTABLE)}.")],
    value: Annotated[str, typer.Argument(help="The new value.")],
    config: Config = None,
) -> None:
    """Set a number of the policy: the share of wrong replies you can live with, how many are audited, autopilot."""
    if name not in SETTABLE:
        raise ConfigError(f"unknown {name!r}; known: {', '.join(SETTABLE)}")
    with services(config) as here:
        policy = calibration.change(here.database, here.policy(), {name: _valid(here, name, value)}, by=BY)
    typer.echo(f"{name} is {getattr(policy, name)}; policy {policy.version}")


def _valid(here: bootstrap.Services, name: str, value: str) -> Any:
    try:
        return getattr(Policy.model_validate({**here.policy().model_dump(), name: value}), name)
    except ValidationError as problem:
        raise ConfigError(f"{name} can't be {value!r}: {problem.errors()[0]['msg']}") from None


@gate_app.command("history", epilog="Example: cs-bot gate history --limit 50")
def history(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many versions.")] = 20, config: Config = None
) -> None:
    """Every version of the policy: when, by whom, why; the newest first."""
    with services(config) as here, here.database.read() as tx:
        for row in policies.history(tx, limit):
            at = row["created_at"].strftime("%Y-%m-%d %H:%M")
            typer.echo(f"{row['version']}\t{at}\t{row['created_by']}\t{row['note']}")


@audit_app.command("next", epilog="Example: cs-bot audit next")
def audit_next(config: Config = None) -> None:
    """Show the oldest reply that waits for a verdict: what was asked, what was sent."""
    with services(config) as here:
        found = review.audits_waiting(here.database)
    if not found:
        typer.echo("nothing waits for an audit")
    for card in found:
        for message in card.messages:
            typer.echo(f"customer  {message.text}" + "".join(f" [picture {p.sha256}]" for p in message.pictures))
        typer.echo(f"reply     {card.reply}")
        typer.echo(f"judge it  cs-bot audit judge {card.audit_id} right|wrong --agent NAME")


@audit_app.command("judge", epilog="Example: cs-bot audit judge 17 wrong --agent mei --note 'another colour was asked'")
def audit_judge(
    audit_id: Annotated[int, typer.Argument(min=1, max=LARGEST_ID, help="As `audit next` shows it.")],
    verdict: Annotated[str, typer.Argument(help="right: a careful colleague would have sent it as it is; or wrong.")],
    agent: Annotated[str, typer.Option(help="Who judges: a name of `cs-bot user list`.")],
    note: Annotated[str, typer.Option(help="What was wrong.")] = "",
    config: Config = None,
) -> None:
    """Judge a reply that was sent alone."""
    if verdict not in ("right", "wrong"):
        raise ConfigError(f"a verdict is right or wrong, not {verdict!r}")
    with services(config) as here:
        with here.database.read() as tx:
            row = agents.by_name(tx, agent)
        if row is None:
            raise NotFound(f"there is no user {agent!r}: cs-bot user list")
        review.judge_audit(here.database, audit_id, agent_id=row["id"], right=verdict == "right", note=note)
    typer.echo(f"audit {audit_id}: {verdict}")
