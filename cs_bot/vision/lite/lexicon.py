"""Words of order screens: labels, statuses, platforms, order number formats (zh, zh-Hant, en, ja, de, es)."""

import re
import unicodedata

from cs_bot.records import OrderStatus

# Traditional and Japanese shapes -> simplified ones, so that one table serves all three. Only signs the tables use.
_SHAPES = str.maketrans(
    "訂單編號碼總額實際應運費優惠貨發時間狀態賣買關閉結評價確認現購車詳細資訊繳請點擊數備註帳戶隱設蝦類樂淘寶條積點領張簽達轉號輸門開網見聯絡場區"
    "處過備計済払円続図対応売買発連絡変検証価値気楽満",
    "订单编号码总额实际应运费优惠货发时间状态卖买关闭结评价确认现购车详细资讯缴请点击数备注帐户隐设虾类乐淘宝条积点领张签达转号输门开网见联络场区"
    "处过备计済払円続図对应卖买发连络変検证価値気乐满",
)


def fold(text: str) -> str:
    """Half width, simplified, lower case; every character keeps its place."""
    signs = []
    for sign in text:
        plain = unicodedata.normalize("NFKC", sign)
        plain = plain if len(plain) == 1 else sign
        low = plain.lower()
        signs.append(low if len(low) == 1 else plain)
    return "".join(signs).translate(_SHAPES)


def _any(*words: str) -> str:
    """One pattern for any of these; written in any shape, matched on folded text."""
    return "(?:" + "|".join(fold(word) for word in words) + ")"


_ASIDE = r"(?<!支付)(?<!付款)(?<!交易)(?<!退款)(?<!商户)(?<!商家)(?<!物流)(?<!快递)(?<!售后)(?<!子)(?<!外部)(?<!原)"
ORDER_ID_LABEL = re.compile(
    _any(
        _ASIDE + r"订单\s*(?:编\s*号|号\s*码?|编码|id|no\.?)",
        r"(?:ご?注文|受注)\s*(?:番号|no\.?|id)",
        r"(?<![a-z])order\s*(?:number|num(?=[^a-z])|no(?![a-z])\.?|id(?![a-z])|nr\.?|reference|#)",
        r"(?<![a-z])order(?=\s*:?\s*#\s*\d)",
        r"(?:^|\s{2,})order(?=\s*:?\s*(?:$|\s{2}))",
        r"bestell(?:ung\s*(?:nr\.?|#)|\s*-?\s*nummer|\s*-?\s*nr\.?)",
        r"auftrags\s*-?\s*(?:nummer|nr\.?)",
        r"(?<![a-z])(?:n[uú]mero|n\.?\s*[º°o]\.?)\s*(?:de|del)?\s*pedido",
        r"(?<![a-z])pedido\s*(?:n\.?\s*[º°o]\.?|n[uú]m\.?|(?=\s*:?\s*#\s*\d))",
        r"(?<![a-z])num[eé]ro\s*de\s*commande",
    )
)
NOT_ORDER_ID_LABEL = re.compile(
    _any(
        r"(?:支付|交易|付款|退款|售后|商户|商家|物流|快递|运|外部|流水|配送|发票|包裹|取件|核销|券|会员|商品|货)\s*(?:订单|交易|支付)?\s*"
        r"(?:单\s*号|编\s*号|号\s*码?|码|号)",
        r"追踪|跟踪|手机|电话|电話|(?<!文)(?<!订)伝票|お問い?合わ?せ",
        r"(?:tracking|invoice|rechnung|sendung|receipt|payment|transaction|refund|return|item|product|customer|phone|tel|sku|asin|vat)",
    )
)

