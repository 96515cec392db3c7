"""What a verdict says of a draft: approved and small edits are right, the rest is wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cs_bot.records import Verdict
from cs_bot.review import marks
from cs_bot.review.judging import SMALL, distance, numbers_changed

DRAFT = "您好，订单 20268633688652 已发货，共 129.90 元，预计后天送达。"


def edited(text: str, draft: str = DRAFT) -> bool | None:
    return marks(Verdict.EDIT, draft, text).right


def test_an_approved_draft_is_right_and_a_rejected_one_wrong() -> None:
    assert marks(Verdict.APPROVE, DRAFT, DRAFT).right is True
    assert marks(Verdict.REJECT, DRAFT, None).right is False
    assert marks(Verdict.REJECT, DRAFT, DRAFT).right is False


def test_an_answer_where_there_was_no_draft_judges_nothing() -> None:
    assert marks(Verdict.EDIT, None, "您好").right is None
    assert marks(Verdict.REJECT, None, None).right is None


@pytest.mark.parametrize("text", [DRAFT, f"  {DRAFT}\n", DRAFT.replace("，", ","), DRAFT.replace("共 ", "共  ")])
def test_beside_a_hidden_draft_the_very_same_words_are_right_by_themselves(text: str) -> None:
    found = marks(Verdict.SHADOW, DRAFT, text)
    assert (found.right, found.distance, found.small_edit) == (True, 0.0, False)


@pytest.mark.parametrize(
    ("draft", "text"),
    [
        ("可以退货的，七天内都可以。", "不可以退货的，七天内都不可以。"),  # opposites within what is a small edit
        ("Yes, it is waterproof.", "No, it is not waterproof."),
        ("有货，今天下单明天发。", "您好，这款目前库存充足，现在拍下的话明天就能寄出哦～"),  # the same in other words
        (DRAFT, DRAFT + "感谢！"),
        (DRAFT, DRAFT.replace("129.90", "129.80")),
    ],
)
def test_beside_a_hidden_draft_other_words_say_nothing_until_a_person_has(draft: str, text: str) -> None:
    assert marks(Verdict.SHADOW, draft, text).right is None


def test_opposites_can_be_within_a_small_edit() -> None:
    """Why a hidden draft is not judged by its distance from what the person wrote."""
    assert marks(Verdict.EDIT, "可以退货的，七天内都可以。", "不可以退货的，七天内都不可以。").small_edit


@pytest.mark.parametrize(
    "text",
    [
        DRAFT.replace("您好，", "亲，您好，"),
        DRAFT + "感谢！",
        DRAFT.replace("129.90", "１２９.９"),
        DRAFT.replace("，", ", ").replace("。", "。\n"),
        DRAFT.replace("预计后天送达", "预计后天到"),
    ],
)
def test_a_small_edit_is_right(text: str) -> None:
    found = marks(Verdict.EDIT, DRAFT, text)
    assert (found.right, found.small_edit, found.numbers_changed) == (True, True, False)
    assert found.distance <= SMALL


@pytest.mark.parametrize(
    "text",
    [
        DRAFT.replace("129.90", "129.80"),
        DRAFT.replace("20268633688652", "20268633688653"),
        DRAFT.replace("，共 129.90 元", ""),
        DRAFT + "还有 3 件",
    ],
)
def test_an_edit_of_a_number_is_wrong_however_small(text: str) -> None:
    found = marks(Verdict.EDIT, DRAFT, text)
    assert (found.right, found.numbers_changed) == (False, True)
    assert found.distance <= SMALL


def test_an_edit_of_an_id_is_wrong_though_its_digits_stay() -> None:
    draft = "这款的编号是 AB-12x，链接 https://shop.example/p/ab12，欢迎选购，祝您生活愉快。"
    assert edited(draft.replace("AB-12x", "AC-12x"), draft) is False
    assert edited(draft.replace("shop.example/p/ab12", "shop.example/q/ab12"), draft) is False
    assert edited(draft.replace("AB-12x", "ＡＢ-12x"), draft) is True


def test_a_large_edit_is_wrong() -> None:
    found = marks(Verdict.EDIT, "可以的，亲。", "抱歉，这款不支持，请看另一款。")
    assert (found.right, found.small_edit) == (False, False)
    assert found.distance > SMALL


@given(st.text(max_size=60))
def test_how_a_text_is_blanked_or_how_wide_it_is_is_no_distance(text: str) -> None:
    assert distance(text, f"  {text}\n") == 0.0
    assert not numbers_changed(text, f"\t{text} ")


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_distance_lies_between_none_and_all(one: str, other: str) -> None:
    assert 0.0 <= distance(one, other) <= 1.0
    assert numbers_changed(one, other) == numbers_changed(other, one)
