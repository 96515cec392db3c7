"""docs/demo.md lists every story with its end."""

from tests.repo import demo_docs


def test_the_table_of_stories_is_fresh() -> None:
    text = demo_docs.PAGE.read_text(encoding="utf-8")
    assert demo_docs.page(text) == text, "run: python -m tests.repo.demo_docs"
