"""Qwen3-VL and its successors, in this process."""
