"""One pandera model for each delivered table, derived from the contracts; files of institutions add rules between the cells of a row.

A model validates *typed* frames (`pipelines.validation.cells`): a cell that could not be parsed is null in them and has its own finding,
so that it never hides another check.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec

import pandera.pandas as pa

from schemas import domain_folder
from schemas.exports.build import build
from sources import contract


@cache
def models(institution: str) -> dict[str, pa.DataFrameSchema]:
    """Return the models of an institution's tables: `MODELS` of `schemas/exports/<institution>.py` (built-in domain) or of `exports.py`
    in the institution's own folder; without either, models derived from the contract alone."""
    built_in = [f"schemas.exports.{institution}"] if domain_folder.folder() is None else []
    for module in (*built_in, f"sources.{institution}.exports"):
        if find_spec(module):
            return dict(import_module(module).MODELS)
    return build(contract.load(institution))
