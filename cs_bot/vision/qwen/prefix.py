"""Keys and values of prompts: kept per row without padding, put side by side to run together."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

ROOM = 64  # tokens that a cache has room for when it has to grow
Layers = tuple[tuple[Any, Any], ...]  # keys and values of each layer, (1, heads, tokens, width)


@dataclass(frozen=True)
class Prefix:
    """What the network knows after `length` tokens of one row; the next token's position is `position`.

    `layers` of a network with full attention; `cache` of any other, which can't be cut or put side by side.
    """

    length: int
    position: int
    layers: Layers = ()
    cache: Any = None

    @property
    def size(self) -> int:
        """Bytes."""
        held = [tensor for pair in self.layers for tensor in pair]
        for layer in () if self.cache is None else self.cache.layers:
            for value in vars(layer).values():
                held += value.values() if isinstance(value, dict) else [value]
        return sum(one.numel() * one.element_size() for one in held if torch.is_tensor(one))


class _Layer(DynamicLayer):  # type: ignore[misc]
    """Keys and values with room for what comes: a token costs its own size, not a copy of all before it.

    What it begins with is never written to: that may belong to a prefix, or to other rows.
    """

    def __init__(self, keys: Any, values: Any) -> None:
        super().__init__()
        self.lazy_initialization(keys, values)
        self.keys, self.values = keys, values
        self._room: Any = None

    def update(self, key_states: Any, value_states: Any, *_: Any, **__: Any) -> tuple[Any, Any]:
        """Add what the next tokens give; all so far."""
        before, after = self.keys.shape[2], self.keys.shape[2] + key_states.shape[2]
        if self._room is None or self._room[0].shape[2] < after:
            self._room = _with_room(self.keys, after + ROOM), _with_room(self.values, after + ROOM)
        for room, new in zip(self._room, (key_states, value_states), strict=True):
            room[:, :, before:after] = new
        self.keys, self.values = (room[:, :, :after] for room in self._room)
        return self.keys, self.values

    def kept(self, rows: Any, columns: Any) -> "_Layer":
        """Only these rows and columns, as a layer of its own."""
        return _Layer(self.keys[rows][:, :, columns], self.values[rows][:, :, columns])


def _with_room(tensor: Any, length: int) -> Any:
    room = tensor.new_empty((*tensor.shape[:2], length, tensor.shape[3]))
    room[:, :, : tensor.shape[2]] = tensor
    return room


class Batch:
    """Rows that run together, left-padded. Positions are the batch's own: the network keeps none between calls.

    Every row has its own length: what is padding is masked, what is not has the same positions as alone.
    """

    def __init__(self, network: Any, starts: Sequence[Prefix]) -> None:
        self._network = network
        self._positions = [start.position for start in starts]
        self._whole = starts[0].cache is None
        self._mask: Any = None  # (rows, tokens); None when nothing is padding
        self._cache = self._beside(starts) if self._whole else copy.deepcopy(starts[0].cache)
        self._before = self._state()
        assert self._whole or len(starts) == 1

    def __len__(self) -> int:
        return len(self._positions)

    def forward(self, pending: Sequence[Sequence[int]]) -> Any:
        """Run the next tokens of each row; the likelihoods of what follows as logits (rows, vocabulary), float32."""
        self._before = self._state()
        device, most = self._network.device, max(map(len, pending))
        ids = torch.zeros(len(pending), most, dtype=torch.long)
        places, real = torch.zeros_like(ids), torch.zeros(len(pending), most, dtype=torch.bool)
        for row, tokens in enumerate(pending):
            ids[row, most - len(tokens) :] = torch.tensor(tokens)
            places[row, most - len(tokens) :] = torch.arange(len(tokens)) + self._positions[row]
            real[row, most - len(tokens) :] = True
        self._mask = self._longer(real, device)
        out = self._network.model(
            input_ids=ids.to(device),
            attention_mask=self._mask,
            position_ids=places.to(device).expand(3, -1, -1),
            past_key_values=self._cache,
            use_cache=True,
        )
        self._positions = [at + len(tokens) for at, tokens in zip(self._positions, pending, strict=True)]
        last = out.last_hidden_state[:, -1].contiguous()  # a slice makes a CPU copy the table of words (pytorch#151934)
        return self._network.lm_head(last).float()

    def rows(self) -> list[Prefix]:
        """Each row by itself, without padding. They may share memory with this batch, which is not to be used on."""
        if not self._whole:
            return [Prefix(self._cache.get_seq_length(), self._positions[0], cache=self._cache)]
        found = []
        for row, position in enumerate(self._positions):
            real = slice(None) if self._mask is None else _columns(self._mask[row])
            layers = tuple(
                (layer.keys[row : row + 1, :, real], layer.values[row : row + 1, :, real])
                for layer in self._cache.layers
            )
            found.append(Prefix(layers[0][0].shape[2], position, layers))
        return found

    def keep(self, rows: Sequence[int]) -> None:
        """Only these rows go on. When memory runs out for that, nothing has changed."""
        if not self._whole or len(rows) == len(self):
            return
        chosen = torch.tensor(rows, device=self._network.device)
        mask = None if self._mask is None else self._mask[chosen]
        used = slice(None) if mask is None else mask.any(0).nonzero()[:, 0]
        self._cache.layers = [layer.kept(chosen, used) for layer in self._cache.layers]
        self._positions = [self._positions[row] for row in rows]
        self._mask = None if mask is None or bool(mask[:, used].all()) else mask[:, used]

    def undo(self) -> bool:
        """Forget the last call, also one that failed half-way; False when that can't be done."""
        if not self._whole:
            return False
        length, self._positions, self._mask = self._before
        for layer in self._cache.layers:
            layer.keys, layer.values = layer.keys[:, :, :length], layer.values[:, :, :length]
        return True

    def _state(self) -> tuple[int, list[int], Any]:
        return self._cache.get_seq_length(), self._positions, self._mask

    def _beside(self, starts: Sequence[Prefix]) -> Any:
        """One cache of several rows."""
        length = max(start.length for start in starts)
        if any(start.length < length for start in starts):
            pads = torch.tensor([length - start.length for start in starts])
            self._mask = (torch.arange(length)[None] >= pads[:, None]).to(self._network.device)
        cache = DynamicCache()
        for depth in range(len(starts[0].layers)):
            pairs = [_left(start.layers[depth], length) for start in starts]
            cache.layers.append(_Layer(*(pairs[0] if len(pairs) == 1 else map(torch.cat, zip(*pairs, strict=True)))))
        return cache

    def _longer(self, real: Any, device: Any) -> Any:
        """The mask after the next tokens."""
        if self._mask is None and bool(real.all()):
            return None
        before = self._mask
        if before is None:
            before = torch.ones(len(self), self._cache.get_seq_length(), dtype=torch.bool, device=device)
        return torch.cat([before, real.to(device)], 1)


