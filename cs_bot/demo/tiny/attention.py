"""Attention within runs of a packed batch: FlashAttention on a GPU, padded rows anywhere else."""

from typing import Any, NamedTuple

import torch
from torch.nn import functional as F


class Runs(NamedTuple):
    """Where each run (a picture, a conversation) begins and ends in the packed row: int32 bounds, and the longest."""

    bounds: Any
    longest: int


def attend(q: Any, k: Any, v: Any, runs: Runs, *, causal: bool) -> Any:
    """`q` (places, heads, width); `k` and `v` may have fewer heads. Each place attends within its run only."""
    if q.is_cuda and q.dtype in (torch.bfloat16, torch.float16):
        return flash(q, k.to(q.dtype), v.to(q.dtype), runs, causal=causal)
    return padded(q, k.to(q.dtype), v.to(q.dtype), runs, causal=causal)


def flash(q: Any, k: Any, v: Any, runs: Runs, *, causal: bool) -> Any:
    """The kernel for runs of any lengths."""
    longest, shared = runs.longest, q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(shared, 1), v.repeat_interleave(shared, 1)
    return torch.ops.aten._flash_attention_forward(
        q, k, v, runs.bounds, runs.bounds, longest, longest, 0.0, causal, False
    )[0]


def padded(q: Any, k: Any, v: Any, runs: Runs, *, causal: bool) -> Any:
    """The same by rows of equal length."""
    lengths = (runs.bounds[1:] - runs.bounds[:-1]).long()
    count, longest = len(lengths), runs.longest
    row = torch.repeat_interleave(torch.arange(count, device=q.device), lengths)
    column = torch.arange(len(q), device=q.device) - runs.bounds.long()[row]
    kept = torch.arange(longest, device=q.device)[None] < lengths[:, None]
    mask = kept[:, None, None, :].expand(count, 1, longest, longest)
    if causal:
        mask = mask & torch.ones(longest, longest, dtype=torch.bool, device=q.device).tril()
    mask = mask | torch.eye(longest, dtype=torch.bool, device=q.device)

    def rows(x: Any) -> Any:
        spread = x.new_zeros(count, longest, q.shape[1], x.shape[2])
        x = x.repeat_interleave(q.shape[1] // x.shape[1], dim=1)
        return spread.index_put((row, column), x).transpose(1, 2)

    out = F.scaled_dot_product_attention(rows(q), rows(k), rows(v), attn_mask=mask)
    return out.transpose(1, 2)[row, column]
