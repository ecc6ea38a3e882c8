"""Reads the files of one delivery into one `ReadResult`: identifies each file, reads it by its format, numbers the rows, and links rows to
their parent rows.

Belongs here: everything that is the same for all institutions. Does not belong here: file formats (the readers beside this module).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import Any

import pandas as pd

from sources import contract as contracts
from sources.contract import Contract, FileSpec
from sources.readers import code_pages, database, delimited, encoding, files, json_document, workbook, xml
from sources.readers.encoding import EncodingEvidence
from sources.readers.file_reading import FileReading, UnsafeFileError
from sources.readers.headers import normalise_name
from sources.readers.result import POSITION, ReadResult, SourceFile

READERS: dict[str, Callable[..., FileReading]] = {
    "delimited": delimited.read,
    "workbook": workbook.read,
    "xml": xml.read,
    "json": json_document.read,
    "database": database.read,
}
_TEXT_READERS = ("delimited", "xml", "json")  # readers that detect the encoding
_LEFTOVER = re.compile(
    r"^~\$|^\.~|~$|\.(part|partial|tmp|crdownload|swp|bak)$|-(journal|wal|shm)$|^(thumbs\.db|desktop\.ini|\.ds_store|\._.*)$", re.IGNORECASE
)
MOST_LETTERS = 5_000  # characters of a cell; a longer cell is emptied
LETTERS_SHOWN = 60  # characters of a long text that a finding shows
_SUFFIXES = {
    "delimited": {".csv", ".txt", ".tsv", ""},
    "workbook": {".xlsx", ".xlsm", ".xls", ""},
    "xml": {".xml", ""},
    "json": {".json", ""},
    "database": {".sqlite", ".sqlite3", ".db", ".dump", ""},
}


def read_files(delivered: Sequence[SourceFile], contract: Contract) -> ReadResult:
    """Read every file of a delivery as `contract` declares. Nothing in the files raises an error: what cannot be read becomes a finding."""
    other_contracts = [contracts.load(name) for name in contracts.institutions() if name != contract.institution]
    readings, taken = [], set()
    found = {spec.name: _find_delivered_file(spec, delivered, contract) for spec in contract.files}
    evidence = _gather_encoding_evidence([(spec, file) for spec in contract.files if (file := found[spec.name])], contract)
    for spec in contract.files:
        file = found[spec.name]
        if file is None:
            readings.append(FileReading(spec.name, state="missing"))
            readings[-1].add_finding("file-missing")
            continue
        taken.add(file.name)
        reading = _read_file(file, spec, contract, other_contracts, evidence[spec.name])
        if file.name not in (spec.name, *spec.alternatives):
            reading.add_finding("file-name-assumed", detail=f"{spec.name}")
        readings.append(_replace_declared_file_name(reading, file.name))
    pointers = {n for spec in contract.files for n in spec.alternatives if n.endswith(".url")}
    for file in delivered:
        if file.name in pointers - taken:  # its dump was landed with it and has been read instead
            readings.append(FileReading(file.name))
        elif file.name not in taken:
            readings.append(_read_undeclared_file(file, other_contracts))
    result = combine_readings(readings, contract)
    _clear_overlong_cells(result)
    return result


def _find_delivered_file(spec: FileSpec, delivered: Sequence[SourceFile], contract: Contract) -> SourceFile | None:
    """Return the delivered file for a declared file: the file with the same name, or the same name in other letter case, or else a file
    whose name contains the declared name. Return None if there is none."""
    names = [spec.name, *spec.alternatives]
    by_name = {f.name: f for f in delivered}
    for name in names:
        if name in by_name:
            return by_name[name]
    declared = {n for f in contract.files for n in (f.name, *f.alternatives)}
    free = [f for f in delivered if f.name not in declared and not _LEFTOVER.search(f.name)]
    same = [f for f in free if f.name.casefold() in {n.casefold() for n in names}]
    stem = normalise_name(PurePath(spec.name).stem)
    alike = [f for f in free if stem in normalise_name(PurePath(f.name).stem) and PurePath(f.name).suffix.lower() in _SUFFIXES[spec.reader]]
    candidates = same or alike
    return min(candidates, key=lambda f: f.name) if candidates else None


def _replace_declared_file_name(reading: FileReading, name: str) -> FileReading:
    """Put the name of the delivered file in place of the declared name in everything that was read from the file."""
    if reading.file != name:
        for row in (*reading.structure, *reading.unreadable, *reading.findings, *reading.layout):
            row["file"] = name
        reading.tables = {table: [f.assign(_file=name) for f in frames] for table, frames in reading.tables.items()}
        reading.file = name
    return reading


def _gather_encoding_evidence(found: Sequence[tuple[FileSpec, SourceFile]], contract: Contract) -> dict[str, EncodingEvidence]:
    """Return the evidence for the encoding of each file, by declared file name: the agreed words, and the words of the other delimited
    files of the delivery."""
    agreed = code_pages.non_ascii_words_of_contract(contract)
    text = (
        {spec.name: files.load_file_bytes(file, FileReading(spec.name)) for spec, file in found if spec.reader == "delimited"}
        if len(found) > 1
        else {}
    )
    words = {name: encoding.count_eight_bit_words(data) for name, data in text.items() if data}
    beside = {spec.name: (words[name] for name in words if name != spec.name) for spec, _ in found}
    return {name: EncodingEvidence(agreed, sum(more, Counter())) for name, more in beside.items()}


def _read_file(
    file: SourceFile, spec: FileSpec, contract: Contract, other_contracts: Sequence[Contract], evidence: EncodingEvidence
) -> FileReading:
    """Read one file. An unexpected error makes the file unreadable; the finding on it contains nothing of the file's content."""
    more = {"evidence": evidence} if spec.reader in _TEXT_READERS else {}
    try:
        return READERS[spec.reader](file, spec, contract, other_contracts, **more)
    except UnsafeFileError as error:
        return FileReading(spec.name).mark_unreadable("file-unsafe", str(error))
    except MemoryError:
        raise  # such a limit concerns the whole delivery and is reported for it
    except Exception as error:  # noqa: BLE001 - any content must end in a finding, never stop the run
        return FileReading(spec.name).mark_unreadable("file-failed", type(error).__name__)


