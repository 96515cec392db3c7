"""Held-out order screens: own pages rendered by a browser, degraded in code, with ground truth and an evaluator."""
