"""The engine's libraries keep to themselves: no file outside, nobody called."""

import subprocess
import sys
from pathlib import Path

import pytest

from cs_bot.settings import child_environment
from cs_bot.vision.base import ENGINES

ROOT = Path(__file__).parents[2]
CHECKPOINTS = {"qwen": str(ROOT / "cs_bot" / "demo" / "data" / "tiny")}
LOOK = """
import socket, sys
import io
from PIL import Image

def refuse(*given):
    sys.stderr.write(f"called {given[1:]}\\n")
    raise OSError

socket.socket.connect = refuse
from cs_bot.images import accept_picture
from cs_bot.vision.base import PictureInput, load_engine

file = io.BytesIO()
Image.new("RGB", (320, 240), "white").save(file, "PNG")
picture = accept_picture(file.getvalue())
engine = load_engine(sys.argv[1], threads=1, timeout_s=60, checkpoint=sys.argv[2])
[look] = engine.look([PictureInput(picture.sha256, picture.data)])
assert look.kind, look
engine.close()
"""


@pytest.mark.ocr
@pytest.mark.parametrize("name", sorted(name for name, entry in ENGINES.items() if entry.extra))  # a server is asked
def test_an_engine_that_looks_leaves_no_file_behind_and_calls_nobody(tmp_path: Path, name: str) -> None:
    home, temporary = tmp_path / "home", tmp_path / "tmp"
    home.mkdir()
    temporary.mkdir()
    env = child_environment(HOME=str(home), XDG_CACHE_HOME=str(home / ".cache"), TMPDIR=str(temporary))
    env |= {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    env.pop("ORT_DISABLE_TELEMETRY", None)  # another test of this process may have set it
    command = [sys.executable, "-c", LOOK, name, CHECKPOINTS.get(name, "")]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "called" not in done.stderr
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()] == []
