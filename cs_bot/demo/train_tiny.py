"""Trains the tiny checkpoint: `python -m cs_bot.demo.train_tiny`; developers only, the result is committed."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from cs_bot.errors import ConfigError

HOME = Path(__file__).parent / "data" / "tiny"
EXAMPLES = """examples:
  python -m cs_bot.demo.train_tiny --steps 40 --dense-steps 40 --batch 16    a trial run in var/tiny
  python -m cs_bot.demo.train_tiny --device cuda --workers 15 --minutes 18   the run on a GPU
  python -m cs_bot.demo.train_tiny --resume                                  go on where it stopped
  python -m cs_bot.demo.train_tiny --export-only                             write cs_bot/demo/data/tiny from the run
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, then export. Returns the exit code."""
    asked = parser().parse_args(arguments)
    console = Console(highlight=False, soft_wrap=True)
    try:
        return run(asked, console)
    except ConfigError as problem:
        console.print(f"error: {problem}", markup=False)
        return 2


def run(asked: argparse.Namespace, console: Console) -> int:
    """What was asked for."""
    from cs_bot.demo.tiny.corpus import lay_ground
    from cs_bot.demo.tiny.samples import TASKS
    from cs_bot.demo.tiny.training import Plan, Run, described

    folder = Path(asked.folder)
    folder.mkdir(parents=True, exist_ok=True)
    with Progress(console=console) as bar:
        task = bar.add_task("first samples", total=len(TASKS) * asked.draws)
        ground = lay_ground(folder, seed=asked.seed, draws=asked.draws, progress=lambda: bar.advance(task))
    if asked.ground_only:
        return 0
    plan = Plan(
        seed=asked.seed,
        batch=asked.batch,
        lr=asked.lr,
        dense_steps=asked.dense_steps,
        steps=asked.steps,
        minutes=asked.minutes,
        save_every=asked.save_every,
        workers=asked.workers,
        views=asked.views,
        pages=asked.pages,
        beside=asked.beside,
        device=asked.device,
        threads=asked.threads,
    )
    if not asked.export_only:
        training = Run(plan, ground, folder, lambda line: console.print(line, markup=False))
        console.print(described(plan), markup=False)
        if asked.weights:
            training.start_from(Path(asked.weights))
        if asked.resume:
            training.resume()
        training.train()
    if asked.out:
        from cs_bot.demo.tiny.export import export

        console.print(f"wrote {export(folder, ground, Path(asked.out))}", markup=False)
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(
        prog="python -m cs_bot.demo.train_tiny",
        description="Trains the tiny Qwen3-VL of the tests and the demo from scratch.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    found.add_argument("--folder", default="var/tiny", help="where state, curve and tokenizer live (%(default)s)")
    found.add_argument("--out", default=str(HOME), help="the checkpoint's folder; empty: no export (%(default)s)")
    found.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    found.add_argument("--workers", type=int, default=2, help="processes that draw (%(default)s)")
    found.add_argument("--threads", type=int, default=1, help="of torch, on a CPU (%(default)s)")
    found.add_argument("--steps", type=int, default=0, help="of the answers' phase")
    found.add_argument("--dense-steps", type=int, default=0, help="of the dense phase")
    found.add_argument("--minutes", type=float, default=0.0, help="instead of steps: as many as fit, by the rate")
    found.add_argument("--batch", type=int, default=256, help="samples a step (%(default)s)")
    found.add_argument("--views", type=int, default=1, help="of each drawing in a batch, moved a little (%(default)s)")
    found.add_argument("--pages", default="", help="folder of `python -m cs_bot.demo.tiny.pages`, mixed in")
    found.add_argument("--lr", type=float, default=3e-3, help="highest learning rate (%(default)s)")
    found.add_argument("--seed", type=int, default=1, help="(%(default)s)")
    found.add_argument("--draws", type=int, default=300, help="samples a task for the tokenizer (%(default)s)")
    found.add_argument("--save-every", type=int, default=500, help="steps between saved states (%(default)s)")
    found.add_argument(
        "--beside", type=float, default=0.3, help="weight of dense labels in the answers' phase (%(default)s)"
    )
    found.add_argument("--weights", default="", help="begin with these weights instead of random ones (.safetensors)")
    found.add_argument("--resume", action="store_true", help="go on from the folder's state")
    found.add_argument("--ground-only", action="store_true", help="only learn the tokenizer")
    found.add_argument("--export-only", action="store_true", help="only export the folder's weights")
    return found


if __name__ == "__main__":
    raise SystemExit(main())
