"""Colours, sizes and the shop's column words in canonical names."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cs_bot.knowledge.attributes import (
    MAX_READ,
    attribute_key,
    canonical_colour,
    colour_names,
    colours_in,
    sizes_in,
)


@pytest.mark.parametrize(
    ("text", "colours"),
    [
        ("有黑色吗", ["black"]),
        ("這款有紅色的嗎", ["red"]),
        ("有没有黑的", ["black"]),
        ("黑的还有货吗", ["black"]),
        ("要黑", ["black"]),
        ("黑和白哪个好看", ["black", "white"]),
        ("黑色还是白色好看", ["black", "white"]),
        ("藏青色有吗", ["navy"]),
        ("深蓝和浅蓝", ["navy", "blue"]),
        ("黑白灰", ["black", "white", "grey"]),
        ("小白鞋有38码吗", ["white"]),
        ("红裙子多少钱", ["red"]),
        ("玫瑰金的有货吗", ["gold"]),
        ("粉红色", ["pink"]),
        ("米白色和米色", ["white", "beige"]),
        ("卡其色", ["khaki"]),
        ("綠色的", ["green"]),
        ("do you have it in black?", ["black"]),
        ("navy blue or light blue?", ["navy", "blue"]),
        ("Grey / Gray", ["grey"]),
        ("off-white", ["white"]),
        ("dark green and burgundy", ["green", "red"]),
        ("the multi-coloured one", ["multicolour"]),
        ("黒はありますか", ["black"]),
        ("白いのが欲しい", ["white"]),
        ("ネイビーとブラック", ["navy", "black"]),
        ("青はありますか?", ["blue"]),
        ("검정색 있나요?", ["black"]),
        ("화이트랑 네이비 중에", ["white", "navy"]),
        ("보라색", ["purple"]),
    ],
)
def test_colours_are_named_in_canonical_english_in_order(text: str, colours: list[str]) -> None:
    assert list(colours_in(text)) == colours


@pytest.mark.parametrize(
    "text",
    [
        "发个红包",
        "有红包吗",
        "红包怎么领",
        "白色情人节有活动吗",
        "黑五打折吗",
        "黑色星期五",
        "Black Friday deals?",
        "橙子甜吗",
        "这个橙子多少钱",
        "green tea",
        "金额不对",
        "银行卡支付",
        "押金多少",
        "现金可以吗",
        "蓝牙耳机能连吗",
        "明白",
        "白天发货吗",
        "面粉",
        "有粉丝群吗",
        "网红款吗",
        "紫外线",
        "绿茶多少钱",
        "白酒",
        "走绿色通道",
        "红利",
        "紫菜",
        "黄金项链",
        "orange juice",
        "credit card",
        "gold member discount",
        "I read the manual",
        "sterling silver?",
        "is it bluetooth",
        "面白いですね",
        "赤ちゃん用ですか",
        "ホワイトデーに間に合いますか",
        "銀行振込",
        "返金",
        "블루투스 되나요",
        "은행 송금",
        "보라고 했는데",
        "颜色",
        "有什么颜色",
        "",
    ],
)
def test_words_that_only_hold_a_colour_name_none(text: str) -> None:
    assert colours_in(text) == ()


@pytest.mark.parametrize(
    ("text", "colour"),
    [
        ("黑", "black"),
        ("黑色", "black"),
        ("Black", "black"),
        ("BLACK/黑色", "black"),
        ("深灰色", "grey"),
        ("Navy Blue", "navy"),
        ("黑白拼色", "multicolour"),
        ("black/white", "multicolour"),
        ("ブラック", "black"),
        ("블랙", "black"),
        ("Heather Grey", "grey"),
        ("  红  ", "red"),
        ("XL", None),
        ("标准款", None),
        ("", None),
    ],
)
def test_a_value_has_one_canonical_colour_or_none(text: str, colour: str | None) -> None:
    assert canonical_colour(text) == colour


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("有XL吗", ["XL"]),
        ("xl有货吗", ["XL"]),
        ("L码还有吗", ["L"]),
        ("m码", ["M"]),
        ("S和M哪个合适", ["S", "M"]),
        ("2XL", ["XXL"]),
        ("XXXL 和 4XL", ["XXXL", "4XL"]),
        ("xxl", ["XXL"]),
        ("38码的有吗", ["38"]),
        ("３８碼", ["38"]),
        ("我穿38", ["38"]),
        ("有38的吗", ["38"]),
        ("42.5码", ["42.5"]),
        ("39号鞋", ["39"]),
        ("EU 38", ["38"]),
        ("US 9", ["US 9"]),
        ("do you have size 9?", ["9"]),
        ("size m please", ["M"]),
        ("in size S or M", ["S", "M"]),
        ("a large or an extra large", ["L", "XL"]),
        ("medium", ["M"]),
        ("均码", ["one size"]),
        ("one size", ["one size"]),
        ("free size", ["one size"]),
        ("フリーサイズですか", ["one size"]),
        ("Mサイズありますか", ["M"]),
        ("24.5cmはありますか", ["24.5cm"]),
        ("L 사이즈 있나요", ["L"]),
        ("250사이즈", ["250"]),
        ("프리사이즈", ["one size"]),
        ("170/88A", ["170/88A"]),
        ("大号", ["L"]),
        ("加大码", ["XL"]),
    ],
)
def test_sizes_are_found_in_canonical_form(text: str, sizes: list[str]) -> None:
    assert list(sizes_in(text)) == sizes


@pytest.mark.parametrize(
    "text",
    [
        "38元",
        "¥38",
        "$42.00",
        "订单 1234567890123",
        "38折",
        "9月8号发货吗",
        "8号能到吗",
        "I'm asking",
        "it's nice",
        "let me see",
        "iPhone XS",
        "iPhone 14 有壳吗",
        "Galaxy S 22",
        "5L的水壶",
        "2.5m 长",
        "L-shaped sofa",
        "买3件",
        "身高170体重60",
        "尺码怎么选",
        "a small question",
        "",
    ],
)
def test_prices_dates_numbers_and_letters_of_words_are_no_sizes(text: str) -> None:
    assert sizes_in(text) == ()


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("颜色", "colour"),
        ("顏色", "colour"),
        ("颜色分类", "colour"),
        ("Color", "colour"),
        ("Colour", "colour"),
        ("pa_color", "colour"),
        ("カラー", "colour"),
        ("색상", "colour"),
        ("尺码", "size"),
        ("尺碼", "size"),
        ("鞋码", "size"),
        ("Shoe Size", "size"),
        ("サイズ", "size"),
        ("사이즈", "size"),
        ("Size (EU)", "size"),
        ("材质", "material"),
        ("Material", "material"),
        ("素材", "material"),
        ("소재", "material"),
        ("款式", "style"),
        ("Style", "style"),
        ("容量", "capacity"),
        ("Storage Capacity", "capacity"),
        ("용량", "capacity"),
        ("Color / 颜色", "colour"),
        ("颜色/尺码", None),
        ("价格", None),
        ("Title", None),
        ("colourist", None),
        ("", None),
    ],
)
def test_a_shops_columns_have_keys(name: str, key: str | None) -> None:
    assert attribute_key(name) == key


def test_the_names_are_few_and_english() -> None:
    assert {"black", "white", "navy", "grey", "multicolour"} <= set(colour_names())
    assert all(name.isascii() and name.islower() for name in colour_names())


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    assert set(colours_in(text)) <= set(colour_names())
    assert all(isinstance(size, str) and size for size in sizes_in(text))
    assert attribute_key(text) in {"colour", "size", "material", "style", "capacity", None}


@pytest.mark.parametrize("piece", ["黑", "黑白", "X", "3", "38 ", "black ", "size ", " ", "有"])
def test_a_long_text_is_read_in_time_that_grows_with_its_length_only(piece: str) -> None:
    colours_in("warm up")
    start = time.process_time()
    colours_in((piece * MAX_READ)[: 5 * MAX_READ])
    sizes_in((piece * MAX_READ)[: 5 * MAX_READ])
    assert time.process_time() - start < 2.0
