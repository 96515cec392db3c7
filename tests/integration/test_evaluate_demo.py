"""The demo shop's cases on the lite engine: no kind may get worse than the committed baseline.

After a wanted change: cs-bot evaluate cs_bot/demo/data/cases.jsonl --write-baseline tests/data/evaluate/lite.json
"""

from dataclasses import replace
from pathlib import Path

import pytest

from cs_bot import evaluate
from cs_bot.demo.cases import CASES, demo_cases, write_cases
from cs_bot.demo.goods_art import draw_goods
from cs_bot.demo.shop import DATA, PICTURES, load_shop, make_shop
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


@pytest.mark.ocr
def test_a_shop_drawn_with_another_seed_gets_the_same_ends(tmp_path: Path) -> None:
    shop = make_shop(11, tmp_path)
    drawn = {path.name for path in draw_goods(shop.products, tmp_path / PICTURES)}
    write_cases(shop)
    everything = evaluate.load_cases(tmp_path / CASES)
    goods = tuple(
        case for case in everything.cases if "goods" in case.tags and {Path(p).name for p in case.pictures} <= drawn
    )
    assert len(goods) >= 15
    ran = evaluate.run_cases(replace(everything, cases=goods), Settings())
    verdicts = [evaluate.judge(one) for one in ran]
    assert [(v.ran.case.case_id, v.problems) for v in verdicts if not v.ok] == []
