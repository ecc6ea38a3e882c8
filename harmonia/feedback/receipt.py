"""The receipt of a delivery, which lists its files with size and hash.

It is first written when the delivery is landed, before any content is read.
Belongs here: the content of `receipt.json` and of its page. Does not belong here: findings (`report`).
"""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pandas as pd

from harmonia.feedback.page import load_templates, make_page_name
from harmonia.feedback.report import RECEIVED, convert_rows_to_dicts, find_publisher_names
from harmonia.feedback.texts import load_feedback_texts, make_visible
from schemas.findings import LANGUAGES
from sources.contract import DeliveryName


def render_receipt(
    institution: str,
    delivery: str,
    files: pd.DataFrame,
    language: str,
    received: date | None,
    state: str = "received",
    counts: dict[str, int] | None = None,
) -> dict[str, str]:
    """Render the receipt. The result maps the name of a file to its content.

    The files are `receipt.json`, `receipt.html` in `language`, and `receipt.<language>.html` in each other language. files: the received
    files, with file, size (bytes) and sha256; missing values are shown as unknown. received: day of receipt. state: `received` until the
    delivery was processed, and then the state of the delivery. counts: the numbers of findings; None until the delivery was processed.
    """
    name = DeliveryName.parse(delivery)
    listed = convert_rows_to_dicts(files.reindex(columns=["file", *RECEIVED]).sort_values("file"))
    data: dict[str, Any] = {
        "format": "harmonia.receipt/1",
        "institution": institution,
        "delivery": delivery,
        "period": name.period if name else None,
        "version": name.version if name else None,
        "received": received.isoformat() if received else None,
        "state": state,
        "files": [{**file, "size": None if file["size"] is None else int(file["size"])} for file in listed],
        "counts": counts,
        "report": "findings.html" if counts is not None else None,
    }
    content = {
        "publisher": find_publisher_names(institution),
        "received": received,
        "state": state,
        "files": [{**file, "file": make_visible(str(file["file"]))} for file in data["files"]],
        "names": {"delivery": make_visible(delivery)},
    }
    template = load_templates().get_template("receipt.html.j2")
    pages = {
        make_page_name("receipt", spoken, language): template.render(t=load_feedback_texts(spoken), language=spoken, **content)
        for spoken in LANGUAGES
    }
    return {"receipt.json": json.dumps(data, ensure_ascii=False, indent=1) + "\n", **pages}
