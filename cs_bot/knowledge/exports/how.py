"""What a catalog file does not say itself."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class How:
    """`exported_at` counts as updated_at where the file has none; `shop_url` (https://shop.example) makes links."""

    currency: str | None = None
    shop_url: str | None = None
    zone: ZoneInfo | None = None
    exported_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def fill(self, values: dict[str, Any]) -> dict[str, Any]:
        """The values with what the file does not say."""
        said = {"updated_at": self.exported_at} | ({"currency": self.currency} if self.currency else {})
        return {**said, **values}

    def link(self, path: str) -> str | None:
        """A page of the shop; None when its address is not known."""
        return None if self.shop_url is None else f"{self.shop_url.rstrip('/')}/{path}"
