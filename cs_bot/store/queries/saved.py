"""What a guarded upsert did with one record."""

from enum import StrEnum


class Saved(StrEnum):
    """An older record never overwrites a newer one; the same again only refreshes when it was last heard of."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    STALE = "stale"

    @property
    def changed(self) -> bool:
        """Whether the stored record is another one now."""
        return self in (Saved.CREATED, Saved.UPDATED)
