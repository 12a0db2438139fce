"""The figures that have a bar, as a table and as a plot (SVG, nothing but text)."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

ROW, LEFT, WIDTH, RIGHT, TOP = 22, 330, 420, 150, 44
FULL = 1.5  # what the plot's width stands for; longer ones are cut


@dataclass(frozen=True)
class Figure:
    """What was measured and the bar it is to stay below."""

    title: str
    value: float
    bar: float
    unit: str = ""

    @property
    def holds(self) -> bool:
        """Below its bar."""
        return self.value <= self.bar


def table(figures: list[Figure]) -> str:
    """A line a figure."""
    lines = [f"\n{'figure':46}{'measured':>11}{'bar':>9}"]
    for f in figures:
        mark = "" if f.holds else "  MISSED"
        unit = f" {f.unit}" if f.unit else ""
        lines.append(f"{f.title:46}{f.value:11.2f}{f.bar:9.2f}{unit}{mark}")
    return "\n".join(lines)


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{escape(text)}</text>'


def svg(figures: list[Figure], heading: str) -> str:
    """Each figure as a share of its bar; the line is the bar."""
    height = TOP + ROW * len(figures) + 16
    scale, total = WIDTH / FULL, LEFT + WIDTH + RIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="{height}" '
        f'viewBox="0 0 {total} {height}" font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        _text(12, 20, heading),
        _text(LEFT + scale, TOP - 8, "bar", "middle"),
    ]
    for i, f in enumerate(figures):
        y, share = TOP + i * ROW, f.value / f.bar
        colour = "#3b7dbd" if f.holds else "#c8502d"
        length = min(share, FULL) * scale
        parts += [
            _text(LEFT - 8, y + 14, f.title, "end"),
            f'<rect x="{LEFT}" y="{y + 3}" width="{length:.1f}" height="{ROW - 8}" '
            f'fill="{colour}"/>',
            _text(LEFT + WIDTH + 8, y + 14, f"{f.value:.2f} of {f.bar:g} {f.unit}"),
        ]
    line = LEFT + scale
    parts.append(
        f'<path d="M{line:.1f} {TOP}V{height - 12}" stroke="black" stroke-dasharray="3"/>'
    )
    return "\n".join([*parts, "</svg>\n"])


def write(figures: list[Figure], path: Path) -> None:
    """The plot, into a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(svg(figures, "Each figure as a share of its bar; shorter is better"))
