"""Phone numbers, e-mail and street addresses taken out of a text; order numbers, amounts and times stay."""

import re
from collections.abc import Iterator
from typing import NamedTuple

PHONE, EMAIL, ADDRESS = "<phone>", "<e-mail>", "<address>"
FEWEST, MOST = 7, 15  # digits of a phone number; E.164 ends at 15

# Full-width forms and unusual hyphens become plain ones, a character for a character, so that places stay the same.
_PLAIN = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20, 0xA0: 0x20}
_PLAIN |= dict.fromkeys(map(ord, "‐‑‒–—−"), ord("-")) | dict.fromkeys(map(ord, "●•✱∗"), ord("*"))


class _Span(NamedTuple):
    start: int
    end: int
    word: str


def mask(text: str) -> str:
    """`text` with every phone number, e-mail address and street address replaced by a word in angle brackets.

    Knows mainland Chinese, Hong Kong, Japanese, Korean and North American forms, full-width digits, country codes,
    numbers that are half masked already, and whatever follows a label such as 收货地址, 電話 or "Ship to". A run of
    digits without such a form is left alone: order numbers, tracking numbers, amounts and times are what an answer
    is proven with. Pure; a masked text masks to itself.
    """
    plain = text.translate(_PLAIN)
    kept, at = [], 0
    for span in _merged(sorted(_found(plain))):
        kept += [text[at : span.start], span.word]
        at = span.end
    return "".join([*kept, text[at:]])


def _found(plain: str) -> Iterator[_Span]:
    for pattern in _EMAILS if "@" in plain else ():
        yield from (_Span(*m.span(), EMAIL) for m in pattern.finditer(plain))
    for pattern in _ADDRESSES:
        yield from (_Span(*m.span("it"), ADDRESS) for m in pattern.finditer(plain) if m["it"].strip())
    for pattern in _PHONES if any(c.isdigit() for c in plain) else ():
        yield from (_Span(*m.span("it"), PHONE) for m in pattern.finditer(plain) if _is_phone(m))


def _merged(spans: list[_Span]) -> Iterator[_Span]:
    """Overlapping spans as one, named by the first."""
    last: _Span | None = None
    for span in spans:
        if last is not None and span.start < last.end:
            last = last._replace(end=max(last.end, span.end))
            continue
        if last is not None:
            yield last
        last = span
    if last is not None:
        yield last


def _is_phone(match: re.Match[str]) -> bool:
    """The right number of digits, and no label before it that says it is something else."""
    digits = sum(c.isdigit() or c == "*" for c in match["it"])
    return FEWEST <= digits <= MOST + 6 and not _OTHER_LABEL.search(match.string[: match.start("it")][-24:])


# --- e-mail addresses

_EMAILS = (
    re.compile(r"[A-Za-zÀ-ɏ0-9._%+*'-]{1,64}\s?@\s?[\w-]{1,63}(?:\.[\w-]{1,63})+"),
    re.compile(r"[^\x00-\x7f\s，。：；、（）]{1,20}@[\w-]{1,63}(?:\.[\w-]{1,63})+"),
)

# --- phone numbers

