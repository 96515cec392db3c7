"""Pictures to looks to a reading, on lists of turns, with an engine that does as it is told."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from cs_bot.errors import EngineError, EngineTimeout, LookUnusable
from cs_bot.records import FieldState, Kind, Message, PictureState, PictureUse, Policy, ReadField, Reason, Turn
from cs_bot.see import Seen, see
from cs_bot.settings import Settings
from cs_bot.store.media import MediaStore
from cs_bot.testing import ScriptedVision, a_look
from tests.readings import customer, look, screen, turn

NOW = datetime(2026, 5, 1, 9, 0, tzinfo=UTC)
A, B, C, D, E, F = (letter * 64 for letter in "abcdef")
_ids = count(1)


@pytest.fixture
def media() -> MediaStore:
    store = MediaStore(f"memory://see-{next(_ids)}")
    for name in (A, B, C, D, E, F):
        store.write(name, name.encode())
    return store


def use(sha256: str | None, state: PictureState = PictureState.READY, failure: Reason | None = None) -> PictureUse:
    number = next(_ids)
    return PictureUse(picture_use_id=number, message_id=1, position=number, state=state, sha256=sha256, failure=failure)


def said(text: str = "", *pictures: str | PictureUse) -> Message:
    uses = tuple(picture if isinstance(picture, PictureUse) else use(picture) for picture in pictures)
    number = next(_ids)
    return Message(
        message_id=number,
        external_id=f"m{number}",
        seq=number,
        text=text,
        sent_at=NOW,
        received_at=NOW,
        customer_id=1,
        pictures=uses,
    )


def asked(*messages: Message, **values: Any) -> Turn:
    return turn(customer(), messages=messages, **values)


def looked(
    turns: Sequence[Turn], media: MediaStore, vision: ScriptedVision | None = None, **policy: Any
) -> list[Seen | EngineError]:
    engine = vision or ScriptedVision()
    return see(turns, vision=lambda: engine, media=media, policy=Policy(**policy), settings=Settings())


def seen(turn: Turn, media: MediaStore, vision: ScriptedVision | None = None, **policy: Any) -> Seen:
    [result] = looked([turn], media, vision, **policy)
    assert isinstance(result, Seen)
    return result


def test_every_turn_gets_the_looks_of_its_own_pictures_in_order(media: MediaStore) -> None:
    vision = ScriptedVision({A: a_look(kind=Kind.ORDER), B: a_look(kind=Kind.PRODUCT), C: a_look(kind=Kind.SCENE)})
    turns = [asked(said("", B), said("", A)), asked(said("hello")), asked(said("", C))]
    first, second, third = looked(turns, media, vision)
    assert isinstance(first, Seen)
    assert isinstance(second, Seen)
    assert isinstance(third, Seen)
    assert [look.picture_sha256 for look in first.looks] == [B, A]
    assert second.looks == ()
    assert [look.kind for look in third.looks] == [Kind.SCENE]
    assert third.reading.kind is Kind.SCENE


def test_a_picture_that_several_turns_hold_is_looked_at_once(media: MediaStore) -> None:
    vision = ScriptedVision()
    turns = [asked(said("", A, A)), asked(said("", A, B))]
    results = looked(turns, media, vision)
    assert vision.seen == [A, B]
    assert [len(result.looks) for result in results if isinstance(result, Seen)] == [2, 2]


def test_the_engine_is_not_opened_for_words_alone(media: MediaStore) -> None:
    def never() -> ScriptedVision:
        raise AssertionError("opened")

    [result] = see([asked(said("hello"))], vision=never, media=media, policy=Policy(), settings=Settings())
    assert isinstance(result, Seen)
    assert (result.reading.kind, result.reading.kinds) == (Kind.TEXT, {Kind.TEXT: 1.0})


def test_progress_is_told_after_every_picture(media: MediaStore) -> None:
    told: list[int] = []
    engine = ScriptedVision()
    see(
        [asked(said("", A, B))],
        vision=lambda: engine,
        media=media,
        policy=Policy(),
        settings=Settings(),
        progress=lambda: told.append(1),
    )
    assert len(told) == 2


def test_pictures_of_several_kinds_are_each_read_and_an_order_page_decides_the_turns_kind(media: MediaStore) -> None:
    vision = ScriptedVision({A: a_look(kind=Kind.PRODUCT), B: a_look(kind=Kind.ORDER), C: a_look(kind=Kind.PRODUCT)})
    reading = seen(asked(said("", A, B, C)), media, vision).reading
    assert reading.reasons == ()
    assert [look.kind for look in reading.looks] == [Kind.PRODUCT, Kind.ORDER, Kind.PRODUCT]
    assert reading.kind is Kind.ORDER
    assert reading.kinds[Kind.ORDER] == pytest.approx(1 / 3)


def test_pictures_are_numbered_by_their_place_in_the_turn(media: MediaStore) -> None:
    failed = use(None, PictureState.FAILED, Reason.PICTURE_REFUSED)
    reading = seen(asked(said("", A, failed), said("", B, A)), media).reading
    assert [look.picture_sha256 for look in reading.looks] == [A, B, A]
    assert reading.numbers == (1, 3, 4)


def test_the_words_decide_between_product_and_scene_and_the_engines_look_stays(media: MediaStore) -> None:
    photo = a_look().model_copy(update={"kinds": {Kind.PRODUCT: 0.5, Kind.SCENE: 0.4, Kind.OTHER: 0.1}})
    vision = ScriptedVision(default=photo)
    assert seen(asked(said("多少钱", A)), media, vision).reading.kind is Kind.PRODUCT
    scene = seen(asked(said("这样穿好看吗", A)), media, vision)
    assert scene.reading.kind is scene.reading.looks[0].kind is Kind.SCENE
    assert scene.looks[0].kinds == photo.kinds


def test_two_photos_and_words_that_compare_are_a_comparison(media: MediaStore) -> None:
    vision = ScriptedVision({A: a_look(kind=Kind.PRODUCT), B: a_look(kind=Kind.PRODUCT)})
    assert seen(asked(said("哪个好", A, B)), media, vision).reading.kind is Kind.COMPARISON
    assert seen(asked(said("多少钱", A, B)), media, vision).reading.kind is Kind.PRODUCT
    assert seen(asked(said("哪个好", A)), media, vision).reading.kind is Kind.PRODUCT


def test_words_never_make_or_unmake_an_order_page(media: MediaStore) -> None:
    order = a_look().model_copy(update={"kinds": {Kind.ORDER: 0.4, Kind.PRODUCT: 0.35, Kind.OTHER: 0.25}})
    cart = a_look().model_copy(update={"kinds": {Kind.ORDER: 0.4, Kind.OTHER: 0.45, Kind.PRODUCT: 0.15}})
    for text in ("多少钱", "这样穿好看吗", "哪个好", "指示灯闪红灯怎么办", "订单到哪了"):
        reading = seen(asked(said(text, A)), media, ScriptedVision({A: order})).reading
        assert reading.looks[0].kinds == order.kinds
        assert reading.kind is Kind.ORDER
        assert seen(asked(said(text, A)), media, ScriptedVision({A: cart})).reading.looks[0].kind is not Kind.ORDER


def test_what_is_asked_of_a_product_and_the_variant_wanted_are_in_the_reading(media: MediaStore) -> None:
    reading = seen(asked(said("", A), said("黑色XL有货吗？多少钱？")), media).reading
    assert reading.aspects == ("price", "stock")
    assert reading.wanted == {"colour": "black", "size": "XL"}
    assert reading.intent == "product"
    assert reading.reasons == ()  # two questions about one product are answered together
    other = seen(asked(said("有黑色吗？什么时候发货？我要退款")), media).reading
    assert Reason.SEVERAL_QUESTIONS in other.reasons
    assert other.intent == "refund"


def test_words_about_a_picture_shown_before_bring_its_look_along(media: MediaStore) -> None:
    shown = look(Kind.PRODUCT)
    reading = seen(asked(said("有黑色吗"), earlier_looks=(shown,)), media).reading
    assert (reading.kind, reading.kinds) == (Kind.TEXT, {Kind.TEXT: 1.0})
    assert reading.looks == (shown,)
    assert reading.notes == ("earlier",)
    assert reading.numbers == ()
    assert reading.reasons == ()


@pytest.mark.parametrize(
    ("text", "pictures"),
    [
        ("你好", ()),
        ("运费多少", ()),
        ("我要退款", ()),
        ("有雨伞卖吗", ()),  # names a thing of its own
        ("Do you sell umbrellas?", ()),
        ("多少钱", (A,)),  # has a picture of its own
    ],
)
def test_other_words_leave_earlier_pictures_alone(media: MediaStore, text: str, pictures: tuple[str, ...]) -> None:
    shown = (look(Kind.PRODUCT), screen(order_id="4021338819", amount="129.90"))
    reading = seen(asked(said(text, *pictures), earlier_looks=shown), media).reading
    assert not any(one in reading.looks for one in shown)
    assert "earlier" not in reading.notes


def test_an_order_page_shown_before_is_a_key_for_the_draft_and_never_a_proof(media: MediaStore) -> None:
    shown = screen(order_id="4021338819", amount="129.90")
    reading = seen(asked(said("那什么时候到?"), earlier_looks=(shown, look(Kind.PRODUCT))), media).reading
    assert reading.looks == (shown,)
    assert Reason.EARLIER_PICTURE in reading.reasons
    typed = seen(asked(said("订单 5021338819123 什么时候到?"), earlier_looks=(shown,)), media).reading
    assert typed.looks == ()
    product = seen(asked(said("有黑色吗"), earlier_looks=(shown,)), media).reading
    assert product.looks == ()


def test_kind_probabilities_sum_to_one(media: MediaStore) -> None:
    unsure = a_look().model_copy(update={"kinds": {Kind.ORDER: 0.6, Kind.OTHER: 0.4}})
    reading = seen(asked(said("", A, B)), media, ScriptedVision({A: unsure, B: a_look(kind=Kind.ORDER)})).reading
    assert sum(reading.kinds.values()) == pytest.approx(1.0)
    assert reading.kind is Kind.ORDER
    assert reading.kinds[Kind.ORDER] == pytest.approx(0.8)


@pytest.mark.parametrize("problem", [EngineError("no"), EngineTimeout()])
def test_an_engine_error_is_the_turns_own_result_so_that_it_is_tried_again(
    media: MediaStore, problem: EngineError
) -> None:
    vision = ScriptedVision({A: problem})
    bad, good = looked([asked(said("", A)), asked(said("", B))], media, vision)
    assert bad is problem
    assert isinstance(good, Seen)
    assert Reason.ENGINE_FAILED not in good.reading.reasons


def test_an_engine_error_on_the_last_attempt_becomes_a_reason(media: MediaStore) -> None:
    vision = ScriptedVision({A: EngineError("no"), B: a_look(kind=Kind.ORDER)})
    before = asked(said("", A, B), attempts=Settings().turns.max_attempts - 1)
    assert isinstance(looked([before], media, vision)[0], EngineError)
    last = seen(asked(said("", A, B), attempts=Settings().turns.max_attempts), media, vision)
    assert [look.picture_sha256 for look in last.looks] == [B]
    assert Reason.ENGINE_FAILED in last.reading.reasons
    assert "unseen:1" in last.reading.notes


def test_what_an_engine_would_fail_at_again_becomes_a_reason_at_once(media: MediaStore) -> None:
    vision = ScriptedVision({A: LookUnusable("it names no kind"), B: a_look(kind=Kind.ORDER)})
    first = seen(asked(said("", A, B), attempts=1), media, vision)
    assert [look.picture_sha256 for look in first.looks] == [B]
    assert Reason.ENGINE_FAILED in first.reading.reasons


def test_a_picture_whose_file_is_gone_is_a_reason(media: MediaStore) -> None:
    vision = ScriptedVision()
    result = seen(asked(said("", "0" * 64, A)), media, vision)
    assert vision.seen == [A]
    assert Reason.PICTURE_UNREACHABLE in result.reading.reasons
    assert "unseen:1" in result.reading.notes


def test_no_more_pictures_are_looked_at_than_the_policy_says(media: MediaStore) -> None:
    vision = ScriptedVision()
    result = seen(asked(said("", A, B, C), said("", D, E, F)), media, vision)
    assert vision.seen == [A, B, C, D]
    assert {"unseen:5", "unseen:6"} <= set(result.reading.notes)
    assert not {"unseen:1", "unseen:4"} & set(result.reading.notes)
    assert len(seen(asked(said("", A, B)), media, max_pictures=1).looks) == 1


@pytest.mark.parametrize("state", [PictureState.WAITING, PictureState.FETCHING])
def test_a_picture_that_the_turn_could_not_wait_for_is_a_reason(media: MediaStore, state: PictureState) -> None:
    result = seen(asked(said("", use(None, state), A)), media)
    assert Reason.PICTURE_UNREACHABLE in result.reading.reasons
    assert "unseen:1" in result.reading.notes
    assert [look.picture_sha256 for look in result.looks] == [A]


def test_a_picture_that_was_given_up_keeps_its_reason(media: MediaStore) -> None:
    given_up = use(None, PictureState.FAILED, Reason.PICTURE_REFUSED)
    result = seen(asked(said("", given_up)), media)
    assert result.reading.reasons == (Reason.PICTURE_REFUSED,)
    assert result.reading.kind is Kind.TEXT


def test_the_engines_notes_are_kept_once_and_a_language_it_can_not_read_is_a_reason(media: MediaStore) -> None:
    foreign = a_look(notes=("language:ko", "turned:90"))
    result = seen(asked(said("", A, B)), media, ScriptedVision({A: foreign, B: foreign}))
    assert result.reading.notes == ("language:ko", "turned:90")
    assert Reason.PICTURE_LANGUAGE in result.reading.reasons


def test_reasons_come_without_repeats_the_weightiest_first(media: MediaStore) -> None:
    pictures = (use(None, PictureState.FAILED, Reason.PICTURE_UNREADABLE),) * 2
    result = seen(asked(said("转人工", *pictures)), media)
    assert result.reading.reasons == (Reason.ASKED_FOR_PERSON, Reason.PICTURE_UNREADABLE)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("什么时候发货?", "zh"),
        ("When will it ship?", "en"),
        ("いつ発送されますか", "ja"),
        ("언제 배송되나요?", "ko"),
        ("", "zh"),
        ("?!", "zh"),
    ],
)
def test_the_customers_words_decide_the_language_else_the_shop_does(
    media: MediaStore, text: str, language: str
) -> None:
    assert seen(asked(said(text, A)), media).reading.language == language


def test_the_shops_language_is_a_setting(media: MediaStore) -> None:
    [result] = see(
        [asked(said("", A))],
        vision=ScriptedVision,
        media=media,
        policy=Policy(),
        settings=Settings(shop={"language": "en"}),
    )
    assert isinstance(result, Seen)
    assert result.reading.language == "en"


def test_an_order_page_without_words_or_with_a_greeting_asks_how_the_order_stands(media: MediaStore) -> None:
    vision = ScriptedVision(default=a_look(kind=Kind.ORDER))
    assert seen(asked(said("", A)), media, vision).reading.intent == "order_status"
    assert seen(asked(said("你好"), said("", A)), media, vision).reading.intent == "order_status"
    assert seen(asked(said("你好"), said("", A)), media).reading.intent != "order_status"


def test_words_beside_an_order_page_decide_what_is_asked(media: MediaStore) -> None:
    vision = ScriptedVision(default=a_look(kind=Kind.ORDER))
    assert seen(asked(said("", A), said("什么时候发货?")), media, vision).reading.intent == "ship_when"


def test_a_typed_order_number_and_the_whole_burst_are_in_the_reading(media: MediaStore) -> None:
    reading = seen(asked(said("hi"), said("my order 20268633688652 please")), media).reading
    assert reading.question == "hi\nmy order 20268633688652 please"
    assert reading.typed_order_ids == ("20268633688652",)


def test_the_fields_of_a_look_reach_the_reading_as_they_were_read(media: MediaStore) -> None:
    fields = {"order_id": ReadField(value="4021338819", state=FieldState.READ)}
    vision = ScriptedVision({A: a_look(kind=Kind.ORDER, fields=fields)})
    assert seen(asked(said("", A)), media, vision).reading.looks[0].fields == fields
