"""Qwen3-VL in plain torch for training: whole batches packed end to end; weights named as transformers names them.

transformers computes one picture after the other and positions one row at a time; with a network this small that costs
more than its arithmetic. tests/ hold both forward passes against each other.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from cs_bot.demo.tiny.attention import Runs, attend

PATCH, MERGE, HEAD = 16, 2, 32
CELL = PATCH * MERGE  # pixels a visual token spans
VISION_THETA = TEXT_THETA = 1000.0
SECTIONS = (6, 5, 5)  # of M-RoPE: half of HEAD shared by time, height, width
EPS = 1e-6


@dataclass(frozen=True)
class Sizes:
    """Widths and depths. `vocabulary` is padded to a multiple of 32; `grid` is the side of the learnt positions."""

    vocabulary: int
    vision_width: int = 160
    vision_layers: int = 5
    text_width: int = 192
    text_layers: int = 4
    text_inner: int = 480
    deepstack: tuple[int, ...] = (1,)
    grid: int = 16

    @property
    def vision_heads(self) -> int:
        """Heads of the vision tower."""
        return self.vision_width // HEAD

    @property
    def text_heads(self) -> int:
        """Query heads; keys and values have half of them."""
        return self.text_width // HEAD

    @property
    def shared_heads(self) -> int:
        """Heads of keys and values."""
        return max(1, self.text_heads // 2)


class RMSNorm(nn.Module):
    """Root mean square norm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Any) -> Any:
        """Normed."""
        return F.rms_norm(x, (x.shape[-1],), self.weight.to(x.dtype), EPS)


class VisionBlock(nn.Module):
    """Attention within each picture, then an MLP."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=EPS), nn.LayerNorm(width, eps=EPS)
        self.attn = nn.ModuleDict({"qkv": nn.Linear(width, 3 * width), "proj": nn.Linear(width, width)})
        self.mlp = nn.ModuleDict({"linear_fc1": nn.Linear(width, 4 * width), "linear_fc2": nn.Linear(4 * width, width)})

    def forward(self, x: Any, turn: tuple[Any, Any], runs: Runs) -> Any:
        """`x` holds the patches of all pictures, one after the other."""
        q, k, v = self.attn["qkv"](self.norm1(x)).view(len(x), 3, -1, HEAD).unbind(1)
        x = x + self.attn["proj"](attend(rotated(q, turn), rotated(k, turn), v, runs, causal=False).flatten(1))
        return x + self.mlp["linear_fc2"](F.gelu(self.mlp["linear_fc1"](self.norm2(x)), approximate="tanh"))


class Merger(nn.Module):
    """Four patches become one visual token."""

    def __init__(self, width: int, out: int, *, norm_after: bool) -> None:
        super().__init__()
        self.wide = width * MERGE**2
        self.norm = nn.LayerNorm(self.wide if norm_after else width, eps=EPS)
        self.linear_fc1, self.linear_fc2 = nn.Linear(self.wide, self.wide), nn.Linear(self.wide, out)
        self.norm_after = norm_after

    def forward(self, x: Any) -> Any:
        """Visual tokens."""
        x = self.norm(x.view(-1, self.wide)) if self.norm_after else self.norm(x).view(-1, self.wide)
        return self.linear_fc2(F.gelu(self.linear_fc1(x)))


class Visual(nn.Module):
    """The vision tower."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        width, out = sizes.vision_width, sizes.text_width
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv3d(3, width, (2, PATCH, PATCH), (2, PATCH, PATCH))})
        self.pos_embed = nn.Embedding(sizes.grid**2, width)
        self.blocks = nn.ModuleList([VisionBlock(width) for _ in range(sizes.vision_layers)])
        self.merger = Merger(width, out, norm_after=False)
        self.deepstack_merger_list = nn.ModuleList([Merger(width, out, norm_after=True) for _ in sizes.deepstack])
        self.deepstack, self.grid = sizes.deepstack, sizes.grid

    def forward(self, pixels: Any, places: Any, runs: Runs) -> tuple[Any, list[Any]]:
        """`pixels` uint8 (patches, 768); `places` (patches, 4): row, column, rows and columns of its picture."""
        proj: Any = self.patch_embed["proj"]
        x = F.linear(pixels.to(proj.weight.dtype) / 127.5 - 1, proj.weight.sum(2).flatten(1), proj.bias)
        x = x + self._positions(places).to(x.dtype)
        turn = self._turn(places)
        deep = []
        for number, block in enumerate(self.blocks):
            x = block(x, turn, runs)
            if number in self.deepstack:
                deep.append(self.deepstack_merger_list[self.deepstack.index(number)](x))
        return self.merger(x), deep

    def _positions(self, places: Any) -> Any:
        """The learnt grid, stretched over the picture (bilinear, corners on corners)."""
        at, of = places[:, :2].float(), places[:, 2:].float()
        at = at * (self.grid - 1) / (of - 1).clamp(min=1)
        low = at.floor().long().clamp(max=self.grid - 1)
        high = (low + 1).clamp(max=self.grid - 1)
        up = at - low
        found: Any = 0.0
        for rows, share in ((low[:, 0], 1 - up[:, 0]), (high[:, 0], up[:, 0])):
            for columns, part in ((low[:, 1], 1 - up[:, 1]), (high[:, 1], up[:, 1])):
                found = found + self.pos_embed(rows * self.grid + columns) * (share * part)[:, None]
        return found

    def _turn(self, places: Any) -> tuple[Any, Any]:
        half = HEAD // 2
        speed = 1.0 / VISION_THETA ** (torch.arange(0, half, 2, device=places.device).float() / half)
        angle = (places[:, :2, None].float() * speed).flatten(1)
        return halves(angle)


