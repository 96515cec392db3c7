"""Which kind of picture it is, from the words on it and a little of its layout."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cs_bot.records import Kind
from cs_bot.vision.lite.boxes import Page
from cs_bot.vision.lite.layout import Evidence, Layout
from cs_bot.vision.lite.lexicon import FORMATS, ORDER_ID_LABEL, ORDER_TIME_LABEL, OTHER_LABEL, UNMISTAKABLE, fold
from cs_bot.vision.lite.lines import Found, Line
from cs_bot.vision.lite.money import Total, amounts
from cs_bot.vision.lite.numbers import shapes_of
from cs_bot.vision.lite.status import StatusFound, match_status
from cs_bot.vision.lite.times import has_time


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(fold(pattern))


_ORDER_TITLE = _words(
    r"订单(?:详情|信息|明细|资讯)|订单\s*内容|注文(?:内容|詳細|の詳細|情報)|order\s*(?:details|summary|information|info)|bestell(?:details|übersicht|ung\s*details)"
    r"|detalles\s*del\s*pedido|purchase\s*details"
)
_ORDER_EXTRAS = _words(
    r"支付方式|付款方式|配送方式|收货人|收货地址|收件人|收件地址|(?:^|\s)地址\s*[:：]|付款时间|支付时间|发货时间|出货时间|商品总(?:价|额|金额)|お届け先|お支払い?方法|配送先|小計|送料|shipping\s*address|payment\s*method|ship(?:ping)?\s*to"
    r"|sub\s*-?total|billing\s*address|zahlungsart|lieferadresse|zwischensumme|dirección\s*de\s*envío|método\s*de\s*pago|subtotal"
)
_ORDER_ACTIONS = _words(
    r"查看进度|联系商家|联系卖家|去支付|取消订单|删除订单|修改地址|钱款去向|退款详情|完成订单|再次购买|再来一单|再买一次|再次拼单|申请售后|申请退款|退换|确认收货|查看物流|催发货|提醒发货|申请开票|再度購入|レビュー|領収書|buy\s*(?:it\s*)?again|reorder|track\s*(?:package|order)|return\s*items"
    r"|view\s*invoice|lieferung\s*verfolgen|nochmals\s*kaufen|volver\s*a\s*comprar"
)
_CART = _words(
    r"(?<!加入)(?<!入)购物车|(?:去)?结算|全选|提交订单|确认订单|购物袋|カート(?!に入)|レジに進む|注文を確定|shopping\s*(?:cart|bag)|your\s*cart|proceed\s*to\s*checkout|place\s*(?:your\s*)?order|review\s*your\s*order"
    r"|warenkorb(?!\s*legen)|zur\s*kasse|jetzt\s*kaufen|carrito|tramitar\s*pedido"
)
_CHAT = _words(
    r"按住\s*说话|按住说话|发送消息|正在咨询|咨询的?订单|人工客服|客服为您服务|^发送$|对方正在输入|输入消息|请输入|聊天|您好.{0,6}(?:请问|亲)|^亲[,，!！~]?|好的亲|type\s*a\s*message|send\s*a?\s*message|how\s*can\s*(?:we|i)\s*help"
    r"|メッセージを入力|is\s*typing|escribe\s*un\s*mensaje|nachricht\s*(?:schreiben|eingeben)|write\s*a\s*message|^message\.{0,3}$|live\s*chat|已读"
)
_PARCEL_TITLE = _words(
    r"物流(?:详情|信息|跟踪|追踪|轨迹|状态)|快递(?:查询|详情)|运单详情|包裹(?:跟踪|追踪)|配送状況|お荷物|荷物(?:追跡|の追跡)|track(?:ing)?\s*(?:your\s*)?(?:package|history|details|updates)|shipment\s*(?:progress|history|travel)|sendungsverfolgung"
    r"|delivery\s*(?:updates|history)|seguimiento"
)
_PARCEL_STEP = _words(
    r"揽收|派送|派件|签收|到达|离开|发往|运输|转运|分拨|中转|集散|已送达|投递|交付|出库|配達|輸送|引受|到着|中継|持ち出し|arrived|departed|picked\s*up|out\s*for\s*delivery|in\s*transit|sorting|facility|hub|zustellung|eingetroffen"
    r"|delivered|shipped|accepted|cleared"
)
_PRODUCT = _words(
    r"加入购物车|立即购买|加购|马上抢|立即抢购|发起拼单|单独购买|宝贝评价|商品评价|月销|已售|选择规格|商品详情|カートに入れる|今すぐ買う|add\s*to\s*(?:cart|bag|basket)|buy\s*now|in\s*stock|out\s*of\s*5\s*stars"
    r"|in\s*den\s*(?:warenkorb|einkaufswagen)|añadir\s*(?:al\s*carrito|a\s*la\s*cesta)|直接購買|加入購物車|立即購買"
)
_OTHER = _words(
    r"账号与安全|退出登录|消息通知|隐私|设置$|优惠券|有效期|收款方|转账|账单详情|支付成功|付款成功$|付款完成|验证码|wi-?fi|settings|log\s*out|privacy|notifications|coupon|我的钱包|余额|交易详情|invoice\s*to|发票代码|发票号码"
    r"|设定|ログアウト|einstellungen"
)
_TALK = _words(
    r"[?？]\s*$|[吗嗎呢哦喔唷呀吧啊]\s*[~～!！。,，]?\s*$|^(?:你好|您好|请问|亲|好的|谢谢|多谢|麻烦|抱歉|稍等)|感谢您的(?:咨询|耐心)"
    r"|帮(?:您|我)(?:查|看|改)|です(?:か|が|ね)?\s*[。?？!]?\s*$|ます(?:か|が|ね)?\s*[。?？!]?\s*$|ください|すみません|ございま|ありがとう"
    r"|いたします|わかりました|ません。?\s*$|^(?:hi|hello|hey|thanks?|thank\s*you|sure|sorry|okay|ok|great)(?![a-z])"
    r"|(?:could|can|would)\s*you|please\s*(?:check|let|help)|let\s*me\s*(?:check|see)|(?<![a-z])i(?:'|’)(?:m|ve|ll|d)\s|^(?:hallo|danke|guten|hola|gracias)(?![a-z])"
)
_ADDRESSEE = re.compile(r"1\d\d\*{3,4}\d{4}|(?:\+?86)[- ]?1\d{10}|(?<!\d)09\d{8}(?!\d)|(?<!\d)1[3-9]\d{9}(?!\d)")
_ADDRESS = _words(
    r"(?:省|自治区|市).{1,8}(?:市|区|县|區|縣).{2,}|[都道府県].{1,8}[市区町村].{0,12}\d|,\s*[A-Za-z]{2}\s*\d{5}(?!\d)"
)
HEADLINE = 1.25  # a status so many times as tall as the page's lines is its headline
TALK_LINES = 3  # so many lines of speech make a chat
_BILL = _words(
    r"账单(?:详情|分类|管理)|商户全称|收单机构|商家订单号|商户订单号|收款方全称|转账(?:时间|单号)|transaction\s*details"
)
_COMPARE = _words(r"(?<![a-z])vs\.?(?![a-z])|对比|比较|比較|compare|哪个好|どっち|vergleich")
_LIST_TITLE = _words(
    r"我的订单|全部订单|订单列表|购买清单|我的购买|购买记录|^注文履歴|購入履歴|your\s*orders|my\s*orders|order\s*history|my\s*purchases?|(?:meine|ihre)\s*bestellungen|mis\s*pedidos|tus\s*pedidos"
)
ORDER_NEEDS = 3.1  # weight of evidence at which an order page is as likely as not
STEEPNESS = 1.5
MANY_LINES = 8  # a picture with so much text that no list knows is a page or a poster
# A photo by how it is divided. Product and scene can't be told apart on a CPU (docs/measured/kinds.md).
PHOTO_SHARES = {
    Evidence.NONE: {Kind.PRODUCT: 0.5, Kind.SCENE: 0.35, Kind.COMPARISON: 0.05, Kind.OTHER: 0.1},
    Evidence.PAIR: {Kind.PRODUCT: 0.62, Kind.COMPARISON: 0.25, Kind.SCENE: 0.08, Kind.OTHER: 0.05},
    Evidence.THINGS: {Kind.COMPARISON: 0.5, Kind.PRODUCT: 0.37, Kind.SCENE: 0.08, Kind.OTHER: 0.05},
    Evidence.SEAM: {Kind.COMPARISON: 0.62, Kind.PRODUCT: 0.2, Kind.SCENE: 0.15, Kind.OTHER: 0.03},
    Evidence.TAGS: {Kind.COMPARISON: 0.85, Kind.PRODUCT: 0.1, Kind.SCENE: 0.03, Kind.OTHER: 0.02},
}


@dataclass(frozen=True)
class Findings:
    """Everything the field readers found on a page."""

    numbers: tuple[Found, ...]
    totals: tuple[Total, ...]
    times: tuple[Found, ...]
    statuses: tuple[StatusFound, ...]


def order_weight(page: Page, lines: Sequence[Line], found: Findings, *, several: bool, foreign: bool) -> float:
    """How much speaks for an order page; ORDER_NEEDS is the balance point.

    `several` says it looks like a list of orders, `foreign` that its words can't be read.
    """
    texts = [line.text for line in lines]
    if foreign:
        return _foreign_weight(lines, texts)
    labelled = [one for one in found.numbers if one.label is not None]
    weight = 3.0 if labelled else max(_loose_number(found), 1.5 * _any(ORDER_ID_LABEL, texts))
    weight += 1.5 * bool(found.totals) + 0.6 * any(total.found.rank == 0 for total in found.totals)
    weight += 1.5 if found.times else 0.8 * _any(ORDER_TIME_LABEL, texts)
    headline = any(one.exact and one.box.height > HEADLINE * page.line_height for one in found.statuses)
    weight += 0.7 * bool(found.statuses) + 1.0 * headline + _title(texts) + _traces(texts)
    weight += min(1.6, 0.5 * _count(_ORDER_EXTRAS, texts)) + min(1.5, 0.5 * _count(_ORDER_ACTIONS, texts))
    weight += 2.0 * (several and bool(found.statuses))
    return weight - _against(texts, bool(labelled))


def is_list(page: Page, lines: Sequence[Line], found: Findings) -> bool:
    """Whether it shows several orders rather than one."""
    texts = [line.text for line in lines]
    labelled = {one.value for one in found.numbers if one.label is not None}
    if len(labelled) > 1 or (not labelled and len(found.numbers) > 1):
        return True
    states = [one for one in found.statuses if one.exact]
    apart = len({round(page.level(one.box) / (3 * page.line_height)) for one in states}) > 1
    if len(found.totals) > 1 and apart:
        return True
    titled = any(_LIST_TITLE.search(text) for text in texts[:8])
    return (titled or _tabs(page)) and (apart or not labelled or len(found.totals) > 1)


def kind_shares(layout: Layout, lines: Sequence[Line], weight: float) -> dict[Kind, float]:
    """Probabilities over the six kinds; they sum to 1.

    A photo without words is product or scene about as likely: the words of the turn decide (knowledge/kinds.py).
    """
    texts = [line.text for line in lines]
    order = 1 / (1 + math.exp(-STEEPNESS * (weight - ORDER_NEEDS)))
    rest = _without_order(layout, texts)
    total = sum(rest.values())
    shares = {kind: (1 - order) * part / total for kind, part in rest.items()}
    return {kind: order if kind is Kind.ORDER else shares.get(kind, 0.0) for kind in Kind}


def _foreign_weight(lines: Sequence[Line], texts: Sequence[str]) -> float:
    """Of a page whose words can't be read: a long number, a date and prices make an order likely."""
    number = any(re.search(r"(?<!\d)\d[\d-]{7,}", text) for text in texts)
    prices = sum(len(amounts(line)) > 0 for line in lines)
    return 1.6 * number + 1.2 * any(has_time(text) for text in texts) + min(1.2, 0.6 * prices)