# The total paid. The first group that is on the page wins; inside a group two different values are a conflict.
TOTAL_LABELS = tuple(
    re.compile(pattern)
    for pattern in (
        _any(
            r"实\s*付\s*(?:款|金\s*额|总\s*额)?",
            r"实际(?:付款|支付)(?:金额)?",
            r"(?<!微信)(?<!宝)(?:支付|付款)金额",
            r"总付款金额",
            r"(?:ご|お)\s*(?:请|請)求(?:金)?(?:额|額)",
            r"(?:お)?\s*支\s*払い?\s*(?:合计|金额|总额|総額|総额|额)",
            r"(?<![a-z])(?:grand\s*total|total\s*paid|amount\s*paid|paid\s*total|you\s*paid|total\s*payment|payment\s*total"
            r"|total\s*charged|amount\s*charged|total\s*amount\s*paid)",
            r"gesamtsumme|gesamtbetrag|endbetrag|bezahlter\s*betrag",
            r"(?<![a-z])(?:total\s*pagado|importe\s*pagado|importe\s*total)",
        ),
        _any(
            r"订单总?(?:金额|额|价)|应付(?:总额|金额|款)?|需\s*付款?|待\s*付金额|待(?:付款?|支付)(?=\s*[:：]?\s*[¥$])|需\s*支付|待支付金额|总金额",
            r"(?:ご?注文)\s*(?:合计|金额|总额|総額)|税込合计",
            r"(?<![a-z])order\s*total|(?<![a-z])total\s*amount|(?<![a-z])amount\s*due|(?<![a-z])total\s*(?:due|price)",
            r"bestellsumme|rechnungsbetrag|(?<![a-z])total\s*del\s*pedido",
        ),
        _any(
            r"合\s*计|总\s*计|共\s*计|总\s*额",
            r"(?<![a-z])total(?![a-z])",
            r"(?<![a-z])(?:summe|gesamt)(?![a-z])",
        ),
    )
)
NOT_TOTAL_LABEL = re.compile(
    _any(
        r"(?<!件)商品\s*(?:的)?\s*(?:总|合计|小计|金额|の)|小\s*计|小計|税前|优惠|折扣|折抵|立减|节省|已省|运费总|运费合|送料|配送|手数料|退款|返金|返还|ポイント|税金|消费税|保费"
        r"|件数|积分|红包|补贴|内含",
        r"sub\s*-?\s*total|before|savings?|saved|discount|refund|shipping|handling|items?\s*total|(?<![a-z])tax(?:es)?(?![a-z])|merchandise|estimated\s*tax"
        r"|total\s*items|zwischensumme|rabatt|erstattung|versand|vor\s*steuern|parcial|descuento|env[ií]o|reembolso|articulos|artículos",
    )
)

ORDER_TIME_LABEL = re.compile(
    _any(
        r"下\s*单\s*(?:时\s*间|日期)",
        r"(?:订单)?创\s*建\s*时\s*间",
        r"订单(?:成立|创建|生成|提交)?(?:时间|日期)|订购(?:时间|日期)|成立时间|购买(?:时间|日期)|提交时间|拍下时间",
        r"(?:ご?注文)(?:日时|日時|日)|购入(?:日时|日時|日)|購入(?:日時|日)",
        r"(?<![a-z])order(?:ed)?\s*(?:placed|date|time|on|created)|(?<![a-z])placed\s*on|(?<![a-z])date\s*(?:ordered|placed|of\s*order)"
        r"|(?<![a-z])purchase(?:d)?\s*(?:date|on)|(?<![a-z])created\s*(?:at|on|time)",
        r"(?<![a-z])(?:confirmed|confirmado|bestätigt)(?=\s*(?:on|am|el)?\s*(?:\d{1,2}|[a-zä]{3,9})\.?\s*(?:\d|de\s|[a-zä]))",
        r"bestell(?:datum|t\s*am|ung\s*aufgegeben(?:\s*am)?|ung\s*vom)|bestelldatum|aufgegeben\s*am",
        r"fecha\s*(?:del?)?\s*(?:pedido|compra)|pedido\s*(?:realizado|efectuado)(?:\s*el)?|realizado\s*el",
    )
)
OTHER_LABEL = re.compile(  # ends the value of the label before it
    _any(
        r"(?:付款|支付|发货|出货|成交|收货|签收|完成|送达|取消|拼单|成团|确认|预计|退款|结束)(?:完成)?\s*(?:时间|日期|方式)",
        r"(?:支払い?|发送|配达|配達|お届け|出荷)(?:日|方法|予定)",
        r"(?<![a-z])(?:payment|ship(?:ped|ping)?|deliver(?:y|ed)|completed?|paid)\s*(?:time|date|method|on|to)",
        r"收货(?:人|地址)|配送方式|买家留言|发票",
    )
)

