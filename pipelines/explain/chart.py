"""A waterfall as inline SVG.

Belongs here: geometry. Colours come from the page's style sheet, by class. Does not belong here: what the steps mean.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.explain.document import Step, Waterfall

WIDTH, LABELS, VALUES, ROW, TOP = 480, 178, 48, 22, 8
LEAST = 1e-6  # least range of the axis
LONGEST = 29  # characters of a label; the bar's title has the whole label


@dataclass(frozen=True)
class Bar:
    """One row of the chart in its coordinates: `kind` is `up`, `down`, `base` or `sum`; `link`: x of the line to the next row."""

    label: str
    amount: str
    detail: str
    kind: str
    x: float
    y: float
    width: float
    link: float | None


@dataclass(frozen=True)
class Drawing:
    """A waterfall laid out; `zero`: x of zero; `text`: the alternative text."""

    chart: Waterfall
    bars: list[Bar]
    height: int
    zero: float
    text: str
    width: int = WIDTH
    labels: int = LABELS
    row: int = ROW


def draw(chart: Waterfall) -> Drawing:
    """Lay out `chart`: one row per step, from top to bottom."""
    ends = [0.0]
    for step in [chart.start, *chart.steps]:
        ends.append(ends[-1] + step.amount)
    low, high = min(ends), max(ends)
    scale = (WIDTH - LABELS - VALUES - 8) / max(high - low, LEAST)

    def at(value: float) -> float:
        return round(LABELS + 4 + (value - low) * scale, 1)

    bars, running = [], 0.0
    for n, step in enumerate([chart.start, *chart.steps]):
        before, running = running, running + step.amount
        kind = "base" if n == 0 else "up" if step.amount >= 0 else "down"
        bars.append(_bar(chart, step, kind, at(before), at(running), n))
    total = Step(chart.end, running, chart.verdict)
    bars.append(_bar(chart, total, "sum", at(0.0), at(running), len(bars), follows=False))
    words = ", ".join(f"{bar.label} {bar.amount}" for bar in bars)
    return Drawing(chart, bars, TOP * 2 + ROW * len(bars), at(0.0), f"{chart.title}: {words} {chart.unit}")


def _bar(chart: Waterfall, step: Step, kind: str, first: float, last: float, n: int, *, follows: bool = True) -> Bar:
    x, width = min(first, last), max(abs(last - first), 1.5)
    label = step.label if len(step.label) <= LONGEST else step.label[: LONGEST - 1] + "…"
    signed = chart.decimals > 0 or kind in ("up", "down")
    return Bar(label, chart.say(step.amount, sign=signed), step.detail, kind, x, TOP + n * ROW, width, last if follows else None)
