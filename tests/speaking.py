"""A checkpoint of the real architecture that says what it is told: each token is followed by the one taught to it."""

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.checkpoints import make_checkpoint

WIDTH = 128
SURE, LESS = 40.0, 20.0  # logits


def speaking_checkpoint(folder: Path, *says: str, dtype: str = "float32") -> Path:
    """Write a random checkpoint into `folder`, then teach it: its answers begin with the first token of `says`, the
    earlier the likelier; a grammar picks the one that fits it. Attention and MLPs are cut, so that nothing else counts.
    """
    import torch
    from transformers import AutoModelForImageTextToText, AutoTokenizer

    make_checkpoint(folder, hidden=WIDTH, dtype=dtype)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    network = AutoModelForImageTextToText.from_pretrained(folder)
    text = network.model.language_model
    with torch.no_grad():
        for layer in text.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        text.norm.weight.fill_(1.0)
        network.lm_head.weight.zero_()
        pairs = _pairs(tokenizer, says)
        axes = {before: axis for axis, before in enumerate(dict.fromkeys(before for before, _ in pairs))}
        for (before, after), logit in pairs.items():  # each token has an axis of its own, and along it what follows
            text.embed_tokens.weight[before] = 0.0
            text.embed_tokens.weight[before, axes[before]] = 1.0
            network.lm_head.weight[after, axes[before]] = logit / math.sqrt(WIDTH)
    network.save_pretrained(folder)
    return folder


def _pairs(tokenizer: Any, says: Sequence[str]) -> dict[tuple[int, int], float]:
    first = tokenizer("\n", add_special_tokens=False).input_ids[-1]  # ends `<|im_start|>assistant\n`
    pairs: dict[tuple[int, int], float] = {}
    for at, said in enumerate(says):
        ids = [first, *tokenizer(said, add_special_tokens=False).input_ids, tokenizer.eos_token_id]
        for pair in pairwise(ids):
            pairs.setdefault(pair, LESS if at else SURE)
    return pairs
