"""The lite engine keeps its promises on order screens that it was not written for."""

from pathlib import Path

import pytest
from rich.console import Console

from tests import services
from tests.screens.evaluate import ROOT, engine_key, evaluate
from tests.screens.metrics import FACTS, bars
from tests.screens.render import TRUTH, is_complete, render
from tests.screens.report import markdown, show
from tests.screens.shots import CHROMIUM
from tests.screens.truth import load

SAMPLE = ROOT / "tests" / "data" / "screens"
CORPUS = ROOT / "var" / "screens"
REPORT = ROOT / "docs" / "measured" / "screens.md"


def needs_ocr() -> None:
    """The engine's packages come with the extra; CI installs it."""
    if not services.CI:
        pytest.importorskip("rapidocr", reason="needs the extra: pip install -e '.[lite]'")


def test_the_sample_is_small_and_whole() -> None:
    lines = list(load(SAMPLE / TRUTH))
    assert {line["file"] for line in lines} | {TRUTH} == {file.name for file in SAMPLE.iterdir()}
    assert len({line["variant"] for line in lines}) >= 8
    assert sum(file.stat().st_size for file in SAMPLE.iterdir()) <= 1_200_000


@pytest.mark.ocr
def test_the_engine_reads_the_committed_sample_and_states_nothing_wrong(tmp_path: Path) -> None:
    needs_ocr()
    result = evaluate(SAMPLE, cache=tmp_path)
    show(result, Console(width=160))
    number = result.total.fields["order_id"]
    assert number.wrong + number.part_wrong + number.none_read == 0
    assert number.right >= 0.8 * number.whole
    for name in FACTS:
        count = result.total.fields[name]
        assert count.wrong + count.part_wrong + count.none_read == 0, name
        assert count.right >= 0.8 * count.whole, name
    assert result.total.taken_for_order == result.total.pictures
    assert {look: taken for look, (_, taken, _) in result.others.items()} == {"chat": 0, "logistics": 0}
    assert result.lists[:2] == [1, 1]
    assert result.foreign == [1, 1, 0]


@pytest.mark.full
@pytest.mark.browser
@pytest.mark.ocr
def test_every_promise_about_order_screens_is_kept_on_the_held_out_corpus() -> None:
    needs_ocr()
    if not is_complete(CORPUS):
        if not CHROMIUM.exists():
            reason = f"no browser at {CHROMIUM} to render the corpus: apt-get install chromium fonts-noto-cjk"
            (pytest.fail if services.CI else pytest.skip)(reason)
        render(CORPUS, fresh=True)
    result = evaluate(CORPUS, workers=2)
    show(result, Console(width=160))
    REPORT.write_text(markdown(result, engine_key("lite"), CORPUS.name), encoding="utf-8")
    broken = [f"{bar.name}: {bar.count}/{bar.trials}, aim {bar.target:.0%}" for bar in bars(result) if not bar.met]
    assert not broken, "\n".join(broken)
