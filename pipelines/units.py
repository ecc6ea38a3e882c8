"""The unit of an institution (such as a court) to which a finding belongs, and the institution's own case number.

Belongs here: the unit and the case number of a record, the language of a unit (`units` in the contract). Does not belong here: creating
findings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipelines.harmonisation import code_lists
from pipelines.harmonisation.letters import fold_text, map_values, tidy_text
from pipelines.resources.encoded_texts import find_text_positions
from sources.contract import Contract, UnitsSpec, record_tables

_SEPARATOR = " – "


class UnitIndex:
    """The unit and the case number of every record of one institution.

    `tables` has the typed rows of all deliveries (`pipelines.validation.ValidatedDeliveries`).
    """

    def __init__(self, tables: Mapping[str, pd.DataFrame], contract: Contract) -> None:
        self._contract = contract
        if contract.units is None:
            return
        unit_table = tables[contract.units.table]
        case_number = unit_table[f"{contract.units.number}:text"] if contract.units.number else None
        frame = {
            "delivery": unit_table["_delivery"],
            "case": unit_table["_case"],
            "unit": _make_unit_names(unit_table, contract.units, contract),
            "number": case_number,
        }
        unit_rows = pd.DataFrame(frame).dropna(subset=["case"]).reset_index(drop=True)
        self._unit_rows = unit_rows[["unit", "number"]].astype("str")
        self._case_index, self._delivery_index = pd.Index(unit_rows["case"].unique()), pd.Index(unit_rows["delivery"].unique())
        case = find_text_positions(unit_rows["case"], self._case_index)
        latest_rows = unit_rows.drop_duplicates("case", keep="last").index.to_numpy()
        self._latest_row_of_case = np.full(len(self._case_index) + 1, -1)
        self._latest_row_of_case[case[latest_rows]] = latest_rows
        delivery_case = pd.Series(self._number_delivery_case_pairs(unit_rows["delivery"], case)).drop_duplicates(keep="last")
        self._delivery_cases, self._row_of_delivery_case = pd.Index(delivery_case), np.append(delivery_case.index.to_numpy(), -1)
        parts = {name: table[["_record", "_case"]].dropna().drop_duplicates("_record") for name, table in tables.items()}
        self._case_by_part = {name: self._index_cases_of_records(part) for name, part in parts.items()}
        self._case_by_record = self._index_cases_of_records(pd.concat(parts.values()).drop_duplicates("_record"))

    def add_units(self, findings: pd.DataFrame) -> pd.DataFrame:
        """Return `findings` with two more columns: `unit` and `number` (the case number).

        Both come from the delivery of the finding. If that delivery does not have them, they come from the latest delivery of the case.
        `findings` has the columns delivery, part and record_key. Its rows may also be records.
        """
        units = self._contract.units
        if units is None or findings.empty:
            empty = pd.Series(None, index=findings.index, dtype="str")
            return findings if "unit" in findings else findings.assign(**dict.fromkeys(("unit", "number"), empty))
        case = self._find_cases_of_findings(findings)
        in_delivery = self._get_units_at_rows(
            self._row_of_delivery_case[
                self._delivery_cases.get_indexer(pd.Index(self._number_delivery_case_pairs(findings["delivery"], case)))
            ]
        )
        latest_rows = self._get_units_at_rows(self._latest_row_of_case[case])
        fallback_unit = findings["part"].reset_index(drop=True) if units.columns == ("_part",) else latest_rows["unit"]
        return findings.assign(
            unit=in_delivery["unit"].fillna(fallback_unit).astype("str").array,
            number=in_delivery["number"].fillna(latest_rows["number"]).astype("str").array,
        )

    def _index_cases_of_records(self, records: pd.DataFrame) -> tuple[pd.Index, np.ndarray]:
        """Return the keys of the records, and the index of each record's case. The last index is -1; it is used for unknown records."""
        return pd.Index(records["_record"]), np.append(find_text_positions(records["_case"], self._case_index), -1)

    def _number_delivery_case_pairs(self, delivery: pd.Series, case: np.ndarray) -> np.ndarray:
        """Return one number for each combination of delivery and case; -1 if the delivery or the case is unknown."""
        index = find_text_positions(delivery, self._delivery_index)
        return np.where((index >= 0) & (case >= 0), index * len(self._case_index) + case, -1)

    def _get_units_at_rows(self, rows: np.ndarray) -> pd.DataFrame:
        """Return unit and case number at these positions in the list of units; null for the position -1."""
        return pd.DataFrame({name: self._unit_rows[name].array.take(rows, allow_fill=True) for name in self._unit_rows})

    def _find_cases_of_findings(self, findings: pd.DataFrame) -> np.ndarray:
        """Return the index of the case of each finding's record.

        If the part of the file is a table, only records of this table are searched, since two tables may have the same record keys.
        """
        records, cases = self._case_by_record
        case = cases[find_text_positions(findings["record_key"], records)]
        for part in set(findings["part"].dropna().unique()) & set(self._case_by_part):
            in_part = (findings["part"] == part).to_numpy()
            records, cases = self._case_by_part[part]
            case[in_part] = cases[find_text_positions(findings["record_key"][in_part], records)]
        return case


