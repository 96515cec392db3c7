"""The benchmarks of Qwen3-VL still run: on a network of a million parameters, with few packages."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# What a bare machine with a GPU does not have: the engine's own parts must do without.
ABSENT = ["fastapi", "sqlalchemy", "alembic", "redis", "rq", "typer", "onnxruntime", "cv2", "rapidocr"]
ABSENT += ["uvicorn", "argon2", "jwt", "requests", "fsspec", "standardwebhooks", "accelerate", "torchvision"]


def ran(script: str, *words: str) -> str:
    code = (
        f"import sys, runpy; sys.modules.update(dict.fromkeys({ABSENT})); sys.argv = {[script, *words]}; "
        f"runpy.run_path('benchmarks/{script}', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_the_one_for_gpus_runs_on_a_cpu_with_few_packages(tmp_path: Path) -> None:
    out = tmp_path / "gpu.md"
    words = ("--device", "cpu", "--small", "--tokens", "64", "--at-once", "1", "3", "--written", "6", "--out", str(out))
    said = ran("qwen_gpu.py", *words)
    assert out.read_text() in said
    for line in ("| to the answer's first token |", "| whole turn |", "| 1 |", "| 3 |", "vLLM is not installed here"):
        assert line in said


def test_the_one_for_cpus_tells_both_ways_and_the_memorys_bandwidth() -> None:
    said = ran("qwen_cpu.py", "--small", "--tokens", "64", "--written", "6", "--repeat", "1", "--threads", "1")
    for line in ("two full calls, to the answer's first token", "whole turn, one look", "GB/s copied", "Peak memory"):
        assert line in said
