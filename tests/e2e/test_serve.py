"""`cs-bot serve` over HTTP: both ways to ask, streams, who may ask, what is refused and how."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from cs_bot.errors import ConfigError, EngineError, EngineFull, EngineTimeout, PromptTooLong, SchemaRefused
from cs_bot.images import accept_picture, pixels_of
from cs_bot.testing import ScriptedChats
from cs_bot.vision.base import PictureInput
from cs_bot.vision.chat import Chat, ChatState, Role
from tests.picture_host import hosting
from tests.served import CHAT, KEY, asking, client, data_url, events, picture, running, settings_of, shown, words

USAGE = {"include_usage": True}


def error_of(answer: httpx.Response) -> dict[str, Any]:
    """The error in OpenAI's shape, whole."""
    said: dict[str, Any] = answer.json()["error"]
    assert set(said) == {"message", "type", "param", "code"}
    return said


# --- what is asked


def test_a_chat_is_answered_in_openais_shape(site: httpx.Client) -> None:
    answer = site.post(CHAT, json=asking("你好 hello", model="scripted/chat-1"))
    said = answer.json()
    assert answer.status_code == 200
    assert said["object"] == "chat.completion"
    assert said["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "你好 hello", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]
    assert said["usage"] == {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6}
    assert answer.headers["x-request-id"] == said["id"]


def test_turns_texts_and_pictures_arrive_in_their_order(site: httpx.Client, chats: ScriptedChats) -> None:
    red, blue = picture("red"), picture("blue", kind="JPEG")
    site.post(
        CHAT,
        json={
            "messages": [
                {"role": "developer", "content": "You see."},
                {"role": "user", "content": [shown(data_url(red)), words("one"), shown(data_url(blue, "jpeg"))]},
                {"role": "assistant", "content": "A red one."},
                {"role": "user", "content": [words("two"), {"type": "image_url", "image_url": data_url(red)}]},
            ]
        },
    ).raise_for_status()
    first, second = (PictureInput(accept_picture(data).sha256, data) for data in (red, blue))
    assert [(message.role, message.parts) for message in chats.seen[-1].messages] == [
        (Role.SYSTEM, ("You see.",)),
        (Role.USER, (first, "one", second)),
        (Role.ASSISTANT, ("A red one.",)),
        (Role.USER, ("two", first)),
    ]


def test_a_picture_is_kept_as_it_came_and_seen_upright(site: httpx.Client, chats: ScriptedChats) -> None:
    from PIL import Image

    plain = Image.new("RGB", (60, 30), "red")
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "CANARY-CAMERA"
    import io

    out = io.BytesIO()
    plain.save(out, "JPEG", exif=exif)
    site.post(CHAT, json=asking(shown(data_url(out.getvalue(), "jpeg")), words("what?"))).raise_for_status()
    seen = chats.seen[-1].messages[0].parts[0]
    assert isinstance(seen, PictureInput)
    assert seen.data == out.getvalue(), "decoded or encoded anew it may be twenty times as large"
    pixels = pixels_of(seen.data)
    assert (pixels.size, pixels.info, dict(pixels.getexif())) == ((30, 60), {}, {})


def test_options_reach_the_checkpoint(site: httpx.Client, chats: ScriptedChats) -> None:
    options = {"temperature": 0.5, "top_p": 0.9, "seed": 7, "stop": ["\n", "END"], "max_completion_tokens": 5}
    site.post(CHAT, json=asking("hello", **options, logprobs=True, top_logprobs=3)).raise_for_status()
    seen = chats.seen[-1]
    assert (seen.temperature, seen.top_p, seen.seed, seen.stop) == (0.5, 0.9, 7, ("\n", "END"))
    assert (seen.max_new_tokens, seen.top_logprobs, seen.schema) == (5, 3, None)


def test_what_is_not_said_comes_from_the_settings(chats: ScriptedChats) -> None:
    settings = settings_of(engine={"max_new_tokens": 16, "temperature": 0.25})
    with running(chats, settings) as address, client(address) as site:
        site.post(CHAT, json=asking("hello", max_tokens=100_000)).raise_for_status()
    assert (chats.seen[-1].max_new_tokens, chats.seen[-1].temperature) == (16, 0.25), "a bound that nobody passes"


def test_an_answer_that_is_cut_off_says_so(site: httpx.Client) -> None:
    said = site.post(CHAT, json=asking("a long answer", max_tokens=2)).json()
    assert said["choices"][0]["finish_reason"] == "length"
    assert said["usage"]["completion_tokens"] == 2


def test_harmless_fields_are_passed_over(site: httpx.Client) -> None:
    harmless = {"user": "u", "store": True, "metadata": {"a": "b"}, "service_tier": "auto", "tools": [], "n": 1}
    harmless |= {"tool_choice": "none", "frequency_penalty": 0, "logit_bias": None, "something_new": [1]}
    assert site.post(CHAT, json=asking("hello", **harmless)).status_code == 200


def test_likelihoods_are_told_for_each_token(site: httpx.Client) -> None:
    said = site.post(CHAT, json=asking("红色", logprobs=True, top_logprobs=2)).json()
    [row] = said["choices"][0]["logprobs"]["content"]
    assert (row["token"], row["logprob"], bytes(row["bytes"]).decode()) == ("红色", -0.25, "红色")
    assert [other["token"] for other in row["top_logprobs"]] == ["红色", "?"]


@pytest.mark.parametrize(
    ("form", "schema"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, {"type": "object"}),
        (
            {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": {"type": "object"}}},
            {"type": "object"},
        ),
    ],
)
def test_a_form_of_the_answer_becomes_a_schema(
    site: httpx.Client, chats: ScriptedChats, form: dict[str, Any], schema: Any
) -> None:
    site.post(CHAT, json=asking("hello", response_format=form)).raise_for_status()
    assert chats.seen[-1].schema == schema


# --- the form


def test_a_form_with_a_picture_and_a_prompt_is_answered(site: httpx.Client, chats: ScriptedChats) -> None:
    data = picture()
    answer = site.post(CHAT, files={"image": ("a.png", data)}, data={"prompt": "什么颜色?", "max_tokens": "2"})
    assert answer.json()["choices"][0]["message"]["content"] == "什么颜色?"
    [message] = chats.seen[-1].messages
    assert message.parts == (PictureInput(accept_picture(data).sha256, data), "什么颜色?")
    assert chats.seen[-1].max_new_tokens == 2


def test_a_form_takes_several_pictures_and_every_option(site: httpx.Client, chats: ScriptedChats) -> None:
    answer = site.post(
        CHAT,
        files=[("image", ("a.png", picture("red"))), ("image", ("b.png", picture("blue")))],
        data={
            "prompt": "which?",
            "system": "You see.",
            "temperature": "0.5",
            "stop": ["x", "y"],
            "stream": "true",
            "stream_options": json.dumps(USAGE),
            "response_format": json.dumps({"type": "json_object"}),
            "model": "scripted/chat-1",
            "seed": "",
        },
    )
    assert events(answer.text)[-1]["usage"]["completion_tokens"] == 1
    seen = chats.seen[-1]
    assert [message.role for message in seen.messages] == [Role.SYSTEM, Role.USER]
    assert len([part for part in seen.messages[1].parts if isinstance(part, PictureInput)]) == 2
    assert (seen.temperature, seen.stop, seen.schema, seen.seed) == (0.5, ("x", "y"), {"type": "object"}, None)


@pytest.mark.parametrize(
    ("data", "files", "code"),
    [
        ({}, {"image": ("a.png", picture())}, "empty_prompt"),
        ({"prompt": "  "}, {"image": ("a.png", picture())}, "empty_prompt"),
        ({"prompt": "x"}, {"image": ("a.png", b"GIF89a nothing")}, "invalid_image"),
        ({"prompt": "x"}, {"image": ("a.png", b"")}, "invalid_image"),
        ({"prompt": "x"}, {"file": ("a.png", picture())}, "invalid_form"),
        ({"prompt": "x", "image": "https://img.example.com/a.png"}, {"image": ("a.png", picture())}, "invalid_form"),
        ({"prompt": "x", "temperature": "warm"}, {"image": ("a.png", picture())}, "invalid_value"),
        ({"prompt": "x", "response_format": "{"}, {"image": ("a.png", picture())}, "invalid_json"),
    ],
)
def test_a_form_that_is_wrong_is_a_bad_request(site: httpx.Client, data: Any, files: Any, code: str) -> None:
    answer = site.post(CHAT, data=data, files=files)
    assert answer.status_code == 400
    assert error_of(answer)["code"] == code


# --- streams


def test_a_stream_has_the_events_that_clients_expect(site: httpx.Client) -> None:
    answer = site.post(CHAT, json=asking("hello there", stream=True, stream_options=USAGE))
    assert answer.headers["content-type"].startswith("text/event-stream")
    told = events(answer.text)
    assert told[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert [event["choices"][0]["delta"]["content"] for event in told[1:5]] == ["hel", "lo ", "the", "re"]
    assert told[5]["choices"][0] == {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}
    assert told[6]["choices"] == []
    assert told[6]["usage"] == {"prompt_tokens": 4, "completion_tokens": 4, "total_tokens": 8}
    assert all(event["usage"] is None for event in told[:6])
    assert {event["id"] for event in told} == {answer.headers["x-request-id"]}


def test_a_stream_without_counts_has_none(site: httpx.Client) -> None:
    told = events(site.post(CHAT, json=asking("hello", stream=True)).text)
    assert all("usage" not in event for event in told)


def test_a_stream_that_waits_says_so_in_comments() -> None:
    chats = ScriptedChats(before=lambda: time.sleep(0.3))
    with running(chats, first_s=0.05, keep_s=0.1) as address, client(address) as site:
        text = site.post(CHAT, json=asking("hello", stream=True)).text
    assert text.count(": waiting\n\n") >= 2
    assert "".join(event["choices"][0]["delta"].get("content", "") for event in events(text)) == "hello"


def test_an_error_before_the_stream_is_a_status() -> None:
    with running(ScriptedChats(before=_raises(EngineFull()))) as address, client(address) as site:
        assert site.post(CHAT, json=asking("hello", stream=True)).status_code == 503


def test_an_error_within_the_stream_is_its_last_event() -> None:
    left = iter((None, None, EngineFull()))

    def before() -> None:
        problem = next(left)
        if problem is not None:
            raise problem

    with running(ScriptedChats(before=before)) as address, client(address) as site:
        told = events(site.post(CHAT, json=asking("hello there", stream=True)).text)
    assert told[-1]["error"]["code"] == "out_of_memory"


# --- what is served


def test_the_checkpoint_is_listed_and_found_by_its_name(site: httpx.Client) -> None:
    listed = site.get("/v1/models").json()
    assert [row["id"] for row in listed["data"]] == ["scripted/chat-1"]
    assert site.get("/v1/models/scripted/chat-1").json() == listed["data"][0]
    assert error_of(site.get("/v1/models/gpt-9"))["code"] == "model_not_found"


def test_another_checkpoint_is_not_found(site: httpx.Client) -> None:
    answer = site.post(CHAT, json=asking("hello", model="gpt-9"))
    assert answer.status_code == 404
    assert "scripted/chat-1" in error_of(answer)["message"]


def test_health_and_figures_need_no_key(site: httpx.Client) -> None:
    with client(str(site.base_url), key=None) as stranger:
        assert stranger.get("/health").json() == {"status": "ready"}
        site.post(CHAT, json=asking("hello"))
        figures = stranger.get("/metrics").text
    for name in ("csbot_serve_requests_total", "csbot_serve_tokens_total", "csbot_serve_seconds", "csbot_serve_chats"):
        assert name in figures


def test_loading_is_503_with_how_far_it_is() -> None:
    chats = ScriptedChats(state=ChatState("loading", 0.4))
    with running(chats) as address, client(address) as site:
        health = site.get("/health")
        assert (health.status_code, health.json()) == (503, {"status": "loading", "progress": 0.4})
        for answer in (site.get("/v1/models"), site.post(CHAT, json=asking("hello"))):
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "5"
            assert "40%" in error_of(answer)["message"]
        chats.state = ChatState("failed", problem="CANARY-PATH is missing")
        failed = site.get("/health")
        assert (failed.status_code, failed.json()) == (503, {"status": "failed"})
        assert "CANARY" not in site.post(CHAT, json=asking("hello")).text
        chats.state = ChatState("ready")
        assert site.get("/health").status_code == 200


def test_the_page_of_the_api_loads_nothing_from_elsewhere(site: httpx.Client) -> None:
    page = site.get("/docs")
    assert page.status_code == 200
    assert "/v1/chat/completions" in page.text
    assert "src=" not in page.text
    assert [part for part in page.text.split('href="')[1:] if not part.startswith("/")] == []
    assert site.get("/static/pages.css").status_code == 200
    assert "default-src 'self'" in page.headers["content-security-policy"]


# --- who may ask


@pytest.mark.parametrize(
    "given", [None, "Bearer wrong-key-1", "Bearer", f"Basic {KEY}", f"Bearer {KEY}x", "Bearer \xff"]
)
def test_without_the_right_key_nothing_is_answered(given: str | None) -> None:
    chats = ScriptedChats()
    headers = {} if given is None else {"authorization": given.encode("latin-1")}
    with running(chats) as address, client(address, key=None) as site:
        for answer in (site.post(CHAT, json=asking("x"), headers=headers), site.get("/v1/models", headers=headers)):
            assert answer.status_code == 401
            assert error_of(answer)["code"] == "invalid_api_key"
            assert answer.headers["www-authenticate"].startswith("Bearer")
    assert chats.seen == []


def test_every_key_of_the_settings_is_accepted() -> None:
    with running(ScriptedChats(), settings_of(keys=("first-key-1", "second-key-2"))) as address:
        for key in ("first-key-1", "second-key-2"):
            with client(address, key=key) as site:
                assert site.get("/v1/models").status_code == 200


def test_guessing_keys_is_slowed_down_and_known_keys_go_on() -> None:
    with running(ScriptedChats()) as address, client(address, key=None) as guesser, client(address) as site:
        assert site.get("/v1/models").status_code == 200
        guesses = [guesser.get("/v1/models", headers={"authorization": f"Bearer guess-{n}"}) for n in range(12)]
        assert [answer.status_code for answer in guesses[-2:]] == [429, 429]
        assert int(guesses[-1].headers["retry-after"]) >= 1
        assert site.get("/v1/models").status_code == 200


def test_without_any_key_only_loopback_may_be_listened_on() -> None:
    from cs_bot.web.service.app import create_service

    for host in ("0.0.0.0", "::", "192.168.1.5", "shop.example.com"):
        with pytest.raises(ConfigError, match="CSBOT_SERVE__API_KEYS"):
            create_service(ScriptedChats(), settings_of(keys=(), host=host))
    for host in ("127.0.0.1", "::1", "localhost"):
        create_service(ScriptedChats(), settings_of(keys=(), host=host))


def test_without_any_key_web_pages_of_elsewhere_are_refused() -> None:
    with running(ScriptedChats(), settings_of(keys=())) as address, client(address, key=None) as site:
        assert site.post(CHAT, json=asking("hello")).status_code == 200
        for headers in ({"origin": "https://evil.example.com"}, {"host": "evil.example.com"}, {"origin": "null"}):
            assert site.post(CHAT, json=asking("hello"), headers=headers).status_code == 403
        assert site.post(CHAT, json=asking("hello"), headers={"origin": "http://localhost:3000"}).status_code == 200


# --- how much


def test_a_key_has_a_rate_of_its_own() -> None:
    settings = settings_of(keys=("first-key-1", "second-key-2"), rate_per_minute=2)
    with running(ScriptedChats(), settings) as address, client(address, key="first-key-1") as site:
        statuses = [site.post(CHAT, json=asking("hello")).status_code for _ in range(3)]
        last = site.post(CHAT, json=asking("hello"))
        assert statuses == [200, 200, 429]
        assert 1 <= int(last.headers["retry-after"]) <= 31
        assert error_of(last)["code"] == "rate_limit_exceeded"
        assert site.get("/v1/models").status_code == 200, "only chats count"
        with client(address, key="second-key-2") as other:
            assert other.post(CHAT, json=asking("hello")).status_code == 200


def test_more_chats_than_places_wait_and_then_are_refused() -> None:
    go = threading.Event()
    chats = ScriptedChats(before=lambda: go.wait(20) and None)
    settings = settings_of(max_concurrency=2, queue=1, rate_per_minute=0)
    with running(chats, settings) as address, client(address) as site, ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(site.post, CHAT, json=asking("hello")) for _ in range(3)]
        end = time.monotonic() + 10
        while 'csbot_serve_chats{state="waiting"} 1.0' not in site.get("/metrics").text and time.monotonic() < end:
            time.sleep(0.02)
        refused = site.post(CHAT, json=asking("hello"))
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        go.set()
        assert [one.result().status_code for one in waiting] == [200, 200, 200]
    assert chats.most_at_once == 2


def test_who_waits_too_long_for_a_place_is_refused() -> None:
    go = threading.Event()
    chats = ScriptedChats(before=lambda: go.wait(20) and None)
    with (
        running(chats, settings_of(max_concurrency=1, queue_s=0.1)) as address,
        client(address) as site,
        ThreadPoolExecutor(1) as pool,
    ):
        first = pool.submit(site.post, CHAT, json=asking("hello"))
        while chats.now == 0:
            time.sleep(0.01)
        assert site.post(CHAT, json=asking("hello")).status_code == 429
        go.set()
        assert first.result().status_code == 200


# --- what fails


@pytest.mark.parametrize(
    ("problem", "status", "code"),
    [
        (EngineFull("CANARY"), 503, "out_of_memory"),
        (EngineTimeout("CANARY"), 504, "timeout"),
        (EngineError("CANARY"), 500, None),
        (RuntimeError("CANARY"), 500, None),
        (PromptTooLong(), 400, "context_length_exceeded"),
        (SchemaRefused("no recursion"), 400, "invalid_json_schema"),
    ],
)
def test_what_the_engine_fails_with_has_its_status(problem: Exception, status: int, code: str | None) -> None:
    chats = ScriptedChats(before=_raises(problem))
    with running(chats) as address, client(address) as site:
        answer = site.post(CHAT, json=asking("hello"))
        assert answer.status_code == status
        assert error_of(answer)["code"] == code
        assert "CANARY" not in answer.text
        assert ("retry-after" in answer.headers) == (status == 503)


def test_a_chat_that_takes_too_long_is_504_and_stops() -> None:
    chats = ScriptedChats(before=lambda: time.sleep(0.1))
    with running(chats, settings_of(timeout_s=0.3)) as address, client(address) as site:
        assert site.post(CHAT, json=asking("a long, long answer")).status_code == 504
    assert chats.now == 0


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"messages": [{"role": "user", "content": ""}]}, "messages"),
        ({"messages": [{"role": "user", "content": [shown(data_url(picture()))]}]}, "messages"),
        ({"messages": [{"role": "assistant", "content": "hi"}]}, "messages"),
        ({"messages": [{"role": "tool", "content": "hi"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "messages.0.content"),
        ({"temperature": 3}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"n": 2}, "n"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"audio": {"voice": "x"}}, "audio"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"logit_bias": {"1": 5}}, "logit_bias"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"stop": [""]}, "stop"),
        ({"stop": ["x"] * 17}, "stop"),
        ({"response_format": {"type": "xml"}}, "response_format"),
        ({"seed": 2**70}, "seed"),
    ],
)
def test_a_wrong_request_is_400_and_names_what_is_wrong(site: httpx.Client, change: Any, param: str) -> None:
    answer = site.post(CHAT, json={**asking("hello"), **change})
    assert answer.status_code == 400
    said = error_of(answer)
    assert (said["param"] or "").startswith(param)
    assert said["type"] == "invalid_request_error"


