"""cs-bot up | demo | web | worker | serve | migrate | doctor | orders | faq | cache | ask | read | replay | user."""

from cs_bot.cli.app import main

__all__ = ["main"]