_OTHER_LABEL = re.compile(
    r"(?:订单|訂單|单号|單號|编号|編號|流水|运单|運單|快递|物流|追踪|追蹤|注文|伝票|追跡|주문|송장|운송장|金额|金額"
    r"|\border|\btracking|\bwaybill|\binvoice|\bsku|\bno\.|#)[^\d\n]{0,10}$",
    re.IGNORECASE,
)
_LABEL = (
    r"(?:手机号?码?|手機號?碼?|联系电话|聯絡電話|电话|電話番号|電話|携帯|热线|座机|收货人|收件人|전화번호|전화|휴대폰|연락처"
    r"|(?<![A-Za-z])(?:tel|phone|mobile|mob|cell|call|fax|whatsapp)(?:ephone)?(?:\s+(?:no|number))?)"
)
_S = r"[ \-.]?"  # one separator
_ALONE = r"(?<![A-Za-z0-9\-*.])"
_NO_MORE = r"(?![A-Za-z0-9*]|[\-.]\d)"
_CHINA = r"(?:(?:\+|00)?86[ \-]?)?"
_EXTENSION = r"(?:\s?(?:转|轉|分机|分機|内線|ext\.?|x)\s?\d{1,6}|-\d{3,6}(?![\d-]))?"
_PHONES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # mainland mobile in one piece, also after a label in Latin letters
        rf"(?:{_ALONE}|(?<=tel)|(?<=phone)|(?<=mobile))(?P<it>{_CHINA}1[3-9]\d{{9}}{_EXTENSION}){_NO_MORE}",
        # in pieces: 138 0013 8000, 138-0013-8000; not a part of a longer grouped number
        rf"{_ALONE}(?<!\d )(?P<it>{_CHINA}1[3-9]\d[ \-.]\d{{4}}[ \-.]\d{{4}}{_EXTENSION})"
        rf"(?![A-Za-z0-9*]|[ \-.]\d)",
        # half masked: 138****1234, 138 **** 1234, 090-****-5678, 010-12**-5678
        rf"{_ALONE}(?P<it>(?:\+?8[126][ \-]?)?(?:1[3-9]\d|0\d{{1,2}}){_S}\d{{0,3}}\*{{2,8}}\d{{0,3}}{_S}\d{{2,4}})"
        rf"{_NO_MORE}",
        # with a country code: +81 90-1234-5678, +44 20 7946 0958, 0082-10-…
        rf"(?<![A-Za-z0-9*])(?P<it>(?:\+|00(?=8[126]\b))[1-9]\d{{0,2}}(?:{_S}\(?\d{{1,4}}\)?){{2,5}}{_EXTENSION})(?!\d)",
        # trunk 0: 010-88886666, (0755) 8888 6666, 03-1234-5678, 090-1234-5678, 010-1234-5678, 0120-123-456
        rf"{_ALONE}(?P<it>\(?0[1-9]\d{{0,3}}\)?[ \-](?:\d{{7,8}}|\d{{3,4}}[ \-]\d{{3,4}}){_EXTENSION}){_NO_MORE}",
        rf"{_ALONE}(?P<it>\(0[1-9]\d{{0,3}}\)(?:\d{{7,8}}|\d{{3,4}}[ \-]\d{{3,4}})){_NO_MORE}",
        rf"{_ALONE}(?P<it>0[1-9]\d{{8,9}}){_NO_MORE}",
        # North America: (415) 555-0133, 415-555-0133; service numbers 400-123-4567, 800.555.0199
        rf"{_ALONE}(?P<it>(?:1[ \-.])?(?:\([2-9]\d\d\) ?|[2-9]\d\d[\-.])\d{{3}}[\-.]\d{{4}}{_EXTENSION}){_NO_MORE}",
        # whatever looks like a number after a label that says phone
        rf"{_LABEL}\s?[:.]?\s{{0,3}}(?P<it>\+?\(?\d(?:{_S}[()\d*]){{6,16}}{_EXTENSION})(?!\d)",
    )
)

# --- street addresses

