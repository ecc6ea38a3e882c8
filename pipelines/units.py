"""Which part of the institution each finding goes to, and under which number the institution knows the case.

Belongs here: unit and own number of a record, the language of a unit. Does not belong here: where findings come from.
Source: `units` of the contract.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipelines.harmonise import codes
from pipelines.harmonise.text import fold, map_values, tidy
from pipelines.resources.coded import places
from sources.contract import Contract, Units, record_tables

_BETWEEN = " – "


class Places:
    """Unit and number of every record of one institution. tables: typed, of all deliveries (`pipelines.validate.Validated`)."""

    def __init__(self, tables: Mapping[str, pd.DataFrame], contract: Contract) -> None:
        self._contract = contract
        if contract.units is None:
            return
        top = tables[contract.units.table]
        number = top[f"{contract.units.number}:text"] if contract.units.number else None
        frame = {"delivery": top["_delivery"], "case": top["_case"], "unit": _named(top, contract.units, contract), "number": number}
        known = pd.DataFrame(frame).dropna(subset=["case"]).reset_index(drop=True)
        self._told = known[["unit", "number"]].astype("str")
        self._cases, self._deliveries = pd.Index(known["case"].unique()), pd.Index(known["delivery"].unique())
        case = places(known["case"], self._cases)
        last = known.drop_duplicates("case", keep="last").index.to_numpy()
        self._last = np.full(len(self._cases) + 1, -1)
        self._last[case[last]] = last
        place = pd.Series(self._places(known["delivery"], case)).drop_duplicates(keep="last")
        self._same, self._row = pd.Index(place), np.append(place.index.to_numpy(), -1)
        parts = {name: table[["_record", "_case"]].dropna().drop_duplicates("_record") for name, table in tables.items()}
        self._of_part = {name: self._of(part) for name, part in parts.items()}
        self._of_record = self._of(pd.concat(parts.values()).drop_duplicates("_record"))

    def placed(self, found: pd.DataFrame) -> pd.DataFrame:
        """`found` (delivery, part, record_key: findings, or records) with `unit` and `number` where the record says it: as delivered in
        the same delivery, else as last delivered."""
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
        """Records, and of each the place of its case; the last for one that is unknown."""
        return pd.Index(part["_record"]), np.append(places(part["_case"], self._cases), -1)

    def _places(self, delivery: pd.Series, case: np.ndarray) -> np.ndarray:
        """One number for delivery and case, -1 where either is unknown."""
        at = places(delivery, self._deliveries)
        return np.where((at >= 0) & (case >= 0), at * len(self._cases) + case, -1)

    def _rows(self, rows: np.ndarray) -> pd.DataFrame:
        """What is told at these places, nothing at -1."""
        return pd.DataFrame({name: self._told[name].array.take(rows, allow_fill=True) for name in self._told})

    def _cases_of(self, found: pd.DataFrame) -> np.ndarray:
        """The place of the case of each finding's record. Where a part is a table, its own rows say it: tables may number their rows
        alike."""
        records, cases = self._of_record
        out = cases[places(found["record_key"], records)]
        for part in set(found["part"].dropna().unique()) & set(self._of_part):
            own = (found["part"] == part).to_numpy()
            records, cases = self._of_part[part]
            out[own] = cases[places(found["record_key"][own], records)]
        return out


def placed_by_record(found: pd.DataFrame, lineage: pd.DataFrame) -> pd.DataFrame:
    """Findings that came without unit and number, with those of their record. lineage: as `pipelines.current` gives it.

    Where a part is a table, a record is one of its table: a file and a party of one number are two.
    """
    key = ["institution", "record_key", "table"]
    lost = found["unit"].isna() & found["record_key"].notna()
    asked = _of_tables(found.loc[lost, ["institution", "record_key", "part"]])
    known = _of_tables(lineage[lineage["unit"].notna() & lineage["record_key"].isin(asked["record_key"])])
    own = known.drop_duplicates(key, keep="last").set_index(key)[["unit", "number"]].reindex(pd.MultiIndex.from_frame(asked[key]))
    return found.assign(**{name: found[name].mask(lost, pd.Series(own[name].array, index=asked.index)) for name in own.columns})


def _of_tables(rows: pd.DataFrame) -> pd.DataFrame:
    """`rows` with the `table` of the records that they are of, or hang on; empty where the part says none."""
    parts = rows[["institution", "part"]].astype("str").drop_duplicates()
    tables = [record_tables().get(pair, "") for pair in parts.itertuples(index=False, name=None)]
    named = parts.assign(table=pd.Series(tables, index=parts.index, dtype="str"))
    return rows.assign(table=rows[["institution", "part"]].astype("str").merge(named, how="left")["table"].array)


def language_of(unit: str | None, contract: Contract) -> str:
    """The language in which a unit reads its feedback; the institution's own where no pattern fits."""
    patterns = contract.units.languages if contract.units else {}
    return next((language for language, pattern in patterns.items() if unit and re.search(pattern, unit)), contract.language)


def _named(top: pd.DataFrame, units: Units, contract: Contract) -> pd.Series:
    """The unit's name per row: seats by their label, others tidied, spellings of one name under the one that is most frequent."""
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
