"""Qwen3-VL on a GPU: one look beside two full calls, and turns a second with 1 to 32 at once; beside vLLM if installed.

The engine's own code runs, over random weights in the published shapes (bfloat16). A turn is: a new picture, its kind,
and an answer of so many tokens. It needs torch, transformers, pydantic, pydantic-settings, prometheus-client, httpx,
psutil, pillow, numpy and llguidance; --check says what is missing. A size that does not fit is left out.
"""

import argparse
import platform
import sys
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import _qwen as q

EXAMPLE = "example: python benchmarks/qwen_gpu.py --minutes 4 --out qwen_gpu.md     here: --device cpu --small"
PACKAGES = (
    *("torch", "transformers", "pydantic", "pydantic_settings", "prometheus_client", "httpx", "psutil", "PIL", "numpy"),
    "llguidance",
    *("jinja2", "tokenizers"),
)
ROOM = 6 << 30  # beyond the weights


def main() -> None:
    """Measure what fits into the time and the memory, print it, write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=EXAMPLE)
    parser.add_argument("--check", action="store_true", help="say which packages are missing, and end")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N, or cpu to try the script")
    parser.add_argument("--small", action="store_true", help="a network of a million parameters: is the script well?")
    parser.add_argument("--shapes", nargs="+", choices=["2B", "4B", "8B"], default=["2B", "8B"])
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32])
    parser.add_argument("--tokens", type=int, default=1024, help="visual tokens of a picture")
    parser.add_argument("--written", type=int, default=48, help="tokens of the answer")
    parser.add_argument("--minutes", type=float, default=4.0, help="begin nothing new after so long")
    parser.add_argument("--out", type=Path, help="write the tables into this file, too")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/measured/qwen.md")
    given = parser.parse_args()
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing or given.check:
        sys.exit(f"missing: {', '.join(missing)}" if missing else 0)
    if not there(given.device):
        print(f"no {given.device} here: nothing to measure (try it with --device cpu --small)")
        return
    parts: list[str] = []
    for text in measured(given, q.Told(given.minutes)):
        parts.append(text)
        print(text, flush=True)
        if given.out:  # after each part: what is measured is kept when the time ends
            given.out.write_text("\n".join(parts), encoding="utf-8")
    if given.write:
        q.write_section("gpu", "\n".join(parts))


def there(device: str) -> bool:
    """Whether torch can use that device."""
    import torch

    return device == "cpu" or torch.cuda.is_available()


def measured(given: argparse.Namespace, told: q.Told) -> Iterator[str]:
    """A section a shape."""
    shapes = ["small"] if given.small else given.shapes
    for at, shape in enumerate(shapes):
        if told.over:
            told.say(f"no time left for {shape}")
            return
        end = told.end
        told.end = min(end, q.time.monotonic() + (end - q.time.monotonic()) / (len(shapes) - at))  # a fair share each
        why = unfit(shape, given.device)
        if why:
            told.say(f"{shape} is left out: {why}")
            yield f"## {shape} on {name_of(given.device)}\nLeft out: {why}.\n"
        else:
            yield section(shape, given, told)
        told.end = end


def unfit(shape: str, device: str) -> str:
    """Why a shape can't be measured here; empty when it can."""
    import torch

    if device == "cpu":
        return ""
    billions = {"small": 0.0, "2B": 2.13, "4B": 4.44, "8B": 8.77}[shape]
    free = torch.cuda.mem_get_info(device)[0]
    return (
        f"it needs {billions * 2 + ROOM / 1e9:.0f} GB, {free / 1e9:.0f} are free"
        if billions * 2e9 + ROOM > free
        else ""
    )


def name_of(device: str) -> str:
    """What runs it."""
    import torch

    return f"a CPU ({platform.machine()})" if device == "cpu" else torch.cuda.get_device_name(device)


