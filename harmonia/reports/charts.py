"""Charts as inline SVG: bars by year, and boxes with the flow of cases and persons. The style sheet sets the colours, by class.

Belongs here: geometry and markup. Does not belong here: figures. A suppressed figure has no bar, only its mark.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

_BAR, _GAP, _HEIGHT, _TOP, _BOTTOM = 26, 16, 120, 18, 22


def draw_bar_chart(
    title: str, years: Sequence[str], totals: Sequence[int | None], partial_amounts: Sequence[int | None], missing_mark: str
) -> str:
    """Draw two bars for each year: the total, and a part of it. If a figure is None, `missing_mark` is written in place of the bar."""
    maximum = max([n for n in (*totals, *partial_amounts) if n is not None] or [1]) or 1
    group_width = 2 * _BAR + _GAP
    width = group_width * len(years) + _GAP
    markup = [_write_opening_tag(title, years, totals, partial_amounts, missing_mark, width, _HEIGHT + _TOP + _BOTTOM)]
    for position, (year, total, part) in enumerate(zip(years, totals, partial_amounts, strict=True)):
        left = _GAP + position * group_width
        for x, value, kind in ((left, total, "all"), (left + _BAR, part, "part")):
            height = 0 if value is None else round(_HEIGHT * value / maximum)
            y = _TOP + _HEIGHT - height
            markup.append(f'<rect class="{kind}" x="{x}" y="{y}" width="{_BAR - 3}" height="{height}"/>')
            text = missing_mark if value is None else str(value)
            markup.append(f'<text x="{x + (_BAR - 3) / 2}" y="{y - 4}" text-anchor="middle">{escape(text)}</text>')
        markup.append(f'<text x="{left + _BAR}" y="{_TOP + _HEIGHT + 15}" text-anchor="middle">{escape(year)}</text>')
    markup.append(f'<line class="base" x1="0" x2="{width}" y1="{_TOP + _HEIGHT}" y2="{_TOP + _HEIGHT}"/></svg>')
    return "".join(markup)


def _write_opening_tag(
    title: str, years: Sequence[str], totals: Sequence[int | None], partial_amounts: Sequence[int | None], missing_mark: str, w: int, h: int
) -> str:
    text = "; ".join(
        f"{y}: {_format_figure(t, missing_mark)} / {_format_figure(p, missing_mark)}"
        for y, t, p in zip(years, totals, partial_amounts, strict=True)
    )
    return f'<svg class="bars" role="img" viewBox="0 0 {w} {h}" width="{w}" height="{h}" aria-label="{escape(f"{title}. {text}")}">'


def _format_figure(value: int | None, missing_mark: str) -> str:
    return missing_mark if value is None else str(value)


def draw_flow_chart(title: str, lanes: Sequence[tuple[str, Sequence[tuple[str, str]]]]) -> str:
    """Draw boxes from left to right, in one lane for each unit (cases, persons).

    `lanes` contains for each lane its name and its boxes; each box has a label and a figure.
    """
    box_width, box_height, gap, header = 128, 74, 22, 20
    most_boxes = max(len(boxes) for _, boxes in lanes)
    width, height = most_boxes * (box_width + gap), len(lanes) * (box_height + header + 14)
    alternative = ". ".join(f"{lane}: " + ", ".join(f"{label} {figure}" for label, figure in boxes) for lane, boxes in lanes)
    markup = [f'<svg class="flow" role="img" viewBox="0 0 {width} {height}" aria-label="{escape(f"{title}. {alternative}")}">']
    for row, (lane, boxes) in enumerate(lanes):
        top = row * (box_height + header + 14) + header
        markup.append(f'<text class="lane" x="0" y="{top - 6}">{escape(lane)}</text>')
        for position, (label, figure) in enumerate(boxes):
            x = position * (box_width + gap)
            markup.append(f'<rect class="box" x="{x}" y="{top}" width="{box_width}" height="{box_height}" rx="4"/>')
            markup.append(f'<text class="n" x="{x + box_width / 2}" y="{top + 24}" text-anchor="middle">{escape(figure)}</text>')
            for line, text in enumerate(_wrap_text(label)):
                markup.append(
                    f'<text class="what" x="{x + box_width / 2}" y="{top + 41 + 13 * line}" text-anchor="middle">{escape(text)}</text>'
                )
            if position:
                y = top + box_height / 2
                markup.append(f'<path class="arrow" d="M{x - gap + 3} {y} H{x - 7} M{x - 11} {y - 4} L{x - 6} {y} L{x - 11} {y + 4}"/>')
    return "".join(markup) + "</svg>"


def _wrap_text(text: str, line_width: int = 21, max_lines: int = 3) -> list[str]:
    """Split a text into lines of about `line_width` characters; what does not fit into `max_lines` lines is left out."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > line_width:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return lines[:max_lines]
