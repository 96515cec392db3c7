"""Every engine keeps the contract of vision/base.py, the double that we ship too."""

import atexit
import io
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from cs_bot import bootstrap
from cs_bot.errors import EngineError, EngineTimeout
from cs_bot.records import FieldState, Kind, Look
from cs_bot.settings import EngineSettings, Settings
from cs_bot.testing import ScriptedVision, some_words
from cs_bot.vision.base import Ask, PictureInput, Vision, Words, load_engine, look_json
from cs_bot.vision.lite.ocr import DETECT_SIDE, Ocr, Pixels
from tests.conftest import require_qwen
from tests.contracts.openai_fake import CHECKPOINT, serving
from tests.served import KEY, running, settings_of
from tests.speaking import speaking_checkpoint

ORDER = (
    "Order details",
    "Delivered November 5",
    "Order placed   November 3, 2026",
    "Order number   112-1234567-7654321",
    "Item Subtotal:   $49.39",
    "Grand Total:   $55.38",
)


def drawn(lines: tuple[str, ...], *, turned: int = 0) -> PictureInput:
    """Lines of text in Pillow's own font, as a PNG."""
    picture = Image.new("RGB", (760, 120 + 70 * len(lines)), "white")
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(size=30)
    for at, line in enumerate(lines):
        pen.text((50, 60 + 70 * at), line, fill=(30, 30, 30), font=font)
    out = io.BytesIO()
    picture.rotate(turned, expand=True).save(out, "PNG")
    return PictureInput(f"{abs(hash((lines, turned))):064x}"[:64], out.getvalue())


