"""The report of an evaluation as one HTML file: figures, plots, and the failing cases with their pictures."""

import base64
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from PIL import Image

from cs_bot import charts
from cs_bot.errors import BotError
from cs_bot.evaluate.cases import CaseSet
from cs_bot.evaluate.scoring import Figures, Verdict
from cs_bot.evaluate.simulate import Change, summary
from cs_bot.images import accept_picture

THUMBNAIL = 320  # pixels of the longer side
MAX_FAILING = 200
MAX_CHANGES = 500


def write_report(
    path: Path, cases: CaseSet, verdicts: Sequence[Verdict], found: Figures, *, worse: Sequence[str] = ()
) -> None:
    """Write the report of a run of cases; `worse` names what got worse than the baseline."""
    failing = [verdict for verdict in verdicts if not verdict.ok]
    shown = [{"verdict": v, "pictures": _thumbnails(cases, v)} for v in failing[:MAX_FAILING]]
    kinds, texts, risk = "Kind right, by kind", "Text right, by kind", "Risk and coverage"
    plots = {
        kinds: charts.bars(kinds, {row.kind: row.kind_right for row in found.rows}),
        texts: charts.bars(texts, {row.kind: row.text_right for row in found.rows}),
        risk: charts.curve(risk, found.risk_coverage, x="answered", y="wrong among them", highest=_top(found)),
    }
    _write(
        path,
        "cases.html",
        found=found,
        plots={title: Markup(plot) for title, plot in plots.items() if plot},
        failing=shown,
        more=max(0, len(failing) - MAX_FAILING),
        worse=worse,
        name=cases.path.name,
    )


def write_simulation(path: Path, changes: Sequence[Change], *, day: str, what: str) -> None:
    """Write the report of a simulated day; `what` says in words what was changed."""
    differ = [change for change in changes if change.what != "same"]
    _write(
        path,
        "day.html",
        changes=differ[:MAX_CHANGES],
        more=max(0, len(differ) - MAX_CHANGES),
        counts=summary(changes),
        total=len(changes),
        day=day,
        what=what,
    )


def _top(found: Figures) -> float:
    return max((risk for _, risk in found.risk_coverage), default=0.0) or 1.0


def _thumbnails(cases: CaseSet, verdict: Verdict) -> list[str]:
    """The case's pictures as small data addresses; one that can't be shown is left out."""
    found = []
    for name in verdict.ran.case.pictures:
        try:
            picture = Image.open(io.BytesIO(accept_picture(cases.picture(name)).data)).convert("RGB")
        except BotError:
            continue
        picture.thumbnail((THUMBNAIL, THUMBNAIL))
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=70)
        found.append("data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode())
    return found


def _write(path: Path, template: str, **values: Any) -> None:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: files("cs_bot.evaluate").joinpath(name).read_text("utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    text = environment.get_template(template).render(made_at=datetime.now(UTC), **values)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
