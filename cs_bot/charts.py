"""Small charts as SVG text: colours from CSS variables, text stays text, every mark has a title."""

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, LEFT, BOTTOM, MARGIN = 520, 240, 52, 30, 12
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


def curve(title: str, points: Sequence[tuple[float, float]], *, x: str, y: str, highest: float = 1.0) -> str:
    """A line through points whose x lies in 0..1 and y in 0..`highest`; an empty string when there is none."""
    if not points:
        return ""
    path = " L".join(f"{_x(a):.1f} {_y(b / highest):.1f}" for a, b in points)
    marks = "".join(
        f'<circle class="mark" cx="{_x(a):.1f}" cy="{_y(b / highest):.1f}" r="3">'
        f"<title>{a:.0%} → {b:.1%}</title></circle>"
        for a, b in points
    )
    return _framed(title, f'<path class="line" d="M{path}"/>{marks}', x, y, highest)


def bars(title: str, shares: Mapping[str, float | None]) -> str:
    """Horizontal bars of shares in 0..1, one a name; None is drawn as a dash."""
    row, rows = 26, []
    for number, (name, share) in enumerate(shares.items()):
        top = 6 + number * row
        width = 0.0 if share is None else (WIDTH - 210) * share
        told = "–" if share is None else f"{share:.1%}"
        rows.append(
            f'<text class="label" x="120" y="{top + 14}" text-anchor="end">{escape(name)}</text>'
            f'<rect class="track" x="130" y="{top}" width="{WIDTH - 210}" height="18" rx="3"/>'
            f'<rect class="bar" x="130" y="{top}" width="{width:.1f}" height="18" rx="3">'
            f"<title>{escape(name)}: {told}</title></rect>"
            f'<text class="label" x="{WIDTH - 72}" y="{top + 14}">{told}</text>'
        )
    return _svg(title, "".join(rows), height=len(shares) * row + 12)


def _framed(title: str, body: str, x: str, y: str, highest: float) -> str:
    grid = "".join(
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - MARGIN}" y1="{_y(tick):.1f}" y2="{_y(tick):.1f}"/>'
        f'<text class="label" x="{LEFT - 6}" y="{_y(tick) + 4:.1f}" text-anchor="end">{tick * highest:.3g}</text>'
        f'<text class="label" x="{_x(tick):.1f}" y="{HEIGHT - 12}" text-anchor="middle">{tick:.0%}</text>'
        for tick in TICKS
    )
    names = (
        f'<text class="label" x="{WIDTH - MARGIN}" y="{HEIGHT}" text-anchor="end">{escape(x)}</text>'
        f'<text class="label" x="{LEFT}" y="10">{escape(y)}</text>'
    )
    return _svg(title, grid + body + names, height=HEIGHT + 4)


def _svg(title: str, body: str, *, height: int) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{body}</svg>"
    )


def _x(share: float) -> float:
    return LEFT + (WIDTH - LEFT - MARGIN) * share


def _y(share: float) -> float:
    return MARGIN + 4 + (HEIGHT - BOTTOM - MARGIN - 4) * (1 - min(1.0, share))