@lru_cache(maxsize=1)
def speaking() -> Path:
    """A checkpoint that knows one kind, one reading and one reply."""
    require_qwen()
    folder = Path(tempfile.mkdtemp(prefix="cs-bot-speaking-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return speaking_checkpoint(folder, "product", '{"items":[]}', '{"reply":"您好，{p1.name}"}')


@contextmanager
def served() -> Iterator[Vision]:
    """The engine openai on `cs-bot serve`, which runs the same checkpoint."""
    engine = EngineSettings(name="qwen", checkpoint=str(speaking()), threads=1, max_new_tokens=512)
    chats = bootstrap.open_chats(Settings(engine=engine))
    settings = settings_of(rate_per_minute=0)
    with closing(chats), running(chats, settings) as address:
        made = load_engine(
            "openai", url=f"{address}/v1", checkpoint=chats.checkpoint, api_key=KEY, fallback="", timeout_s=120.0
        )
        with closing(made):
            yield made


@contextmanager
def opened(name: str) -> Iterator[Vision]:
    """One of the engines that the suite runs over."""
    if name == "served":
        with served() as engine:
            yield engine
        return
    with serving() as fake:
        address = {"url": fake.url, "checkpoint": CHECKPOINT, "timeout_s": 120.0}
        if name == "scripted":
            made: Vision = ScriptedVision(words=lambda _: some_words("您好，{p1.name}"))
        elif name == "lite":
            made = load_engine("lite", timeout_s=120.0)
        elif name == "qwen":
            made = load_engine("qwen", checkpoint=str(speaking()), fallback="", threads=1, timeout_s=120.0)
        else:
            made = load_engine("openai", fallback="lite" if name == "fallback" else "", **address)
        try:
            yield made
        finally:
            made.close()


SLOW = {"lite", "fallback"}
NAMES = ("scripted", "lite", "qwen", "openai", "served", "fallback")
PARAMS = [pytest.param(name, marks=pytest.mark.ocr) if name in SLOW else name for name in NAMES]


@pytest.fixture(scope="module", params=PARAMS)
def engine(request: pytest.FixtureRequest) -> Iterator[Vision]:
    """One engine of each kind for the whole suite."""
    with opened(request.param) as made:
        yield made


def stamps(engine: Vision) -> set[tuple[str, str]]:
    """(engine, version) that its results may carry: its own, or those of the engines behind it."""
    return set(getattr(engine, "stamps", {(engine.name, engine.version)}))


def asked(question: str = "有红色的吗？") -> Ask:
    """A question about a product, with one slot."""
    return Ask(kind=Kind.PRODUCT, language="zh", question=question, slots={"p1.name": "红色长裙"})


@pytest.fixture(scope="module")
def lite() -> Iterator[Vision]:
    """The lite engine."""
    made = load_engine("lite", timeout_s=120.0)
    yield made
    made.close()


def test_every_picture_gets_one_look_in_order(engine: Vision) -> None:
    pictures = [drawn(("first",)), drawn(("second",))]
    looks = engine.look(pictures)
    assert [look.picture_sha256 for look in looks if isinstance(look, Look)] == [p.sha256 for p in pictures]
    for look in looks:
        assert isinstance(look, Look)
        assert set(look.kinds) >= set(Kind) - {Kind.TEXT}
        assert sum(look.kinds.values()) == pytest.approx(1.0)
        assert (look.engine, look.engine_version) in stamps(engine)
        assert all(0.0 <= value <= 1.0 for value in look.signals.values())
        assert look.prompt_version == engine.prompt_version
        assert look_json(look)["kind"] == look.kind.value


def test_nothing_to_look_at_gives_nothing(engine: Vision) -> None:
    assert engine.look([]) == []


def test_progress_is_told_once_a_picture(engine: Vision) -> None:
    told: list[int] = []
    engine.look([drawn(("one",)), drawn(("two",))], progress=lambda: told.append(1))
    assert len(told) == 2


def test_no_time_left_is_a_timeout_for_each_picture(engine: Vision) -> None:
    results = engine.look([drawn(("one",)), drawn(("two",))], deadline_s=0.0)
    assert [type(result) for result in results] == [EngineTimeout, EngineTimeout]
    assert engine.healthy


def test_several_threads_may_ask_at_once(engine: Vision) -> None:
    pictures = [drawn((f"number {n}",)) for n in range(3)]
    seen: dict[str, Look | EngineError] = {}
    threads = [threading.Thread(target=lambda p=p: seen.update({p.sha256: engine.look([p])[0]})) for p in pictures]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert {sha for sha, look in seen.items() if isinstance(look, Look) and look.picture_sha256 == sha} == set(seen)
    assert len(seen) == 3


def test_every_ask_gets_one_result_in_order(engine: Vision) -> None:
    results = engine.write([asked(), asked("多少钱？")])
    assert len(results) == 2
    for result in results:
        if not engine.writes:
            assert isinstance(result, EngineError)
            continue
        assert isinstance(result, Words)
        assert "{p1.name}" in result.template
        assert (result.engine, result.engine_version) in stamps(engine)
        assert result.prompt_version == engine.prompt_version
        assert all(0.0 <= value <= 1.0 for value in result.signals.values())


def test_nothing_to_write_gives_nothing(engine: Vision) -> None:
    assert engine.write([]) == []


def test_progress_is_told_once_a_reply(engine: Vision) -> None:
    told: list[int] = []
    engine.write([asked(), asked()], progress=lambda: told.append(1))
    assert len(told) == (2 if engine.writes else 0)


def test_no_time_left_writes_nothing(engine: Vision) -> None:
    results = engine.write([asked(), asked()], deadline_s=0.0)
    assert [isinstance(result, EngineError) for result in results] == [True, True]


def test_what_progress_raises_stops_the_call(engine: Vision) -> None:
    def stop() -> None:
        raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        engine.look([drawn(("one",)), drawn(("two",))], progress=stop)
    assert isinstance(engine.look([drawn(("three",))])[0], Look)


@pytest.mark.parametrize("name", PARAMS)
def test_a_closed_engine_answers_with_errors(name: str) -> None:
    with opened(name) as closed:
        closed.close()
        closed.close()
        assert isinstance(closed.look([drawn(("one",))])[0], EngineError)
        assert isinstance(closed.write([asked()])[0], EngineError)


@pytest.mark.ocr
def test_lite_reads_a_drawn_order_page(lite: Vision) -> None:
    (look,) = lite.look([drawn(ORDER)])
    assert isinstance(look, Look)
    assert look_json(look)["fields"] == {
        "order_id": "112-1234567-7654321",
        "amount": "55.38",
        "currency": "USD",
        "status": "delivered",
        "status_text": "Delivered",
        "order_time": "2026-11-03",
    }
    assert any("112-1234567-7654321" in line for line in look.lines)


@pytest.mark.ocr
@pytest.mark.parametrize("turned", [90, 180])
def test_lite_reads_a_turned_page_and_says_so(lite: Vision, turned: int) -> None:
    picture = drawn(ORDER, turned=turned)
    (look,) = lite.look([picture])
    assert isinstance(look, Look)
    assert look.fields["order_id"].value == "112-1234567-7654321"
    assert f"turned:{turned}" in look.notes
    box = look.fields["order_id"].box
    assert box is not None
    width, height = Image.open(io.BytesIO(picture.data)).size
    assert 0 <= box[0] < box[2] <= width
    assert 0 <= box[1] < box[3] <= height


@pytest.mark.ocr
def test_lite_reads_small_print_on_a_wide_and_tall_page(lite: Vision) -> None:
    """A page of a desktop browser: 20-pixel lines on 1,600 x 6,000 pixels are too small for one detector pass."""
    picture = Image.new("RGB", (1600, 6000), "white")
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(size=20)
    for at, line in enumerate((*ORDER, *(f"Item {n} of the list below" for n in range(60)))):
        pen.text((60, 60 + 90 * at), line, fill=(30, 30, 30), font=font)
    out = io.BytesIO()
    picture.save(out, "PNG")
    (look,) = lite.look([PictureInput("1" * 64, out.getvalue())])
    assert isinstance(look, Look)
    assert any(note.startswith("tiled:") for note in look.notes)
    assert look_json(look)["fields"]["order_id"] == "112-1234567-7654321"


@pytest.mark.ocr
def test_lite_does_not_trust_a_number_that_is_cut_off(lite: Vision) -> None:
    whole = Image.open(io.BytesIO(drawn(ORDER).data))
    out = io.BytesIO()
    whole.crop((0, 0, 440, whole.height)).save(out, "PNG")
    (look,) = lite.look([PictureInput("0" * 64, out.getvalue())])
    assert isinstance(look, Look)
    assert look_json(look)["fields"]["order_id"] is None


@pytest.mark.ocr
def test_lite_answers_bytes_that_are_no_picture_with_an_error_and_goes_on(lite: Vision) -> None:
    broken, fine = lite.look([PictureInput("0" * 64, b"\x89PNG nothing"), drawn(("fine",))])
    assert isinstance(broken, EngineError)
    assert isinstance(fine, Look)


@pytest.mark.ocr
def test_lite_takes_a_picture_without_words_for_no_order(lite: Vision) -> None:
    (look,) = lite.look([drawn(())])
    assert isinstance(look, Look)
    assert look.kind is not Kind.ORDER
    assert all(field.state is FieldState.UNREADABLE for field in look.fields.values())


@pytest.mark.ocr
@pytest.mark.parametrize("size", [(1, 1), (4000, 3), (3, 4000)])
def test_lite_finds_nothing_in_a_picture_too_small_for_words(lite: Vision, size: tuple[int, int]) -> None:
    out = io.BytesIO()
    Image.new("RGB", size, "white").save(out, "PNG")
    (look,) = lite.look([PictureInput("0" * 64, out.getvalue())], deadline_s=60.0)
    assert isinstance(look, Look)
    assert look.lines == ()


@pytest.mark.ocr
def test_lite_keeps_to_its_settings_in_every_version_we_accept() -> None:
    """RapidOCR once ignored `limit_side_len` with `max` (its issue 740): the detector must see 960 pixels at most."""
    ocr = Ocr(1)
    ocr.scan(_wide())
    detector = ocr._reader.text_det
    shape = detector.get_preprocess()(_wide()).shape
    assert max(shape[2:]) <= DETECT_SIDE


def _wide() -> Pixels:
    return np.full((1500, 1900, 3), 255, dtype=np.uint8)