def _loose_number(found: Findings) -> float:
    """Weight of numbers without a label: shapes that can't be anything else say more than a string of digits."""
    if not found.numbers:
        return 0.0
    return 2.2 if any(set(shapes_of(one.value, FORMATS)) & set(UNMISTAKABLE) for one in found.numbers) else 0.8


def _title(texts: Sequence[str]) -> float:
    """The words over an order page; as the page's own title they say the most."""
    if any(len(text) < 30 and _ORDER_TITLE.search(text) for text in texts[:6]):
        return 2.2
    return 1.2 * _any(_ORDER_TITLE, texts)


def _traces(texts: Sequence[str]) -> float:
    """What is left of an order page whose labels are cut off: times to the second, long numbers, reductions."""
    times = sum(re.search(r"\d{1,2}:\d\d:\d\d", text) is not None for text in texts)
    numbers = sum(re.search(r"\d{10,}", text) is not None for text in texts)
    reductions = any(re.search(r"[-−]\s?[¥$€£]\s?\d", text) for text in texts)
    addressee = any(_ADDRESSEE.search(text) for text in texts) + any(_ADDRESS.search(text) for text in texts)
    return 0.3 * min(2, times) + 0.3 * min(2, numbers) + 0.6 * reductions + 0.5 * addressee


