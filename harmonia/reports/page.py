"""A report as one HTML page without scripts or external resources.

Belongs here: rendering. Does not belong here: the content of the report.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import jinja2

from harmonia.reports.document import Document

_TEMPLATES = Path(__file__).with_name("templates")


@cache
def _make_template_environment() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(_TEMPLATES)
    return jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)


def render_page(report: Document) -> str:
    """Render a report as an HTML page. The markup of charts is trusted; every other text is escaped."""
    style = (_TEMPLATES / "report.css").read_text("utf-8")
    return _make_template_environment().get_template("report.html.j2").render(report=report, style=style)
