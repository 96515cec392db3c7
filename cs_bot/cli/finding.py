"""One line of doctor's report."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """`level` is ok, note or bad."""

    level: str
    text: str
