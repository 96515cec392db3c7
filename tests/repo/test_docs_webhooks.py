"""docs/webhooks.md and docs/review-api.md say what the code does; the examples work as they stand there."""

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cs_bot import signatures
from cs_bot.channels import generic
from cs_bot.review import ReviewCard
from cs_bot.schemas import EVENT_SHAPES, HandOffOut, ReplyOut
from cs_bot.testing import SECRET, shop_request
from cs_bot.web import audits_api, reviews_api
from tests.conftest import missing
from tests.repo import webhook_docs

TEXT = webhook_docs.PAGE.read_text(encoding="utf-8")
REVIEW_API = (webhook_docs.DOCS / "review-api.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The code blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def examples() -> dict[str, dict[str, Any]]:
    """The JSON examples by type (the first of all has no data)."""
    found = [json.loads(block) for block in blocks("json")]
    return {event["type"]: event for event in found if event["data"]}


def test_the_tables_of_fields_are_fresh() -> None:
    assert webhook_docs.page(TEXT) == TEXT, "run: python -m tests.repo.webhook_docs"


def test_the_published_schemas_are_fresh() -> None:
    assert webhook_docs.SCHEMAS.read_text(encoding="utf-8") == webhook_docs.schemas(), (
        "run: python -m tests.repo.webhook_docs"
    )


@pytest.mark.parametrize("kind", sorted(EVENT_SHAPES))
def test_each_type_has_an_example_that_is_taken(kind: str) -> None:
    delivery = generic.parse(shop_request(examples()[kind]))
    assert delivery.problem is None
    assert delivery.type == kind
    unknown = set(examples()[kind]["data"]) - set(EVENT_SHAPES[kind].model_fields)
    assert not unknown


def test_the_example_of_a_reply_has_the_published_shape() -> None:
    said = examples()["message.reply"]["data"]
    assert set(said) == set(ReplyOut.model_fields)
    ReplyOut.model_validate(said)


def test_the_example_of_a_hand_off_has_the_published_shape() -> None:
    said = examples()["conversation.handoff"]["data"]
    assert set(said) == set(HandOffOut.model_fields)
    HandOffOut.model_validate(said)


def verify(headers: dict[str, str], body: bytes) -> None:
    """As the web process does."""
    signatures.verify("generic", headers=headers, body=body, secrets=[SECRET], now=datetime.now(UTC))


@pytest.mark.parametrize("kind", sorted(EVENT_SHAPES))
def test_the_python_example_signs_every_event(kind: str) -> None:
    names: dict[str, Any] = {}
    [code] = blocks("python")
    exec(compile(code, "webhooks.md", "exec"), names)  # our own page
    headers, body = names["signed"](SECRET, examples()[kind])
    verify(headers, body)
    assert json.loads(body) == examples()[kind]


def test_the_curl_example_signs_as_we_verify(tmp_path: Path) -> None:
    if not (shutil.which("openssl") and shutil.which("bash")):
        missing("the example in docs/webhooks.md needs bash and openssl")
    script, body = tmp_path / "send.sh", tmp_path / "body.json"
    script.write_text(next(block for block in blocks("bash") if "openssl" in block))
    body.write_text(json.dumps(examples()["message.created"], ensure_ascii=False))
    now = str(int(datetime.now(UTC).timestamp()))
    call = f'source "{script}"; sign msg_1 {now} "{body}"'
    out = subprocess.run(
        ["bash", "-c", call],
        env={"SECRET": SECRET, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    headers = {"webhook-id": "msg_1", "webhook-timestamp": now, "webhook-signature": f"v1,{out.stdout.strip()}"}
    verify(headers, body.read_bytes())


def test_every_call_of_the_review_api_is_in_the_docs() -> None:
    listed = set(re.findall(r"^\| `(GET|POST) (/api[^?`]*)", REVIEW_API, re.MULTILINE))
    routes = [*reviews_api.router.routes, *audits_api.router.routes]
    there = {(method, route.path) for route in routes for method in route.methods}  # type: ignore[attr-defined]
    assert listed == there


def test_every_field_of_a_review_is_in_the_docs() -> None:
    part = REVIEW_API.split("## A review")[1].split("## Errors")[0]
    named = set(re.findall(r"`(\w+)`", part))
    assert set(ReviewCard.model_fields) <= named
