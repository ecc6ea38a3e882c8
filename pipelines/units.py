"""Routing of findings: the unit of the institution and the institution's own case number.

Belongs here: unit and case number of a record, language of a unit. Does not belong here: creating findings.
Source: `units` in the contract.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipelines.harmonisation import codes
from pipelines.harmonisation.text import fold, map_values, tidy
from pipelines.resources.coded import positions
from sources.contract import Contract, Units, record_tables

_BETWEEN = " – "


class UnitIndex:
    """Unit and case number of every record of one institution. tables: typed, of all deliveries (`pipelines.validation.Validated`)."""

    def __init__(self, tables: Mapping[str, pd.DataFrame], contract: Contract) -> None:
        self._contract = contract
        if contract.units is None:
            return
        top = tables[contract.units.table]
        number = top[f"{contract.units.number}:text"] if contract.units.number else None
        frame = {"delivery": top["_delivery"], "case": top["_case"], "unit": _named(top, contract.units, contract), "number": number}
        known = pd.DataFrame(frame).dropna(subset=["case"]).reset_index(drop=True)
        self._known = known[["unit", "number"]].astype("str")
        self._cases, self._deliveries = pd.Index(known["case"].unique()), pd.Index(known["delivery"].unique())
        case = positions(known["case"], self._cases)
        last = known.drop_duplicates("case", keep="last").index.to_numpy()
        self._last = np.full(len(self._cases) + 1, -1)
        self._last[case[last]] = last
        place = pd.Series(self._places(known["delivery"], case)).drop_duplicates(keep="last")
        self._same, self._row = pd.Index(place), np.append(place.index.to_numpy(), -1)
        parts = {name: table[["_record", "_case"]].dropna().drop_duplicates("_record") for name, table in tables.items()}
        self._of_part = {name: self._of(part) for name, part in parts.items()}
        self._of_record = self._of(pd.concat(parts.values()).drop_duplicates("_record"))

    def add_units(self, found: pd.DataFrame) -> pd.DataFrame:
        """`found` (findings or records with delivery, part, record_key) with `unit` and `number` of that delivery, else the latest."""
        units = self._contract.units
        if units is None or found.empty:
            nothing = pd.Series(None, index=found.index, dtype="str")
            return found if "unit" in found else found.assign(**dict.fromkeys(("unit", "number"), nothing))
        case = self._cases_of(found)
        same = self._rows(self._row[self._same.get_indexer(pd.Index(self._places(found["delivery"], case)))])
        last = self._rows(self._last[case])
        elsewhere = found["part"].reset_index(drop=True) if units.columns == ("_part",) else last["unit"]
        return found.assign(
            unit=same["unit"].fillna(elsewhere).astype("str").array,
            number=same["number"].fillna(last["number"]).astype("str").array,
        )

    def _of(self, part: pd.DataFrame) -> tuple[pd.Index, np.ndarray]:
        """Records and the index of each record's case; -1 at the end, for unknown records."""
        return pd.Index(part["_record"]), np.append(positions(part["_case"], self._cases), -1)

    def _places(self, delivery: pd.Series, case: np.ndarray) -> np.ndarray:
        """One number per delivery and case, -1 if either is unknown."""
        at = positions(delivery, self._deliveries)
        return np.where((at >= 0) & (case >= 0), at * len(self._cases) + case, -1)

    def _rows(self, rows: np.ndarray) -> pd.DataFrame:
        """Unit and number at these rows, null at -1."""
        return pd.DataFrame({name: self._known[name].array.take(rows, allow_fill=True) for name in self._known})

    def _cases_of(self, found: pd.DataFrame) -> np.ndarray:
        """The case index of each finding's record. If a part is a table, only its rows are used: tables may share record numbers."""
        records, cases = self._of_record
        out = cases[positions(found["record_key"], records)]
        for part in set(found["part"].dropna().unique()) & set(self._of_part):
            own = (found["part"] == part).to_numpy()
            records, cases = self._of_part[part]
            out[own] = cases[positions(found["record_key"][own], records)]
        return out


def add_units_by_record(found: pd.DataFrame, lineage: pd.DataFrame) -> pd.DataFrame:
    """Add unit and number of the record to findings without them. lineage: as returned by `pipelines.record_status`.

    If a part is a table, records belong to their table: a file and a party with the same number are two records.
    """
    key = ["institution", "record_key", "table"]
    missing = found["unit"].isna() & found["record_key"].notna()
    wanted = _of_tables(found.loc[missing, ["institution", "record_key", "part"]])
    known = _of_tables(lineage[lineage["unit"].notna() & lineage["record_key"].isin(wanted["record_key"])])
    own = known.drop_duplicates(key, keep="last").set_index(key)[["unit", "number"]].reindex(pd.MultiIndex.from_frame(wanted[key]))
    return found.assign(**{name: found[name].mask(missing, pd.Series(own[name].array, index=wanted.index)) for name in own.columns})


def _of_tables(rows: pd.DataFrame) -> pd.DataFrame:
    """`rows` with the `table` of their records; empty if the part is not a table."""
    parts = rows[["institution", "part"]].astype("str").drop_duplicates()
    tables = [record_tables().get(pair, "") for pair in parts.itertuples(index=False, name=None)]
    named = parts.assign(table=pd.Series(tables, index=parts.index, dtype="str"))
    return rows.assign(table=rows[["institution", "part"]].astype("str").merge(named, how="left")["table"].array)


def language_of(unit: str | None, contract: Contract) -> str:
    """The feedback language of a unit; the institution's language if no pattern matches."""
    patterns = contract.units.languages if contract.units else {}
    return next((language for language, pattern in patterns.items() if unit and re.search(pattern, unit)), contract.language)


def _named(top: pd.DataFrame, units: Units, contract: Contract) -> pd.Series:
    """The unit name per row: seats by label, others tidied; spelling variants are replaced by the most frequent one."""
    out: pd.Series | None = None
    for column in units.columns:
        seat = column in top and not column.startswith("_") and contract.tables[units.table].column(column).type == "seat"
        text = _seat(top[column]) if seat else map_values(top[column], tidy)
        text = text.where(text != "", None)
        out = text if out is None else (out + _BETWEEN + text).where(text.notna(), out)
    assert out is not None
    folded = map_values(out, fold)
    usual = out.groupby(folded).agg(lambda names: str(names.value_counts().sort_index().idxmax()))
    return folded.map(usual).astype("str")


def _seat(text: pd.Series) -> pd.Series:
    labels = codes.table("seats").drop_duplicates("code").set_index("code")["label_sq"]
    return codes.lookup("seats", text)["code"].map(labels).fillna(text).astype("str")
