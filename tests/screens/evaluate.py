"""Run an engine over a rendered corpus and judge it: python -m tests.screens.evaluate DIR."""

import argparse
import hashlib
import json
import multiprocessing
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from tests.screens.metrics import Result, bars, judge
from tests.screens.render import TRUTH
from tests.screens.report import markdown, show
from tests.screens.truth import load

ROOT = Path(__file__).parents[2]
EXAMPLE = "example: nice python -m tests.screens.evaluate var/screens --workers 2 --report var/screens.md"
Look = dict[str, Any]
WIDTH = 160  # columns of the terminal, at least
OPTIONS: dict[str, dict[str, Any]] = {"lite": {"timeout_s": 180.0, "threads": 1}}  # a busy machine is no bad reader


def engine_key(name: str) -> str:
    """Engine, version and a hash of the code under cs_bot/vision: a look cached under another key is of no use."""
    from cs_bot.vision.base import load_engine  # heavy packages: only when an engine is wanted

    engine = load_engine(name)
    version = engine.version
    engine.close()
    digest = hashlib.sha256()
    for file in sorted((ROOT / "cs_bot" / "vision").rglob("*")):
        if file.is_file() and file.suffix != ".pyc":
            digest.update(file.name.encode() + file.read_bytes())
    return f"{name}-{version}-{digest.hexdigest()[:12]}"


def look_at(name: str, files: Sequence[Path]) -> Iterator[tuple[Path, Look]]:
    """(file, look as JSON or {"error": text}) of each picture, in order; an unhealthy engine is opened anew."""
    from cs_bot.errors import EngineError
    from cs_bot.vision.base import PictureInput, load_engine

    engine = load_engine(name, **OPTIONS.get(name, {}))
    for file in files:
        data = file.read_bytes()
        (look,) = engine.look([PictureInput(hashlib.sha256(data).hexdigest(), data)])
        if isinstance(look, EngineError):
            yield file, {"error": f"{type(look).__name__}: {look}"}
        else:
            yield file, look.model_dump(mode="json")
        if not engine.healthy:
            engine = load_engine(name, **OPTIONS.get(name, {}))
    engine.close()


def _batch(job: tuple[str, list[Path]]) -> list[tuple[Path, Look]]:
    return list(look_at(*job))


def _cached(folder: Path, file: Path) -> Path:
    return folder / f"{hashlib.sha256(file.read_bytes()).hexdigest()}.json"


def _keep(folder: Path, file: Path, look: Look) -> None:
    if "error" in look:
        return  # it may work next time
    target = _cached(folder, file)
    draft = target.with_suffix(".part")
    draft.write_text(json.dumps(look, ensure_ascii=False), encoding="utf-8")
    draft.replace(target)


def looks(
    name: str, files: Sequence[Path], cache: Path, *, workers: int = 1, console: Console | None = None
) -> dict[Path, Look]:
    """The look of every file, from `cache` where it is known for this engine and code."""
    folder = cache / engine_key(name)
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[Path, Look] = {}
    for file in files:
        if (known := _cached(folder, file)).exists():
            found[file] = json.loads(known.read_text(encoding="utf-8"))
    missing = [file for file in files if file not in found]
    with Progress(console=console) as progress:
        task = progress.add_task("pictures", total=len(files), completed=len(found))
        for file, look in _run(name, missing, workers):
            _keep(folder, file, look)
            found[file] = look
            progress.advance(task)
    return found


def _run(name: str, files: list[Path], workers: int) -> Iterator[tuple[Path, Look]]:
    if workers <= 1:
        yield from look_at(name, files)
        return
    size = 24  # pictures a job: an engine is opened once a job
    jobs = [(name, files[start : start + size]) for start in range(0, len(files), size)]
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for batch in pool.map(_batch, jobs):
            yield from batch


def evaluate(
    corpus: Path,
    *,
    engine: str = "lite",
    cache: Path | None = None,
    limit: int | None = None,
    only: str = "",
    workers: int = 1,
    console: Console | None = None,
) -> Result:
    """Judge the engine on a corpus folder. `only` takes files that start so, `limit` every so-manieth picture."""
    lines = [line for line in load(corpus / TRUTH) if line["file"].startswith(only)]
    if limit and limit < len(lines):
        lines = [lines[i * len(lines) // limit] for i in range(limit)]
    files = [corpus / line["file"] for line in lines]
    seen = looks(engine, files, cache or ROOT / "var" / "looks", workers=workers, console=console)
    return judge((line, seen[file]) for line, file in zip(lines, files, strict=True))


def main(arguments: list[str] | None = None) -> int:
    """Exit 0 when every promise is kept, 1 when one is not, 2 when there is no corpus."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=EXAMPLE)
    parser.add_argument("corpus", type=Path, help="folder with truth.jsonl")
    parser.add_argument("--engine", default="lite")
    parser.add_argument("--limit", type=int, help="so many pictures, spread over the corpus")
    parser.add_argument("--only", default="", metavar="PREFIX", help="only files that start with this")
    parser.add_argument("--report", type=Path, help="write a Markdown report here")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--cache", type=Path, help="folder of the looks (default var/looks)")
    options = parser.parse_args(arguments)
    console = Console()
    console = console if console.width >= WIDTH else Console(width=WIDTH)
    if not (options.corpus / TRUTH).exists():
        console.print(f"no {TRUTH} in {options.corpus}: run python -m tests.screens.render --out {options.corpus}")
        return 2
    result = evaluate(
        options.corpus, engine=options.engine, cache=options.cache, limit=options.limit, only=options.only,
        workers=options.workers, console=console,
    )  # fmt: skip
    show(result, console)
    if options.report:
        options.report.parent.mkdir(parents=True, exist_ok=True)
        options.report.write_text(markdown(result, engine_key(options.engine), options.corpus.name), encoding="utf-8")
    return 0 if all(bar.met for bar in bars(result)) else 1


if __name__ == "__main__":
    sys.exit(main())