def _read_undeclared_file(file: SourceFile, other_contracts: Sequence[Contract]) -> FileReading:
    """Classify a file that the contract does not name. It is a leftover of copying, a file of another institution, or an undeclared
    file."""
    reading = FileReading(file.name)
    if _LEFTOVER.search(file.name):
        reading.state = "leftover"
        reading.add_finding("file-leftover")
        return reading
    owner = next(
        (
            c.institution
            for c in other_contracts
            for f in c.files
            if file.name.casefold() in {n.casefold() for n in (f.name, *f.alternatives)}
        ),
        None,
    )
    if owner is None:
        reading.state = "undeclared"
        reading.add_finding("file-undeclared")
        return reading
    data = files.load_file_bytes(file, reading)
    reading.state = "foreign"
    reading.findings.clear()
    reading.add_finding("file-foreign", detail=owner)
    if data is not None:
        files.quarantine_all_lines(reading, data, "file-foreign")
    return reading


def combine_readings(readings: Sequence[FileReading], contract: Contract) -> ReadResult:
    """Combine the contents of the files into one delivery."""
    result = ReadResult()
    frames: dict[str, list[pd.DataFrame]] = {}
    offset = 0
    for reading in readings:
        result.files[reading.file] = reading.state
        result.rows[reading.file] = reading.rows
        result.findings += reading.findings
        result.declared |= reading.declared
        for table, parts in reading.tables.items():
            frames.setdefault(table, []).extend(_shift_row_numbers(part, offset) for part in parts)
        offset += max((int(p["_row"].max()) + 1 for ps in reading.tables.values() for p in ps if "_row" in p and len(p)), default=0)
    for name, spec in contract.tables.items():
        declared = [c.name for c in spec.columns]
        parts = frames.get(name, [])
        if parts:
            result.tables[name] = _add_missing_columns(pd.concat(parts, ignore_index=True), declared)
        else:
            result.tables[name] = _add_missing_columns(pd.DataFrame(columns=declared), declared)
    _repair_encoding(result, EncodingEvidence(code_pages.non_ascii_words_of_contract(contract)))
    _number_unnumbered_rows(result)
    _link_rows_to_parent_rows(result, contract)
    result.structure = _make_typed_frame([r for p in readings for r in p.structure], result.structure)
    result.unreadable = _make_typed_frame([r for p in readings for r in p.unreadable], result.unreadable)
    result.layout = _make_typed_frame([r for p in readings for r in p.layout], result.layout)
    return result


