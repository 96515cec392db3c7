"""`cs-bot serve`: what one request may cost, what is looked at first, and which fields are not passed over."""

import json
import time
from typing import Any

import httpx
import pytest

from cs_bot.testing import ScriptedChats
from cs_bot.vision.base import PictureInput
from cs_bot.web.service import pictures
from tests.served import CHAT, asking, client, data_url, picture, running, settings_of, shown, words


def refused(answer: httpx.Response, status: int = 400) -> dict[str, Any]:
    """The error of an answer with that status."""
    assert answer.status_code == status, answer.text
    said: dict[str, Any] = answer.json()["error"]
    return said


def by_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """The option that asks for a schema."""
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}}


# --- schemas


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer", "multipleOf": 99_999_989},
        {"type": "integer", "multipleOf": 10_000_001e0},
        {"type": "number", "multipleOf": 0.99991},
        {"allOf": [{"type": "integer", "multipleOf": 997}, {"type": "integer", "multipleOf": 991}]},
        {"type": "array", "items": {"anyOf": [{"multipleOf": number} for number in (97, 89, 83, 79, 73)]}},
    ],
    ids=["one", "float", "decimal", "all", "any"],
)
def test_a_schema_whose_remainders_fill_the_memory_is_refused(site: httpx.Client, schema: dict[str, Any]) -> None:
    said = refused(site.post(CHAT, json=asking("hello", **by_schema(schema))))
    assert said["code"] == "invalid_json_schema"
    assert "multipleOf" in said["message"]


def test_ordinary_steps_are_no_large_remainders(site: httpx.Client) -> None:
    prices = {f"price_{n}": {"type": "number", "multipleOf": 0.05} for n in range(40)}
    others = {"cents": {"multipleOf": 0.01}, "packs": {"multipleOf": 12}, "grams": {"multipleOf": 1_000_000}}
    schema = {"type": "object", "properties": {**prices, **others, "multipleOf": {"type": "string"}}}
    assert site.post(CHAT, json=asking("hello", **by_schema(schema))).status_code == 200


def test_a_client_does_not_steer_how_schemas_are_read(site: httpx.Client) -> None:
    schema = {"type": "object", "x-guidance": {"whitespace_pattern": "(x{1000}){1000}"}}
    assert "x-guidance" in refused(site.post(CHAT, json=asking("hello", **by_schema(schema))))["message"]


# --- texts


def test_a_message_of_very_many_parts_is_refused_at_once(site: httpx.Client) -> None:
    answer = site.post(CHAT, json=asking(*[words("x")] * 40_000))
    assert refused(answer)["param"].startswith("messages.0.content")
    assert site.post(CHAT, json=asking(*[words("x")] * 1000)).status_code == 200


def test_the_last_message_says_something(site: httpx.Client) -> None:
    before = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"}]
    for content in ("", " \n", [], [words("")]):
        said = refused(site.post(CHAT, json={"messages": [*before, {"role": "user", "content": content}]}))
        assert said["code"] == "empty_prompt"
    seen = {"role": "user", "content": [shown(data_url(picture()))]}
    assert site.post(CHAT, json={"messages": [*before, seen]}).status_code == 200, "a picture is something"


# --- fields


CHANGES: dict[str, Any] = {"top_k": 5, "min_p": 0.1, "guided_json": {"type": "object"}, "guided_choice": ["a"]}
CHANGES |= {"structured_outputs": {"regex": "a"}, "min_tokens": 3, "stop_token_ids": [5], "echo": True, "best_of": 2}
CHANGES |= {"continue_final_message": True, "add_generation_prompt": False, "verbosity": "low", "suffix": "end"}
CHANGES |= {"reasoning_effort": "high", "repetition_penalty": 1.1, "frequency_penalty": 0.5, "n": 2}
NEUTRAL: dict[str, Any] = {"top_k": -1, "min_p": 0.0, "min_tokens": 0, "stop_token_ids": [], "echo": False, "n": 1}
NEUTRAL |= {"best_of": 1, "repetition_penalty": 1.0, "frequency_penalty": 0, "presence_penalty": 0.0, "verbosity": None}
NEUTRAL |= {"add_generation_prompt": True, "reasoning_effort": "none", "tool_choice": "auto", "logit_bias": {}}


@pytest.mark.parametrize("name", CHANGES)
def test_a_field_that_would_change_the_answer_is_refused_by_its_name(site: httpx.Client, name: str) -> None:
    said = refused(site.post(CHAT, json=asking("hello", **{name: CHANGES[name]})))
    assert (said["param"], said["code"]) == (name, "unsupported_parameter")
    text = CHANGES[name] if isinstance(CHANGES[name], str) else json.dumps(CHANGES[name])
    form = site.post(CHAT, data={name: text}, files={"prompt": (None, "hello")})
    assert refused(form)["param"] == name


@pytest.mark.parametrize("name", NEUTRAL)
def test_a_field_that_asks_for_nothing_is_passed_over(site: httpx.Client, name: str) -> None:
    assert site.post(CHAT, json=asking("hello", **{name: NEUTRAL[name]})).status_code == 200
    text = NEUTRAL[name] if isinstance(NEUTRAL[name], str) else json.dumps(NEUTRAL[name])
    assert site.post(CHAT, data={name: text}, files={"prompt": (None, "hello")}).status_code == 200


def test_a_form_field_of_endless_brackets_is_only_a_wrong_value(site: httpx.Client) -> None:
    assert refused(site.post(CHAT, data={"top_k": "[" * 200_000}, files={"prompt": (None, "x")}))["param"] == "top_k"


