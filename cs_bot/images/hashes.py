"""What names a picture: the hash of its bytes, and the hash of its pixels."""

import hashlib

from PIL import Image

_ROWS = 256  # hashed in strips, so that no second full copy of the pixels is made


def bytes_sha256(data: bytes) -> str:
    """SHA-256 of the file as it came, in hex."""
    return hashlib.sha256(data).hexdigest()


def pixels_sha256(image: Image.Image) -> str:
    """SHA-256 over `RGB <width>x<height>\\n` and the RGB bytes, row by row, in hex. `image` has mode RGB.

    Equal for two files that decode to the same pixels whatever their format, metadata or compression.
    """
    digest = hashlib.sha256(f"RGB {image.width}x{image.height}\n".encode("ascii"))
    for top in range(0, image.height, _ROWS):
        digest.update(image.crop((0, top, image.width, min(top + _ROWS, image.height))).tobytes())
    return digest.hexdigest()