def _make_typed_frame(rows: list[dict[str, Any]], typed_frame: pd.DataFrame) -> pd.DataFrame:
    """Return dictionaries as a frame with the columns of `typed_frame`. The columns `line` and `column` contain integers and `raw` contains
    bytes; all others contain text."""
    out = pd.DataFrame(rows).reindex(columns=list(typed_frame.columns))
    numbers = {c: "Int64" for c in ("line", "column") if c in out}
    return out.astype(numbers | {c: "str" for c in out.columns if c not in (*numbers, "raw")})


def _shift_row_numbers(frame: pd.DataFrame, offset: int) -> pd.DataFrame:
    """Add `offset` to the row numbers of a file, so that they are unique in the delivery."""
    if "_row" not in frame:
        return frame
    return frame.assign(_row=frame["_row"] + offset, _parent=frame["_parent"] + offset)


def _add_missing_columns(frame: pd.DataFrame, declared: list[str]) -> pd.DataFrame:
    """Return the frame with the declared columns, the undeclared columns that were delivered, and the columns of `POSITION`, each with its
    type."""
    further = [c for c in frame.columns if c not in declared and c not in POSITION]
    out = frame.reindex(columns=[*declared, *further, *POSITION])
    types = dict.fromkeys([*declared, *further, "_file", "_part"], "str") | dict.fromkeys(["_line", "_row", "_parent"], "Int64")
    return out.astype({c: t for c, t in types.items() if str(out[c].dtype) != t})


def _repair_encoding(result: ReadResult, evidence: EncodingEvidence) -> None:
    """Repair cells that were encoded twice or misread, and add the findings. A file whose encoding is already reported as undecided gets no
    second such finding."""
    filled = {name: frame for name, frame in result.tables.items() if len(frame)}
    columns = {name: [c for c in frame.columns if c not in POSITION] for name, frame in filled.items()}
    repaired, found = encoding.repair_encoding_of_cells(filled, columns, evidence)
    result.tables |= repaired
    undecided = {f.get("file") for f in result.findings if f["rule"] == encoding.UNDECIDED}
    result.findings += [f for f in found if f["rule"] != encoding.UNDECIDED or f["file"] not in undecided]


def _clear_overlong_cells(result: ReadResult) -> None:
    """Empty the cells that are longer than any real value, with a finding for each. Comparing such long texts with all others would take
    hours."""
    for name, frame in result.tables.items():
        for column in (c for c in frame.columns if c not in POSITION):
            long = frame.index[frame[column].str.len().gt(MOST_LETTERS).fillna(False)]
            if len(long):
                for file, part, line, text in frame.loc[long, ["_file", "_part", "_line", column]].itertuples(index=False):
                    where = {"part": None if pd.isna(part) else part, "line": None if pd.isna(line) else line, "field": column}
                    found = {"rule": "cell-too-long", "value": text[:LETTERS_SHOWN], "detail": f"{len(text):,}"}
                    result.findings.append({"file": file, **where, **found})
                result.tables[name] = frame = frame.assign(**{column: frame[column].mask(frame.index.isin(long))})


def _number_unnumbered_rows(result: ReadResult) -> None:
    """Give a number to each row without `_row`. The numbers continue after the largest number in the delivery."""
    start = 0
    for frame in result.tables.values():
        if len(frame) and frame["_row"].notna().any():
            start = max(start, int(frame["_row"].max()) + 1)
    for frame in result.tables.values():
        empty = frame["_row"].isna()
        n = int(empty.sum())
        frame.loc[empty, "_row"] = range(start, start + n)
        start += n


def _link_rows_to_parent_rows(result: ReadResult, contract: Contract) -> None:
    """Fill in the column `_parent` of tables that are not nested. The parent of a row is the last row of the parent table that has the key
    which the row cites."""
    for name, spec in contract.tables.items():
        if spec.parent is None or result.tables[name]["_parent"].notna().any():
            continue
        parent, child = result.tables[spec.parent], result.tables[name]
        keys = contract.tables[spec.parent].key
        if not len(parent) or not len(child) or len(keys) != len(spec.via):
            continue
        rows = pd.Series(parent["_row"].array, index=_join_key_columns(parent, keys))
        rows = rows[rows.index.notna() & ~rows.index.duplicated(keep="last")]
        child["_parent"] = _join_key_columns(child, spec.via).map(rows).astype("Int64")


def _join_key_columns(frame: pd.DataFrame, columns: Sequence[str]) -> pd.Series[Any]:
    """Return key columns joined by `/` as one text; null if a part is missing."""
    out = frame[columns[0]].str.strip()
    for column in columns[1:]:
        out = out + "/" + frame[column].str.strip()
    return out
