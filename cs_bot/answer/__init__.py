"""5  Reading + Facts -> Draft with slots; fills and checks them."""

from cs_bot.answer.drafting import check, draft
from cs_bot.answer.templates import LANGUAGES
from cs_bot.answer.values import ShopWords
from cs_bot.answer.written import ask_for, written

__all__ = ["LANGUAGES", "ShopWords", "ask_for", "check", "draft", "written"]
