"""What a text states, and what is harmless in it."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cs_bot.claims import (
    ClaimType,
    clean_value,
    detect_language,
    fill,
    find_claims,
    is_traditional,
    languages_with_lexicon,
    numbers_in,
    same_number,
    slot_names,
    unknown_numbers,
    words_outside,
)
from cs_bot.claims import finder as finder_module
from cs_bot.claims.lexicon import LANGUAGES, word_list
from cs_bot.errors import DraftRefused

DATA = Path(__file__).parents[1] / "data"


def lines(name: str) -> list[tuple[str, str]]:
    found = []
    for line in (DATA / name).read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            language, text = line.split("\t")
            found.append((language, text))
    return found


STATED, HARMLESS = lines("stated.txt"), lines("harmless.txt")
IDIOMS = [(language, phrase) for language in LANGUAGES for phrase in word_list(language)["idioms"]["phrases"]]


def test_there_are_enough_adversarial_strings_in_every_language() -> None:
    assert len(STATED) >= 120
    assert {language for language, _ in STATED} == set(LANGUAGES) == languages_with_lexicon


@pytest.mark.parametrize(("language", "text"), STATED)
def test_a_text_that_states_something_is_caught(language: str, text: str) -> None:
    assert find_claims(text, language)


@pytest.mark.parametrize(("language", "text"), HARMLESS)
def test_a_harmless_text_passes(language: str, text: str) -> None:
    assert find_claims(text, language) == ()


@pytest.mark.parametrize(("language", "phrase"), IDIOMS)
def test_an_idiom_passes_and_is_needed(language: str, phrase: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_claims(phrase, language) == ()
    # The list itself is switched off: an idiom that states nothing anyway has no place in it.
    monkeypatch.setattr(finder_module, "mask_idioms", lambda folded: folded)
    assert find_claims(phrase, language)


@pytest.mark.parametrize(("language", "phrase"), IDIOMS)
def test_an_idiom_hides_no_claim_beside_it(language: str, phrase: str) -> None:
    for claim in ("3", "三件", "有货", "in stock", "明日", "무료"):
        assert find_claims(f"{phrase} {claim}", language)
        assert find_claims(f"{claim} {phrase}", language)


@pytest.mark.parametrize("word", ["三", "二十", "３", "百"])
def test_a_numeral_right_before_an_idiom_is_still_a_number(word: str) -> None:
    for phrase in ("一下", "一样", "万一", "一起", "一度"):
        assert find_claims(word + phrase)


def test_a_claim_is_caught_whatever_language_is_said() -> None:
    for language in (None, "zh", "en", "ja", "ko", "fr", "und"):
        for text in ("现货", "in stock", "在庫", "재고", "12"):
            assert find_claims(text, language), (language, text)


def test_a_claim_has_its_type_place_and_words() -> None:
    claims = find_claims("您好，有 货，12.50 元，明天到，退款给您")
    assert [(c.type, c.text) for c in claims] == [
        (ClaimType.AVAILABILITY, "有 货"),
        (ClaimType.NUMBER, "12.50"),
        (ClaimType.PRICE, "元"),
        (ClaimType.TIME, "明天"),
        (ClaimType.STATUS, "退款"),
    ]
    assert claims[0].span == (3, 6)


def test_ids_links_addresses_and_phones_are_told_apart() -> None:
    types = {claim.text: claim.type for claim in find_claims("https://a.example x@y.example #1001 13912345678")}
    assert types == {
        "https://a.example": ClaimType.CONTACT,
        "x@y.example": ClaimType.CONTACT,
        "#1001": ClaimType.ID,
        "13912345678": ClaimType.CONTACT,
    }


@given(st.text(), st.sampled_from([text for _, text in STATED]), st.text())
def test_no_surrounding_words_hide_a_number_or_break_the_search(before: str, stated: str, after: str) -> None:
    find_claims(before + after)
    assert find_claims(f"{before}\n7\n{after}")
    assert find_claims(stated)


@given(st.characters(categories=["Nd", "Nl", "No"]))
def test_every_number_sign_of_unicode_is_a_claim(sign: str) -> None:
    assert find_claims(f"您好{sign}")
    assert find_claims(f"hello {sign} there")


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1,299.00", ["1299"]),
        ("１，２９９．５０", ["1299.5"]),
        ("1.299,00 €", ["1299"]),
        ("1,00,000", ["100000"]),
        ("3,5 kg", ["3.5"]),
        ("三百二十", ["320"]),
        ("二十", ["20"]),
        ("十二", ["12"]),
        ("两千零五", ["2005"]),
        ("一万二", ["12000"]),
        ("两百五", ["250"]),
        ("一亿三千万", ["130000000"]),
        ("二〇二六年", ["2026"]),
        ("壹佰贰拾", ["120"]),
        ("3万5", ["30000", "5"]),
        ("1.5万", ["15000"]),
        ("3만원", ["30000"]),
        ("十几天", ["十几"]),
        ("two hundred and twenty-three", ["223"]),
        ("a dozen", ["12"]),
        ("2026-09-03 14:05", ["2026", "9", "3", "14", "5"]),
        ("2026.09.03", ["2026", "9", "3"]),
        ("0012345", ["0012345"]),
        ("1234567890123456789", ["1234567890123456789"]),
        ("买1，2号", ["1", "2"]),
        ("٣٤", ["34"]),
        ("①②", ["12"]),
        ("请等一下，一起看", []),
        ("one moment, no one is here", []),
        ("someone", []),
    ],
)
def test_numbers_are_read_into_one_spelling(text: str, numbers: list[str]) -> None:
    assert list(numbers_in(text)) == numbers


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1,299.00", "１２９９", True),
        ("三百", "300", True),
        ("05", "5", True),
        ("0012", "12", False),
        ("12", "13", False),
        ("none", "none", False),
        ("1 2", "1 2", False),
    ],
)
def test_the_same_number_is_known_in_two_writings(one: str, other: str, same: bool) -> None:
    assert same_number(one, other) is same


def test_numbers_that_stand_in_no_fact_are_named_once() -> None:
    facts = ["2026-09-03T14:05:00", "amount 1299.00", "SF1234567890123"]
    assert unknown_numbers("9月3日 14:05 付款 1,299 元，运单 SF1234567890123", facts) == ()
    assert unknown_numbers("退您 300 元，三百元整，等一下", facts) == ("300",)


@given(st.integers(min_value=0, max_value=10**15))
def test_separators_never_change_a_number(value: int) -> None:
    assert numbers_in(f"{value:,}") == numbers_in(str(value)) == (str(value),)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("什么时候发货", "zh"),
        ("什麼時候發貨", "zh"),
        ("奶茶の裙子有吗", "zh"),
        ("iPhone15ProMax有货吗", "zh"),
        ("いつ届きますか", "ja"),
        ("注文番号確認", "ja"),
        ("発送状況", "ja"),
        ("배송 언제 와요", "ko"),
        ("Where is my order?", "en"),
        ("do you have 优衣库 t-shirts in stock please?", "en"),
        ("Invoice?", "en"),
        ("¿Dónde está mi pedido?", "es"),
        ("quiero un reembolso por favor", "es"),
        ("Wo ist meine Bestellung", "de"),
        ("Wann kommt das Paket?", "de"),
        ("Où est ma commande", "fr"),
        ("je veux un remboursement", "fr"),
        ("onde está meu pedido", "pt"),
        ("quando chega a minha entrega", "pt"),
        ("dov'è il mio ordine", "it"),
        ("đơn hàng của tôi đâu", "vi"),
        ("Kapan pesanan saya dikirim", "id"),
        ("Где мой заказ", "ru"),
        ("Де моє замовлення, коли приїде їжа", "uk"),
        ("สินค้าส่งเมื่อไหร่", "th"),
        ("أين طلبي", "ar"),
        ("איפה ההזמנה שלי", "he"),
        ("मेरा ऑर्डर कहाँ है", "hi"),
        ("ok", "und"),
        ("12345", "und"),
        ("👍", "und"),
        ("", "und"),
        ("xyzzy", "und"),
    ],
)
def test_the_language_is_told(text: str, language: str) -> None:
    assert detect_language(text) == language


def test_traditional_characters_are_told() -> None:
    assert is_traditional("請問什麼時候出貨")
    assert not is_traditional("请问什么时候发货")
    assert not is_traditional("hello")


def test_slots_are_named_and_the_words_between_them_kept() -> None:
    assert slot_names("订单 {order.number}：{order.status}{order.number}") == (
        "order.number",
        "order.status",
        "order.number",
    )
    assert words_outside("有{shop.name}货") != "有货"
    assert find_claims(words_outside("有{shop.name}货")) == ()


@pytest.mark.parametrize("template", ["a { b", "a } b", "{}", "{Order.number}", "{order number}", "{{order.number}}"])
def test_a_brace_that_is_no_slot_is_refused(template: str) -> None:
    with pytest.raises(DraftRefused):
        words_outside(template)


def test_values_are_inserted_once_and_never_read_as_slots() -> None:
    filled = fill("{a} / {b}", {"a": "{b} {secret}", "b": "\\1 {a}"})
    assert filled == "{b} {secret} / \\1 {a}"


@pytest.mark.parametrize("slots", [{}, {"a": ""}, {"a": " "}, {"a": "x", "b": "y"}])
def test_missing_empty_and_unknown_slots_are_refused(slots: dict[str, str]) -> None:
    with pytest.raises(DraftRefused):
        fill("{a}", slots)


def test_a_value_loses_what_can_hide_or_reorder_words() -> None:
    assert clean_value("a\u202eb\u2066c\x00\x1b[31md\u200be\ufeff", max_chars=50) == "abc[31mde"
    assert clean_value("a\r\n  b\t c", max_chars=50) == "a b c"
    assert clean_value("a\n\n\n\nb \n c", max_chars=50, lines=True) == "a\n\nb\nc"
    assert clean_value("\ud800x", max_chars=50) == "x"


def test_a_value_that_is_too_long_is_refused_and_not_cut() -> None:
    with pytest.raises(DraftRefused):
        clean_value("9" * 65, max_chars=64)


@pytest.mark.parametrize("piece", ["1", " ", "1-", "a", "现货", "一下", "①", "a.b@", "会给您"])
def test_a_long_text_is_searched_in_time_that_grows_with_its_length_only(piece: str) -> None:
    find_claims("warm up")
    start = time.process_time()
    find_claims((piece * 20_000)[:20_000])
    assert time.process_time() - start < 5.0  # runs of blanks took 28 s before they were folded into one
