"""`cs-bot serve` with OpenAI's own Python client, with ours, and with every example of docs/serve.md."""

import io
import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import openai
import pytest
from PIL import Image

from cs_bot import bootstrap
from cs_bot.demo.tiny.samples import draw_sample
from cs_bot.records import FieldState, Kind, Look
from cs_bot.settings import EngineSettings, Settings
from cs_bot.testing import ScriptedChats
from cs_bot.vision.base import Ask, PictureInput, Words, load_engine
from cs_bot.vision.chat import Chat, Role
from cs_bot.web.service import pictures
from tests.conftest import require_qwen
from tests.contracts.openai_fake import Asked, sensible
from tests.served import KEY, asking, data_url, picture, running, settings_of, shown, words
from tests.served_process import process

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "serve.md"
TINY = ROOT / "cs_bot" / "demo" / "data" / "tiny"
SCHEMA = {"type": "object", "properties": {"sure": {"type": "boolean"}}, "required": ["sure"]}
NAME = "scripted/chat-1"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A real process of its own."""
    with process() as (where, _):
        yield where


@pytest.fixture
def official(address: str) -> Iterator[openai.OpenAI]:
    """OpenAI's client."""
    with openai.OpenAI(base_url=f"{address}/v1", api_key=KEY, max_retries=0) as made:
        yield made


def said(*content: Any) -> Any:
    """Messages for the client, whose types are stricter than what is tested."""
    return asking(*content)["messages"]


def test_the_official_client_chats(official: openai.OpenAI) -> None:
    answer = official.chat.completions.create(model=NAME, messages=said("你好"), max_tokens=5)
    assert answer.choices[0].message.content == "你好"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer._request_id == answer.id