def _columns(real: Any) -> Any:
    """Where a row's tokens stand: a slice, which costs no memory, unless there is padding between them."""
    found = real.nonzero()[:, 0]
    first = len(real) - len(found)
    return slice(first, None) if int(found[0]) == first else found


def _left(pair: tuple[Any, Any], length: int) -> tuple[Any, Any]:
    pad = length - pair[0].shape[2]
    if not pad:
        return pair
    return functional.pad(pair[0], (0, 0, pad, 0)), functional.pad(pair[1], (0, 0, pad, 0))


def open_prefixes(
    network: Any, prompts: Sequence[Any], *, image_token: int, whole: bool, head: Prefix | None = None
) -> list[Prefix]:
    """Vision tower and first pass over the prefixes of some prompts (inputs.Encoded), padded after `head`.

    `head` is what the network knows of the tokens that all of them begin with. `whole` says that every layer is full
    attention; any other network takes no head, and one prompt at a time.
    """
    device, begun = network.device, 0 if head is None else head.length
    pads = [max(prompt.cut for prompt in prompts) - prompt.cut for prompt in prompts]
    ids = torch.zeros(len(prompts), prompts[0].cut + pads[0], dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, (prompt, pad) in enumerate(zip(prompts, pads, strict=True)):
        for start, tokens in ((0, prompt.ids[:begun]), (begun + pad, prompt.ids[begun : prompt.cut])):
            ids[row, start : start + len(tokens)] = torch.tensor(tokens, dtype=torch.long)
            mask[row, start : start + len(tokens)] = 1
    pictures = [picture for prompt in prompts for picture in prompt.pictures]
    grids: Any = torch.tensor([picture.grid for picture in pictures]) if pictures else None
    kinds = (ids == image_token).int()
    places, _ = network.model.get_rope_index(ids, kinds, image_grid_thw=grids, attention_mask=mask)
    seen = {}
    if pictures:
        values = torch.cat([picture.values() for picture in pictures])
        seen = {"pixel_values": values.to(device), "image_grid_thw": grids.to(device)}
    cache = DynamicCache(config=network.config) if head is None else _begun(head, len(prompts))
    network.model(
        input_ids=ids[:, begun:].to(device),
        attention_mask=None if bool(mask.all()) else mask.to(device),
        position_ids=places[..., begun:].to(device),
        past_key_values=cache,
        use_cache=True,
        **seen,
    )
    after = places.amax((0, 2)) + 1
    if not whole:
        return [Prefix(prompts[0].cut, int(after[0]), cache=cache)]
    return [
        Prefix(prompt.cut, int(after[row]), _cut_out(cache, row, begun, pads[row], alone=len(prompts) == 1))
        for row, prompt in enumerate(prompts)
    ]


def _begun(head: Prefix, rows: int) -> Any:
    """A cache in which every row begins with the same; what it begins with is never written to."""
    cache = DynamicCache()
    for keys, values in head.layers:
        layer = DynamicLayer()
        layer.lazy_initialization(keys, values)
        layer.keys, layer.values = keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1)
        cache.layers.append(layer)
    return cache


def _cut_out(cache: Any, row: int, begun: int, pad: int, *, alone: bool) -> Layers:
    """One row's keys and values without the padding; copied out of a batch, whose memory then goes."""
    if alone:
        return tuple((layer.keys, layer.values) for layer in cache.layers)

    def one(tensor: Any) -> Any:
        return torch.cat([tensor[row : row + 1, :, :begun], tensor[row : row + 1, :, begun + pad :]], 2)

    return tuple((one(layer.keys), one(layer.values)) for layer in cache.layers)