def add_units_by_record(findings: pd.DataFrame, lineage: pd.DataFrame) -> pd.DataFrame:
    """Add the unit and the case number of the record to findings that have no unit. `lineage` comes from `pipelines.record_status`.

    If the part of a file is a table, records are searched only in this table, since a case file and a person with the same number are two
    records.
    """
    key = ["institution", "record_key", "table"]
    missing = findings["unit"].isna() & findings["record_key"].notna()
    records = _add_table_of_record(findings.loc[missing, ["institution", "record_key", "part"]])
    unit_rows = _add_table_of_record(lineage[lineage["unit"].notna() & lineage["record_key"].isin(records["record_key"])])
    units = unit_rows.drop_duplicates(key, keep="last").set_index(key)[["unit", "number"]].reindex(pd.MultiIndex.from_frame(records[key]))
    return findings.assign(
        **{name: findings[name].mask(missing, pd.Series(units[name].array, index=records.index)) for name in units.columns}
    )


def _add_table_of_record(rows: pd.DataFrame) -> pd.DataFrame:
    """Return `rows` with the column `table`, the table to which the record belongs; empty if the part of the file is not a table."""
    parts = rows[["institution", "part"]].astype("str").drop_duplicates()
    tables = [record_tables().get(pair, "") for pair in parts.itertuples(index=False, name=None)]
    with_table = parts.assign(table=pd.Series(tables, index=parts.index, dtype="str"))
    return rows.assign(table=rows[["institution", "part"]].astype("str").merge(with_table, how="left")["table"].array)


def find_language_of_unit(unit: str | None, contract: Contract) -> str:
    """Return the language of the feedback to a unit. It is the institution's language if no pattern of the contract matches the unit."""
    patterns = contract.units.languages if contract.units else {}
    return next((language for language, pattern in patterns.items() if unit and re.search(pattern, unit)), contract.language)


def _make_unit_names(unit_table: pd.DataFrame, units: UnitsSpec, contract: Contract) -> pd.Series:
    """Return the name of the unit in each row.

    The seat of a court or office is named by its label in the code list. If any other name has several spellings, the most frequent one is
    used.
    """
    names: pd.Series | None = None
    for column in units.columns:
        seat = column in unit_table and not column.startswith("_") and contract.tables[units.table].column(column).type == "seat"
        text = _find_seat_labels(unit_table[column]) if seat else map_values(unit_table[column], tidy_text)
        text = text.where(text != "", None)
        names = text if names is None else (names + _SEPARATOR + text).where(text.notna(), names)
    assert names is not None
    folded = map_values(names, fold_text)
    most_frequent = names.groupby(folded).agg(lambda variants: str(variants.value_counts().sort_index().idxmax()))
    return folded.map(most_frequent).astype("str")


def _find_seat_labels(text: pd.Series) -> pd.Series:
    """Return the Albanian label of each seat that is found in `text`. A text that is no seat is returned unchanged."""
    labels = code_lists.read_code_list("seats").drop_duplicates("code").set_index("code")["label_sq"]
    return code_lists.find_codes("seats", text)["code"].map(labels).fillna(text).astype("str")
