"""Names of files, sheets, columns and units in published tables: declared names, and neutral ones for all others.

Belongs here: the replacement of delivered names that the contract does not declare. Such a name is free text and may name a person: it
stays in the landing store, the lake and the feedback to its supplier. Does not belong here: matching files and columns to the
contract (`sources/readers`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from sources import contract as contracts
from sources.contract import Contract
from sources.readers.headers import fold

NEUTRAL = {"file": "undeclared file", "part": "undeclared sheet", "field": "undeclared column"}
OTHER_UNITS = "other"
BORNE_BY, SEEN_IN = 5, 2
"""Minimum records and deliveries with a unit's name; a rarer name may be a person's (`models/quality/delivered_record.sql`)."""
_DELIVERY = ["institution", "delivery"]


def declared_names(contract: Contract) -> Mapping[str, frozenset[str]]:
    """The folded names declared by an institution: `file`, `part` (sheets and tables), `field`."""
    files = {name for file in contract.files for name in (file.name, *file.alternatives)}
    dumps = {f"{name.removesuffix('.url')}.dump" for name in files if name.endswith(".url")}
    sheets = {sheet for file in contract.files for sheet in (*file.options.get("sheets", ()), file.options.get("sheet", ""))}
    columns = {name for table in contract.tables.values() for column in table.columns for name in (column.name, *column.aliases)}
    named = {"file": files | dumps, "part": sheets | set(contract.tables), "field": columns}
    return {kind: frozenset(map(fold, names)) for kind, names in named.items()}


def neutral_names(delivered: pd.DataFrame) -> pd.DataFrame:
    """The neutral name of every undeclared name.

    delivered: institution, delivery, kind (`file`, `part`, `field`), name. Columns out: those, neutral: numbered within its delivery, in
    the order of the names (`undeclared file 2`).
    """
    known = {name: declared_names(contracts.load(name)) for name in contracts.institutions()}
    rows = zip(delivered["institution"], delivered["kind"], delivered["name"], strict=True)
    lost = np.array([fold(str(name)) not in known.get(str(of), {}).get(str(kind), ()) for of, kind, name in rows], dtype=bool)
    of = [*_DELIVERY, "kind"]
    out = delivered[lost].sort_values([*of, "name"], ignore_index=True)
    number = (out.groupby(of, dropna=False).cumcount() + 1).astype("str")
    return out.assign(neutral=out["kind"].map(NEUTRAL).astype("str") + " " + number)
