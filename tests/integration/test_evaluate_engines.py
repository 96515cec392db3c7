"""The demo shop's cases on an engine behind a server: one that sees right against its baseline, ones that see wrong.

After a wanted change: python -m tests.contracts.demo_truth --port 8123, then with its two variables set and
CSBOT_ENGINE__FALLBACK= (empty): cs-bot evaluate cs_bot/demo/data/cases.jsonl --engine openai --write-baseline
tests/data/evaluate/openai.json
"""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from cs_bot import evaluate
from cs_bot.demo.cases import CASES
from cs_bot.demo.shop import DATA, load_shop
from cs_bot.records import Action, Reason
from cs_bot.settings import EngineSettings, Settings
from tests.contracts.demo_truth import LIED, Pictures, SeesRight, SeesWrong
from tests.contracts.openai_fake import CHECKPOINT, FakeServer, serving

BASELINE = Path(__file__).parents[1] / "data" / "evaluate" / "openai.json"


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    return Pictures(load_shop())


def run(fake: FakeServer, cases: evaluate.CaseSet) -> list[evaluate.Ran]:
    engine = EngineSettings(name="openai", url=fake.url, checkpoint=CHECKPOINT, fallback="")
    return evaluate.run_cases(cases, Settings(engine=engine))


def test_no_kind_got_worse_with_an_engine_that_sees_right(pictures: Pictures) -> None:
    with serving(says=SeesRight(pictures)) as fake:
        ran = run(fake, evaluate.load_cases(DATA / CASES))
    verdicts = [evaluate.judge(one) for one in ran]
    now = evaluate.figures(verdicts, engine="openai")
    before = evaluate.Figures.model_validate_json(BASELINE.read_text("utf-8"))
    assert now.rows[0].wrong_send == 0
    assert evaluate.compare(now, before) == [], [v.problems for v in verdicts if not v.ok]


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.full) for seed in range(2, 8))])
def test_nothing_is_sent_when_everything_is_seen_wrong(pictures: Pictures, seed: int) -> None:
    everything = evaluate.load_cases(DATA / CASES)
    cases = replace(everything, cases=tuple(case for case in everything.cases if case.pictures))
    with serving(says=SeesWrong(pictures, seed)) as fake:
        ran = run(fake, cases)
    assert [one.case.case_id for one in ran if one.problem or one.decision is None] == []
    assert [one.case.case_id for one in ran if one.decision and one.decision.action is not Action.REVIEW] == []
    texts = [one.draft.text for one in ran if one.draft is not None]
    assert [text for text in texts if any(lie in text for lie in LIED)] == []
    reasons = Counter(reason for one in ran if one.decision for reason in one.decision.reasons)
    assert min(reasons[Reason.FOREIGN_ORDER], reasons[Reason.UNKNOWN_ORDER], reasons[Reason.MODE_ASSIST]) >= 3
