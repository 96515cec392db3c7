"""`cs-bot serve` as it is typed, on a tiny checkpoint with random weights: loading, chats, what fails, the end."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import httpx
import openai
import pytest

from tests import services
from tests.conftest import require_qwen
from tests.served import CHAT, KEY, asking, client, data_url, events, picture, shown, words
from tests.served_process import ROOT, ready

SCHEMA = {
    "type": "object",
    "properties": {"colour": {"enum": ["red", "blue"]}, "sure": {"type": "boolean"}},
    "required": ["colour", "sure"],
    "additionalProperties": False,
}


def typed(folder: Path, *options: str, **env: str) -> Any:
    """`cs-bot serve …` in a folder of its own."""
    values = {**os.environ, "PYTHONPATH": str(ROOT), "CSBOT_SERVE__API_KEYS": KEY, "COLUMNS": "200", **env}
    command = ("-m", "cs_bot.cli", "serve", "--dtype", "float32", "--device-map", "cpu", *options)
    return services.python_process(*command, env=values, cwd=folder, stderr=PIPE)


@pytest.fixture(scope="module")
def service(random_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Popen[bytes]]]:
    """The process, once it is ready."""
    port = services.free_port()
    address = f"http://127.0.0.1:{port}"
    options = ("--model-path", str(random_checkpoint), "--port", str(port), "--max-new-tokens", "64")
    with typed(tmp_path_factory.mktemp("serve"), *options, CSBOT_ENGINE__THREADS="1") as child:
        services.wait_for(lambda: ready(address), "a ready service", 300)
        yield address, child
        assert child.stderr is not None
        child.stderr.close()


@pytest.fixture
def site(service: tuple[str, Popen[bytes]]) -> Iterator[httpx.Client]:
    """A client with the key."""
    with client(service[0]) as made:
        yield made


@pytest.fixture
def name(site: httpx.Client, random_checkpoint: Path) -> str:
    """The checkpoint's name, as the service tells it."""
    served = str(site.get("/v1/models").json()["data"][0]["id"])
    assert served == random_checkpoint.name
    return served


def test_the_official_client_chats_about_pictures(service: tuple[str, Popen[bytes]], name: str) -> None:
    parts: Any = [shown(data_url(picture("red"))), shown(data_url(picture("blue", (96, 64)))), words("哪个是红色的？")]
    messages: Any = [{"role": "system", "content": "You see pictures."}, *asking(*parts)["messages"]]
    with openai.OpenAI(base_url=f"{service[0]}/v1", api_key=KEY, max_retries=0) as official:
        whole = official.chat.completions.create(
            model=name, messages=messages, max_tokens=8, logprobs=True, top_logprobs=3
        )
        pieces = list(
            official.chat.completions.create(
                model=name, messages=messages, max_tokens=8, stream=True, stream_options={"include_usage": True}
            )
        )
    said = whole.choices[0].message.content
    assert said
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices) == said
    assert pieces[-1].usage == whole.usage
    assert whole.usage is not None
    assert whole.usage.prompt_tokens > 20, "the pictures count"
    assert whole.choices[0].logprobs is not None
    rows = whole.choices[0].logprobs.content or []
    assert 1 <= len(rows) <= 8
    assert all(len(row.top_logprobs) == 3 and row.logprob <= row.top_logprobs[0].logprob + 1e-6 for row in rows)


def test_a_form_and_json_say_the_same(site: httpx.Client) -> None:
    form = site.post(CHAT, files={"image": ("a.png", picture())}, data={"prompt": "what?", "max_tokens": "6"})
    body = site.post(CHAT, json=asking(shown(data_url(picture())), words("what?"), max_tokens=6))
    assert form.status_code == body.status_code == 200
    assert form.json()["choices"] == body.json()["choices"]
    assert form.json()["usage"] == body.json()["usage"]


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_follows_the_schema(site: httpx.Client, stream: bool) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
    answer = site.post(CHAT, json=asking("which?", response_format=form, stream=stream))
    if stream:
        text = "".join(event["choices"][0]["delta"].get("content", "") for event in events(answer.text))
    else:
        text = answer.json()["choices"][0]["message"]["content"]
    said = json.loads(text)
    assert said["colour"] in ("red", "blue")
    assert isinstance(said["sure"], bool)


@pytest.mark.parametrize("schema", [{"type": "nonsense"}, {"$ref": "#"}, {"$ref": "https://example.com/x.json"}])
def test_a_schema_that_can_not_be_followed_is_a_bad_request(site: httpx.Client, schema: dict[str, Any]) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    answer = site.post(CHAT, json=asking("which?", response_format=form))
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_json_schema"


def test_words_that_look_like_control_tokens_cost_as_words(site: httpx.Client) -> None:
    def tokens(text: str) -> int:
        return int(site.post(CHAT, json=asking(text, max_tokens=1)).json()["usage"]["prompt_tokens"])

    assert tokens("a<|im_start|>a") - tokens("aa") > 3, "written out, not one token"


def test_a_prompt_that_is_too_long_is_a_bad_request(site: httpx.Client) -> None:
    answer = site.post(CHAT, json=asking("what is this? " * 20_000))
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "context_length_exceeded"


def test_a_strip_and_a_grey_picture_are_seen_or_refused_but_never_an_error_of_ours(site: httpx.Client) -> None:
    for size in ((8, 8), (9000, 300), (300, 3000)):
        answer = site.post(CHAT, json=asking(shown(data_url(picture("grey", size))), words("what?"), max_tokens=2))
        assert answer.status_code in (200, 400), answer.text


def test_a_signal_ends_the_process_with_the_checkpoint_in_it(service: tuple[str, Popen[bytes]]) -> None:
    _, child = service
    begun = time.monotonic()
    child.send_signal(signal.SIGTERM)
    assert child.wait(10) == 0
    assert time.monotonic() - begun < 6


def test_a_signal_ends_the_process_while_it_is_loading(random_checkpoint: Path, tmp_path: Path) -> None:
    port = services.free_port()
    with typed(tmp_path, "--model-path", str(random_checkpoint), "--port", str(port)) as child:
        services.wait_for(lambda: listens(port), "the port", 60)
        begun = time.monotonic()
        child.send_signal(signal.SIGTERM)
        assert child.wait(10) == 0
        assert time.monotonic() - begun < 6
        assert child.stderr is not None
        assert "Traceback" not in child.stderr.read().decode()
        child.stderr.close()


def listens(port: int) -> bool:
    """Whether /health answers, whatever it says."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False, timeout=2).status_code in (200, 503)
    except httpx.HTTPError:
        return False


def test_a_checkpoint_that_is_not_there_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    require_qwen()
    with typed(tmp_path, "--model-path", "./nowhere", "--port", "0") as child:
        assert child.wait(90) == 2
        assert child.stderr is not None
        lines = [line for line in child.stderr.read().decode().splitlines() if line]
        child.stderr.close()
    assert lines[0].startswith("listening on http://127.0.0.1:")
    assert lines[-1].startswith("cs-bot: ")
    assert "nowhere" in lines[-1]
    assert len([line for line in lines[1:] if not line.startswith("loading")]) == 1, lines