def section(shape: str, given: argparse.Namespace, told: q.Told) -> str:
    """Both tables of one shape."""
    import torch

    told.say(f"{shape}: building the network")
    with q.engine(shape, device=given.device, tokens=given.tokens, rows=max(given.at_once)) as bench:
        told.say(f"{bench.parameters / 1e9:.2f} billion parameters, built in {bench.build_s:.0f} s; warming up")
        numbers = iter(range(100_000))
        q.turn(bench.core, bench.prompts, q.picture(next(numbers), given.tokens), 4)
        q.turn(bench.full, bench.prompts, q.picture(next(numbers), given.tokens), 4)
        one = single(bench, given, numbers, told)
        many = batches(bench, given, numbers, told)
        peak = "" if given.device == "cpu" else f"; peak memory {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB"
        about = (
            f"{bench.parameters / 1e9:.2f} billion parameters in bfloat16 ({bench.weight_bytes / 2**30:.1f} GiB), "
            f"torch {torch.__version__}; pictures of {given.tokens} visual tokens, answers of {given.written}{peak}."
        )
    beside = vllm_row(shape, given, told)
    return f"## {shape} on {name_of(given.device)}\n{about}\n\n{one}\n\n{many}\n\n{beside}\n"


def single(bench: q.Bench, given: argparse.Namespace, numbers: Iterator[int], told: q.Told) -> str:
    """One picture at a time: one look beside two full calls, the shortest of three."""
    found: dict[tuple[str, int], list[float]] = {}
    for _ in range(3):
        for count in (1, given.written):
            shown = q.picture(next(numbers), given.tokens)  # new to the one, and always new to the other
            for name, core in (("one", bench.core), ("two", bench.full)):
                work = partial(q.turn, core, bench.prompts, shown, count)
                found.setdefault((name, count), []).append(q.clocked(work)[0])
    best = {key: min(values) for key, values in found.items()}
    whole = {name: best[(name, given.written)] for name in ("one", "two")}
    told.say(f"one at a time: {whole['one']:.2f} s a turn, two full calls {whole['two']:.2f} s")
    a_token = (whole["one"] - best[("one", 1)]) / max(1, given.written - 1)
    rows = [
        (
            what,
            f"{best[('two', count)]:.3f} s",
            f"{best[('one', count)]:.3f} s",
            f"{best[('one', count)] / best[('two', count)]:.2f}",
        )
        for what, count in (("to the answer's first token", 1), ("whole turn", given.written))
    ]
    speed = f"{1 / a_token:.0f} tokens a second, {bench.weight_bytes / a_token / 1e9:.0f} GB/s of weights."
    return q.markdown(("one at a time", "two full calls", "one look", "of the naive time"), rows) + f"\n\n{speed}"


def batches(bench: q.Bench, given: argparse.Namespace, numbers: Iterator[int], told: q.Told) -> str:
    """Several turns at once."""
    rows, first = [], 0.0
    for count in given.at_once:
        if told.over:
            rows.append((str(count), "no time left", "", ""))
            continue
        shown = [q.picture(next(numbers), given.tokens) for _ in range(count)]
        try:
            took, written = q.clocked(lambda shown=shown: q.together(bench.core, bench.prompts, shown, given.written))
        except Exception as problem:  # whatever the device says: the sizes before it stand
            rows.append((str(count), f"failed ({type(problem).__name__})", "", ""))
            break
        told.say(f"{count} at once: {took:.2f} s, {count / took:.2f} turns a second")
        first = first or count / took
        rows.append(
            (str(count), f"{took:.2f} s", f"{count / took:.2f}", f"{count / took / first:.1f} x, {written / took:.0f}")
        )
    return q.markdown(("turns at once", "all done after", "turns a second", "of one at a time, tokens a second"), rows)


def vllm_row(shape: str, given: argparse.Namespace, told: q.Told) -> str:
    """The same turns through vLLM's own scheduler, where it is installed."""
    if find_spec("vllm") is None:
        return "vLLM is not installed here: nothing beside it."
    if told.over:
        return "No time was left for vLLM."
    import _qwen_vllm

    try:
        return _qwen_vllm.table(shape, given, told)
    except Exception as problem:  # its own requirements are many, and none of ours
        return f"vLLM could not run it ({type(problem).__name__}: {' '.join(str(problem).split())[:160]})."


if __name__ == "__main__":
    main()
