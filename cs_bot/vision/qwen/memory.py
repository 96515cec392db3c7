"""When memory runs out: how that looks, and what can be given back."""

import gc
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from cs_bot.errors import EngineFull


def is_out_of_memory(problem: BaseException) -> bool:
    """Whether an allocator gave up, of a GPU or of the machine."""
    said = str(problem)
    return isinstance(problem, torch.OutOfMemoryError | MemoryError) or (
        isinstance(problem, RuntimeError) and ("out of memory" in said or "can't allocate" in said)
    )


@contextmanager
def told_when_full() -> Iterator[None]:
    """What fails for want of memory is EngineFull, which may be tried again."""
    try:
        yield
    except Exception as problem:
        if is_out_of_memory(problem):
            raise EngineFull from None
        raise


def free_memory(problem: BaseException | None = None) -> None:
    """Give what is not used any more back to the device; also what the calls that `problem` ended had computed."""
    if problem is not None:
        traceback.clear_frames(problem.__traceback__)
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
