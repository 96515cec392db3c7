"""Drawn pictures of every kind with questions, and how well kinds, things and colours are told."""
