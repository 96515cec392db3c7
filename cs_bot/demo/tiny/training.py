"""The run: a dense phase for the vision tower, then answers; a schedule of steps, resumable, with a curve."""

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from cs_bot.demo.tiny.corpus import Ground
from cs_bot.demo.tiny.dense import DenseHead
from cs_bot.demo.tiny.feed import Batch, Order, batches
from cs_bot.demo.tiny.network import Network, Sizes
from cs_bot.demo.tiny.optimizer import optimizers
from cs_bot.demo.tiny.samples import TASKS
from cs_bot.errors import ConfigError

STATE, CURVE, WEIGHTS = "state.pt", "curve.jsonl", "weights.safetensors"
WARMUP = 100
LEAST_RATE = 0.02
HELD = 0.3  # of the second phase at the full rate; from there it falls in a line
DENSE_SHARE = 0.2  # of a run's minutes
CLIP = 1.0
TOLD_EVERY = 50
TIMED = (30, 90)  # steps between which the rate is measured


@dataclass
class Plan:
    """How a run goes. `steps` of a phase are 0 until its rate is measured, when `minutes` are given."""

    seed: int = 1
    batch: int = 256
    lr: float = 3e-3
    dense_steps: int = 0
    steps: int = 0
    minutes: float = 0.0
    save_every: int = 500
    beside: float = 0.3  # weight of the dense labels beside the answers
    workers: int = 2
    views: int = 1
    pages: str = ""
    device: str = "cpu"
    threads: int = 1
    sizes: dict[str, Any] = field(default_factory=dict)


