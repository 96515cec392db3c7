"""What order pages and their like print, in three languages."""

from typing import NamedTuple

from cs_bot.demo import words
from cs_bot.demo.draw import ACTIONS, HINTS
from cs_bot.records import OrderStatus as S


class Labels(NamedTuple):
    """The words of one language."""

    title: tuple[str, ...]
    number: tuple[str, ...]
    total: tuple[str, ...]
    time: tuple[str, ...]
    sums: tuple[str, ...]
    times: tuple[str, ...]
    others: tuple[tuple[str, str], ...]
    buttons: tuple[str, ...]


LABELS: dict[str, Labels] = {
    "zh": Labels(
        ("订单详情", "我的订单", "订单"),
        ("订单编号", "订单号", "订单编号："),
        ("实付款", "合计", "实付", "需付款", "应付", "总价"),
        ("创建时间", "下单时间", "下单时间："),
        ("商品总价", "商品总额", "运费", "店铺优惠", "优惠"),
        ("付款时间", "支付时间", "发货时间", "成交时间"),
        (("支付方式", "在线支付"), ("配送方式", "普通快递"), ("物流", "圆通速递"), ("承运人", "顺丰速运")),
        ("联系卖家", "申请售后", "查看物流", "确认收货", "再次购买", "申请退款", "联系商家", *ACTIONS.values()),
    ),
    "en": Labels(
        ("Order details", "Your order", "Order summary", "My orders"),
        ("Order number", "Order no.", "Order ID"),
        ("Order total", "Total", "Grand total", "Amount paid"),
        ("Order placed", "Order date", "Placed on"),
        ("Subtotal", "Discount", "Shipping", "Items", "Postage & packing", "Promotion applied"),
        ("Paid on", "Shipped on", "Delivered on"),
        (("Shipping method", "Standard"), ("Payment", "Card"), ("Carrier", "UPS"), ("Contact", "Chat")),
        ("Track package", "Contact seller", "Buy again", "Get help", "View invoice"),
    ),
    "ja": Labels(
        ("注文の詳細", "購入履歴詳細", "注文履歴"),
        ("注文番号", "受注番号"),
        ("注文合計", "ご請求額", "お支払い金額", "合計"),
        ("注文日", "注文日時"),
        ("商品の小計", "小計", "送料", "割引", "クーポン利用", "配送料・手数料"),
        ("発送日", "配達日"),
        (("ショップ名", "はるかぜ商店"), ("配送会社", "ヤマト運輸"), ("決済方法", "カード")),
        ("配送状況を確認", "もう一度購入", "お問い合わせ"),
    ),
}
MORE_STATES: dict[str, dict[S, tuple[str, ...]]] = {
    "zh": {S.PAID: ("待发货", "买家已付款"), S.SHIPPED: ("已发货", "运输中"), S.DELIVERED: ("已送达",)},
    "en": {S.PAID: ("Processing", "Paid"), S.SHIPPED: ("In transit", "Dispatched"), S.PENDING_PAYMENT: ("Unpaid",)},
    "ja": {S.SHIPPED: ("配送中",), S.PAID: ("準備中",)},
}


def states(language: str) -> dict[S, tuple[str, ...]]:
    """The words for each state of an order that pages of a language print."""
    found: dict[S, tuple[str, ...]] = {}
    for status in words.STATUS_WORDS["taobao"]:
        told = [by[status] for look, by in words.STATUS_WORDS.items() if words.LOOKS[look][0] == language]
        found[status] = tuple(dict.fromkeys((*told, *MORE_STATES[language].get(status, ()))))
    return found


STATES = {language: states(language) for language in LABELS}
CHATS = {
    "zh": (
        "你好，我想问一下那个台灯",
        "您好，请问是哪一款呢？",
        "好的那我再看看，谢谢",
        "不客气，有需要随时联系我们",
        "在吗",
    ),
    "en": ("Hi, is this still there?", "Let me check for you.", "Thanks a lot!", "Which size do you need?", "Hello"),
    "ja": ("こんにちは", "確認いたします。", "ありがとうございます", "サイズはどちらですか？"),
}
TRACKS = {
    "zh": ("快件已到达", "正在派送中", "已揽收", "运输中", "包裹已签收", "离开转运中心"),
    "en": ("Arrived at facility", "Out for delivery", "Picked up", "In transit", "Delivered"),
    "ja": ("荷物受付", "輸送中", "配達中", "配達完了"),
}
TITLES = {
    "zh": {
        "chat": "小满生活馆客服",
        "track": "物流详情",
        "cart": "购物车",
        "coupon": "优惠券",
        "bill": "账单",
    },
    "en": {
        "chat": "Support",
        "track": "Tracking",
        "cart": "Shopping cart",
        "coupon": "Coupons",
        "bill": "Statement",
    },
    "ja": {
        "chat": "お問い合わせ",
        "track": "配送状況",
        "cart": "カート",
        "coupon": "クーポン",
        "bill": "明細",
    },
}
PLAIN = {
    "zh": ("去结算", "立即领取", "满减", "全选", "昨天", "新品", "包邮"),
    "en": ("Checkout", "Get", "Off", "All", "Yesterday", "New", "SALE"),
    "ja": ("購入手続き", "取得", "割引", "すべて", "昨日", "新着", "送料無料"),
}


def printed() -> str:
    """Every character that pages print beyond ASCII, sorted."""
    texts: list[str] = ["年月日円￥¥　：×›‹—…·✓（）、"]
    for goods in words.GOODS.values():
        texts += [part for line in goods for part in line[:3]]
    texts += [one for group in (*words.PEOPLE.values(), *words.PLACES.values()) for one in group]
    texts += [*words.SHOP_NAMES.values(), *(name for pairs in words.CARRIERS.values() for name, _ in pairs)]
    texts += [hint for hints in HINTS.values() for hint in hints.values()]
    for labels in LABELS.values():
        texts += [*labels.title, *labels.number, *labels.total, *labels.time, *labels.sums, *labels.times]
        texts += [*labels.buttons, *("".join(pair) for pair in labels.others)]
    for by_state in STATES.values():
        texts += ["".join(told) for told in by_state.values()]
    for group in (CHATS, TRACKS, PLAIN):
        texts += ["".join(lines) for lines in group.values()]
    texts += ["".join(titles.values()) for titles in TITLES.values()]
    return "".join(sorted({sign for text in texts for sign in text if ord(sign) > 126}))
