"""What may be shared between customers: nothing of a look that seems an order or holds a long number."""

import re
import unicodedata
from collections.abc import Iterable

from cs_bot.records import Kind, Look

ORDER_SHARE = 0.1  # from this probability on a picture seems an order
DIGITS = 6  # a number with so many digits may be an order's, a phone's, a person's
_LONG = re.compile(rf"(?:\d[\s\-‐‑‒–—_.·*•]*){{{DIGITS},}}")
_CENTS = re.compile(r"(?<=\d)\.\d{1,2}(?![\d.])")  # of a price: 1299.00 is a number of four digits


def has_long_number(texts: Iterable[str]) -> bool:
    """Whether one of the texts holds six digits or more in a row, in any script, whatever separates or masks them."""
    return any(_LONG.search(_CENTS.sub("", unicodedata.normalize("NFKC", text))) for text in texts)


def is_personal(look: Look) -> bool:
    """Whether only its kind may be shared between customers."""
    if look.kind is Kind.ORDER or look.kinds.get(Kind.ORDER, 0.0) >= ORDER_SHARE:
        return True
    if any(field.value is not None for field in look.fields.values()):
        return True
    attributes = (value for item in look.items for value in item.attributes.values())
    return has_long_number((*look.lines, *look.notes, *attributes))