_NUMBER = r"[0-9一二三四五六七八九十百]{1,6}"
_UNIT = r"(?:号楼|号院|号|號|弄|巷|栋|棟|幢|座|单元|單元|室|楼|樓|层|層|组|户|房|F|f)"
_BUILDING = r"(?:号楼|号院|栋|棟|幢|座|单元|單元|室|楼|樓|户|房)"
_CJK = r"[一-龥A-Za-z0-9]"
_REGION = r"(?:[一-龥]{2,7}?(?:自治区|自治州|省|市|州|盟|地区|特别行政区|区|區|县|縣|旗)|香港|澳门|九龙|九龍|新界)"
_PLACE = r"(?:街道|大道|公路|路|街|道|巷|胡同|弄|里|村|镇|鎮|乡|鄉|屯|花园|小区|公寓|大厦|广场|家园|苑|新村|工业园)"
_STREET = r"(?:大道|公路|路|街|巷|胡同|弄)"
_TAIL = rf"(?:[ ,-]?{_CJK}{{0,14}}?(?:{_NUMBER}|[A-Z])(?:-\d{{1,5}})*{_UNIT}|-\d{{1,5}})*(?:\d{{2,5}}(?!\d))?"
_PREFECTURE = r"(?:東京都|北海道|大阪府|京都府|[一-龥]{2,3}県)"
_KOREAN_TOP = (
    r"(?:서울|부산|대구|인천|광주|대전|울산|세종|경기|강원|충북|충남|전북|전남|경북|경남|제주|충청[남북]|전라[남북]|경상[남북])"
    r"(?:특별자치시|특별자치도|특별시|광역시|시|도)?"
)
_WAY = (
    r"(?:Street|Str|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Way|Place|Pl|Square|Sq|Terrace"
    r"|Parkway|Pkwy|Highway|Hwy|STREET|ST|AVENUE|AVE|ROAD|RD|BLVD|LANE|DRIVE|DR)"
)
_ADDRESS_LABEL = (
    r"(?:收货地址|收貨地址|收件地址|配送地址|送货地址|送貨地址|寄件地址|详细地址|家庭住址|住址|地址|お届け先住所|お届け先|配送先|住所"
    r"|배송지 ?주소|배송지|받는 ?곳|주소|(?i:(?:(?:shipping|delivery|billing|home)\s+)?address"
    r"|ship(?:ping)?\s+to|deliver(?:ed)?\s+to))"
)
_ADDRESSES = tuple(
    re.compile(pattern)
    for pattern in (
        # after a label: the rest of the line, up to the next field
        rf"{_ADDRESS_LABEL}\s?:\s{{0,3}}(?P<it>(?![\s<])[^\n|;]{{4,120}}?)"
        r"(?=\s*(?:$|[\n|;]|订单|訂單|下单|付款|金额|注文|주문|Order\b))",
        # region and a numbered place: 浙江省杭州市西湖区文三路478号A座1201室 (atomic groups keep the cost linear)
        rf"(?P<it>(?>{_REGION}){{1,4}}+(?>{_CJK}{{0,14}}?{_PLACE}){{1,3}}+{_CJK}{{0,10}}?(?<!月){_NUMBER}"
        rf"(?:-\d{{1,5}})*{_UNIT}{_TAIL})",
        rf"(?P<it>(?>{_REGION}){{1,4}}+{_CJK}{{0,20}}?{_NUMBER}(?:-\d{{1,5}})*{_BUILDING}{_TAIL})",
        # two regions and a place without a number: 广东省深圳市南山区粤海街道
        rf"(?P<it>(?>{_REGION}){{2,4}}+(?:[一-龥]{{1,8}}?(?:街道|大道|路|街|村|镇|鎮|乡|鄉|小区|花园)){{1,3}})",
        # a street with its number: 文三路478号, 建国路88号院3号楼
        rf"(?P<it>[一-龥]{{2,6}}?{_STREET}(?:[东西南北中])?[段]?\d{{1,5}}(?:-\d{{1,5}})*{_UNIT}{_TAIL})",
        # a flat: 阳光花园3栋2单元501室
        r"(?P<it>[一-龥]{2,10}?\d{1,4}(?:号楼|栋|棟|幢|座)(?:[ ,-]?\d{1,3}(?:单元|單元))?"
        r"[ ,-]?\d{2,5}(?:室|户|房)?(?!\d|元))",
        # Japan
        r"(?P<it>〒\s?\d{3}-?\d{4})",
        rf"(?P<it>{_PREFECTURE}(?>[^\s、。,:]{{1,20}}?[市区區町村郡])[^\s、。,:]{{0,30}}?"
        r"\d{1,4}(?:(?:-|丁目|番地?|号|の)\d{0,4})*"
        r"(?:号室?)?(?: ?[^\s、。,:]{1,20}?\d{1,4}(?:号室|F|階)?)?)",
        r"(?P<it>[一-龥ぁ-んァ-ン]{1,12}\d{1,2}丁目\d{1,3}(?:番地?|-)\d{0,4}(?:号|-\d{1,4})?)",
        # Korea
        rf"(?P<it>{_KOREAN_TOP}\s?(?:[가-힣]{{1,6}}[시군구]\s?){{1,3}}(?:[가-힣]{{1,6}}[읍면동]\s?)?"
        r"[가-힣0-9]{1,12}(?:대로|로|길|동|리)\s?"
        r"\d{1,4}(?:-\d{1,4})?(?:번길\s?\d{1,4}|번지)?(?:,? ?\(?[가-힣0-9]{1,12}(?:동|호|층|아파트)\)?){0,3})",
        r"(?P<it>(?:[가-힣]{1,6}[시군구]\s)[가-힣0-9]{1,12}(?:대로|로|길)\s?\d{1,4}(?:-\d{1,4})?(?:번길\s?\d{1,4})?)",
        # English
        rf"(?P<it>\b\d{{1,6}}[A-Za-z]?\s+(?:[NSEW]\.?\s+)?(?:[A-Z0-9][\w.'-]*\s+){{1,4}}{_WAY}\b\.?"
        r"(?:,?\s*(?:Apt|Apartment|Suite|Ste|Unit|Floor|Fl|Room|#)\.?\s*[\w-]+)?(?:,\s*[A-Z][A-Za-z .'-]{1,30}){0,3}"
        r"(?:[ ,]*(?:[A-Z]{2}\s+)?\d{5}(?:-\d{4})?(?!\d))?)",
        r"(?P<it>\bP\.?\s?O\.?\s+Box\s+\d+)",
    )
)
