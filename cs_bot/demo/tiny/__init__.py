"""The small checkpoint of the demo: drawings to learn from, and how it is trained on them."""
