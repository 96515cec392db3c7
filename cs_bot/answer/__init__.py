"""5  Reading + Facts -> Draft with slots; fills and checks them."""

from cs_bot.answer.drafting import check, draft
from cs_bot.answer.templates import LANGUAGES
from cs_bot.answer.values import ShopWords

__all__ = ["LANGUAGES", "ShopWords", "check", "draft"]
