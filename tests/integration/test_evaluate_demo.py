"""The demo shop's cases on the lite engine: no kind may get worse than the committed baseline.

After a wanted change: cs-bot evaluate cs_bot/demo/data/cases.jsonl --write-baseline tests/data/evaluate/lite.json
"""

from pathlib import Path

import pytest

from cs_bot import evaluate
from cs_bot.demo.cases import CASES, demo_cases
from cs_bot.demo.shop import DATA, load_shop
from cs_bot.settings import Settings

BASELINE = Path(__file__).parents[1] / "data" / "evaluate" / "lite.json"


def test_the_committed_cases_are_those_of_the_stories() -> None:
    assert evaluate.load_cases(DATA / CASES).cases == demo_cases(load_shop())


@pytest.mark.ocr
def test_no_kind_got_worse_on_the_demo_set() -> None:
    cases = evaluate.load_cases(DATA / CASES)
    verdicts = [evaluate.judge(ran) for ran in evaluate.run_cases(cases, Settings())]
    now = evaluate.figures(verdicts, engine="lite")
    before = evaluate.Figures.model_validate_json(BASELINE.read_text("utf-8"))
    assert len(cases.cases) >= 60
    assert now.rows[0].wrong_send == 0
    assert evaluate.compare(now, before) == [], [v.problems for v in verdicts if not v.ok]
