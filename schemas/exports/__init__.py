"""Models of the delivered tables, for the validation library pandera. Each model is derived from the contract of the institution; a module
for each institution adds rules that compare cells of the same row.

A model validates frames whose cells were parsed (`pipelines.validation.cells`). A cell that could not be parsed is null in them and has a
separate finding already, so it does not prevent other checks.
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
    """Return the pandera models of an institution's tables, by table.

    They are the constant `MODELS` of the module `schemas/exports/<institution>.py`, if the built-in domain is used, or of `exports.py` in
    the institution's folder. If there is no such module, they are derived from the contract alone.
    """
    built_in = [f"schemas.exports.{institution}"] if domain_folder.folder() is None else []
    for module in (*built_in, f"sources.{institution}.exports"):
        if find_spec(module):
            return dict(import_module(module).MODELS)
    return build_pandera_models(contract.load(institution))