class TextLayer(nn.Module):
    """Causal attention, then a gated MLP."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        width, shared = sizes.text_width, sizes.shared_heads * HEAD
        self.self_attn = nn.ModuleDict(
            {
                "q_proj": nn.Linear(width, width, bias=False),
                "k_proj": nn.Linear(width, shared, bias=False),
                "v_proj": nn.Linear(width, shared, bias=False),
                "o_proj": nn.Linear(width, width, bias=False),
                "q_norm": RMSNorm(HEAD),
                "k_norm": RMSNorm(HEAD),
            }
        )
        inner = {name: nn.Linear(width, sizes.text_inner, bias=False) for name in ("gate_proj", "up_proj")}
        self.mlp = nn.ModuleDict({**inner, "down_proj": nn.Linear(sizes.text_inner, width, bias=False)})
        self.input_layernorm, self.post_attention_layernorm = RMSNorm(width), RMSNorm(width)

    def forward(self, x: Any, turn: tuple[Any, Any], runs: Runs) -> Any:
        """`x` holds the tokens of all conversations, one after the other."""
        h, own = self.input_layernorm(x), self.self_attn
        q = rotated(own["q_norm"](own["q_proj"](h).view(len(x), -1, HEAD)), turn)
        k = rotated(own["k_norm"](own["k_proj"](h).view(len(x), -1, HEAD)), turn)
        v = own["v_proj"](h).view(len(x), -1, HEAD)
        x = x + own["o_proj"](attend(q, k, v, runs, causal=True).flatten(1))
        h = self.post_attention_layernorm(x)
        return x + self.mlp["down_proj"](F.silu(self.mlp["gate_proj"](h)) * self.mlp["up_proj"](h))


class Text(nn.Module):
    """The language part; its embedding is its head too."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(sizes.vocabulary, sizes.text_width)
        self.layers = nn.ModuleList([TextLayer(sizes) for _ in range(sizes.text_layers)])
        self.norm = RMSNorm(sizes.text_width)

    def forward(self, ids: Any, positions: Any, runs: Runs, seen: Any, visual: Any, deep: list[Any]) -> Any:
        """The last states. `seen` are the indices of the visual tokens, `positions` (3, tokens)."""
        x = self.embed_tokens(ids)
        x = x.to(visual.dtype).index_copy(0, seen, visual)
        turn = self._turn(positions)
        for number, layer in enumerate(self.layers):
            x = layer(x, turn, runs)
            if number < len(deep):
                x = x.index_add(0, seen, deep[number].to(x.dtype))
        return self.norm(x)

    def _turn(self, positions: Any) -> tuple[Any, Any]:
        speed = 1.0 / TEXT_THETA ** (torch.arange(0, HEAD, 2, device=positions.device).float() / HEAD)
        angles = positions[..., None].float() * speed
        angle = angles[0].clone()
        for axis in (1, 2):
            of_axis = slice(axis, SECTIONS[axis] * 3, 3)
            angle[:, of_axis] = angles[axis][:, of_axis]
        return halves(angle)


class Network(nn.Module):
    """Both parts; the names of its weights are those of Qwen3VLForConditionalGeneration without the first `model.`."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.visual, self.language_model = Visual(sizes), Text(sizes)
        self.sizes = sizes
        self._initialise()

    def _initialise(self) -> None:
        """Wide enough for a small network: the published 0.02 starts it too close to zero."""
        for name, weight in self.named_parameters():
            if weight.ndim < 2:
                continue
            std = 0.05 if "embed_tokens" in name else 0.2 if "pos_embed" in name else 0.7 / weight[0].numel() ** 0.5
            nn.init.normal_(weight, std=std)

    def logits(self, states: Any) -> Any:
        """Of the next token."""
        return F.linear(states, self.language_model.embed_tokens.weight.to(states.dtype))


def halves(angle: Any) -> tuple[Any, Any]:
    """Cosine and sine, (places, 1, HEAD)."""
    both = torch.cat([angle, angle], -1)[:, None]
    return both.cos(), both.sin()


def rotated(x: Any, turn: tuple[Any, Any]) -> Any:
    """`x` (places, heads, HEAD) turned by its place."""
    cos, sin = turn
    first, second = x.chunk(2, -1)
    return (x * cos + torch.cat([-second, first], -1) * sin).to(x.dtype)
