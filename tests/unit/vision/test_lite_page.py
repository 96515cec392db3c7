"""Rows, tiles, turns, kinds: the page before its fields."""

from itertools import pairwise

import numpy as np
import pytest

from cs_bot.errors import MissingExtra, UnknownPlugin
from cs_bot.records import ORDER_FIELDS, FieldState, Kind, Look, ReadField
from cs_bot.vision import base
from cs_bot.vision.lite.boxes import page_of
from cs_bot.vision.lite.engine import look_of
from cs_bot.vision.lite.layout import Evidence, layout_of
from cs_bot.vision.lite.lexicon import FORMATS
from cs_bot.vision.lite.ocr import Scan, text_mass, tiles_of, turn, unturned, without_doubles
from tests.unit.vision.drawn import box, page, painted


def kind_of(rows: list[str | tuple[str, ...]]) -> Kind:
    made = page(rows)
    return look_of("0" * 64, Scan(painted(made), made, 0, 1), lambda crop: "", FORMATS, "1", 0.0).kind


def test_rows_follow_the_slope_of_the_page() -> None:
    slope = 0.05
    boxes = [box("订单编号", 40, 100), box("4159083016613186091", 440, 100 + slope * 400, slope=slope)]
    more = [box("下单时间：2026-01-01 10:00", 40, 100 + 40 * n, slope=slope) for n in range(1, 4)]
    made = page_of(900, 400, [*boxes, *more])
    assert made.rows[0].text == "订单编号  4159083016613186091"
    assert len(made.rows) == 4


def test_an_ordinary_page_is_one_tile_and_a_tall_one_is_cut_with_overlap() -> None:
    assert tiles_of(1080, 2400) == [(0, 2400)]
    tiles = tiles_of(1080, 9000)
    assert tiles[0][0] == 0
    assert tiles[-1][1] == 9000
    assert all(before[1] - after[0] >= 0.12 * 2592 - 1 for before, after in pairwise(tiles))
    assert len(tiles_of(100, 100_000)) <= 24


def test_a_line_that_two_tiles_share_is_kept_once_and_whole() -> None:
    lines = without_doubles(
        [box("订单编号：1234", 40, 100), box("订单编号：123456", 40, 101), box("下单时间", 40, 140)]
    )
    assert [line.text for line in lines] == ["订单编号：123456", "下单时间"]


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_point_of_the_upright_picture_is_found_on_the_given_one(degrees: int) -> None:
    picture = np.zeros((40, 60, 3), dtype=np.uint8)
    picture[10, 50] = 255
    upright = turn(picture, degrees)
    (y,), (x,) = np.nonzero(upright[:, :, 0])
    back = unturned((x + 0.5, y + 0.5), degrees, 60, 40)
    assert back == (50.5, 10.5)


def test_standing_or_poor_lines_weigh_nothing() -> None:
    assert text_mass([box("abcdef", 0, 0)]) > 5
    assert text_mass([box("a", 0, 0, height=90)]) == 0


def test_order_pages_are_told_from_the_pages_around_them() -> None:
    order = ["卖家已发货", ("实付款", "¥158.00"), "订单编号：4159083016613186091", "创建时间：2026-10-11 21:03:44"]
    assert kind_of([*order]) is Kind.ORDER
    assert kind_of(["购物车(2)", ("机械键盘", "¥399.00"), ("全选", "合计：¥428.00", "结算(2)")]) is Kind.OTHER
    chat = ["您正在咨询的订单", "订单号:3599352886241209577", "合计 ¥129.00", "待发货", "帮我改一下地址", "发送"]
    assert kind_of([*chat]) is Kind.OTHER
    steps = [
        f"2026-11-0{n} 10:12:00 【杭州市】{word}" for n, word in enumerate(["派送中", "已到达", "运输中", "已揽收"], 1)
    ]
    assert kind_of(["物流详情", "运单号 SF1234567890123", *steps, "订单编号 3599352886241209577"]) is Kind.OTHER
    assert kind_of(["账单详情", "订单号 20261012220011234567890", "创建时间 2026-10-11 21:03:59"]) is Kind.OTHER
    assert kind_of(["¥89.00", "夏季短袖", ("加入购物车", "立即购买")]) is Kind.PRODUCT