_S = OrderStatus
# Longer phrases first where one holds another. A line that is nothing but the phrase outweighs one that holds it.
STATUS_WORDS: tuple[tuple[OrderStatus, str], ...] = (
    (_S.REFUNDED, r"退款成功|退款完成|已退款|退款已完成|已全额退款|返金済み?|返金完了|返金が完了しました"),
    (
        _S.REFUNDED,
        r"refund(?:ed)?\s*(?:complete[d]?|issued|successful)|refunded|erstattet|reembolsado|rückerstattet|rueckerstattet",
    ),
    (
        _S.REFUNDING,
        r"退款中|退款处理中|退货退款中|等待退款|待退款|退货中|售后处理中|退款申请中|返金(?:処理|手続き?)中|返品(?:処理|手続き?)中",
    ),
    (
        _S.REFUNDING,
        r"refund\s*(?:in\s*progress|pending|processing|requested|initiated|started)|return\s*(?:in\s*progress|requested|started)|refunding",
    ),
    (
        _S.CANCELLED,
        r"交易关闭|交易已关闭|交易已取消|交易取消|订单已?关闭|已关闭|订单已?取消|已取消|不成立|拼单失败|拼团失败",
    ),
    (_S.CANCELLED, r"キャンセル(?:済み?|されました|完了)?|ご?注文はキャンセルされました"),
    (_S.CANCELLED, r"(?:order\s*)?cancell?ed|storniert|cancelado|voided"),
    (
        _S.PENDING_PAYMENT,
        r"等待买家付款|等待付款|等待支付|待付款|待支付|未付款|未支付|等待您付款|(?:お)?支払い?(?:待ち|手続き?待ち)|入金待ち|未入金|未払い",
    ),
    (
        _S.PENDING_PAYMENT,
        r"(?:awaiting|pending|waiting\s*for|to|await)\s*pa(?:y(?:ment)?)(?![a-z])|payment\s*(?:pending|due|required)|unpaid|to\s*pay",
    ),
    (_S.PENDING_PAYMENT, r"zahlung\s*(?:ausstehend|offen)|pendiente\s*de\s*pago|pago\s*pendiente"),
    (
        _S.COMPLETED,
        r"交易成功|交易已?完成|订单已?完成|已完成|待评价|已评价|已确认收货|确认收货成功|完成订单|取引完了|受取完了|受け取り完了|受取済み?",
    ),
    (_S.COMPLETED, r"(?:order\s*)?completed?|order\s*received|to\s*rate|abgeschlossen|completado|finalizado"),
    (
        _S.DELIVERED,
        r"已签收|已送达|已送货|已妥投|包裹已签收|订单已送达|已到货|待取件|配達(?:済み?|完了|されました)|お届け済み?|お届けしました|到着済み?|配达(?:済み?|完了)",
    ),
    (_S.DELIVERED, r"delivered|zugestellt|geliefert|entregado"),
    (
        _S.PAID,
        r"(?:未|尚未|まだ)发(?:货|送)(?:されていません)?|未発送|まだ発送されていません|待出库|正在出库|出库中|待发货|待出货|待揽收|等待(?:卖家|商家)?发货|等待出货|买家已付款",
    ),
    (
        _S.PAID,
        r"备货中|配货中|拣货中|打包中|拼单成功|拼团成功|商家处理中|付款成功|支付成功|已付款|已支付|未出货|准备出货|准备发货|発送(?:準備中?|待ち)|出荷(?:準備中|待ち)",
    ),
    (
        _S.PAID,
        r"发送(?:准备中|準備中|待ち)|注文確(?:認中|定|認済み?)|注文(?:确|確)(?:认|認)(?:中|済み?)|新規(?:受付|注文)|ご?注文を?(?:受け付けました|承りました)|处理中|処理中",
    ),
    (
        _S.PAID,
        r"(?:not\s*yet|yet\s*to\s*be|to\s*be)\s*(?:shipped|dispatched)|unfulfilled|to\s*ship|preparing(?:\s*for)?\s*(?:shipment|your\s*order)?|processing|in\s*process",
    ),
    (
        _S.PAID,
        r"(?:order\s*)?confirmed|your\s*order\s*is\s*confirmed|awaiting\s*(?:shipment|fulfillment|dispatch)|ready\s*to\s*ship|payment\s*received|thank\s*you\s*for\s*your\s*order",
    ),
    (
        _S.PAID,
        r"(?:noch\s*)?nicht\s*versandt|in\s*bearbeitung|wird\s*(?:vorbereitet|bearbeitet)|bestellt(?!\s*am)|bestätigt|versand\s*wird\s*vorbereitet|en\s*preparación|preparando|confirmado",
    ),
    (
        _S.SHIPPED,
        r"卖家已发货|商家已发货|等待买家确认收货|等待(?:买家)?收货|待收货|待确认收货|已发货|已出货|运输中|运送中|派送中|配送中|正在配送|正在派送|已出库|出库完成|快件已发出|已揽收|派件中|途中",
    ),
    (
        _S.SHIPPED,
        r"(?:発送|发送|出荷)(?:済み?|完了|されました|しました)|配達(?:中|予定)|配达中|お届け中|輸送中|输送中|配送中|お届け予定",
    ),
    (
        _S.SHIPPED,
        r"(?:partially\s*)?shipped|on\s*(?:its|the)\s*way|in\s*transit|out\s*for\s*delivery|to\s*receive|dispatched|(?:partially\s*)?fulfilled|arriving",
    ),
    (
        _S.SHIPPED,
        r"versandt|versendet|verschickt|unterwegs|in\s*zustellung|wird\s*zugestellt|lieferung\s*(?:heute|morgen)|zustellung\s*(?:heute|morgen)|enviado|en\s*camino|en\s*reparto|llega",
    ),
    (_S.PAID, r"(?<![a-z])paid(?![a-z])|bezahlt|pagado"),
)
STATUS_LABEL = re.compile(
    _any(
        r"(?:订单|交易|物流|配送|当前)?状态|ステータス|(?:order\s*|fulfil?l?ment\s*|delivery\s*)?status|注文状況|estado"
    )
)
NOT_STATUS = re.compile(
    _any(
        r"申请|查看|提醒|催|联系|修改|删除|再次|立即|去|如何|预计|时间|方式|单号|金额|成功后|后可|之前|承诺|保证|内发货|极速|运费险|免运费|date|time|method|total|amount|金额|合计|总额|track|view|"
        r"buy|write|request|how\s|estimated|guarantee|policy|within|expected|free|contact|手続|方法|確認する|予約|時間|日時|変更|stornieren|verfolgen|cancelar"
    )
)

