"""E-mail addresses and phone numbers in the one form in which they are stored and compared."""

import re
import unicodedata

PLACEHOLDER_DIGITS = 2  # a number made of fewer different digits than this is nobody's
SHORTEST, LONGEST = 7, 20  # digits; E.164 ends at 15, privacy numbers add an extension
_MASK = re.compile(r"[*•●✱…]")
_MASKED_DIGITS = re.compile(r"[*•●✱…]|[xX]{2,}|\.{3}")
_CN_MOBILE = re.compile(r"(?:86)?(1[3-9]\d{9})")


def folded_email(text: str | None) -> str | None:
    """The address to compare, or None when there is none or it is masked (`j***@example.com`).

    Only ASCII is folded to lower case: folding all of Unicode makes different mailboxes equal (the Kelvin sign
    becomes k, ß becomes ss), and an equal address opens an order.
    """
    address = (text or "").strip()
    name, at, host = address.rpartition("@")
    if not (name and at and "." in host) or _MASK.search(address) or re.search(r"\s", address):
        return None
    return address.lower() if address.isascii() else address


def folded_phone(text: str | None) -> str | None:
    """The number to compare as digits, `+` first when its country is known; None when there is none or it is masked.

    `00` is read as `+`. Eleven digits that look like a mainland Chinese mobile number get +86. Other numbers without
    a country stay as they are, and so never equal one that has a country: no match is the safe answer.
    """
    number = unicodedata.normalize("NFKC", text or "").strip()
    if _MASKED_DIGITS.search(number):
        return None
    digits = re.sub(r"\D", "", number)
    international = number.startswith("+") or digits.startswith("00")
    digits = digits.removeprefix("00") if digits.startswith("00") else digits
    if not (SHORTEST <= len(digits) <= LONGEST and digits.isascii() and len(set(digits)) >= PLACEHOLDER_DIGITS):
        return None
    mobile = _CN_MOBILE.fullmatch(digits)
    if mobile and (not international or digits.startswith("86")):
        return f"+86{mobile[1]}"
    return f"+{digits}" if international else digits
