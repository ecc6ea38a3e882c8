"""One pandera model per delivered table, derived from the contracts; institution files add cross-field rules.

A model judges *typed* frames (`pipelines.validate.cells`): what could not be parsed is null there and has its own finding, so a
value that cannot be coerced never hides another check.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

import pandera.pandas as pa


@cache
def models(institution: str) -> dict[str, pa.DataFrameSchema]:
    """The models of an institution's tables: `schemas/exports/<institution>.py: MODELS`."""
    return dict(import_module(f"schemas.exports.{institution}").MODELS)
