"""Return the code of the territory in exports, and the footnote on its status. Both are settings of the installation, not decisions of
Harmonia."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

from harmonia.errors import HarmoniaError
from schemas.texts import merge_texts, texts
from schemas.yaml_declarations import read_yaml

CODE_VARIABLE, NOTE_VARIABLE = "HARMONIA_AREA_CODE", "HARMONIA_STATUS_NOTE"


@cache
def read_sdmx_settings() -> dict[str, Any]:
    """Read `sdmx.yaml` and the domain's texts. They contain the names of dimensions, attributes and codes, the territories, and the
    footnote."""
    of_domain = {key: text for key, text in texts("exports").items() if key not in ("package", "workbook")}
    return merge_texts(read_yaml(Path(__file__).with_name("sdmx.yaml")), of_domain)


def find_territory_code() -> str:
    """Return the code in `HARMONIA_AREA_CODE`, or the first of the domain's codes. Raises `HarmoniaError` for a code that the domain
    does not have."""
    territory = os.environ.get(CODE_VARIABLE) or next(iter(read_sdmx_settings()["areas"]))
    if territory not in read_sdmx_settings()["areas"]:
        raise HarmoniaError(f"{CODE_VARIABLE}={territory}: the territory's code is one of {', '.join(read_sdmx_settings()['areas'])}")
    return territory


def find_footnote_on_territory_status(lang: str) -> str:
    """Return the footnote on status; empty if `HARMONIA_STATUS_NOTE` is `no`."""
    return "" if os.environ.get(NOTE_VARIABLE, "yes") == "no" else str(read_sdmx_settings()["status_note"][lang])


def make_territory_name(lang: str) -> str:
    """Return the territory's name, with the footnote mark if there is a footnote."""
    territory = str(read_sdmx_settings()["areas"][find_territory_code()][lang])
    return territory if find_footnote_on_territory_status(lang) else territory.rstrip("*")
