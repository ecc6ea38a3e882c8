"""Names of files, sheets, columns and units in published tables: those that the contract declares, and neutral ones for all others.

Belongs here: what replaces a name that an institution delivered and nobody declared. Such a name is free text, and free text can name a
person: it stays in the landing store, the lake and the feedback to its supplier. Does not belong here: matching files and columns to the
contract (`sources/readers`).
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from sources import contract as contracts
from sources.contract import Contract
from sources.readers.headers import fold

NEUTRAL = {"file": "undeclared file", "part": "undeclared sheet", "field": "undeclared column"}
OTHER_UNITS = "other"
_BORNE_BY = 5  # records, and two deliveries: a name that recurs like that is the name of a unit, not of a person
_DELIVERY = ["institution", "delivery"]


def declared_names(contract: Contract) -> Mapping[str, frozenset[str]]:
    """The folded names that an institution declares: `file`, `part` (sheets and tables), `field`."""
    files = {name for file in contract.files for name in (file.name, *file.alternatives)}
    dumps = {f"{name.removesuffix('.url')}.dump" for name in files if name.endswith(".url")}
    sheets = {sheet for file in contract.files for sheet in (*file.options.get("sheets", ()), file.options.get("sheet", ""))}
    columns = {name for table in contract.tables.values() for column in table.columns for name in (column.name, *column.aliases)}
    named = {"file": files | dumps, "part": sheets | set(contract.tables), "field": columns}
    return {kind: frozenset(map(fold, names)) for kind, names in named.items()}


def neutral(frames: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The frames with neutral names in place of undeclared ones, the same in all of them.

    frames: institution, delivery and any of `file`, `part`, `field`. A neutral name is numbered within its delivery, in the order of the
    names: `undeclared file 2`.
    """
    out = dict(frames)
    for kind, words in NEUTRAL.items():
        having = {name: frame for name, frame in out.items() if kind in frame}
        if not having:
            continue
        every = pd.concat([frame[[*_DELIVERY, kind]].drop_duplicates() for frame in having.values()]).dropna(subset=[kind])
        every = every.drop_duplicates().sort_values([*_DELIVERY, kind], ignore_index=True)
        known = {name: declared_names(contracts.load(name))[kind] for name in contracts.institutions()}
        pairs = zip(every["institution"], every[kind], strict=True)
        lost = every[[fold(str(said)) not in known.get(str(institution), ()) for institution, said in pairs]]
        if lost.empty:
            continue
        number = (lost.groupby(_DELIVERY, dropna=False).cumcount() + 1).astype("str")
        replaced = lost.assign(_neutral=words + " " + number)
        for name, frame in having.items():
            found = frame[[*_DELIVERY, kind]].merge(replaced, on=[*_DELIVERY, kind], how="left")["_neutral"]
            out[name] = frame.assign(**{kind: found.fillna(frame[kind].astype("str").reset_index(drop=True)).array})
    return out


def neutral_units(records: pd.DataFrame) -> pd.Series:
    """The units of records (institution, delivery, record, unit; empty: none), `OTHER_UNITS` where too few records bear the name."""
    bearing = records.groupby(["institution", "unit"]).agg(records=("record", "nunique"), deliveries=("delivery", "nunique")).reset_index()
    recurring = bearing[(bearing["records"] >= _BORNE_BY) & (bearing["deliveries"] >= 2)]
    names = pd.MultiIndex.from_frame(recurring[["institution", "unit"]])
    kept = pd.MultiIndex.from_frame(records[["institution", "unit"]]).isin(names) | (records["unit"] == "").to_numpy()
    return records["unit"].where(kept, OTHER_UNITS)
