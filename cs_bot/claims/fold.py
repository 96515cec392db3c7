"""One spelling for matching: widths, cases, hidden characters, traditional forms, with the way back to the text."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

_TRADITIONAL = (
    "發发発发貨货現现庫库斷断賣卖売卖補补沒没無无還还餘余簽签運运輸输遞递達达攬揽單单訂订給给為为賠赔償偿證证諾诺擔担"
    "後后內内鐘钟時时間间週周禮礼點点號号個个兩两幾几萬万億亿貳贰參叁陸陆許许數数種种雙双價价錢钱費费優优減减滿满"
    "贈赠險险幫帮辦办處处會会將将馬马儘尽盡尽這这隨随並并們们應应該该預预計计約约換换關关閉闭經经開开態态審审過过"
    "動动條条張张隻只塊块圓圆員员樣样確确實实聯联絡络絕绝對对從从來来電电話话郵邮網网鏈链責责負负讓让請请謝谢歡欢"
    "見见諒谅質质檢检東东與与當当歸归認认識识領领節节誕诞農农曆历歷历貼贴紅红貢贡異异議议評评購购買买體体轉转務务"
    "聽听說说問问題题誰谁哪哪麼么嗎吗罵骂騙骗詐诈訴诉報报警警嚴严壞坏損损漏漏錯错顏颜碼码輕轻鬆松圖图頁页稅税統统"
    "協协機机訊讯憑凭顯显濟济敗败滾滚廢废腦脑殘残噁恶惡恶紙纸據据寶宝舊旧煩烦釋释撥拨衛卫專专獲获營营業业區区廣广顧顾戶户稱称詢询"
    "選选幣币擇择繫系隊队傷伤髒脏裝装壓压縮缩藍蓝綠绿黃黄鋪铺舖铺尋寻層层團团夠够啟启裡里裏里臺台灣湾鬧闹親亲著着甚什"
    "適适別别較较類类褲裤襪袜連连綿绵絨绒絲丝純纯薦荐廳厅臥卧牆墙燈灯閃闪簾帘腳脚寬宽長长銀银駝驼淺浅"
    "編编總总額额備备攤摊準准遲迟進进緊紧結结續续級级終终絡络"
)
SIMPLIFIED = {t: s for t, s in zip(_TRADITIONAL[::2], _TRADITIONAL[1::2], strict=True) if t != s}
_LOOKALIKES = dict(zip("аеорсхуіѕкмтнвгԁɡɩοανρτυιε", "aeopcxyiskmthbrdgioavptuie", strict=True))
_EMOJI_NUMBERS = {"🔟": "10", "💯": "100"}
_KEPT = "，、〇"  # full-width comma: a list in Chinese, no decimal sign
_GAPS = frozenset(" \u3000·*_~^|")
_DROPPED = ("Cf", "Cc", "Mn", "Me", "Cs", "Co", "Cn")


@dataclass(frozen=True)
class Folded:
    """`text` folded for matching; `origin[i]` is the place in `source` that its i-th character came from."""

    source: str
    text: str
    origin: tuple[int, ...]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The span of `source` behind `text[start:end]` (not empty)."""
        return self.origin[start], self.origin[end - 1] + 1


def fold(text: str) -> Folded:
    """Fold a text; every number sign of any script becomes ASCII digits, CJK numerals stay as they are.

    `source` is the text in NFC; spans count its characters.
    """
    source = unicodedata.normalize("NFC", text)
    chars: list[str] = []
    origin: list[int] = []
    for place, char in enumerate(source):
        for folded in _fold_char(char):
            chars.append(folded)
            origin.append(place)
    kept = list(_kept(chars))
    return Folded(source, "".join(chars[i] for i in kept), tuple(origin[i] for i in kept))


def fold_words(text: str) -> str:
    """Only the folded text."""
    return fold(text).text


def is_cjk(char: str) -> bool:
    """Whether it is a Chinese character or kana."""
    return "\u3040" <= char <= "\u30ff" or is_han(char)


def is_han(char: str) -> bool:
    """Whether it is a Chinese character."""
    return "\u3400" <= char <= "\u9fff" or "\uf900" <= char <= "\ufaff" or char == "々" or char >= "\U00020000"


def _fold_char(char: str) -> str:
    if char in _KEPT:
        return char
    if char in _EMOJI_NUMBERS:
        return _EMOJI_NUMBERS[char]
    if char in "\t\n\r\v\f\x85":
        return " " if char == "\t" else "\n"
    category = unicodedata.category(char)
    if category in _DROPPED:
        return ""
    if category in ("Nd", "Nl", "No"):
        return _fold_number(char)
    if char in "’‘ʼ＇`´":
        return "'"
    return "".join(_fold_letter(c) for c in unicodedata.normalize("NFKC", char))


def _fold_number(char: str) -> str:
    compatible = unicodedata.normalize("NFKC", char)
    if any(c in "0123456789" for c in compatible):
        return compatible.replace("\u2044", "/")
    value = unicodedata.numeric(char)
    return str(int(value)) if value == int(value) else f"{value:.2f}"


def _fold_letter(char: str) -> str:
    if char in SIMPLIFIED:
        return SIMPLIFIED[char]
    lower = char.lower()
    if len(lower) != 1:
        lower = char
    if lower < "\u0250" or "\u1e00" <= lower <= "\u1eff":
        lower = unicodedata.normalize("NFD", lower)[0]
    if unicodedata.category(lower) == "Mn":
        return ""
    return _LOOKALIKES.get(lower, lower)


def _kept(chars: list[str]) -> Iterator[int]:
    """Places to keep. A run of blanks counts once; between two Chinese characters or kana, where blanks and filling
    signs hide words, not at all."""
    last = ""  # the last character kept that is no gap
    start = 0  # where the run of gaps before this place began
    for place, char in enumerate(chars):
        if char in _GAPS:
            continue
        run = range(start, place)
        if not (last and is_cjk(last) and is_cjk(char)):
            yield from _once(chars, run)
        yield place
        last, start = char, place + 1
    yield from _once(chars, range(start, len(chars)))


def _once(chars: list[str], run: range) -> Iterator[int]:
    """The places of a run of gaps, its repeated blanks once."""
    return (place for place in run if not (chars[place] == " " and place > run.start and chars[place - 1] == " "))
