"""Which part of the institution each finding goes to, and under which number the institution knows the case.

Belongs here: unit and own number of a record, the language of a unit. Does not belong here: where findings come from.
Source: `units` of the contract.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import pandas as pd

from pipelines.harmonise import codes
from pipelines.harmonise.text import fold, map_values, tidy
from sources.contract import Contract, Units

_BETWEEN = " – "


class Places:
    """Unit and number of every record of one institution. tables: typed, of all deliveries (`pipelines.validate.Validated`)."""

    def __init__(self, tables: Mapping[str, pd.DataFrame], contract: Contract) -> None:
        self._contract = contract
        if contract.units is None:
            return
        top = tables[contract.units.table]
        number = top[f"{contract.units.number}:text"] if contract.units.number else None
        known = {"delivery": top["_delivery"], "case": top["_case"], "unit": _named(top, contract.units, contract), "number": number}
        self._known = pd.DataFrame(known).dropna(subset=["case"])
        self._of_part = {name: frame[["_record", "_case"]].dropna().drop_duplicates("_record") for name, frame in tables.items()}
        self._of_record = pd.concat(self._of_part.values()).drop_duplicates("_record").set_index("_record")["_case"]

    def placed(self, found: pd.DataFrame) -> pd.DataFrame:
        """`found` (delivery, part, record_key: findings, or records) with `unit` and `number` where the record says it: as delivered in
        the same delivery, else as last delivered."""
        units = self._contract.units
        if units is None or found.empty:
            nothing = pd.Series(None, index=found.index, dtype="str")
            return found if "unit" in found else found.assign(**dict.fromkeys(("unit", "number"), nothing))
        asked = pd.DataFrame({"delivery": found["delivery"].array, "case": self._cases(found).array})
        same = asked.merge(self._known.drop_duplicates(["delivery", "case"], keep="last"), on=["delivery", "case"], how="left")
        last = asked.merge(self._known.drop_duplicates("case", keep="last").drop(columns="delivery"), on="case", how="left")
        elsewhere = found["part"].reset_index(drop=True) if units.columns == ("_part",) else last["unit"]
        return found.assign(
            unit=same["unit"].fillna(elsewhere).astype("str").array,
            number=same["number"].fillna(last["number"]).astype("str").array,
        )

    def _cases(self, found: pd.DataFrame) -> pd.Series:
        """Key of the case of each finding's record. Where a part is a table, its own rows say it: tables may number their rows alike."""
        out = found["record_key"].map(self._of_record).astype("str")
        for part in found["part"].dropna().unique():
            if part in self._of_part:
                own = self._of_part[part].set_index("_record")["_case"]
                out = out.where(found["part"] != part, found["record_key"].map(own))
        return out.astype("str")


def placed_by_record(found: pd.DataFrame, lineage: pd.DataFrame) -> pd.DataFrame:
    """Findings that came without unit and number, with those of their record. lineage: as `pipelines.current` gives it."""
    key = ["institution", "record_key"]
    lost = found["unit"].isna() & found["record_key"].notna()
    asked = found.loc[lost, key]
    known = lineage[lineage["unit"].notna() & lineage["record_key"].isin(asked["record_key"])]
    own = known.drop_duplicates(key, keep="last").set_index(key)[["unit", "number"]].reindex(pd.MultiIndex.from_frame(asked))
    return found.assign(**{name: found[name].mask(lost, pd.Series(own[name].array, index=asked.index)) for name in own.columns})


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
