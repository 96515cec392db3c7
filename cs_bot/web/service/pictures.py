"""Pictures of a request: from an address, from inside it, or as a file; checked like those of customers."""

import hashlib
import time
from collections.abc import Callable

from cs_bot.errors import BadRequest, PictureError, PictureRefused, PictureTooLarge, TooSlow
from cs_bot.images import MAX_BYTES, FetchRules, decode_data_url, fetch_picture, require_picture
from cs_bot.settings import FetchSettings, ServeSettings
from cs_bot.vision.base import PictureInput

TOGETHER_S = 30.0  # for all pictures of a request, fetched and opened one after the other
TOGETHER = 4  # times the bytes of one picture: so much all of a request may hold


class Pictures:
    """Takes the pictures of a request in turn, within bounds on their number, bytes and time; one instance a request.

    What is kept are the bytes as they came: decoded or encoded anew they may be twenty times as many. Whatever looks at
    them takes their pixels alone, upright.
    """

    def __init__(self, rules: FetchRules, most: int, together_s: float = TOGETHER_S) -> None:
        self._rules, self._most, self._taken = rules, most, 0
        self._bytes, self._together_s = TOGETHER * rules.max_bytes, together_s
        self._until = time.monotonic() + together_s

    def require_few(self, count: int) -> None:
        """Raise BadRequest for more pictures than a request may have."""
        if count > self._most:
            raise BadRequest(f"more than {self._most} pictures in one request", "messages", "too_many_images")

    def at(self, url: str) -> PictureInput:
        """The picture behind an address; blocks while it is fetched.

        Raises BadRequest for one too many, TooSlow, PictureError with the number of the picture in its text.
        """
        return self._take(lambda: self._bytes_at(url))

    def file(self, data: bytes) -> PictureInput:
        """An uploaded picture; raises as `at` does."""
        return self._take(lambda: data)

    def _take(self, read: Callable[[], bytes]) -> PictureInput:
        self._taken += 1
        self.require_few(self._taken)
        if time.monotonic() >= self._until:
            raise TooSlow(f"its pictures took more than {self._together_s:g} s: fewer, smaller, or from faster hosts")
        try:
            data = read()
            self._bytes -= len(data)
            if len(data) > self._rules.max_bytes:
                raise PictureTooLarge(f"larger than {self._rules.max_bytes} bytes")
            if self._bytes < 0:
                raise PictureTooLarge(f"the pictures are larger than {TOGETHER * self._rules.max_bytes} bytes together")
            require_picture(data)
        except PictureError as problem:
            problem.args = (f"picture {self._taken}: {problem}",)
            raise
        return PictureInput(hashlib.sha256(data).hexdigest(), data)

    def _bytes_at(self, url: str) -> bytes:
        if url[:5].lower() == "data:":
            return decode_data_url(url, self._rules.max_bytes)
        if url[:5].lower() == "http:" and not self._rules.allow_http:
            raise PictureRefused("its address must be https, or the picture itself as data:image/…;base64,…")
        total_s = min(self._rules.total_s, max(0.01, self._until - time.monotonic()))
        return fetch_picture(url, rules=self._rules.model_copy(update={"total_s": total_s}))


def rules_of(serve: ServeSettings, fetch: FetchSettings) -> FetchRules:
    """What may be fetched: public hosts only, and no more bytes than a picture may have, whatever the settings say."""
    return FetchRules(
        hosts=serve.media_hosts,
        allow_http=serve.allow_http,
        max_bytes=min(serve.max_body_bytes, MAX_BYTES),
        total_s=fetch.timeout_s,
    )
