"""Muon for the matrices inside, AdamW for embeddings, norms and biases. Equal shapes are orthogonalised together."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic Newton-Schulz iteration
ROUNDS = 5
MOMENTUM = 0.95
DECAY = 0.01


class Muon(torch.optim.Optimizer):
    """Momentum whose matrices are made orthogonal, scaled to AdamW's step."""

    def __init__(self, weights: Iterable[Any], lr: float) -> None:
        super().__init__(weights, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        """One step; weights without a gradient are left alone."""
        for group in self.param_groups:
            by_shape = defaultdict(list)
            for weight in group["params"]:
                if weight.grad is not None:
                    by_shape[weight.shape].append(weight)
            for shape, weights in by_shape.items():
                self._step(weights, shape, group["lr"])

    def _step(self, weights: list[Any], shape: Any, lr: float) -> None:
        grads = [weight.grad for weight in weights]
        kept = []
        for weight in weights:
            state = self.state[weight]
            if not state:
                state["momentum"] = torch.zeros_like(weight)
            kept.append(state["momentum"])
        torch._foreach_mul_(kept, MOMENTUM)
        torch._foreach_add_(kept, grads)
        ahead = torch.stack(torch._foreach_add(grads, kept, alpha=MOMENTUM))
        update = orthogonal(ahead) * (0.2 * max(shape) ** 0.5)
        torch._foreach_mul_(weights, 1 - lr * DECAY)
        torch._foreach_add_(weights, list(update.to(weights[0].dtype).unbind()), alpha=-lr)


def orthogonal(matrices: Any) -> Any:
    """The nearest orthogonal matrices to a stack of them, roughly."""
    a, b, c = COEFFICIENTS
    x = matrices.bfloat16() if matrices.is_cuda else matrices.float()
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(ROUNDS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return (x.mT if tall else x).float()


def optimizers(modules: Iterable[Any], lr: float) -> list[Any]:
    """Both, with `lr0` on each group: the schedule multiplies it."""
    matrices: list[Any] = []
    others: list[Any] = []
    for module in modules:
        for name, weight in module.named_parameters():
            inside = weight.ndim == 2 and not any(part in name for part in ("embed", "digits", "tags"))
            (matrices if inside else others).append(weight)
    fused = bool(others[0].is_cuda)
    found = [Muon(matrices, lr), torch.optim.AdamW(others, lr=lr, betas=(0.9, 0.98), weight_decay=0.0, fused=fused)]
    for optimizer in found:
        for group in optimizer.param_groups:
            group["lr0"] = group["lr"]
    return found
