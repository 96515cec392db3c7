"""Thin doors: each starts one kind of worker process; what they do is in cs_bot."""
