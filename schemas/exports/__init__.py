"""One pandera model per delivered table, derived from the contracts; institution files add cross-field rules.

A model validates *typed* frames (`pipelines.validation.cells`): what could not be parsed is null there and has its own finding, so a
value that cannot be coerced never hides another check.
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
    """The models of an institution's tables: `MODELS` of `schemas/exports/<institution>.py` (built-in domain), or of `exports.py` in the
    institution's own folder; where it has neither, what its contract says."""
    built_in = [f"schemas.exports.{institution}"] if domain_folder.folder() is None else []
    for module in (*built_in, f"sources.{institution}.exports"):
        if find_spec(module):
            return dict(import_module(module).MODELS)
    return build(contract.load(institution))
