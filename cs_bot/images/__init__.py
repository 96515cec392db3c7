"""Safe fetch, decode, orient, resize, hashes."""

from cs_bot.images.decode import (
    MAX_BYTES,
    STORED_MEDIA_TYPE,
    StoredPicture,
    accept_picture,
    pixels_of,
    require_picture,
    resize_for,
)
from cs_bot.images.fetch import FetchRules, decode_data_url, fetch_picture
from cs_bot.images.metadata import TAGS

__all__ = [
    "MAX_BYTES",
    "STORED_MEDIA_TYPE",
    "TAGS",
    "FetchRules",
    "StoredPicture",
    "accept_picture",
    "decode_data_url",
    "fetch_picture",
    "pixels_of",
    "require_picture",
    "resize_for",
]