def _without_order(layout: Layout, texts: Sequence[str]) -> dict[Kind, float]:
    if _any(_CART, texts) or _any(_PARCEL_TITLE, texts) or _any(_BILL, texts) or _talk_weight(texts) > 0:
        return {Kind.OTHER: 0.85, Kind.PRODUCT: 0.1, Kind.SCENE: 0.05}
    if _count(_PRODUCT, texts) >= 2 or (_any(_PRODUCT, texts) and not _any(_OTHER, texts)):
        return {Kind.PRODUCT: 0.85, Kind.OTHER: 0.1, Kind.COMPARISON: 0.05}
    if _any(_COMPARE, texts):
        return {Kind.COMPARISON: 0.8, Kind.PRODUCT: 0.15, Kind.OTHER: 0.05}
    if _any(_OTHER, texts):
        return {Kind.OTHER: 0.8, Kind.PRODUCT: 0.12, Kind.SCENE: 0.08}
    if len(texts) >= MANY_LINES:
        return {Kind.OTHER: 0.55, Kind.PRODUCT: 0.3, Kind.COMPARISON: 0.1, Kind.SCENE: 0.05}
    return PHOTO_SHARES[Evidence.TAGS if layout.tagged and len(layout.parts) > 1 else layout.evidence]


def _against(texts: Sequence[str], labelled: bool) -> float:
    steps = sum(_PARCEL_STEP.search(text) is not None and not OTHER_LABEL.search(text) for text in texts)
    timed = sum(has_time(text) or re.search(r"\d{1,2}:\d\d", text) is not None for text in texts)
    weight = 5.0 * _any(_BILL, texts) + 3.5 * _any(_CART, texts) + _talk_weight(texts)
    if steps >= 3 and timed >= 3:
        weight += 2.0 + 2.0 * (_any(_PARCEL_TITLE, texts) or steps >= 4)
    elif _any(_PARCEL_TITLE, texts) and steps >= 2:
        weight += 2.0
    weight += min(3.0, 1.5 * _count(_PRODUCT, texts)) * (0.5 if labelled else 1.0)
    return weight + min(2.0, 1.0 * _count(_OTHER, texts)) * (0.5 if labelled else 1.0)


def _talk_weight(texts: Sequence[str]) -> float:
    """How much of a chat it is: its frame, and lines of speech."""
    frame, speech = _count(_CHAT, texts), sum(_TALK.search(text) is not None for text in texts)
    return max(3.0 * (frame > 0) + 1.0 * (frame > 2), 4.0 * (speech >= TALK_LINES), 5.0 * (speech >= 2 * TALK_LINES))


def _tabs(page: Page) -> bool:
    """Whether a row holds three or more statuses beside each other, as the tabs of a list do."""
    return any(
        sum(match_status(box.text) is not None and len(box.text) < 12 for box in row.boxes) >= 3 for row in page.rows
    )


def _any(pattern: re.Pattern[str], texts: Sequence[str]) -> bool:
    return any(pattern.search(text) for text in texts)


def _count(pattern: re.Pattern[str], texts: Sequence[str]) -> int:
    return len({match.group() for text in texts for match in pattern.finditer(text)})
