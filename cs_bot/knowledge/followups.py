"""Words without a picture that are about one shown before: which of the earlier looks they take up."""

from collections.abc import Sequence

from cs_bot.knowledge.intents import LOGISTICS, Question
from cs_bot.knowledge.product_words import ProductWords
from cs_bot.records import FieldState, Kind, Look

ABOUT_AN_ORDER = LOGISTICS | {"order_amount"}


def taken_up(earlier: Sequence[Look], question: Question, words: ProductWords) -> tuple[Look, ...]:
    """The looks that the words are about; none when they are about nothing that was shown (decision 15).

    Questions about a product that name no thing of their own take up what is no order page; questions about an order
    take up order pages, unless a number was typed. Never both.
    """
    if words.aspects:
        return tuple(look for look in earlier if not is_order_page(look)) if words.points else ()
    if question.intent in ABOUT_AN_ORDER and not question.typed_order_ids:
        return tuple(look for look in earlier if is_order_page(look))
    return ()


def is_order_page(look: Look) -> bool:
    """Whether it is one, or holds an order's number."""
    number = look.fields.get("order_id")
    return look.kind is Kind.ORDER or (number is not None and number.state is not FieldState.UNREADABLE)
