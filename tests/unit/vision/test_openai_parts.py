"""Parts of the engine `openai`: when it asks again, how a picture is packed, what likelihoods it believes."""

import base64
import io
import json
import random
import threading

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFont, ImageStat

from cs_bot.vision.base import PictureInput
from cs_bot.vision.generating import LABELS
from cs_bot.vision.openai_server.generator import _generation
from cs_bot.vision.openai_server.http import Answer
from cs_bot.vision.openai_server.pictures import Encoder
from cs_bot.vision.openai_server.waiting import Breaker, retry_after, wait_s


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_breaker_opens_after_failures_in_a_row_and_lets_one_trial_in_after_its_pause() -> None:
    clock = Clock()
    breaker = Breaker(failures=3, pause_s=10, clock=clock)
    for _ in range(2):
        breaker.failed()
    breaker.succeeded()
    for _ in range(2):
        breaker.failed()
    assert (breaker.open, breaker.enter()) == (False, True)
    breaker.failed()
    assert (breaker.open, breaker.enter()) == (True, False)
    clock.now += 10
    assert (breaker.open, breaker.enter(), breaker.enter()) == (False, True, False)
    breaker.failed()
    assert breaker.open
    clock.now += 10
    assert breaker.enter()
    breaker.succeeded()
    assert (breaker.enter(), breaker.enter()) == (True, True)


def test_a_trial_whose_outcome_never_comes_does_not_shut_the_breaker_for_ever() -> None:
    clock = Clock()
    breaker = Breaker(failures=1, pause_s=10, clock=clock)
    breaker.failed()
    clock.now += 10
    assert breaker.enter()
    clock.now += 10
    assert breaker.enter()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("3", 3.0), (" 0.5 ", 0.5), ("999999", 3600.0), ("", None), ("-1", None), ("soon", None), ("1e9", None)],
)
def test_retry_after_is_seconds_or_nothing(header: str, seconds: float | None) -> None:
    assert retry_after(header) == seconds


def test_waits_grow_and_a_servers_wish_goes_first() -> None:
    assert 0.125 <= wait_s(1, None) <= 0.25 <= wait_s(2, None) <= 0.5
    assert wait_s(1, 7.0) == 7.0


def packed(image: Image.Image, max_pixels: int = 1_310_720, scale: float = 1.0) -> tuple[str, Image.Image, float]:
    out = io.BytesIO()
    image.save(out, "PNG")
    url, shrunk = Encoder(max_pixels).data_url(PictureInput("0" * 64, out.getvalue()), scale)
    head, _, body = url.partition(";base64,")
    return head, Image.open(io.BytesIO(base64.b64decode(body))), shrunk


def screen() -> Image.Image:
    image = Image.new("RGB", (800, 1200), "white")
    pen = ImageDraw.Draw(image)
    for at in range(20):
        pen.text(
            (40, 40 + 55 * at),
            f"Order number 112-1234567-765432{at}",
            fill=(20, 20, 20),
            font=ImageFont.load_default(28),
        )
    return image


def test_a_screen_is_sent_without_loss() -> None:
    head, sent, shrunk = packed(screen())
    assert (head, shrunk) == ("data:image/png", 1.0)
    assert ImageChops.difference(sent.convert("RGB"), screen()).getbbox() is None


def test_a_photograph_is_sent_as_a_fine_jpeg() -> None:
    image = Image.frombytes("RGB", (640, 480), random.Random(7).randbytes(640 * 480 * 3))
    head, sent, _ = packed(image)
    assert head == "data:image/jpeg"
    assert sent.size == (640, 480)


def test_a_jpeg_of_print_keeps_its_strokes() -> None:
    """Quality 92 with full colour resolution: were a screen to go as JPEG, its digits would stay what they are."""
    out = io.BytesIO()
    screen().save(out, "JPEG", quality=92, subsampling=0)
    error = ImageStat.Stat(ImageChops.difference(Image.open(out).convert("L"), screen().convert("L")))
    assert error.rms[0] < 4


def test_pictures_keep_their_shape_within_the_budget() -> None:
    _, sent, shrunk = packed(Image.new("RGB", (4000, 1000), "white"), max_pixels=1_000_000)
    assert sent.size == (2000, 500)
    assert shrunk == pytest.approx(0.5)
    assert packed(Image.new("RGB", (100, 200), "white"), scale=0.85)[1].size == (85, 170)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "I;16", "LA"])
def test_any_colour_mode_is_taken(mode: str) -> None:
    assert packed(Image.new(mode, (40, 40)))[1].size == (40, 40)


def test_what_was_packed_is_kept_for_the_next_question() -> None:
    out = io.BytesIO()
    screen().save(out, "PNG")
    encoder = Encoder(1_310_720)
    picture = PictureInput("1" * 64, out.getvalue())
    first = encoder.data_url(picture, 1.0)
    threads = [
        threading.Thread(target=encoder.data_url, args=(PictureInput(f"{n:064x}", picture.data), 0.1))
        for n in range(20)
    ]
    for thread in threads:
        thread.start()
    assert encoder.data_url(picture, 1.0) == first
    for thread in threads:
        thread.join()


def answered(logprobs: object, text: str = "product") -> Answer:
    choice = {"message": {"content": text}, "finish_reason": "stop", "logprobs": logprobs}
    return Answer(200, json.dumps({"choices": [choice]}).encode(), None)


def test_likelihoods_are_taken_from_the_first_token_that_is_more_than_blanks() -> None:
    rows = [
        {"token": "\n", "logprob": -0.1, "top_logprobs": [{"token": "scene", "logprob": -0.1}]},
        {
            "token": "pro",
            "logprob": -0.2,
            "top_logprobs": [{"token": "pro", "logprob": -0.2}, {"token": "com", "logprob": -3}],
        },
    ]
    made = _generation(answered({"content": rows}), LABELS)
    assert made.label_logprobs is not None
    assert max(made.label_logprobs, key=lambda label: made.label_logprobs[label]) == "product"  # type: ignore[index]


@pytest.mark.parametrize(
    "logprobs",
    [
        *(None, {}, {"content": None}, {"content": []}, {"content": [{"token": "a"}]}, {"content": "x"}, [], 5),
        *({"content": [{"token": "a", "logprob": value}]} for value in (5.0, "high", None, float("nan"))),
    ],
)
def test_likelihoods_that_make_no_sense_are_none(logprobs: object) -> None:
    made = _generation(answered(logprobs), LABELS)
    assert (made.tokens, made.label_logprobs) == (None, None)


def test_likelihoods_of_minus_infinity_are_bounded() -> None:
    made = _generation(answered({"content": [{"token": "a", "logprob": -9999.0}]}), ())
    assert made.tokens is not None
    assert made.tokens[0].logprob == -100.0
