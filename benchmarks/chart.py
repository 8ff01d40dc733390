"""Draws a bar for each value as a small SVG that stands in a page by itself."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

Bar = tuple[str, float, tuple[float, float] | None]
"""A label, its value, and the interval around it."""

WIDTH, LABEL, ROW, PAD = 720, 250, 22, 60


def bars(title: str, rows: Sequence[Bar], unit: str = "", goal: float | None = None) -> str:
    """One bar a row from zero on, its value behind it, its interval as a line; `goal` is a dashed line."""
    if not rows:
        return ""
    most = max([value for _, value, _ in rows] + [high for _, _, span in rows if span for high in span[1:]])
    most = max(most, goal or 0) or 1
    scale = (WIDTH - LABEL - PAD) / most
    height = ROW * len(rows) + 6
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}" font-size="12" font-family="sans-serif" fill="currentColor">',
        f"<title>{escape(title)}</title>",
    ]
    for index, (label, value, span) in enumerate(rows):
        top = ROW * index + 4
        parts.append(f'<text x="{LABEL - 8}" y="{top + 13}" text-anchor="end">{escape(label)}</text>')
        parts.append(
            f'<rect x="{LABEL}" y="{top}" width="{value * scale:.1f}" height="{ROW - 6}" fill="#4c78a8" '
            'fill-opacity="0.75"/>'
        )
        end = max(value, span[1] if span else 0)
        if span:
            y = top + (ROW - 6) / 2
            parts.append(
                f'<line x1="{LABEL + span[0] * scale:.1f}" x2="{LABEL + span[1] * scale:.1f}" y1="{y}" y2="{y}" '
                'stroke="currentColor"/>'
            )
        parts.append(f'<text x="{LABEL + end * scale + 5:.1f}" y="{top + 13}">{value:.3g}{escape(unit)}</text>')
    if goal is not None:
        x = LABEL + goal * scale
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height}" stroke="currentColor" stroke-dasharray="3 3"/>'
        )
    return "".join([*parts, "</svg>"])
