"""Charts as inline SVG: bars by year, the flow of cases and persons. Colours come from the style sheet, by class.

Belongs here: geometry and markup. Does not belong here: figures. A suppressed figure has no bar, only its mark.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

_BAR, _GAP, _HEIGHT, _TOP, _BOTTOM = 26, 16, 120, 18, 22


def bars(title: str, years: Sequence[str], totals: Sequence[int | None], parts: Sequence[int | None], mark: str) -> str:
    """Two bars per year: the total and its part; None where not shown."""
    high = max([n for n in (*totals, *parts) if n is not None] or [1]) or 1
    step = 2 * _BAR + _GAP
    width = step * len(years) + _GAP
    out = [_open(title, years, totals, parts, mark, width, _HEIGHT + _TOP + _BOTTOM)]
    for at, (year, total, part) in enumerate(zip(years, totals, parts, strict=True)):
        left = _GAP + at * step
        for x, value, kind in ((left, total, "all"), (left + _BAR, part, "part")):
            tall = 0 if value is None else round(_HEIGHT * value / high)
            y = _TOP + _HEIGHT - tall
            out.append(f'<rect class="{kind}" x="{x}" y="{y}" width="{_BAR - 3}" height="{tall}"/>')
            text = mark if value is None else str(value)
            out.append(f'<text x="{x + (_BAR - 3) / 2}" y="{y - 4}" text-anchor="middle">{escape(text)}</text>')
        out.append(f'<text x="{left + _BAR}" y="{_TOP + _HEIGHT + 15}" text-anchor="middle">{escape(year)}</text>')
    out.append(f'<line class="base" x1="0" x2="{width}" y1="{_TOP + _HEIGHT}" y2="{_TOP + _HEIGHT}"/></svg>')
    return "".join(out)


def _open(title: str, years: Sequence[str], totals: Sequence[int | None], parts: Sequence[int | None], mark: str, w: int, h: int) -> str:
    text = "; ".join(f"{y}: {_word(t, mark)} / {_word(p, mark)}" for y, t, p in zip(years, totals, parts, strict=True))
    return f'<svg class="bars" role="img" viewBox="0 0 {w} {h}" width="{w}" height="{h}" aria-label="{escape(f"{title}. {text}")}">'


def _word(value: int | None, mark: str) -> str:
    return mark if value is None else str(value)


def flow(title: str, lanes: Sequence[tuple[str, Sequence[tuple[str, str]]]]) -> str:
    """Boxes from left to right, one lane for cases and one for persons: (lane, [(label, figure)])."""
    wide, tall, gap, head = 128, 74, 22, 20
    most = max(len(boxes) for _, boxes in lanes)
    width, height = most * (wide + gap), len(lanes) * (tall + head + 14)
    alternative = ". ".join(f"{lane}: " + ", ".join(f"{what} {figure}" for what, figure in boxes) for lane, boxes in lanes)
    out = [f'<svg class="flow" role="img" viewBox="0 0 {width} {height}" aria-label="{escape(f"{title}. {alternative}")}">']
    for row, (lane, boxes) in enumerate(lanes):
        top = row * (tall + head + 14) + head
        out.append(f'<text class="lane" x="0" y="{top - 6}">{escape(lane)}</text>')
        for at, (what, figure) in enumerate(boxes):
            x = at * (wide + gap)
            out.append(f'<rect class="box" x="{x}" y="{top}" width="{wide}" height="{tall}" rx="4"/>')
            out.append(f'<text class="n" x="{x + wide / 2}" y="{top + 24}" text-anchor="middle">{escape(figure)}</text>')
            for line, text in enumerate(_folded(what)):
                out.append(f'<text class="what" x="{x + wide / 2}" y="{top + 41 + 13 * line}" text-anchor="middle">{escape(text)}</text>')
            if at:
                y = top + tall / 2
                out.append(f'<path class="arrow" d="M{x - gap + 3} {y} H{x - 7} M{x - 11} {y - 4} L{x - 6} {y} L{x - 11} {y + 4}"/>')
    return "".join(out) + "</svg>"


def _folded(text: str, wide: int = 21, most: int = 3) -> list[str]:
    """A text in lines of about `wide` characters."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > wide:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return lines[:most]
