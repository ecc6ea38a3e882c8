"""Render an explanation as one HTML page without scripts or external resources, printable on A4, and store it.

Does not belong here: the content of the explanation; layout (`templates/`, which extend the style sheet of feedback).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import jinja2

from harmonia.atomic_files import write_small_file
from harmonia.errors import HarmoniaError
from harmonia.explain.chart import lay_out_waterfall
from harmonia.explain.document import Explanation, MatchWeight, Table, Text, Waterfall
from harmonia.feedback.texts import make_visible

_PRIVATE = 0o600
_FULL_TINT = 12.0  # bits of the strongest colour


@cache
def _make_template_environment() -> jinja2.Environment:
    loader = jinja2.PrefixLoader({name: jinja2.PackageLoader(f"harmonia.{name}") for name in ("explain", "feedback")})
    out = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    out.filters.update(shown=_format_cell, tint=_choose_css_class_of_weight)
    out.globals.update(lay_out_waterfall=lay_out_waterfall)
    out.tests.update(
        lines=lambda v: isinstance(v, tuple),
        bits=lambda b: isinstance(b, MatchWeight),
        table=lambda b: isinstance(b, Table),
        text=lambda b: isinstance(b, Text),
        waterfall=lambda b: isinstance(b, Waterfall),
    )
    return out


def _format_cell(value: object) -> str:
    return "" if value is None else make_visible(str(value))


def _choose_css_class_of_weight(bits: MatchWeight) -> str:
    """Return the CSS class of a match weight: five classes for a match, five against it, and one for weights near zero."""
    if bits.value is None or abs(bits.value) < 0.5:
        return "w0"
    return f"{'up' if bits.value > 0 else 'down'}{min(5, 1 + int(abs(bits.value) / _FULL_TINT * 5))}"


def render_page(explanation: Explanation) -> str:
    """Render the explanation as an HTML page."""
    return _make_template_environment().get_template("explain/page.html.j2").render(d=explanation)


def save_page(explanation: Explanation, path: Path) -> None:
    """Write the page to `path` atomically. If it contains names, only the user who runs this can read it (0600).

    Raises `HarmoniaError` if the page cannot be written.
    """
    if path.is_dir():
        raise HarmoniaError(f"{path} is a folder: name a file with --html, e.g. {path / 'explained.html'}")
    write_small_file(path, render_page(explanation).encode(), _PRIVATE if explanation.contains_names else 0o644)
