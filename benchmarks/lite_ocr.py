"""Seconds a picture and memory of the lite engine beside RapidOCR's defaults, on the same pictures in the same run."""

import argparse
import hashlib
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "tests" / "data" / "screens"
EXAMPLE = "example: nice python benchmarks/lite_ocr.py --repeat 3 --threads 1"
SETTINGS = {
    "rapidocr": "RapidOCR defaults (OCR alone)",
    "ocr": "lite: OCR alone",
    "lite": "lite: whole look",
}


def reader(setting: str, threads: int) -> Callable[[bytes], int]:
    """A function that reads one picture's bytes and says how many lines it found."""
    if setting == "lite":
        from cs_bot.records import Look
        from cs_bot.vision.base import PictureInput, load_engine

        engine = load_engine("lite", threads=threads, timeout_s=300.0)

        def whole(data: bytes) -> int:
            (look,) = engine.look([PictureInput(hashlib.sha256(data).hexdigest(), data)])
            return len(look.lines) if isinstance(look, Look) else 0

        return whole
    import cv2
    import numpy as np

    if setting == "ocr":
        from cs_bot.vision.lite.ocr import Ocr

        ours = Ocr(threads)
        return lambda data: len(ours.scan(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)).page.boxes)
    from rapidocr import RapidOCR

    options = {"Global.log_level": "critical", "EngineConfig.onnxruntime.intra_op_num_threads": threads}
    theirs = RapidOCR(params=options)
    return lambda data: len(theirs(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)).txts or ())


def measure(setting: str, files: list[Path], repeat: int, threads: int) -> dict[str, float]:
    """Figures of one setting in this process: seconds a picture (the first call apart), lines found, peak memory."""
    started = time.perf_counter()
    read = reader(setting, threads)
    read(files[0].read_bytes())
    first = time.perf_counter() - started
    seconds, lines, cpu = [], 0, time.process_time()
    for _ in range(repeat):
        for file in files:
            data = file.read_bytes()
            started = time.perf_counter()
            lines += read(data)
            seconds.append(time.perf_counter() - started)
    return {
        "first_s": first,
        "median_s": statistics.median(seconds),
        "p95_s": sorted(seconds)[int(0.95 * (len(seconds) - 1))],
        "cpu_s": (time.process_time() - cpu) / len(seconds),
        "lines": lines / len(seconds),
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    """Print the table. Each setting runs in a process of its own, so that its memory is its own."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=EXAMPLE)
    parser.add_argument("--pictures", type=Path, default=PICTURES, help="folder of PNG, JPEG or WebP files")
    parser.add_argument("--limit", type=int, default=12, help="use so many of them")
    parser.add_argument("--repeat", type=int, default=2, help="read each so often")
    parser.add_argument("--threads", type=int, default=1, help="threads of one OCR call")
    parser.add_argument("--only", choices=sorted(SETTINGS), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    files = sorted(f for f in asked.pictures.iterdir() if f.suffix in {".png", ".jpg", ".jpeg", ".webp"})[: asked.limit]
    if not files:
        parser.error(f"no pictures in {asked.pictures}")
    if asked.only:
        print(json.dumps(measure(asked.only, files, asked.repeat, asked.threads)))
        return
    table = Table(title=f"{len(files)} pictures x {asked.repeat}, {asked.threads} thread(s) a call")
    columns = ("setting", "first call s", "median s", "p95 s", "CPU s", "lines", "peak RSS MB")
    for column in columns:
        table.add_column(column, justify="left" if column == "setting" else "right")
    for setting, title in SETTINGS.items():
        command = [sys.executable, __file__, "--only", setting, "--pictures", str(asked.pictures)]
        command += ["--limit", str(asked.limit), "--repeat", str(asked.repeat), "--threads", str(asked.threads)]
        out = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
        got = json.loads(out.splitlines()[-1])
        table.add_row(
            title,
            *(f"{got[key]:.2f}" for key in ("first_s", "median_s", "p95_s", "cpu_s")),
            f"{got['lines']:.1f}",
            f"{got['rss_mb']:.0f}",
        )
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
