"""The explorer as one HTML file with embedded style, script and data, so that it works without a server.

Belongs here: assembling the page, and its Content-Security-Policy. Does not belong here: the data (`data`).
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import jinja2

from harmonia.atomic_files import write_small_file
from harmonia.errors import convert_storage_errors
from harmonia.explorer.data import collect_page_data
from warehouse.releases.reading import Release

_SITE = Path(__file__).with_name("site")


def render_page(release: Release) -> str:
    """Render the page as HTML.

    The browser runs only the embedded script, which the page allows by its hash. The script inserts the texts of the release as text, not
    as HTML.
    """
    script = (_SITE / "explorer.js").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    embedded = json.dumps(collect_page_data(release), ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(_SITE), autoescape=True, undefined=jinja2.StrictUndefined)
    style = (_SITE / "explorer.css").read_text("utf-8")
    return environment.get_template("explorer.html.j2").render(
        digest=digest, style=style, script=script, data=embedded, cube=release.files["cube.csv"].decode("utf-8")
    )


def write_explorer_page(release: Release, out: Path) -> Path:
    """Write the page to `out/index.html`."""
    target = out / "index.html"
    with convert_storage_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    write_small_file(target, render_page(release).encode())
    return target