# --- pictures


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"model": "another"}, 404),
        ({"top_logprobs": 3}, 400),
        ({"stop": ["x"] * 17}, 400),
        (by_schema({"multipleOf": 99_991}), 400),
        ({"messages": [{"role": "user", "content": [shown("https://x/a.png")]}]}, 400),
    ],
)
def test_nothing_is_fetched_for_a_request_that_is_wrong_anyhow(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], status: int
) -> None:
    fetched: list[str] = []
    monkeypatch.setattr(pictures, "fetch_picture", lambda url, rules: fetched.append(url))  # patch: no other host here
    with running(ScriptedChats()) as address, client(address) as site:
        sent = {**asking(shown("https://img.example.com/a.png"), words("what?")), **change}
        refused(site.post(CHAT, json=sent), status)
    assert fetched == []


def test_pictures_too_many_are_refused_before_the_first_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[str] = []
    monkeypatch.setattr(pictures, "fetch_picture", lambda url, rules: fetched.append(url))  # patch: no other host here
    with running(ScriptedChats()) as address, client(address) as site:
        sent = asking(*[shown("https://img.example.com/a.png")] * 9, words("what?"))
        assert refused(site.post(CHAT, json=sent))["code"] == "too_many_images"
    assert fetched == []


def test_all_pictures_together_have_one_bound_on_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[float] = []

    def slow(url: str, rules: Any) -> bytes:
        given.append(rules.total_s)
        time.sleep(0.15)
        return picture()

    monkeypatch.setattr(pictures, "fetch_picture", slow)  # patch: no slow host here
    taking = pictures.Pictures(pictures.rules_of(settings_of().serve, settings_of().fetch), 8, together_s=0.4)
    with pytest.raises(pictures.TooSlow, match="took more than"):
        [taking.at("https://img.example.com/a.png") for _ in range(8)]
    assert 2 <= len(given) <= 3
    assert given == sorted(given, reverse=True), "each has what the ones before have left"
    assert given[0] <= 0.4


@pytest.mark.parametrize("limit", [20_000_000, 1_000_000])
def test_a_picture_that_is_too_large_is_413_whatever_a_body_may_be(limit: int) -> None:
    large = picture(kind="JPEG") + bytes(min(limit, 10_000_000))
    settings = settings_of(max_body_bytes=max(limit, 10_000_000) + 5_000_000 if limit > 10_000_000 else limit)
    with running(ScriptedChats(), settings) as address, client(address) as site:
        form = site.post(CHAT, files={"image": ("a.jpg", large)}, data={"prompt": "what?"})
        body = site.post(CHAT, json=asking(shown(data_url(large)), words("what?")))
    for answer in (form, body):
        code = refused(answer, 413)["code"]
        assert code == ("image_too_large" if limit > 10_000_000 else "request_too_large")


def test_the_pictures_of_a_request_are_bounded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    padded = picture(kind="JPEG") + bytes(9_000)
    monkeypatch.setattr(pictures, "fetch_picture", lambda url, rules: padded)  # patch: no other host here
    settings = settings_of(max_body_bytes=10_000)
    with running(ScriptedChats(), settings) as address, client(address) as site:
        sent = shown("https://img.example.com/a.png")
        assert site.post(CHAT, json=asking(*[sent] * 4, words("what?"))).status_code == 200
        answer = site.post(CHAT, json=asking(*[sent] * 5, words("what?")))
    assert refused(answer, 413)["code"] == "image_too_large"


def test_a_large_photo_is_kept_in_as_few_bytes_as_it_came(chats: ScriptedChats, site: httpx.Client) -> None:
    from io import BytesIO

    from PIL import Image

    out = BytesIO()
    Image.effect_noise((2000, 1500), 90).convert("RGB").save(out, "JPEG", quality=40)
    site.post(CHAT, files={"image": ("a.jpg", out.getvalue())}, data={"prompt": "what?"}).raise_for_status()
    seen = chats.seen[-1].messages[0].parts[0]
    assert isinstance(seen, PictureInput)
    assert seen.data == out.getvalue()


def test_no_memory_for_a_picture_is_no_fault_of_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    def full(*_: Any, **__: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(Image, "open", full)  # patch: no machine is filled for a test
    with running(ScriptedChats()) as address, client(address) as site:
        answer = site.post(CHAT, json=asking(shown(data_url(picture())), words("what?")))
    assert refused(answer, 503)["code"] == "out_of_memory"
    assert int(answer.headers["retry-after"]) >= 1


# --- who


@pytest.mark.parametrize(
    "headers",
    [
        {"x-forwarded-for": "8.8.8.8"},
        {"x-forwarded-for": "127.0.0.1, 8.8.8.8"},
        {"host": "[::1"},
        {"host": "[nonsense]"},
        {"origin": "http://[::1"},
        {"origin": "http://[v1.x]"},
    ],
    ids=["proxy", "proxies", "host", "odd host", "origin", "odd origin"],
)
def test_without_keys_what_comes_from_elsewhere_or_makes_no_sense_is_refused(headers: dict[str, str]) -> None:
    with running(ScriptedChats(), settings_of(keys=())) as address, client(address, key=None) as site:
        refused(site.post(CHAT, json=asking("hello"), headers=headers), 403)
        assert site.post(CHAT, json=asking("hello"), headers={"x-forwarded-for": "127.0.0.1"}).status_code == 200
