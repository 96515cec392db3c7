"""evaluate with what can't be meant: one line that says what to do, and an exit code."""

from pathlib import Path

import pytest

from tests.commands import Run

pytestmark = pytest.mark.usefixtures("with_account")
CASE = '{"case_id": "a", "text": "?"}\n'


@pytest.fixture(autouse=True)
def files(tmp_path: Path) -> None:
    (tmp_path / "cases.jsonl").write_text(CASE)
    (tmp_path / "broken.jsonl").write_bytes(b"\xff\xfe")
    (tmp_path / "broken.toml").write_bytes(b'share = "\xff"')
    (tmp_path / "misspelt.toml").write_text('modes = {"order/prof" = "off"}')
    (tmp_path / "none.jsonl").write_text("\n")
    (tmp_path / "unknown.toml").write_text("wrong_targett = 1")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["broken.jsonl"], "can't be read"),
        (["."], "can't be read"),
        (["cases.jsonl", "--policy", "broken.toml"], "not valid TOML"),
        (["cases.jsonl", "--policy", "unknown.toml"], "wrong_targett"),
        (["cases.jsonl", "--policy", "misspelt.toml"], "order/prof"),
        (["none.jsonl"], "holds no case"),
        (["cases.jsonl", "--baseline", "broken.toml"], "holds no figures"),
        (["cases.jsonl", "--report", "."], "can't be written"),
        (["cases.jsonl", "--report", "/proc/nowhere/r.html"], "can't be written"),
        (["cases.jsonl", "--engine", "nope"], "nope"),
        (["--simulate", "2026-13-40"], "is no day"),
        (["--simulate", "9999-12-31"], "is no day"),
        (["--simulate", "0001-01-01"], "is no day"),
        ([], "nothing to evaluate"),
    ],
)
def test_what_can_not_be_meant_is_one_line_and_exit_code_2(run: Run, words: list[str], says: str) -> None:
    done = run("evaluate", *words)
    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert done.err.count("\n") == 1


def test_a_file_that_fails_only_when_it_is_written_is_one_line_too(run: Run) -> None:
    done = run("evaluate", "cases.jsonl", "--write-baseline", "/proc/b.json")
    assert done.code == 1
    assert "/proc/b.json" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    "words",
    [
        ["evaluate", "cases.jsonl", "--save", "9" * 30],
        ["customer", "delete", "9" * 30],
        ["customer", "show", "0"],
        ["audit", "judge", "9" * 30, "right", "--agent", "mei"],
        ["replay", "9" * 30],
        ["catalog", "import", "cases.jsonl", "--shop-url", "javascript:alert(1)"],
        ["catalog", "import", "cases.jsonl", "--shop-url", "shop.example"],
    ],
)
def test_a_number_or_an_address_that_there_can_not_be_is_wrong_use(run: Run, words: list[str]) -> None:
    done = run(*words)
    assert done.code == 2
    assert "Traceback" not in done.err