def test_speech_makes_a_chat_whatever_numbers_it_names() -> None:
    rows = [
        "今日10:15",
        "すみません、注文番号235604-20241005-0260283397の件です",
        "いつ届きますか？",
        "ありがとうございます",
    ]
    assert kind_of([*rows, "わかりました。合計¥7,300です"]) is Kind.OTHER


def test_the_upper_and_the_lower_part_of_an_order_page_are_order_pages() -> None:
    upper = ["订单详情", "等待付款", "剩余支付时间23:18:05", "小林 150****1068", "地址：江苏省苏州市姑苏区平江路15号"]
    assert kind_of([*upper, ("女高腰牛仔裤", "¥390.80")]) is Kind.ORDER
    lower = [("创建时间", "2026-09-24 22:44:58"), ("支付时间", "2026-09-24 22:45:51"), ("联系商家", "查看进度")]
    assert kind_of([("支付单号", "2024092422007349456183064610"), *lower]) is Kind.ORDER


def test_a_chat_that_holds_a_whole_order_page_is_an_order() -> None:
    rows = ["客服", "订单详情", ("实付款", "¥158.00"), "订单编号：4159083016613186091", "创建时间：2026-10-11 21:03:44"]
    assert kind_of([*rows, "支付方式 在线支付", "按住 说话"]) is Kind.ORDER


def test_two_pictures_side_by_side_show_a_seam() -> None:
    noise = np.random.default_rng(1).integers(0, 12, (200, 300, 3)).astype(np.uint8)
    joined = noise.copy()
    joined[:, 150:] += 120
    assert layout_of(joined).evidence is Evidence.SEAM
    assert layout_of(noise).evidence is Evidence.NONE


def test_probabilities_name_every_kind_and_sum_to_one() -> None:
    made = page(["hello"])
    look = look_of("0" * 64, Scan(painted(made), made, 0, 1), lambda crop: "", FORMATS, "1", 0.0)
    assert set(look.kinds) == set(Kind)
    assert sum(look.kinds.values()) == pytest.approx(1.0)


def test_lines_of_a_look_are_bounded() -> None:
    made = page_of(4000, 20_000, [box("字" * 240, 40, 40 + 40 * n) for n in range(320)])
    look = look_of("0" * 64, Scan(painted(made), made, 0, 1), lambda crop: "", FORMATS, "1", 0.0)
    assert len(look.lines) == 300
    assert max(len(line) for line in look.lines) == 200


def test_json_shows_only_what_was_read() -> None:
    fields = {
        "order_id": ReadField(value="1", state=FieldState.CONFIRM, guards=("edge",)),
        "amount": ReadField(value="2.00", state=FieldState.READ),
    }
    look = Look(
        picture_sha256="0" * 64,
        kinds={Kind.ORDER: 0.75, Kind.OTHER: 0.25},
        fields=fields,
        engine="lite",
        engine_version="1",
        prompt_version="-",
        seconds=0.51234,
    )
    shown = base.look_json(look)
    assert list(shown) == ["kind", "kinds", "fields", "states", "seconds"]
    assert (shown["kind"], shown["seconds"]) == ("order", 0.512)
    assert tuple(shown["fields"]) == tuple(shown["states"]) == ORDER_FIELDS
    assert (shown["fields"]["order_id"], shown["states"]["order_id"]) == (None, "confirm")
    assert (shown["fields"]["amount"], shown["states"]["amount"]) == ("2.00", "read")
    assert (shown["fields"]["status"], shown["states"]["status"]) == (None, "unreadable")


def test_an_unknown_engine_is_refused_with_the_known_names() -> None:
    with pytest.raises(UnknownPlugin, match="lite"):
        base.load_engine("crystal-ball")


def test_an_engine_without_its_packages_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        base.ENGINES, "far", base.EngineEntry("package_that_nobody_has.engine:build", "far", writes=False)
    )
    with pytest.raises(MissingExtra, match=r"\.\[far\]"):
        base.load_engine("far")
