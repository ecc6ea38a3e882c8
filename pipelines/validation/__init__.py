"""Validation: rows as they were read become typed rows with keys. Rows that cannot be read are quarantined, and every fault has a finding.

Belongs here: the stage as a whole. Values are parsed in `cells`, keys in `keys`, and relations between tables are checked in `relations`.
Code lists, and rules on several cells of a row, are pandera models in `schemas/exports`. A row is quarantined only if its key or structure
cannot be read (`docs/reference/counting-rules.md`, "Record status").
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import pandera.errors

from pipelines.validation import cells, completeness, keys, redacted_rows, relations, row_numbers, structure
from pipelines.validation.relations import FaultInColumn
from schemas import exports, findings
from schemas.exports.build import PERIOD_END
from sources import contract as contracts
from sources.completeness_states import delivery_state
from sources.contract import Contract, DeliveryName, TableSpec
from sources.periods import last_day
from sources.readers.result import POSITION, ReadResult

QUARANTINE_COLUMNS: tuple[str, ...] = ("institution", "delivery", "file", "part", "line", "table", "record_key", "rule", "raw")
_LOCATION_COLUMNS = ("delivery", "file", "part", "line")
DELIVERY_COLUMNS: tuple[str, ...] = ("institution", "delivery", "period", "version", "state")


@dataclass
class ValidatedDeliveries:
    """All deliveries of one institution after validation. Each frame names the delivery of its rows, which are in the order of quarter and
    version.

    - deliveries: the deliveries with their state (columns: `DELIVERY_COLUMNS`)
    - files: delivery, file, state (see `ReadResult` and `completeness`), read (the number of rows that the reader counted)
    - tables: the typed rows of each table. Declared columns are typed, and all others are text. Columns such as `name:given` say more about
      the column `name`. `POSITION` says where the row is; `_row` and `_parent` are made unique over all deliveries. Further columns:
      `_key`, `_record`, `_case`, `_content` (a hash of the row as delivered), `_delivery`, `_period`, `_version`
    - quarantined: one row for each quarantined row (columns: `QUARANTINE_COLUMNS`)
    - structure: the rows that are not data: delivery, file, part, line, kind
    - findings: the findings (columns: `schemas.findings.COLUMNS`)
    """

    institution: str
    deliveries: pd.DataFrame
    files: pd.DataFrame
    tables: dict[str, pd.DataFrame]
    quarantined: pd.DataFrame
    structure: pd.DataFrame
    findings: pd.DataFrame


def validate(institution: str, read_results: Mapping[str, ReadResult], incomplete_deliveries: Collection[str] = ()) -> ValidatedDeliveries:
    """Validate all deliveries of an institution together. `read_results` has the result of reading each delivery, by its name.

    `incomplete_deliveries` names the deliveries that were not received completely. A record that such a delivery lacks is not withdrawn. No
    content of a delivery makes this raise an error. Raises `ValueError` if a name is not the name of a delivery.
    """
    deliveries = _make_delivery_frame(institution, read_results)
    read_results = {d: read_results[d] for d in deliveries["delivery"]}
    tables, set_aside, unknown_codes, cell_findings = validate_tables(institution, read_results, deliveries)
    quarantined = _list_quarantined_rows(institution, read_results, set_aside)
    files, incomplete = completeness.find_file_states(contracts.load(institution), read_results, tables, quarantined, unknown_codes)
    states = [delivery_state(files[d].values(), received_completely=d not in incomplete_deliveries) for d in deliveries["delivery"]]
    return ValidatedDeliveries(
        institution=institution,
        deliveries=deliveries.assign(state=pd.Series(states, index=deliveries.index, dtype="str")),
        files=_make_file_frame(read_results, files),
        tables=tables,
        quarantined=quarantined,
        structure=_concatenate_deliveries({d: r.structure for d, r in read_results.items()}, ("file", "part", "line", "kind")),
        findings=_collect_findings(institution, read_results, cell_findings, quarantined, set_aside, tables, incomplete),
    )


def validate_tables(
    institution: str, read_results: Mapping[str, ReadResult], deliveries: pd.DataFrame
) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame], list[completeness.ColumnWithUnknownCodes], Iterator[pd.DataFrame]]:
    """Return the tables of valid rows, the tables of rows that are set aside, the columns with many unknown codes, and the findings.

    `deliveries` has the columns `DELIVERY_COLUMNS`. Each finding has the columns `table` and `_row`. The findings are generated for one
    rule and column after the other, since all of them together do not fit into memory if every cell has one.
    """
    contract = contracts.load(institution)
    redacted_cells = redacted_rows.list_redacted_cells(read_results, deliveries)
    tables: dict[str, pd.DataFrame] = {}
    hits_on_cells: dict[str, list[FaultInColumn]] = {}
    for table, spec in contract.tables.items():
        frame, hits_on_cells[table] = _parse_table(spec, _concatenate_table(table, spec, read_results, deliveries))
        tables[table] = redacted_rows.mark_redacted_cells(frame, redacted_cells)
    keyed_tables = keys.add_keys(contract, tables)
    unknown_codes = completeness.find_unknown_codes(contract, keyed_tables)
    replaced = {each.delivery for each in unknown_codes if each.is_list_replaced}
    tables, set_aside = _separate_valid_rows(contract, keyed_tables, replaced)
    earlier = {
        (table, rule, column): index
        for table, rule, column, index in redacted_rows.find_findings_before_erasure(read_results, deliveries, tables)
    }

    def generate_findings() -> Iterator[pd.DataFrame]:
        for table, hits in hits_on_cells.items():
            for rule, column, index in hits:
                located = redacted_rows.drop_findings_of_redacted_rows(
                    _locate_findings(table, keyed_tables[table], rule, column, index), redacted_cells
                )
                before_erasure = earlier.pop((table, rule, column), None)
                yield (
                    located
                    if before_erasure is None
                    else pd.concat([located, _locate_findings(table, tables[table], rule, column, before_erasure)])
                )
        for table, frame in tables.items():
            for hit in (
                *_find_pandera_faults(institution, table, frame),
                *relations.find_faults_within_table(contract.tables[table], frame),
            ):
                yield redacted_rows.drop_findings_of_redacted_rows(_locate_findings(table, frame, *hit), redacted_cells)
        for table, rule, column, index in relations.find_faults_between_tables(contract, tables):
            yield redacted_rows.drop_findings_of_redacted_rows(_locate_findings(table, tables[table], rule, column, index), redacted_cells)
        for (table, rule, column), index in earlier.items():
            yield _locate_findings(table, tables[table], rule, column, index)

    return tables, set_aside, unknown_codes, generate_findings()


def _make_delivery_frame(institution: str, read_results: Mapping[str, ReadResult]) -> pd.DataFrame:
    """Return the deliveries of an institution (`DELIVERY_COLUMNS`), without their state."""
    rows = []
    for delivery in read_results:
        name = DeliveryName.parse(delivery)
        if name is None:
            raise ValueError(f"{institution} {delivery!r} is not a delivery name; expected e.g. 2013-Q2 or 2013-Q2_v2")
        rows.append((institution, delivery, name.period, name.version))
    known = [c for c in DELIVERY_COLUMNS if c != "state"]
    frame = pd.DataFrame(rows, columns=known).astype({c: "str" for c in known if c != "version"})
    return frame.astype({"version": "int64"}).sort_values(["period", "version"], ignore_index=True)


def _make_file_frame(read_results: Mapping[str, ReadResult], states: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """Return the files with their state, and with the number of rows that the reader counted. The row accounting must find as many rows."""
    rows = [
        (delivery, file, state, read_results[delivery].rows.get(file, 0))
        for delivery, file_states in states.items()
        for file, state in file_states.items()
    ]
    frame = pd.DataFrame(rows, columns=["delivery", "file", "state", "read"])
    return frame.astype({"delivery": "str", "file": "str", "state": "str", "read": "int64"})


def _concatenate_deliveries(frames: Mapping[str, pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    """Concatenate the frames of several deliveries, and add the column `delivery`."""
    filled = [frame.reindex(columns=list(columns)).assign(delivery=delivery) for delivery, frame in frames.items() if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=[*columns, "delivery"], dtype="str")


def _concatenate_table(table: str, spec: TableSpec, read_results: Mapping[str, ReadResult], deliveries: pd.DataFrame) -> pd.DataFrame:
    """Concatenate one table of all deliveries, as text, and add `_delivery`, `_period` and `_version`.

    `_row` and `_parent` become unique over all deliveries.
    """
    frames = []
    for delivery, period, version in zip(deliveries["delivery"], deliveries["period"], deliveries["version"], strict=True):
        frame = read_results[delivery].tables.get(table)
        if frame is not None and len(frame):
            moved = {c: frame[c].astype("Int64") + row_numbers.compute_first_row_number(period, version) for c in ("_row", "_parent")}
            frames.append(frame.assign(**moved, _delivery=delivery, _period=period, _version=version))
    labels = ("_delivery", "_period", "_version")
    columns = [*(c.name for c in spec.columns), *POSITION, *labels]
    out = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame({c: pd.Series(dtype="str") for c in columns})
    out["_version"] = out["_version"].astype("int64")
    return out.astype({"_delivery": "str", "_period": "str"})


def _parse_table(spec: TableSpec, raw: pd.DataFrame) -> tuple[pd.DataFrame, list[FaultInColumn]]:
    """Return a table with typed columns, and the findings on its cells."""
    ends = {period: pd.Timestamp(last_day(period)) for period in raw["_period"].unique()}
    end = raw["_period"].map(ends).astype("datetime64[s]")
    columns: dict[str, pd.Series] = {}
    hits: list[FaultInColumn] = []
    for column in spec.columns:
        text = raw[column.name] if column.name in raw else pd.Series(None, index=raw.index, dtype="str")
        parsed = cells.parse_column(column, text, end)
        columns |= parsed.columns
        columns[f"{column.name}:text"] = text
        hits.extend(cells.find_broken_rules(column.name, parsed))
    if spec.person_kind:
        hits = _drop_findings_on_legal_persons(spec, hits, columns[spec.person_kind] == "legal")
    extra = {c: raw[c] for c in raw.columns if c not in columns and not c.startswith("_")}
    position: dict[str, pd.Series] = {"_file": raw["_file"].astype("str"), "_part": raw["_part"].astype("str")}
    position |= {c: raw[c].astype("Int64") for c in ("_line", "_row", "_parent")}
    position |= {c: raw[c] for c in ("_delivery", "_period", "_version")}
    frame = pd.DataFrame({**columns, **extra, **position, PERIOD_END: end}, index=raw.index)
    content = raw[[c for c in raw.columns if not c.startswith("_")]].fillna("")
    frame["_content"] = pd.util.hash_pandas_object(content, index=False) if len(raw) else pd.Series(dtype="uint64")
    return frame, hits


def _drop_findings_on_legal_persons(spec: TableSpec, hits: list[FaultInColumn], is_legal_person: pd.Series) -> list[FaultInColumn]:
    """Drop findings that make sense only for natural persons (an empty cell, the spelling of a name) if the person is a legal person.

    `is_legal_person` says so for each row.
    """
    columns = {column.name for column in spec.columns if column.describes_natural_person}
    rules = ("cell-empty", "cell-name-initial", "cell-name-capitals", "cell-name-several")
    kept = [
        (rule, column, index[~is_legal_person[index].to_numpy()] if column in columns and rule in rules else index)
        for rule, column, index in hits
    ]
    return [hit for hit in kept if len(hit[2])]


def _separate_valid_rows(
    contract: Contract, tables: dict[str, pd.DataFrame], deliveries_with_replaced_code_list: Collection[str]
) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """Return the valid rows of each table, and the rows that are set aside. The column `_aside` has the rule because of which a row is set
    aside.

    A row is set aside if its key cannot be read, or if its delivery uses a code list that the contract does not have
    (`deliveries_with_replaced_code_list`).
    """
    good: dict[str, pd.DataFrame] = {}
    bad: dict[str, pd.DataFrame] = {}
    for table, frame in tables.items():
        spec = contract.tables[table]
        can_read = pd.Series(True, index=frame.index)
        if spec.key:
            can_read = keys.are_keys_readable(keys.extract_key_parts(frame, spec, spec.key), spec)
        is_good = can_read & ~frame["_delivery"].isin(deliveries_with_replaced_code_list)
        good[table] = frame if is_good.all() else frame[is_good].reset_index(drop=True)
        rule = can_read[~is_good].map({True: "file-codes-unknown", False: "cell-key-unreadable"})
        bad[table] = frame[~is_good].assign(_aside=rule.astype("str"))
    return good, bad


def _locate_findings(table: str, frame: pd.DataFrame, rule: str, column: str | None, index: pd.Index) -> pd.DataFrame:
    """Return the findings of `rule` on the rows at `index` of `frame`, with their delivery, file, part, line and record key."""
    text = f"{column}:text"
    location_columns = ("_delivery", "_file", "_part", "_line", "_record", "_row", text)
    rows = frame[[name for name in location_columns if name in frame]].loc[index]
    return pd.DataFrame(
        {
            "delivery": rows["_delivery"],
            "file": rows["_file"],
            "part": rows["_part"],
            "line": rows["_line"],
            "record_key": rows["_record"],
            "table": table,
            "_row": rows["_row"],
            "field": column,
            "rule": rule,
            "value": rows.get(text),
        }
    )


def _find_pandera_faults(institution: str, table: str, frame: pd.DataFrame) -> Iterator[FaultInColumn]:
    """Yield the faults that the pandera model of a table finds."""
    model = exports.load_pandera_models(institution)[table]
    try:
        model.validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as errors:
        titles = {(c.name, c.title) for c in model.checks}
        for error in errors.schema_errors:
            check = error.check
            rule = getattr(check, "name", None)
            if (rule, getattr(check, "title", None)) not in titles:
                raise  # a column or type is missing: an error in Harmonia, not in the delivery
            passed = error.check_output
            yield str(rule), check.title, passed.index[~passed.fillna(True).astype(bool)]


def _list_quarantined_rows(institution: str, read_results: Mapping[str, ReadResult], set_aside: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """List the quarantined rows (`QUARANTINE_COLUMNS`): rows that the reader could not read, and rows that validation set aside."""
    columns = [c for c in QUARANTINE_COLUMNS if c not in ("institution", "delivery")]
    parts = [_concatenate_deliveries({d: r.unreadable for d, r in read_results.items()}, columns)]
    for table, frame in set_aside.items():
        if len(frame):
            location = {name: frame[f"_{name}"] for name in ("delivery", "file", "part", "line")}
            text = frame[[c for c in frame.columns if c.endswith(":text")]].fillna("").agg("\x1f".join, axis=1)
            key = frame["_key"].where(frame["_aside"] != "cell-key-unreadable")
            content = {"table": table, "record_key": key, "rule": frame["_aside"], "raw": text.str.encode("utf-8")}
            parts.append(pd.DataFrame({**location, **content}))
    out = pd.concat([p for p in parts if len(p)] or parts, ignore_index=True).assign(institution=institution)
    out = out.reindex(columns=list(QUARANTINE_COLUMNS)).astype({c: "str" for c in QUARANTINE_COLUMNS if c not in ("line", "raw")})
    return out.astype({"line": "Int64"})


def _collect_findings(
    institution: str,
    read_results: Mapping[str, ReadResult],
    cell_findings: Iterable[pd.DataFrame],
    quarantined: pd.DataFrame,
    set_aside: dict[str, pd.DataFrame],
    tables: dict[str, pd.DataFrame],
    incomplete: list[completeness.Finding],
) -> pd.DataFrame:
    """Collect all findings: those of the reader, on files that lack records, on cells and relations, and on quarantined rows.

    If a row is quarantined because of its key, this is the only finding on the row.
    """
    rows_set_aside = pd.concat([frame.loc[frame["_aside"] == "cell-key-unreadable", "_row"] for frame in set_aside.values()])
    folded = [pd.DataFrame(columns=["rule"])]
    for frame in cell_findings:
        remaining = frame[~frame["_row"].isin(rows_set_aside)].drop(columns=["_row", "table"])
        if len(remaining):
            folded.append(findings.combine_findings_on_cells_by_column(remaining))
    rows = pd.concat(folded[1:] or folded, ignore_index=True)
    location = list(_LOCATION_COLUMNS)
    rejected = quarantined.loc[quarantined["rule"] == "cell-key-unreadable", [*location, "rule"]]
    of_reading = [{**finding, "delivery": d} for d, result in read_results.items() for finding in result.findings]
    contract = contracts.load(institution)
    of_files = (*structure.find_stray_rows(contract, read_results), *structure.find_wrong_origins_of_files(contract, read_results))
    parts = [
        findings.build_findings([*of_reading, *incomplete]),
        findings.build_findings(of_files),
        findings.complete_columns(rows),
        findings.complete_columns(rejected),
    ]
    out = pd.concat([p for p in parts if len(p)] or parts[:1], ignore_index=True)
    out = _add_record_keys(out, tables)
    out = _show_quarantined_rows(out, quarantined, location).assign(institution=institution)
    return _add_column_position(out, read_results)[list(findings.COLUMNS)]


def _add_column_position(all_findings: pd.DataFrame, read_results: Mapping[str, ReadResult]) -> pd.DataFrame:
    """Add to each finding on a field the position of the column in the delivered file, so that feedback can name the cell."""
    layout = _concatenate_deliveries({d: r.layout for d, r in read_results.items()}, ("file", "part", "field", "column"))
    key = ["delivery", "file", "part", "field"]
    places = layout.drop_duplicates(key).fillna({"part": ""}).set_index(key)["column"]
    wanted = pd.MultiIndex.from_frame(all_findings[key].fillna({"part": ""}))
    return all_findings.assign(column=places.reindex(wanted).astype("Int64").array)


def _add_record_keys(all_findings: pd.DataFrame, tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Add the record key to findings of a reader, which does not know keys. The record is found by its line in the file."""
    lacks_key = all_findings["record_key"].isna() & all_findings["line"].notna()
    if not lacks_key.any():
        return all_findings
    columns = {f"_{name}": name for name in _LOCATION_COLUMNS} | {"_record": "_key"}
    rows = [frame[list(columns)].rename(columns=columns) for frame in tables.values() if len(frame)]
    known = (
        pd.concat(rows, ignore_index=True).dropna(subset=["line", "_key"]) if rows else pd.DataFrame(columns=[*_LOCATION_COLUMNS, "_key"])
    )
    known = known.drop_duplicates().drop_duplicates(list(_LOCATION_COLUMNS), keep=False)
    keys = all_findings[list(_LOCATION_COLUMNS)].merge(known, on=list(_LOCATION_COLUMNS), how="left")["_key"]
    return all_findings.assign(record_key=all_findings["record_key"].where(~lacks_key, keys.to_numpy()))


def _show_quarantined_rows(all_findings: pd.DataFrame, quarantined: pd.DataFrame, location: list[str]) -> pd.DataFrame:
    """Set the value of each finding on a quarantined row to the text of the row, so that the institution sees the row itself."""
    with_bytes = quarantined[quarantined["line"].notna() & quarantined["raw"].notna()].drop_duplicates([*location, "rule"])
    if with_bytes.empty:
        return all_findings
    text = with_bytes["raw"].map(_decode_row)
    shown = all_findings.merge(with_bytes[[*location, "rule"]].assign(_raw=text.astype("str")), on=[*location, "rule"], how="left")["_raw"]
    return all_findings.assign(value=all_findings["value"].fillna(shown))


def _decode_row(raw: bytes) -> str:
    """Decode the bytes of a row as UTF-8. If they are not valid UTF-8, decode them in the Central European code page."""
    try:
        return raw.decode("utf-8").strip()
    except UnicodeDecodeError:
        return raw.decode("windows-1250", errors="replace").strip()
