"""What an engine may hand over as a reply's template: known slots, no figures, nothing of its prompt."""

import re
import unicodedata
from collections.abc import Collection

from cs_bot.vision.answers import Unusable

LEAK = 24  # letters in a row that a reply and its prompt may not share

_SLOT = re.compile(r"\{([^{}]*)\}")
_MARKUP = re.compile(r"[<>‹›|`]|\*\*|^\s*#|\]\(|<\|", re.MULTILINE)
_OWN_RULES = re.compile(
    r"system\s*prompt|\bprompt\b|\b(?:my|these|the|previous|above)\s+(?:instructions?|rules|guidelines)\b|language\s+model|\bas\s+an?\s+ai\b"
    r"|提示[词詞]|系[统統](?:提示|指令)|(?:我的|以上|之前的?|上面的?)(?:指令|规则|規則|设定|設定)|语言模型|語言模型|人工智能助手"
    r"|プロンプト|システム指示|言語モデル|프롬프트|시스템\s*지시|언어\s*모델",
    re.IGNORECASE,
)

_NEVER = re.compile(  # no shop asks for secrets in a chat, sends people elsewhere to pay, or speaks of other customers
    r"pass\s*word|pass\s*code|\bcvv\b|(?:verification|security|one[- ]time)\s+code|bank\s+(?:details|account)"
    r"|(?:developer|debug|admin)\s+mode|jail\s*break|\bother\s+customers?\b|customers?\s+before\s+you|previous\s+customer"
    r"|pay\s+(?:the\s+seller|me|us|them)\b"
    r"|密[码碼]|口令|[验驗][证證][码碼]|安全[码碼]|(?:开发者|開發者|调试|管理员)模式|(?:上一|前一|其他|别的|別的)[位个個]?(?:顾客|顧客|客户|客戶|客人|买家)"
    r"|パスワード|暗証番号|認証コード|開発者モード|(?:前の|他の|ほかの)お客様|비밀번호|인증\s*번호|개발자\s*모드|다른\s*고객",
    re.IGNORECASE,
)


def judged(reply: str, slots: Collection[str], prompt: str) -> str:
    """The template of a reply, tidied. What it states outside its slots is judged by others (`claims`).

    Raises Unusable for an empty reply, a brace or slot that was not offered, a figure, markup, or words of the prompt
    (`prompt`: ours, without the data in it).
    """
    template = unicodedata.normalize("NFC", reply).strip()
    words = _SLOT.sub("\ufffc", template)
    if not re.search(r"\w", words.replace("\ufffc", "x")):
        raise Unusable("the reply is empty")
    if unknown := {name for name in _SLOT.findall(template) if name not in slots}:
        raise Unusable(f"{len(unknown)} slot(s) in braces were not offered")
    if "{" in words or "}" in words:
        raise Unusable("a brace stands alone")
    if any(unicodedata.category(sign)[0] == "N" for sign in words):
        raise Unusable("a figure stands outside the braces")
    if any(
        unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Co", "Cn") and sign not in "\n\u200c\u200d" for sign in words
    ):
        raise Unusable("the reply has invisible characters")
    if _MARKUP.search(words) or "://" in words:
        raise Unusable("the reply has markup or a link")
    if _NEVER.search(words):
        raise Unusable("the reply asks for secrets or speaks of others")
    if _OWN_RULES.search(words) or repeats(words, prompt):
        raise Unusable("the reply speaks of its task instead of the customer's question")
    return template


def repeats(words: str, prompt: str) -> bool:
    """Whether LEAK letters in a row are the prompt's, forwards or backwards; blanks, case and signs don't count."""
    said, ours = _letters(words), _letters(prompt)
    return any(
        part in ours or part[::-1] in ours for part in (said[at : at + LEAK] for at in range(len(said) - LEAK + 1))
    )


def _letters(text: str) -> str:
    return "".join(sign for sign in unicodedata.normalize("NFKC", text).casefold() if sign.isalnum())
