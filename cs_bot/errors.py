"""One exception tree; each class says what happened and whether retrying helps.

BotError
├── ConfigError             a setting is missing or wrong
│   ├── UnknownPlugin       a channel, engine or shop name that no table knows
│   └── MissingExtra        the plug-in exists, its optional packages are not installed
├── Rejected                a request is refused before anything is stored (carries the HTTP status)
│   ├── BadSignature        401
│   ├── NotJson             400
│   ├── TooLarge            413
│   ├── TooSlow             408
│   ├── Encoded             415
│   ├── BadRequest          400 (carries which part of the request, and a code for programs)
│   ├── WrongType           415
│   ├── NotSignedIn         401
│   ├── NotAllowed          403
│   ├── TooManyRequests     429 (carries the seconds to wait)
│   │   └── TooManyTries    the same after failed sign-ins
│   └── NotReady            503 (carries the seconds to wait)
├── StoreUnavailable        the database can't take it now (503, retry)
│   └── MediaUnavailable    the picture store can't
├── NotFound                no such record
├── Conflict                somebody else was faster: the version or the claim is no longer yours
│   └── LeaseLost           a turn's fence moved on: throw the work away
├── PictureError            a picture can't be used
│   ├── PictureUnreachable  could not be fetched; may work later
│   ├── PictureRefused      its address or size breaks a rule; never retried
│   │   └── PictureTooLarge more bytes than allowed
│   └── PictureUnreadable   its bytes are no picture that we accept
├── FeaturesUnreadable      stored features of a product picture are damaged or of another version
├── EngineError             the engine failed on a turn
│   ├── EngineTimeout       the engine made no progress in time
│   ├── EngineFull          no memory for this now; less at once may work
│   ├── LookUnusable        what it makes of this picture is of no use, and would be again
│   ├── SchemaRefused       a JSON schema that answers can't be made to follow
│   └── PromptTooLong       more text and pictures than the checkpoint takes
├── ImportRefused           an import file has bad rows (carries every row with its line number)
└── DraftRefused            a draft breaks invariant 3 (words by the engine, numbers by records)
"""

from collections.abc import Sequence


class BotError(Exception):
    """Something went wrong in cs-bot."""

    retryable = False

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip().splitlines()[0])


class ConfigError(BotError):
    """A setting is missing or wrong."""


class UnknownPlugin(ConfigError):
    """No plug-in has that name."""

    def __init__(self, table: str, name: str, known: Sequence[str]) -> None:
        super().__init__(f"unknown {table} {name!r}; known: {', '.join(sorted(known)) or 'none'}")


class MissingExtra(ConfigError):
    """An optional package is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs optional packages: pip install -e '.[{extra}]'")


class Rejected(BotError):
    """The request is refused."""

    status = 400


class BadSignature(Rejected):
    """The signature does not match."""

    status = 401


class NotJson(Rejected):
    """The signed body is not JSON."""

    status = 400


class TooLarge(Rejected):
    """The body is larger than allowed."""

    status = 413


class TooSlow(Rejected):
    """The body took too long to arrive."""

    status = 408


class Encoded(Rejected):
    """Compressed bodies are not accepted: send it without Content-Encoding."""

    status = 415


class BadRequest(Rejected):
    """The request makes no sense."""

    status = 400

    def __init__(self, message: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.param, self.code = param, code


class WrongType(Rejected):
    """That kind of body is not understood here."""

    status = 415


class NotSignedIn(Rejected):
    """Sign in first: the token or the session is not valid."""

    status = 401


class NotAllowed(Rejected):
    """You may not do this."""

    status = 403


class TooManyRequests(Rejected):
    """Too many requests at once; wait a while."""

    status = 429

    def __init__(self, wait_s: float, message: str | None = None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class TooManyTries(TooManyRequests):
    """Too many failed tries; wait a while."""


class NotReady(Rejected):
    """Not ready yet; try again in a while."""

    status = 503

    def __init__(self, wait_s: float, message: str | None = None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class StoreUnavailable(BotError):
    """The database can't take this now; try again."""

    retryable = True

    def __init__(self, message: str | None = None, *, lost: bool = False) -> None:
        super().__init__(message)
        self.lost = lost  # the connection is gone: trying again at once is no use


class MediaUnavailable(StoreUnavailable):
    """The picture store can't take this now; try again."""


class NotFound(BotError):
    """There is no such record."""


class Conflict(BotError):
    """Somebody else was faster; load the record again."""


class LeaseLost(Conflict):
    """This turn is no longer yours: its fence has moved on."""


class PictureError(BotError):
    """The picture can't be used."""


class PictureUnreachable(PictureError):
    """The picture could not be fetched."""

    retryable = True


class PictureRefused(PictureError):
    """The picture's address or size is not allowed."""


class PictureTooLarge(PictureRefused):
    """The picture has more bytes than allowed."""


class PictureUnreadable(PictureError):
    """The bytes are no picture that we accept."""


class FeaturesUnreadable(BotError):
    """The stored features of a picture can't be used: index the picture again."""


class EngineError(BotError):
    """The engine failed."""

    retryable = True


class EngineTimeout(EngineError):
    """The engine made no progress in time."""


class EngineFull(EngineError):
    """There is not enough memory for this now; less at once may work."""

    retryable = True


class LookUnusable(EngineError):
    """What the engine makes of this is of no use; asked again it would say the same."""

    retryable = False


class SchemaRefused(EngineError):
    """Answers can't be made to follow that JSON schema."""

    retryable = False


class PromptTooLong(EngineError):
    """More text and pictures than the checkpoint takes."""

    retryable = False


class ImportRefused(BotError):
    """The file has bad rows; nothing was imported."""

    def __init__(self, problems: Sequence[tuple[int, str]], more: int = 0) -> None:
        self.problems = tuple(problems)
        self.more = more  # further bad rows that are only counted
        shown = "\n".join(f"  line {line}: {problem}" for line, problem in self.problems)
        rest = f"\n  and {more} more" if more else ""
        super().__init__(f"{len(self.problems) + more} bad row(s); nothing was imported:\n{shown}{rest}")


class DraftRefused(BotError):
    """The draft states something outside its slots."""