PLATFORM_WORDS: dict[str, re.Pattern[str]] = {
    name: re.compile(_any(words))
    for name, words in {
        "taobao": r"淘宝|天猫|旺旺|支付宝交易|taobao|tmall|淘金币|闲鱼",
        "jd": r"京东|京豆|白条|jdva|京准达|jd\.com",
        "pdd": r"拼多多|拼单|多多(?:钱包|果园|视频|支付)|百亿补贴",
        "douyin": r"抖音|抖店|抖币",
        "wechat": r"微信小店|视频号小店|小程序|微信小商店|有赞|微店|微商城",
        "amazon": r"amazon|アマゾン|プライム会员|prime(?![a-z])",
        "rakuten": r"楽天|乐天|rakuten",
        "shopee": r"虾皮|shopee",
        "shopify": r"shopify|shop\s*pay",
    }.items()
}
FORMATS: dict[str, str] = {  # full matches, letters upper case, without spaces
    "taobao": r"\d{18,19}",
    "jd": r"\d{12}|\d{15}",
    "pdd": r"\d{6}-\d{15}",
    "douyin": r"\d{19}",
    "wechat": r"\d{19}|20\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{8,20}|[A-Z]{1,3}20\d{14,24}",
    "amazon": r"\d{3}-\d{7}-\d{7}|D\d{2}-\d{7}-\d{7}",
    "rakuten": r"\d{6}-20\d{6}-\d{10}",
    "shopee": r"\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])[0-9A-Z]{8}",
    "shopify": r"[A-Z]{0,4}-?\d{4,6}",
}
UNMISTAKABLE = ("amazon", "pdd", "rakuten")  # their numbers need no label beside them
