"""The trained tiny checkpoint as it is shipped: its files are those that were measured, and small."""

import hashlib

from cs_bot.demo.train_tiny import HOME

MOST_BYTES = 10_000_000


def listed() -> dict[str, str]:
    lines = (HOME / "SHA256SUMS").read_text("utf-8").splitlines()
    return {name: digest for digest, name in (line.split("  ", 1) for line in lines)}


def test_every_file_is_the_one_that_was_measured() -> None:
    assert {name: hashlib.sha256((HOME / name).read_bytes()).hexdigest() for name in listed()} == listed()


def test_no_file_but_the_card_is_missing_from_the_list() -> None:
    there = {path.relative_to(HOME).as_posix() for path in HOME.rglob("*") if path.is_file()}
    assert there - set(listed()) == {"README.md", "SHA256SUMS"}


def test_it_stays_within_ten_megabytes() -> None:
    assert sum(path.stat().st_size for path in HOME.rglob("*") if path.is_file()) <= MOST_BYTES
