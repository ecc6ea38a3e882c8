"""Choose the names under which published tables show delivered files, sheets and columns: names that a contract declares are shown, all
others are replaced by neutral names.

A name that no contract declares is free text and may be the name of a person. It stays in the landing store, in the lake and in the
feedback to the institution that delivered it.
Belongs here: which names are declared, the neutral names. Does not belong here: matching files and columns to the contract
(`sources/readers`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from sources import contract as contracts
from sources.contract import Contract
from sources.readers.headers import normalise_name

NEUTRAL = {"file": "undeclared file", "part": "undeclared sheet", "field": "undeclared column"}
OTHER_UNITS = "other"
MIN_UNIT_RECORDS, MIN_UNIT_DELIVERIES = 5, 2
"""How many records, and how many deliveries, must contain the name of a unit (station, seat, facility) so that the name is published. A
rarer name may be that of a person; such units are published as `OTHER_UNITS` (`warehouse/models/quality/delivered_record.sql`)."""
_DELIVERY = ["institution", "delivery"]


def list_names_declared_by_contract(contract: Contract) -> Mapping[str, frozenset[str]]:
    """Return the names that a contract declares, by kind: `file`, `part` (sheets and tables), `field` (columns).

    The names are folded (`sources.readers.headers.normalise_name`), so that spellings are compared as the readers compare them.
    """
    files = {name for file in contract.files for name in (file.name, *file.alternatives)}
    dumps = {f"{name.removesuffix('.url')}.dump" for name in files if name.endswith(".url")}
    sheets = {sheet for file in contract.files for sheet in (*file.options.get("sheets", ()), file.options.get("sheet", ""))}
    columns = {name for table in contract.tables.values() for column in table.columns for name in (column.name, *column.aliases)}
    by_kind = {"file": files | dumps, "part": sheets | set(contract.tables), "field": columns}
    return {kind: frozenset(map(normalise_name, names)) for kind, names in by_kind.items()}


def choose_neutral_names(delivered_names: pd.DataFrame) -> pd.DataFrame:
    """Give a neutral name to each delivered name that the institution's contract does not declare.

    delivered_names: the delivered names, with the columns institution, delivery, kind (`file`, `part`, `field`), name. Columns out: the
    same, and the neutral name `neutral`, such as `undeclared file 2`. The undeclared names of a delivery are numbered in alphabetical
    order. Declared names have no row in the result.
    """
    declared = {name: list_names_declared_by_contract(contracts.load(name)) for name in contracts.institutions()}
    rows = zip(delivered_names["institution"], delivered_names["kind"], delivered_names["name"], strict=True)
    undeclared = np.array(
        [normalise_name(str(name)) not in declared.get(str(of), {}).get(str(kind), ()) for of, kind, name in rows], dtype=bool
    )
    group = [*_DELIVERY, "kind"]
    out = delivered_names[undeclared].sort_values([*group, "name"], ignore_index=True)
    number = (out.groupby(group, dropna=False).cumcount() + 1).astype("str")
    return out.assign(neutral=out["kind"].map(NEUTRAL).astype("str") + " " + number)
