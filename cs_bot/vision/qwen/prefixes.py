"""What the network knows of prompts that were asked about: the ones used last are kept, missing ones are computed."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from cs_bot.vision.qwen.inputs import Encoded
from cs_bot.vision.qwen.prefix import Prefix, open_prefixes


class Prefixes:
    """The prefixes used last, within a bound of bytes. Safe to use from several threads, but for `of`.

    `beat` is told that something moves where the network itself does not show it.
    """

    def __init__(
        self, network: Any, *, image_token: int, whole: bool, most_bytes: int, beat: Callable[[], None]
    ) -> None:
        self._network, self._image_token, self._whole, self._beat = network, image_token, whole, beat
        self._most, self._bytes = most_bytes, 0
        self._kept: OrderedDict[str, Prefix] = OrderedDict()
        self._lock = threading.Lock()

    def __contains__(self, key: str) -> bool:
        return key in self._kept

    def of(self, prompts: Sequence[Encoded]) -> list[Prefix]:
        """The prefix of each; missing ones are computed, on a CPU one by one: together they are no faster there."""
        known = {prompt.key: self.get(prompt.key) for prompt in prompts}
        found = {key: prefix for key, prefix in known.items() if prefix is not None}
        under: dict[str, list[Encoded]] = {}
        for prompt in {prompt.key: prompt for prompt in prompts if prompt.key not in found}.values():
            under.setdefault("" if prompt.system is None else prompt.system.key, []).append(prompt)
        for missing in under.values():
            size = len(missing) if self._whole and self._network.device.type != "cpu" else 1
            for at in range(0, len(missing), size):
                these = missing[at : at + size]
                opened = self._computed(these, self._head(these[0].system))
                found.update({prompt.key: prefix for prompt, prefix in zip(these, opened, strict=True)})
        return [found[prompt.key] for prompt in prompts]

    def get(self, key: str) -> Prefix | None:
        """The prefix of that key, which is then the newest; None when it is not kept."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def keep(self, key: str, prefix: Prefix) -> None:
        """Keep it, and let the oldest go; one that is larger than all that may be kept is not."""
        if prefix.size > self._most:
            return
        with self._lock:
            known = self._kept.pop(key, None)
            self._bytes += prefix.size - (0 if known is None else known.size)
            self._kept[key] = prefix
            while self._bytes > self._most:
                self._bytes -= self._kept.popitem(last=False)[1].size

    def clear(self) -> None:
        """Let all go."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0

    def close(self) -> None:
        """Let all go, and the network."""
        self.clear()
        self._network = None

    def _head(self, system: Encoded | None) -> Prefix | None:
        """What is known after a system text; None where nothing is kept: it is not worth a pass of its own then."""
        if system is None or not self._whole or not self._most:
            return None
        return self.get(system.key) or self._computed([system], None)[0]

    def _computed(self, prompts: Sequence[Encoded], head: Prefix | None) -> list[Prefix]:
        pictures = [picture for prompt in prompts for picture in prompt.pictures]
        for picture in pictures:
            picture.values()  # open, but for one that was forgotten meanwhile: it may wait for others being opened
            self._beat()
        opened = open_prefixes(self._network, prompts, image_token=self._image_token, whole=self._whole, head=head)
        for prompt, prefix in zip(prompts, opened, strict=True):
            self.keep(prompt.key, prefix)
        for picture in pictures:
            picture.forget()
        return opened
