"""What build() puts together: the stamp, how many rows fit, what a checkpoint's profile decides."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cs_bot.settings import EngineSettings
from cs_bot.vision.prompted import PromptedVision
from cs_bot.vision.qwen import build
from cs_bot.vision.qwen.core import fitting_rows
from tests.checkpoints import make_checkpoint

GIB = 1 << 30


def built(folder: Path, **options: Any) -> PromptedVision:
    return build(EngineSettings(name="qwen", checkpoint=str(folder), threads=1, device_map="cpu", **options))


def test_the_stamp_says_what_an_answer_depends_on(random_checkpoint: Path) -> None:
    versions = set()
    for options in ({}, {"dtype": "bfloat16"}, {"visual_tokens": 300}, {"temperature": 0.5}, {"boxes": "on"}):
        engine = built(random_checkpoint, **{"dtype": "float32", **options})
        assert engine.version.startswith(f"{random_checkpoint.name}@")
        assert engine.healthy
        assert str(options.get("dtype", "float32")) in engine.check()
        versions.add(engine.version)
        engine.close()
        assert not engine.healthy
    assert len(versions) == 5


def test_on_a_cpu_turns_are_claimed_one_by_one(random_checkpoint: Path) -> None:
    engine = built(random_checkpoint, batch=3)
    assert engine.turns == 1
    assert "3 at once" in engine.check()
    engine.close()


@pytest.mark.parametrize(
    ("profile", "boxes", "asked"),
    [(None, "on", True), (None, "auto", False), ({}, "on", False), ({"boxes": True}, "on", True)],
)
def test_boxes_are_asked_for_where_the_checkpoint_gives_them(
    tmp_path: Path, profile: dict[str, Any] | None, boxes: str, asked: bool
) -> None:
    said = {"profile": 1, "name": "x", "min_pixels": 1024, "max_pixels": 102_400}
    engine = built(make_checkpoint(tmp_path, profile=None if profile is None else {**said, **profile}), boxes=boxes)
    assert engine.version.endswith(",boxes") is asked
    if profile is not None:
        assert "1024-102400px" in engine.version
    engine.close()


def test_as_many_rows_run_together_as_half_of_the_free_memory_holds_twice() -> None:
    text = SimpleNamespace(num_hidden_layers=28, num_key_value_heads=8, head_dim=128)  # 2B: 112 KiB a token
    config = SimpleNamespace(get_text_config=lambda: text)

    def rows(free: float, *, gpu: bool = True) -> int:
        return fitting_rows(config, 2, int(free * GIB), gpu=gpu, pixels=1280 * 1024)

    assert [rows(free) for free in (0, 1, 4, 16, 80)] == [1, 1, 4, 16, 32]
    assert rows(80, gpu=False) == 4
