"""Read rows in, judged rows out: typed, keyed, split into what stands and what is quarantined, with a finding for every fault.

Belongs here: the stage as a whole. Types are parsed in `cells`, keys in `keys`, relations between tables in `cross`; code lists and
cross-field rules are pandera models in `schemas/exports`. A row is quarantined only where its key or structure cannot be read
(`STATISTICS.md`, "What stands").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pandas as pd
import pandera.errors

from pipelines.validate import cells, cross, keys
from schemas import exports, findings
from schemas.exports.build import PERIOD_END
from sources import contract as contracts
from sources.contract import Contract, DeliveryName, TableSpec
from sources.readers.result import POSITION, ReadResult

QUARANTINED: tuple[str, ...] = ("institution", "delivery", "file", "part", "line", "table", "record_key", "case_key", "rule", "raw")


@dataclass
class Validated:
    """One delivery, judged.

    tables       table -> typed frame: declared columns typed, undeclared ones as text, `name:…` companions, `POSITION`,
                 `_key`, `_record`, `_case`, `_content` (hash of the row as delivered)
    quarantined  `QUARANTINED` columns, a row each
    structure    file, part, line, kind
    findings     schemas.findings.COLUMNS
    files        file -> state (see ReadResult)
    rows_read    file -> physical rows that the reader gave
    """

    institution: str
    delivery: str
    state: str
    tables: dict[str, pd.DataFrame]
    quarantined: pd.DataFrame
    structure: pd.DataFrame
    findings: pd.DataFrame
    files: dict[str, str] = field(default_factory=dict)
    rows_read: dict[str, int] = field(default_factory=dict)


def period_end(period: str) -> pd.Timestamp:
    """Last day of a quarter such as 2013-Q2."""
    return pd.Period(period.replace("-Q", "Q"), freq="Q").end_time.normalize()


def validate(institution: str, delivery: str, result: ReadResult) -> Validated:
    """Judge one delivery as read. Never raises for what a delivery holds; raises `ValueError` for a name that is no delivery."""
    name = DeliveryName.parse(delivery)
    if name is None:
        raise ValueError(f"{institution} {delivery!r} is no delivery name; expected e.g. 2013-Q2 or 2013-Q2_v2")
    contract = contracts.load(institution)
    end = period_end(name.period)
    tables: dict[str, pd.DataFrame] = {}
    of_cells: dict[str, list[tuple[str, str, pd.Index]]] = {}
    for table, spec in contract.tables.items():
        tables[table], of_cells[table] = _typed(spec, result.tables.get(table, _empty(spec)), end)
    tables = keys.add_keys(contract, tables)
    found = [_locate(tables[table], *hit) for table, hits in of_cells.items() for hit in hits]
    tables, set_aside = _split(contract, tables)
    for table, frame in tables.items():
        found += [_locate(frame, *hit) for hit in _model_findings(institution, table, frame)]
        found += [_locate(frame, *hit) for hit in cross.of_table(contract.tables[table], frame)]
    found += [_locate(tables[table], *hit) for table, *hit in cross.between(contract, tables)]
    quarantined = _quarantined(institution, delivery, result, set_aside)
    return Validated(
        institution=institution,
        delivery=delivery,
        state=result.state,
        tables=tables,
        quarantined=quarantined,
        structure=result.structure,
        findings=_findings(institution, delivery, result, found, quarantined, set_aside),
        files=dict(result.files),
        rows_read=_rows_read(result),
    )


def _rows_read(result: ReadResult) -> dict[str, int]:
    named = [frame["_file"] for frame in result.tables.values()] + [result.structure["file"], result.unreadable["file"]]
    return {str(file): int(n) for file, n in pd.concat(named).value_counts().items()}


def _empty(spec: TableSpec) -> pd.DataFrame:
    return pd.DataFrame({c: pd.Series(dtype="str") for c in [*(c.name for c in spec.columns), *POSITION]})


def _typed(spec: TableSpec, raw: pd.DataFrame, end: pd.Timestamp) -> tuple[pd.DataFrame, list[tuple[str, str, pd.Index]]]:
    raw = raw.reset_index(drop=True)
    columns: dict[str, pd.Series] = {}
    found: list[tuple[str, str, pd.Index]] = []
    for column in spec.columns:
        text = raw[column.name] if column.name in raw else pd.Series(None, index=raw.index, dtype="str")
        parsed = cells.typed(column, text, end)
        columns |= parsed.columns
        columns[f"{column.name}:text"] = text
        found.extend(cells.findings_of(column.name, parsed))
    extra = {c: raw[c] for c in raw.columns if c not in columns and not c.startswith("_")}
    position = {"_file": raw["_file"].astype("str"), "_part": raw["_part"].astype("str")}
    position |= {c: raw[c].astype("Int64") for c in ("_line", "_row", "_parent")}
    frame = pd.DataFrame({**columns, **extra, **position}, index=raw.index)
    frame[PERIOD_END] = pd.Series(end, index=raw.index, dtype="datetime64[s]")
    content = raw[[c for c in raw.columns if not c.startswith("_")]].fillna("")
    frame["_content"] = pd.util.hash_pandas_object(content, index=False) if len(raw) else pd.Series(dtype="uint64")
    return frame, found


def _split(contract: Contract, tables: dict[str, pd.DataFrame]) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    good: dict[str, pd.DataFrame] = {}
    bad: dict[str, pd.DataFrame] = {}
    for table, frame in tables.items():
        spec = contract.tables[table]
        can_read = pd.Series(True, index=frame.index)
        if spec.key:
            can_read = keys.readable(keys.key_parts(frame, spec, spec.key), spec)
        good[table] = frame[can_read].reset_index(drop=True)
        bad[table] = frame[~can_read]
    return good, bad


def _locate(frame: pd.DataFrame, rule: str, column: str | None, index: pd.Index) -> pd.DataFrame:
    rows = frame.loc[index]
    text = f"{column}:text"
    return pd.DataFrame(
        {
            "file": rows["_file"],
            "part": rows["_part"],
            "line": rows["_line"],
            "record_key": rows["_record"],
            "_row": rows["_row"],
            "field": column,
            "rule": rule,
            "value": rows.get(text),
        }
    )


def _model_findings(institution: str, table: str, frame: pd.DataFrame) -> Iterator[tuple[str, str | None, pd.Index]]:
    model = exports.models(institution)[table]
    try:
        model.validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as errors:
        titles = {(c.name, c.title) for c in model.checks}
        for error in errors.schema_errors:
            check = error.check
            rule = getattr(check, "name", None)
            if (rule, getattr(check, "title", None)) not in titles:
                raise  # a type or column that the typed frame should have: our own fault, not the delivery's
            passed = error.check_output
            yield str(rule), check.title, passed.index[~passed.fillna(True).astype(bool)]


def _quarantined(institution: str, delivery: str, result: ReadResult, set_aside: dict[str, pd.DataFrame]) -> pd.DataFrame:
    parts = [result.unreadable.reindex(columns=[c for c in QUARANTINED if c not in ("institution", "delivery")])]
    for table, frame in set_aside.items():
        text = [c for c in frame.columns if c.endswith(":text")]
        parts.append(
            pd.DataFrame(
                {
                    "file": frame["_file"],
                    "part": frame["_part"],
                    "line": frame["_line"],
                    "table": table,
                    "record_key": None,
                    "case_key": None,
                    "rule": "cell-key-unreadable",
                    "raw": frame[text].fillna("").agg("\x1f".join, axis=1).str.encode("utf-8") if len(frame) else None,
                }
            )
        )
    out = pd.concat([p for p in parts if len(p)] or parts[:1], ignore_index=True)
    return out.assign(institution=institution, delivery=delivery)[list(QUARANTINED)]


def _findings(
    institution: str,
    delivery: str,
    result: ReadResult,
    found: list[pd.DataFrame],
    quarantined: pd.DataFrame,
    set_aside: dict[str, pd.DataFrame],
) -> pd.DataFrame:
    aside = {row for frame in set_aside.values() for row in frame["_row"]}
    rows = pd.concat([f for f in found if len(f)], ignore_index=True) if any(map(len, found)) else pd.DataFrame(columns=["_row"])
    rows = rows[~rows["_row"].isin(aside)].drop(columns="_row")
    rejected = quarantined.loc[quarantined["rule"] == "cell-key-unreadable", ["file", "part", "line", "rule"]]
    parts = [findings.frame(result.findings), findings.frame(rows.to_dict("records")), findings.frame(rejected.to_dict("records"))]
    out = pd.concat(parts, ignore_index=True)
    return out.assign(institution=institution, delivery=delivery)[list(findings.COLUMNS)]
