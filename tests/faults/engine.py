"""An engine for the chaos runs: what it says of a picture is written in its pixels, so every process says the same."""

import base64
import io
import os
import signal
import time
from collections.abc import Callable, Sequence

from PIL import Image

from cs_bot.errors import EngineError
from cs_bot.records import FieldState, Kind, Look, ReadField
from cs_bot.settings import EngineSettings
from cs_bot.testing import ScriptedVision, a_look
from cs_bot.vision.base import ENGINES, EngineEntry, PictureInput

NAME = "chaos"
TOML = f'{{ name = "{NAME}", fallback = "" }}'
AMOUNT = "129.90"
POISON = "666"  # an order number that starts so kills the process that looks at it
STICKY = "555"  # one that starts so fails with an error now and then
SLOW, SLOW_S = "777", 2.5  # one that starts so takes that long


def picture_of(order_id: str, nonce: int) -> str:
    """A data URL: one grey pixel a character; `nonce` makes the bytes of two pictures differ."""
    row = f"{order_id}#{nonce}".ljust(64)
    file = io.BytesIO()
    Image.frombytes("L", (64, 1), row.encode("ascii")).resize((64, 8), Image.Resampling.NEAREST).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def order_in(data: bytes) -> str:
    """The order number of a stored picture."""
    image = Image.open(io.BytesIO(data)).convert("L")
    row = bytes(image.crop((0, 0, image.width, 1)).tobytes()).decode("ascii")
    return row.partition("#")[0]


def look_of(picture: PictureInput) -> Look:
    """What that picture shows."""
    fields = {
        name: ReadField(value=value, state=FieldState.READ)
        for name, value in (("order_id", order_in(picture.data)), ("amount", AMOUNT), ("currency", "CNY"))
    }
    return a_look(picture.sha256, Kind.ORDER, fields=fields)


class PixelVision(ScriptedVision):
    """Reads order_in(); takes a moment; some pictures kill it."""

    def look(
        self,
        pictures: Sequence[PictureInput],
        *,
        deadline_s: float | None = None,
        progress: Callable[[], None] | None = None,
    ) -> list[Look | EngineError]:
        """One look a picture."""
        found: list[Look | EngineError] = []
        for picture in pictures:
            order_id = order_in(picture.data)
            if order_id.startswith(POISON):
                os.kill(os.getpid(), signal.SIGKILL)
            if order_id.startswith(SLOW):
                time.sleep(SLOW_S)
            time.sleep(0.02 + picture.data[-5] % 8 / 100)
            if order_id.startswith(STICKY) and time.time_ns() % 3 == 0:
                found.append(EngineError("sticky"))
                continue
            found.append(look_of(picture))
            if progress is not None:
                progress()
        return found


def build(_settings: EngineSettings) -> PixelVision:
    """The engine; its settings do not matter."""
    return PixelVision()


def register() -> None:
    """Make it known in this process."""
    ENGINES[NAME] = EngineEntry("tests.faults.engine:build", "dev", writes=False)
