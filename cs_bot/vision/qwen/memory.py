"""When memory runs out: how that looks, and what can be given back."""

import gc
import traceback

import torch


def is_out_of_memory(problem: BaseException) -> bool:
    """Whether an allocator gave up, of a GPU or of the machine."""
    said = str(problem)
    return isinstance(problem, torch.OutOfMemoryError | MemoryError) or (
        isinstance(problem, RuntimeError) and ("out of memory" in said or "can't allocate" in said)
    )


def free_memory(problem: BaseException | None = None) -> None:
    """Give what is not used any more back to the device; also what the calls that `problem` ended had computed."""
    if problem is not None:
        traceback.clear_frames(problem.__traceback__)
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
