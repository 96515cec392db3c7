"""The form in which a platform's id stays when its row is forgotten: enough to know it again, not to read it."""

from cs_bot.store.queries.sql import sha256

MARK = "sha256:"


def hashed_id(channel: str, account: str, external_id: str) -> str:
    """`sha256:` and a digest over account and id. An id that has the form already stays as it is.

    Whoever knows the id can make the same digest: that is what it is for. It can't be read back, and the same id on
    two accounts has two digests.
    """
    if is_hashed(external_id):
        return external_id
    return MARK + sha256("\n".join((channel, account, external_id)).encode())


def is_hashed(external_id: str) -> bool:
    """Whether an id is such a form (and so nothing that a platform sent)."""
    return external_id.startswith(MARK) and len(external_id) == len(MARK) + 64


def both_forms(channel: str, account: str, external_id: str) -> tuple[str, str]:
    """How a row of that id may be stored: as it came, or hashed."""
    return external_id, hashed_id(channel, account, external_id)