def test_only_the_user_shows_pictures(site: httpx.Client) -> None:
    said = [{"role": "system", "content": [shown(data_url(picture()))]}, *asking("hello")["messages"]]
    assert site.post(CHAT, json={"messages": said}).status_code == 400


def test_more_pictures_than_allowed_are_refused(site: httpx.Client) -> None:
    parts = [shown(data_url(picture()))] * 9
    assert error_of(site.post(CHAT, json=asking(*parts, words("what?"))))["code"] == "too_many_images"


# --- addresses of pictures


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "10.0.0.1", "169.254.169.254", "0x7f.1"])
def test_no_address_inside_is_ever_asked(scheme: str, host: str) -> None:
    with hosting({"/a.png": picture()}) as pictures:
        port = pictures.url.rsplit(":", 1)[1]
        settings = settings_of(allow_http=True)
        with running(ScriptedChats(), settings) as address, client(address) as site:
            for url in (f"{scheme}://{host}:{port}/a.png", f"{scheme}://{host}/a.png"):
                answer = site.post(CHAT, json=asking(shown(url), words("what?")))
                assert answer.status_code == 400
                assert error_of(answer)["message"].startswith("picture 1:")
        assert not pictures.asked


@pytest.mark.parametrize(
    "url", ["http://img.example.com/a.png", "file:///etc/passwd", "ftp://x/a.png", "/a.png", "x" * 9]
)
def test_only_https_addresses_are_fetched(site: httpx.Client, url: str) -> None:
    assert site.post(CHAT, json=asking(shown(url), words("what?"))).status_code == 400


def test_only_hosts_of_the_settings_are_fetched_from() -> None:
    settings = settings_of(media_hosts=("img.example.com",))
    with running(ScriptedChats(), settings) as address, client(address) as site:
        answer = site.post(CHAT, json=asking(shown("https://other.example.com/a.png"), words("what?")))
    assert "not on the" in error_of(answer)["message"]


def test_a_picture_from_an_address_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    # The rules against loopback are the point of the tests above; here what is fetched from is replaced.
    from cs_bot.web.service import pictures

    monkeypatch.setattr(pictures, "fetch_picture", lambda url, rules: picture("blue"))
    chats = ScriptedChats()
    with running(chats) as address, client(address) as site:
        site.post(CHAT, json=asking(shown("https://img.example.com/a.png"), words("what?"))).raise_for_status()
    seen = chats.seen[0].messages[0].parts[0]
    assert isinstance(seen, PictureInput)
    assert seen.data == picture("blue")


def _raises(problem: Exception) -> Any:
    def before() -> None:
        raise problem

    return before


def test_a_chat_is_one_frozen_thing(chats: ScriptedChats) -> None:
    assert all(isinstance(chat, Chat) for chat in chats.seen)
