"""Pictures as data URLs: within a budget of pixels, digits kept."""

import base64
import io
import math
import threading
from collections import OrderedDict

from PIL import Image

from cs_bot.errors import LookUnusable
from cs_bot.vision.base import PictureInput

PNG_BYTES_PER_PIXEL = 1.0  # screens pack far below this, photos far above: those become JPEG
JPEG_QUALITY = 92
MIN_SIDE = 28  # pixels; below it checkpoints refuse or enlarge without end
_KEPT = 16  # pictures are asked about two or three times in a row


class Encoder:
    """Makes data URLs and keeps the newest. Safe to use from several threads."""

    def __init__(self, max_pixels: int) -> None:
        self._max_pixels = max_pixels
        self._kept: OrderedDict[tuple[str, int, float], tuple[str, float]] = OrderedDict()
        self._lock = threading.Lock()

    def data_url(self, picture: PictureInput, scale: float) -> tuple[str, float]:
        """The URL, and the linear scale that the picture has in it (1.0: as it was). Raises EngineError."""
        key = (picture.sha256, len(picture.data), scale)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = _encoded(picture.data, self._max_pixels, scale)
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return made


def _encoded(data: bytes, max_pixels: int, scale: float) -> tuple[str, float]:
    try:
        image = Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP"))
        image.load()
    except MemoryError:
        raise
    except Exception as problem:  # Pillow's readers raise many kinds on damaged files: all mean the same here
        raise LookUnusable(f"the picture could not be decoded ({type(problem).__name__})") from None
    fit = scale * min(1.0, math.sqrt(max_pixels / (image.width * image.height)))
    size = (max(MIN_SIDE, round(image.width * fit)), max(MIN_SIDE, round(image.height * fit)))
    rgb = image.convert("RGB")
    if size != rgb.size:
        rgb = rgb.resize(size, Image.Resampling.LANCZOS)
    kind, packed = _packed(rgb)
    return f"data:image/{kind};base64,{base64.b64encode(packed).decode('ascii')}", min(1.0, fit)


def _packed(rgb: Image.Image) -> tuple[str, bytes]:
    """PNG for what packs well (screens: no blur around digits), else JPEG with full colour resolution."""
    out = io.BytesIO()
    rgb.save(out, "PNG", compress_level=4)
    if out.tell() <= PNG_BYTES_PER_PIXEL * rgb.width * rgb.height:
        return "png", out.getvalue()
    out = io.BytesIO()
    rgb.save(out, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return "jpeg", out.getvalue()
