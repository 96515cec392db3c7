"""docs/metrics.md lists every metric, and nothing that is not there."""

import re
from pathlib import Path

import fakeredis
from prometheus_client.parser import text_string_to_metric_families

from cs_bot import observe
from cs_bot.store.database import Database
from cs_bot.web.metrics import exposition

PAGE = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"


def test_every_metric_is_in_the_docs_and_nothing_else(sqlite_database: Database) -> None:
    observe.HTTP_ERRORS.labels("not_found", "404")
    listed = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    shown = exposition(sqlite_database, fakeredis.FakeRedis()).decode()
    found = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in text_string_to_metric_families(shown)
        if not family.name.endswith("_created")
    }
    assert len(listed) == len(set(listed))
    assert set(listed) == found


def test_every_metric_says_what_it_is(sqlite_database: Database) -> None:
    for family in text_string_to_metric_families(exposition(sqlite_database, fakeredis.FakeRedis()).decode()):
        assert family.documentation, family.name
