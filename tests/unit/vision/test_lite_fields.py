"""Order numbers, totals, times and statuses found among the words of a page."""

import pytest

from cs_bot.records import OrderStatus
from cs_bot.vision.lite.fields import lines_of
from cs_bot.vision.lite.lexicon import FORMATS, fold
from cs_bot.vision.lite.money import currency_of, lacks_decimals, plain
from cs_bot.vision.lite.numbers import shapes_of
from cs_bot.vision.lite.status import match_status
from tests.unit.vision.drawn import findings, page

TAOBAO = "4159083016613186091"


@pytest.mark.parametrize(
    ("rows", "number"),
    [
        ([f"订单编号：{TAOBAO}复制"], TAOBAO),
        ([("订单编号", f"{TAOBAO} | 复制")], TAOBAO),
        ([f"訂單編號 {TAOBAO}"], TAOBAO),
        (["订单编号: 261020-123456789012345 复制"], "261020-123456789012345"),
        (["Order # 112-1234567-7654321"], "112-1234567-7654321"),
        (["Order", "#10234 | COPY"], "10234"),
        (["Order #1024"], "1024"),
        (["注文番号：250-8282025-8839585 コピー"], "250-8282025-8839585"),
        (["Bestellnr. 302-1234567-7654321"], "302-1234567-7654321"),
        (["Pedido #1045"], "1045"),
        (["訂單編號", "260414SR8EPPQX複製"], "260414SR8EPPQX"),
        (["Order number: WEB1234567"], "WEB1234567"),
    ],
)
def test_a_labelled_order_number_is_found_in_every_language(rows: list[str | tuple[str, ...]], number: str) -> None:
    assert [one.value for one in findings(rows).numbers] == [number]


@pytest.mark.parametrize(
    "row",
    [
        "支付宝交易号：2026562819482199351819093786",
        "交易单号 4200001234202611031234567890",
        "支付订单号：4159083016613186091",
        "快递单号 JDVA12345678901",
        "运单号：SF1234567890123",
        "Tracking number 1Z999AA10123456784",
        "Invoice INV-4669347",
        "收货人 张三 86-13812345678",
        "お荷物伝票番号：485779255378",
        "商家订单号 415908301661318609",
    ],
)
def test_other_numbers_are_no_order_number(row: str) -> None:
    assert findings(["订单详情", row]).numbers == ()


def test_a_number_of_unmistakable_shape_needs_no_label() -> None:
    (one,) = findings(["some page", "112-1234567-7654321"]).numbers
    assert (one.value, one.label) == ("112-1234567-7654321", None)


@pytest.mark.parametrize(
    ("number", "shape"),
    [
        ("4159083016613186091", "taobao"),
        ("375112532870", "jd"),
        ("261020-123456789012345", "pdd"),
        ("112-1234567-7654321", "amazon"),
        ("438349-20261111-0903208465", "rakuten"),
        ("260414SR8EPPQX", "shopee"),
        ("1024", "shopify"),
    ],
)
def test_each_platform_has_its_shape_of_number(number: str, shape: str) -> None:
    assert shape in shapes_of(number, FORMATS)


def test_an_impossible_day_inside_a_number_is_no_known_shape() -> None:
    assert shapes_of("261342-123456789012345", FORMATS) == ()
    assert shapes_of("438349-20261331-0903208465", FORMATS) == ()


@pytest.mark.parametrize(
    ("rows", "total"),
    [
        ([("商品总价", "¥3411.13"), ("运费", "¥0.00"), ("实付款", "¥2,842.61")], "2842.61"),
        (["共1件商品合计：¥158.00(含运费¥6.00)"], "158.00"),
        ([("Subtotal", "$64.00"), ("Shipping", "$8.00"), ("Total", "$72.00 USD")], "72.00"),
        ([("Total before tax:", "$51.97"), ("Grand Total:", "$55.38")], "55.38"),
        ([("商品の小計：", "￥11,800"), ("ご請求額：", "￥12,980")], "12980"),
        ([("商品合計", "6,480円"), ("お支払い金額", "4,980円")], "4980"),
        ([("Zwischensumme:", "89,99 €"), ("Gesamtsumme:", "1.094,98 €")], "1094.98"),
        ([("商品總金額", "$1,180"), ("訂單金額", "NT$1,240")], "1240"),
        ([("订单总价", "¥200.00"), ("实付款", "¥180.00")], "180.00"),
        ([("需付款", "共减¥83.20 ¥337.78")], "337.78"),
        ([("待付款", "¥1100.56")], "1100.56"),
        (["お支払い金額", ("商品小計", "3,570円"), ("お支払い合計", "3,220円")], "3220"),
    ],
)
def test_the_total_paid_is_told_from_the_parts_of_the_sum(rows: list[str | tuple[str, ...]], total: str) -> None:
    assert [one.found.value for one in findings(rows).totals] == [total]


def test_small_signs_and_decimals_in_boxes_of_their_own_are_joined() -> None:
    from cs_bot.vision.lite.boxes import page_of
    from cs_bot.vision.lite.fields import find
    from tests.unit.vision.drawn import box

    boxes = [box("实付款", 40, 100), box("¥", 400, 106, height=12), box("158", 411, 98, height=26)]
    made = page_of(800, 300, [*boxes, box(".50", 442, 106, height=13)])
    (total,) = find(made, lines_of(made), FORMATS).totals
    assert (total.found.value, total.sign) == ("158.50", "¥")


