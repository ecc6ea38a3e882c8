"""One pandera model for each delivered table, derived from the contracts. Files of institutions add rules between the cells of a row.

A model validates *typed* frames (`pipelines.validation.cells`). A cell that could not be parsed is null in them and has a finding of its
own; so it does not prevent other checks.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec

import pandera.pandas as pa

from schemas import domain_folder
from schemas.exports.build import build_pandera_models
from sources import contract


@cache
def load_pandera_models(institution: str) -> dict[str, pa.DataFrameSchema]:
    """Return the models of an institution's tables.

    They are `MODELS` of `schemas/exports/<institution>.py` (built-in domain) or of `exports.py` in the institution's own folder; if there
    is neither, they are derived from the contract alone.
    """
    built_in = [f"schemas.exports.{institution}"] if domain_folder.folder() is None else []
    for module in (*built_in, f"sources.{institution}.exports"):
        if find_spec(module):
            return dict(import_module(module).MODELS)
    return build_pandera_models(contract.load(institution))
