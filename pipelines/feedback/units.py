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


def placed(found: pd.DataFrame, tables: Mapping[str, pd.DataFrame], contract: Contract) -> pd.DataFrame:
    """`found` (delivery, part, record_key: findings, or records) with `unit` and `number` where the record says it: as delivered in the
    same delivery, else as last delivered. tables: typed, of all deliveries (`pipelines.validate.Validated`)."""
    units = contract.units
    if units is None or found.empty:
        return (
            found if "unit" in found else found.assign(**dict.fromkeys(("unit", "number"), pd.Series(None, index=found.index, dtype="str")))
        )
    top = tables[units.table]
    known = pd.DataFrame(
        {
            "delivery": top["_delivery"],
            "case": top["_case"],
            "unit": _named(top, units, contract),
            "number": top[f"{units.number}:text"] if units.number else None,
        }
    ).dropna(subset=["case"])
    asked = pd.DataFrame({"delivery": found["delivery"].array, "case": _cases(found, tables).array})
    same = asked.merge(known.drop_duplicates(["delivery", "case"], keep="last"), on=["delivery", "case"], how="left")
    last = asked.merge(known.drop_duplicates("case", keep="last").drop(columns="delivery"), on="case", how="left")
    elsewhere = found["part"].reset_index(drop=True) if units.columns == ("_part",) else last["unit"]
    return found.assign(
        unit=same["unit"].fillna(elsewhere).astype("str").array,
        number=same["number"].fillna(last["number"]).astype("str").array,
    )


def placed_by_record(found: pd.DataFrame, lineage: pd.DataFrame) -> pd.DataFrame:
    """Findings that came without unit and number, with those of their record. lineage: as `pipelines.current` gives it."""
    key = ["institution", "record_key"]
    known = lineage.dropna(subset=["unit"]).drop_duplicates(key, keep="last").set_index(key)[["unit", "number"]]
    own = known.reindex(pd.MultiIndex.from_frame(found[key]))
    lost = found["unit"].isna() & found["record_key"].notna()
    return found.assign(**{name: found[name].mask(lost, pd.Series(own[name].array, index=found.index)) for name in known.columns})


def language_of(unit: str | None, contract: Contract) -> str:
    """The language in which a unit reads its feedback; the institution's own where no pattern fits."""
    patterns = contract.units.languages if contract.units else {}
    return next((language for language, pattern in patterns.items() if unit and re.search(pattern, unit)), contract.language)


def _cases(found: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> pd.Series:
    """Key of the case of each finding's record. Where a part is a table, its own rows say it: tables may number their rows alike."""
    pairs = {name: frame[["_record", "_case"]].dropna().drop_duplicates("_record") for name, frame in tables.items()}
    every = pd.concat(pairs.values()).drop_duplicates("_record").set_index("_record")["_case"]
    out = found["record_key"].map(every).astype("str")
    for part in found["part"].dropna().unique():
        if part in pairs:
            out = out.where(found["part"] != part, found["record_key"].map(pairs[part].set_index("_record")["_case"]))
    return out.astype("str")


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
