"""Drawn product pictures, what happens to them on their way back to the shop, and the bar of the picture matcher."""