def test_the_official_client_streams(official: openai.OpenAI) -> None:
    stream = official.chat.completions.create(
        model=NAME, messages=said("hello there"), stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "hello there"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 4


def test_the_official_client_sends_several_pictures(official: openai.OpenAI) -> None:
    parts = [shown(data_url(picture("red"))), shown(data_url(picture("blue", kind="JPEG"), "jpeg")), words("which?")]
    answer = official.chat.completions.create(model=NAME, messages=said(*parts))
    assert answer.choices[0].message.content == "which?"


def test_the_official_client_gets_likelihoods(official: openai.OpenAI) -> None:
    answer = official.chat.completions.create(model=NAME, messages=said("hello"), logprobs=True, top_logprobs=2)
    assert answer.choices[0].logprobs is not None
    rows = answer.choices[0].logprobs.content or []
    assert "".join(row.token for row in rows) == "hello"
    assert all(len(row.top_logprobs) == 2 for row in rows)


def test_the_official_client_gets_json_by_a_schema(official: openai.OpenAI) -> None:
    form: Any = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": SCHEMA}}
    answer = official.chat.completions.create(model=NAME, messages=said("sure?"), response_format=form)
    assert json.loads(answer.choices[0].message.content or "") == {"sure": False}


def test_the_official_client_lists_what_is_served(official: openai.OpenAI) -> None:
    assert [one.id for one in official.models.list()] == [NAME]
    assert official.models.retrieve(NAME).id == NAME


def test_the_official_client_raises_its_own_errors(official: openai.OpenAI, address: str) -> None:
    with pytest.raises(openai.BadRequestError) as bad:
        official.chat.completions.create(model=NAME, messages=said(shown("data:image/png;base64,QUJD"), words("x")))
    assert (bad.value.code, bad.value.param) == ("invalid_image", "messages")
    with pytest.raises(openai.NotFoundError):
        official.chat.completions.create(model="gpt-9", messages=said("x"))
    with pytest.raises(openai.BadRequestError):
        official.chat.completions.create(model=NAME, messages=said("x"), n=2)
    with (
        openai.OpenAI(base_url=f"{address}/v1", api_key="wrong-key-1", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError),
    ):
        stranger.models.list()


def test_the_official_client_waits_as_it_is_told() -> None:
    with (
        running(ScriptedChats(), settings_of(rate_per_minute=60)) as address,
        openai.OpenAI(base_url=f"{address}/v1", api_key=KEY, max_retries=2) as patient,
        openai.OpenAI(base_url=f"{address}/v1", api_key=KEY, max_retries=0) as hasty,
    ):
        refused = until_refused(hasty)
        assert int(refused.response.headers["retry-after"]) == 1
        assert patient.chat.completions.create(model=NAME, messages=said("x")).choices[0].message.content == "x"


def until_refused(hasty: openai.OpenAI) -> openai.RateLimitError:
    """Ask until the key's share of this minute is used up."""
    for _ in range(200):
        try:
            hasty.chat.completions.create(model=NAME, messages=said("x"))
        except openai.RateLimitError as refused:
            return refused
    raise AssertionError("never refused")


def test_the_official_client_raises_an_error_within_a_stream() -> None:
    left = iter((None, RuntimeError("CANARY")))

    def before() -> None:
        problem = next(left)
        if problem is not None:
            raise problem

    with (
        running(ScriptedChats(before=before)) as address,
        openai.OpenAI(base_url=f"{address}/v1", api_key=KEY, max_retries=0) as official,
    ):
        stream = official.chat.completions.create(model=NAME, messages=said("hello there"), stream=True)
        with pytest.raises(openai.APIError) as broken:
            list(stream)
    assert "CANARY" not in str(broken.value)


# --- our own client


def as_asked(chat: Chat) -> str:
    """What the fake server of the engine's tests would say to the same prompt."""
    system = next((m.parts[0] for m in chat.messages if m.role is Role.SYSTEM), "")
    text = "".join(part for part in chat.messages[-1].parts if isinstance(part, str))
    body = {"messages": [{"content": system}, {"content": text}]}
    return sensible(Asked(body, {}))


def test_our_engine_looks_and_writes_through_the_service() -> None:
    chats = ScriptedChats(as_asked)
    with running(chats, settings_of(rate_per_minute=0)) as address:
        engine = load_engine("openai", url=f"{address}/v1", api_key=KEY, checkpoint=NAME, fallback="", timeout_s=60.0)
        try:
            assert engine.check() == f"the server at {address.removeprefix('http://')} serves {NAME}"  # type: ignore[attr-defined]
            [look] = engine.look([PictureInput("a" * 64, picture())])
            [written] = engine.write([Ask(Kind.PRODUCT, "zh", "有吗？", slots={"p1.name": "红色长裙"})])
        finally:
            engine.close()
    assert isinstance(look, Look)
    assert look.kind is Kind.PRODUCT
    assert look.items[0].attributes["colour"] == "red"
    assert 0.9 < look.signals["kind_mass"] < 1, "read from the likelihoods"
    assert all(field.state is FieldState.UNREADABLE for field in look.fields.values())
    assert isinstance(written, Words)
    assert "{p1.name}" in written.template
    assert all(chat.schema is not None for chat in chats.seen[1:])


def test_our_engine_sees_through_the_service_with_the_checkpoint_that_is_shipped() -> None:
    require_qwen()
    checkpoint = EngineSettings(name="qwen", checkpoint=str(TINY), threads=1, device_map="cpu")
    drawn = [draw_sample("classify", random.Random(seed)) for seed in range(8)]
    pngs = [as_png(sample.picture) for sample in drawn]
    chats = bootstrap.open_chats(Settings(engine=checkpoint))
    with closing(chats), running(chats, settings_of(rate_per_minute=0)) as address:
        engine = load_engine(
            "openai", url=f"{address}/v1", api_key=KEY, checkpoint=chats.checkpoint, fallback="", timeout_s=120.0
        )
        with closing(engine):
            looks = engine.look([PictureInput(f"{n:064x}", png) for n, png in enumerate(pngs)])
    kinds = [look.kind.value if isinstance(look, Look) else repr(look) for look in looks]
    right = sum(kind == sample.answer for kind, sample in zip(kinds, drawn, strict=True))
    assert right >= 6, kinds


def as_png(pixels: Any) -> bytes:
    """A drawing as a file."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


# --- the page


def examples(start: str) -> list[str]:
    """The indented blocks of the page that begin with `start`."""
    blocks = re.findall(r"(?:^ {4}.*\n|^\n(?= {4}))+", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    parts = [part for block in blocks for part in re.split(r"\n\n(?=    curl)", block)]
    plain = ["\n".join(line[4:] for line in part.splitlines()).strip() for part in parts]
    return [part for part in plain if part.startswith(start)]


@pytest.fixture
def as_on_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Runs an example: its address is a running service's, and photo.jpg lies in the folder."""
    # The page's picture is on a host that is not there.
    monkeypatch.setattr(pictures, "fetch_picture", lambda url, rules: picture())
    (tmp_path / "photo.jpg").write_bytes(picture(kind="JPEG"))
    with running(ScriptedChats(), settings_of(rate_per_minute=0)) as address:

        def run(example: str, *command: str) -> str:
            text = example.replace("http://127.0.0.1:8000", address)
            env = {**os.environ, "KEY": KEY, "no_proxy": "127.0.0.1"}
            done = subprocess.run([*command, text], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done.stderr
            return done.stdout

        yield run


@pytest.mark.parametrize("at", range(5))
def test_the_curl_examples_of_the_page_work(as_on_the_page: Any, at: int) -> None:
    example = examples("curl")[at]
    out = as_on_the_page(example.replace("curl ", "curl --silent --show-error --fail-with-body ", 1), "bash", "-c")
    assert ("data: [DONE]" if '"stream": true' in example else "ready" if "/health" in example else "id") in out
    assert '"error"' not in out


def test_the_page_has_no_other_curl_examples() -> None:
    assert len(examples("curl")) == 5


def test_the_python_example_of_the_page_works(as_on_the_page: Any) -> None:
    [example] = examples("import base64, os")
    assert as_on_the_page(example, sys.executable, "-c").startswith("What is this? CompletionUsage(")


def test_the_page_names_every_setting_and_every_code() -> None:
    from cs_bot.settings import ServeSettings
    from cs_bot.web.service.errors import CODES

    text = PAGE.read_text(encoding="utf-8")
    for name in ServeSettings.model_fields:
        assert f"CSBOT_SERVE__{name}".upper() in text or f"…__{name}".upper() in text, name
    for _, code in CODES:
        assert f"`{code}`" in text
