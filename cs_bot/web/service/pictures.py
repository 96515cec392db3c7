"""Pictures of a request: from an address, from inside it, or as a file; checked like those of customers."""

from collections.abc import Callable

from cs_bot.errors import BadRequest, PictureError, PictureRefused
from cs_bot.images import FetchRules, accept_picture, decode_data_url, fetch_picture
from cs_bot.settings import FetchSettings, ServeSettings
from cs_bot.vision.base import PictureInput


class Pictures:
    """Takes the pictures of requests in turn and never more than allowed; one instance a request."""

    def __init__(self, rules: FetchRules, most: int) -> None:
        self._rules, self._most, self._taken = rules, most, 0

    def at(self, url: str) -> PictureInput:
        """The picture behind an address; blocks while it is fetched.

        Raises BadRequest for one too many, PictureError with the number of the picture in its text.
        """
        return self._take(lambda: self._bytes_at(url))

    def file(self, data: bytes) -> PictureInput:
        """An uploaded picture; raises as `at` does."""
        return self._take(lambda: data)

    def _take(self, read: Callable[[], bytes]) -> PictureInput:
        self._taken += 1
        if self._taken > self._most:
            raise BadRequest(f"more than {self._most} pictures in one request", "messages", "too_many_images")
        try:
            stored = accept_picture(read())
        except PictureError as problem:
            problem.args = (f"picture {self._taken}: {problem}",)
            raise
        return PictureInput(stored.sha256, stored.data)

    def _bytes_at(self, url: str) -> bytes:
        if url[:5].lower() == "data:":
            return decode_data_url(url, self._rules.max_bytes)
        if url[:5].lower() == "http:" and not self._rules.allow_http:
            raise PictureRefused("its address must be https, or the picture itself as data:image/…;base64,…")
        return fetch_picture(url, rules=self._rules)


def rules_of(serve: ServeSettings, fetch: FetchSettings) -> FetchRules:
    """What may be fetched: public hosts only, whatever the settings say."""
    return FetchRules(
        hosts=serve.media_hosts, allow_http=serve.allow_http, max_bytes=serve.max_body_bytes, total_s=fetch.timeout_s
    )