class Run:
    """A training run in a folder; `say` prints a line, `told` hears every line of the curve."""

    def __init__(self, plan: Plan, ground: Ground, folder: Path, say: Callable[[str], None]) -> None:
        torch.manual_seed(plan.seed)
        torch.set_num_threads(plan.threads)
        torch.backends.cuda.matmul.allow_tf32 = True
        self.plan, self.ground, self.folder, self._say = plan, ground, folder, say
        sizes = Sizes(vocabulary=ground.size, **plan.sizes)
        self.network = Network(sizes).to(plan.device)
        self.head = DenseHead(sizes.text_width, len(ground.tags)).to(plan.device)
        self._optimizers = optimizers((self.network, self.head), plan.lr)
        self.done = {"dense": 0, "answers": 0}
        self._spent = 0.0

    def start_from(self, weights: Path) -> None:
        """Begin with the weights of an earlier run; its optimizer and the head of the dense labels begin anew."""
        from safetensors.torch import load_file

        try:
            self.network.load_state_dict(load_file(weights))
        except (OSError, RuntimeError) as problem:
            raise ConfigError(f"{weights} does not fit: {str(problem).splitlines()[0][:120]}") from None

    def resume(self) -> bool:
        """Go on from the state of the folder, when there is one."""
        place = self.folder / STATE
        if not place.exists():
            return False
        state = torch.load(place, map_location=self.plan.device, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.head.load_state_dict(state["head"])
        for optimizer, kept in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        self.done, self._spent = dict(state["done"]), float(state["spent"])
        self.plan.dense_steps, self.plan.steps = int(state["steps"]["dense"]), int(state["steps"]["answers"])
        self._say(f"resumed after {self.done} steps")
        return True

    def save(self) -> None:
        """State for resume(), and the weights alone in bf16; each file is whole or absent."""
        from safetensors.torch import save_file

        state = {
            "network": self.network.state_dict(),
            "head": self.head.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
            "done": self.done,
            "spent": self._spent,
            "steps": {"dense": self.plan.dense_steps, "answers": self.plan.steps},
        }
        weights = {name: weight.bfloat16().cpu().contiguous() for name, weight in self.network.state_dict().items()}
        torch.save(state, self.folder / f"{STATE}.part")
        (self.folder / f"{STATE}.part").replace(self.folder / STATE)
        save_file(weights, self.folder / f"{WEIGHTS}.part")
        (self.folder / f"{WEIGHTS}.part").replace(self.folder / WEIGHTS)

    def train(self) -> None:
        """Both phases to their ends."""
        self._phase("dense", self.plan.dense_steps, DENSE_SHARE * self.plan.minutes)
        self._phase("answers", self.plan.steps, 0.0)
        self.save()

    def _phase(self, name: str, steps: int, minutes: float) -> None:
        plan = self.plan
        order = Order(name == "dense", plan.batch, plan.seed, self.done[name], plan.views, plan.pages)
        if self.plan.minutes and name == "answers" and not steps:
            minutes = self.plan.minutes - self._spent / 60
        if (steps and self.done[name] >= steps) or (not steps and minutes <= 0):
            return
        feed = batches(self.ground, order, workers=self.plan.workers, device=self.plan.device)
        tally = Tally(tuple(TASKS), self.plan.device)
        started, before = time.monotonic(), self._spent
        pace = Pace(minutes * 60)
        while not steps or self.done[name] < steps:
            asked = time.monotonic()
            batch = next(feed)
            tally.add({"waited": time.monotonic() - asked})
            self._step(name, steps, batch, tally)
            self.done[name] += 1
            self._spent = before + time.monotonic() - started
            if not steps and (steps := pace.steps(self.done[name])):
                self._fix(name, steps)
            self._tell(name, steps, tally)
        self.save()

    def _fix(self, name: str, steps: int) -> None:
        if name == "dense":
            self.plan.dense_steps = steps
        else:
            self.plan.steps = steps
        self._say(f"{name}: {steps} steps, from the measured rate")

    def _step(self, name: str, steps: int, batch: Batch, tally: "Tally") -> None:
        share = rate(self.done[name], steps, falls=name == "answers")
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["lr0"] * share
        device = self.plan.device.partition(":")[0]
        with torch.autocast(device, dtype=torch.bfloat16):
            loss = self._dense(batch, tally) if name == "dense" else self._answers(batch, tally)
        loss.backward()
        weights = [weight for group in self._groups() for weight in group["params"]]
        torch.nn.utils.clip_grad_norm_(weights, CLIP)
        for optimizer in self._optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    def _groups(self) -> Iterator[Any]:
        for optimizer in self._optimizers:
            yield from optimizer.param_groups

    def _dense(self, batch: Batch, tally: "Tally") -> Any:
        arrays = batch.arrays
        visual, _ = self.network.visual(arrays["pixels"], arrays["places"], batch.runs()[1])
        loss, figures = self.head(visual, arrays["digits"], arrays["tags"])
        tally.add({"dense": loss.detach(), **figures})
        return loss

    def _answers(self, batch: Batch, tally: "Tally") -> Any:
        arrays, (words, pictures) = batch.arrays, batch.runs()
        visual, deep = self.network.visual(arrays["pixels"], arrays["places"], pictures)
        beside, figures = self.head(visual, arrays["digits"], arrays["tags"])
        states = self.network.language_model(arrays["ids"], arrays["positions"], words, arrays["seen"], visual, deep)
        logits = self.network.logits(states[arrays["asked"]]).float()
        losses = F.cross_entropy(logits, arrays["told"], reduction="none")
        count = len(arrays["tasks"])
        lengths = torch.zeros(count, device=losses.device).index_add_(0, arrays["of"], torch.ones_like(losses))
        loss = (losses * lengths.rsqrt()[arrays["of"]]).sum() / count
        tally.add({"answers": loss.detach(), "dense": beside.detach(), **figures})
        tally.exact(arrays, logits.argmax(-1) == arrays["told"])
        return loss + self.plan.beside * beside if self.plan.beside else loss

    def _tell(self, name: str, steps: int, tally: "Tally") -> None:
        done = self.done[name]
        if done % self.plan.save_every == 0:
            self.save()
        if done % TOLD_EVERY:
            return
        row = {"phase": name, "step": done, "of": steps, "samples": done * self.plan.batch}
        row |= {"seconds": round(self._spent, 1), **tally.read()}
        with (self.folder / CURVE).open("a", encoding="utf-8") as curve:
            curve.write(json.dumps(row) + "\n")
        self._say(json.dumps(row))


class Pace:
    """How many steps fit in some seconds, from the rate between two early steps."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._started, self._first, self._calls = seconds, time.monotonic(), 0.0, 0

    def steps(self, done: int) -> int:
        """0 while it is too early to tell. `done` counts earlier runs too."""
        self._calls += 1
        now = time.monotonic()
        if self._calls == TIMED[0]:
            self._first = now
        if self._calls < TIMED[1]:
            return 0
        each = (now - self._first) / (TIMED[1] - TIMED[0])
        return done + max(1, math.floor((self._seconds - (now - self._started)) / each))


class Tally:
    """Figures summed on the device, read every TOLD_EVERY steps only."""

    def __init__(self, tasks: tuple[str, ...], device: str) -> None:
        self._tasks, self._device = tasks, device
        self._clear()

    def _clear(self) -> None:
        self._sums: dict[str, Any] = {}
        self._counts: dict[str, int] = {}
        self._right = torch.zeros(2, len(self._tasks), device=self._device)

    def add(self, figures: dict[str, Any]) -> None:
        """One step's."""
        for name, value in figures.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
            self._counts[name] = self._counts.get(name, 0) + 1

    def exact(self, arrays: dict[str, Any], right: Any) -> None:
        """Answers of which every token was the likeliest: what greedy decoding gets wholly right."""
        whole = torch.ones(len(arrays["tasks"]), device=self._device)
        whole = whole.scatter_reduce(0, arrays["of"], right.float(), "amin")
        self._right[0].index_add_(0, arrays["tasks"], whole)
        self._right[1].index_add_(0, arrays["tasks"], torch.ones_like(whole))

    def read(self) -> dict[str, Any]:
        """Means since the last reading."""
        row: dict[str, Any] = {name: round(float(value) / self._counts[name], 4) for name, value in self._sums.items()}
        right, of = self._right.tolist()
        shares = {task: round(r / n, 3) for task, r, n in zip(self._tasks, right, of, strict=True) if n}
        self._clear()
        return row | ({"exact": shares} if shares else {})


def rate(done: int, steps: int, *, falls: bool) -> float:
    """The share of the learning rate: a warm-up, level, and in the second phase a line down."""
    up = min(1.0, (done + 1) / WARMUP)
    if not steps or not falls:
        return up
    at = done / steps
    return min(up, max(LEAST_RATE, (1 - at) / (1 - HELD)))


def described(plan: Plan) -> str:
    """For the log."""
    return json.dumps(asdict(plan))
