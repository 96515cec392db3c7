"""Dense labels: every visual token says which digits, colours, articles and words its 32x32 pixels show.

With the answers' loss alone a network of this size takes very long to begin to read; these labels come free from the
drawings and say where to look. The head is for training only and is not exported.
"""

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from cs_bot.demo.tiny.packing import DIGITS, NO_DIGIT

NOTHING = 0.15  # weight of a cell without a digit, of a tag that is not there


class DenseHead(nn.Module):
    """Reads the labels off the merger's output."""

    def __init__(self, width: int, tags: int) -> None:
        super().__init__()
        self.digits = nn.Linear(width, DIGITS * (NO_DIGIT + 1))
        self.tags = nn.Linear(width, tags)

    def forward(self, visual: Any, digits: Any, tags: Any) -> tuple[Any, dict[str, Any]]:
        """(loss, figures that are not read back yet): share of digits in their place, of tags that are told."""
        said = self.digits(visual.float()).view(-1, DIGITS, NO_DIGIT + 1)
        digits = digits.long()
        there = digits < NO_DIGIT
        worth = torch.where(there.any(1, keepdim=True), 1.0, NOTHING / 4).expand_as(there)
        losses = F.cross_entropy(said.flatten(0, 1), digits.flatten(), reduction="none").view_as(worth)
        loss = (losses * worth).sum() / there.sum().clamp(min=64)
        told = self.tags(visual.float())
        share = torch.where(tags, 1.0, NOTHING)
        each = F.binary_cross_entropy_with_logits(told, tags.float(), reduction="none")
        loss = loss + (each * share).sum() / tags.sum().clamp(min=64)
        with torch.no_grad():
            right = ((said.argmax(-1) == digits) & there).sum() / there.sum().clamp(min=1)
            shown = ((told > 0) & tags).sum() / ((told > 0) | tags).sum().clamp(min=1)
        return loss, {"digits": right, "tags": shown}