@pytest.mark.parametrize(
    ("printed", "value"),
    [("1,299.00", "1299.00"), ("1.299,00", "1299.00"), ("2.842.61", "2842.61"), ("12,980", "12980"), ("0.50", "0.50")],
)
def test_thousands_and_decimal_signs_of_both_habits_are_understood(printed: str, value: str) -> None:
    assert plain(printed) == value


def test_the_page_decides_what_a_bare_sign_means() -> None:
    assert currency_of("¥", lines_of(page(["实付款 ¥12.00"]))) == ("CNY", True)
    assert currency_of("¥", lines_of(page(["ご請求額 ¥1200", "お支払い方法"]))) == ("JPY", True)
    assert currency_of("$", lines_of(page(["訂單金額 $120", "運費 $60", "購物"]))) == ("TWD", True)
    assert currency_of("$", lines_of(page(["Total $12.00"]))) == ("USD", True)
    assert currency_of("$", lines_of(page(["Shopee", "Order Total $12.00"]))) == ("USD", False)


def test_an_amount_without_decimals_among_others_with_them_is_doubtful() -> None:
    lines = lines_of(page([("小计", "¥12.00"), ("实付款", "¥1299")]))
    assert lacks_decimals("1299", "CNY", lines)
    assert not lacks_decimals("1299.00", "CNY", lines)
    assert not lacks_decimals("1299", "JPY", lines)


@pytest.mark.parametrize(
    ("rows", "time"),
    [
        (["付款时间：2026-03-14 09:19:04", "创建时间：2026-03-13 20:03:04"], "2026-03-13T20:03:04"),
        (["下单时间 2026-03-1409:19:04"], "2026-03-14T09:19:04"),
        (["下单时间：2026年03月14日 09:19"], "2026-03-14T09:19:00"),
        ([("Order placed", "November 3, 2026")], "2026-11-03"),
        (["Placed on Nov 3, 2026 at 2:05 PM"], "2026-11-03T14:05:00"),
        (["Ordered on 3 November 2026"], "2026-11-03"),
        (["Bestellt am 3. November 2026"], "2026-11-03"),
        (["Fecha del pedido: 3 de noviembre de 2026"], "2026-11-03"),
        (["注文日：2026/10/15(木) 20:15"], "2026-10-15T20:15:00"),
        (["注文日", "2026年9月1日"], "2026-09-01"),
        (["Confirmed Oct 21, 2026"], "2026-10-21"),
        (["訂單成立時間 2026-11-03 14:05", "付款時間 2026-11-03 14:06"], "2026-11-03T14:05:00"),
    ],
)
def test_the_time_of_ordering_is_told_from_paying_and_shipping(rows: list[str | tuple[str, ...]], time: str) -> None:
    assert [one.value for one in findings(rows).times] == [time]


def test_the_time_under_a_hidden_one_is_not_taken_for_it() -> None:
    assert findings(["Order Time: Ma", "Payment Time: Mar 27, 2026 at 10:38 PM"]).times == ()


def test_day_and_month_that_could_be_swapped_are_marked() -> None:
    (one,) = findings(["Order date 03/11/2026"]).times
    assert one.extra == "ambiguous"
    (one,) = findings(["Order date 23/11/2026"]).times
    assert (one.value, one.extra) == ("2026-11-23", "")


@pytest.mark.parametrize(
    ("printed", "status"),
    [
        ("等待买家付款", OrderStatus.PENDING_PAYMENT),
        ("买家已付款", OrderStatus.PAID),
        ("卖家已发货", OrderStatus.SHIPPED),
        ("待收貨", OrderStatus.SHIPPED),
        ("已签收", OrderStatus.DELIVERED),
        ("交易成功", OrderStatus.COMPLETED),
        ("交易关闭", OrderStatus.CANCELLED),
        ("退款中", OrderStatus.REFUNDING),
        ("退款成功", OrderStatus.REFUNDED),
        ("Not yet shipped", OrderStatus.PAID),
        ("Arriving tomorrow", OrderStatus.SHIPPED),
        ("Delivered November 5", OrderStatus.DELIVERED),
        ("まだ発送されていません", OrderStatus.PAID),
        ("発送済み", OrderStatus.SHIPPED),
        ("配達済み", OrderStatus.DELIVERED),
        ("待出貨", OrderStatus.PAID),
        ("Noch nicht versandt", OrderStatus.PAID),
        ("Zugestellt", OrderStatus.DELIVERED),
        ("En camino", OrderStatus.SHIPPED),
    ],
)
def test_platform_words_become_one_status(printed: str, status: OrderStatus) -> None:
    found = match_status(printed)
    assert found is not None
    assert found[0] is status


def test_the_headline_outweighs_buttons_tabs_and_sums() -> None:
    found = findings(
        ["Your order is on its way", ("Total paid", "$72.00"), ("Request refund", "View delivered items")]
    ).statuses
    assert found[0].status is OrderStatus.SHIPPED
    assert {one.status for one in found} == {OrderStatus.SHIPPED}
    assert findings([("待付款", "待发货", "待收货", "待评价")]).statuses == ()


def test_a_labelled_status_outweighs_a_larger_word() -> None:
    found = findings(["Paid", "Some shop", "Order status: Cancelled"]).statuses
    assert found[0].status is OrderStatus.CANCELLED
    assert found[0].text == "Cancelled"


def test_folding_keeps_every_character_in_its_place() -> None:
    text = "訂單編號：ＡＢ１２３ ￥5"
    assert fold(text) == "订单编号:ab123 ¥5"
    assert len(fold(text)) == len(text)
