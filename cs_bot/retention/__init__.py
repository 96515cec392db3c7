"""What is forgotten: rows and pictures by age, and customers who ask for it."""

from cs_bot.retention.ages import sweep
from cs_bot.retention.customers import Deletion, Shown, delete, find, show

__all__ = ["Deletion", "Shown", "delete", "find", "show", "sweep"]
