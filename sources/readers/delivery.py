"""Read the files of one delivery into one `ReadResult`: identify each file, read it by its format, number rows, link children to parents.

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
from sources.readers.encoding import Known
from sources.readers.headers import fold
from sources.readers.piece import Piece, UnsafeError
from sources.readers.result import POSITION, ReadResult, SourceFile

FORMS: dict[str, Callable[..., Piece]] = {
    "delimited": delimited.read,
    "workbook": workbook.read,
    "xml": xml.read,
    "json": json_document.read,
    "database": database.read,
}
_TEXT = ("delimited", "xml", "json")  # readers that detect the encoding
_LEFTOVER = re.compile(
    r"^~\$|^\.~|~$|\.(part|partial|tmp|crdownload|swp|bak)$|-(journal|wal|shm)$|^(thumbs\.db|desktop\.ini|\.ds_store|\._.*)$", re.IGNORECASE
)
MOST_LETTERS = 5_000  # of a cell
_SUFFIXES = {
    "delimited": {".csv", ".txt", ".tsv", ""},
    "workbook": {".xlsx", ".xlsm", ".xls", ""},
    "xml": {".xml", ""},
    "json": {".json", ""},
    "database": {".sqlite", ".sqlite3", ".db", ".dump", ""},
}


def read_files(delivered: Sequence[SourceFile], contract: Contract) -> ReadResult:
    """Read every file of a delivery by `contract`. Never raises: what cannot be read is a finding."""
    others = [contracts.load(name) for name in contracts.institutions() if name != contract.institution]
    pieces, taken = [], set()
    found = {spec.name: _find(spec, delivered, contract) for spec in contract.files}
    known = _known([(spec, file) for spec in contract.files if (file := found[spec.name])], contract)
    for spec in contract.files:
        file = found[spec.name]
        if file is None:
            pieces.append(Piece(spec.name, state="missing"))
            pieces[-1].find("file-missing")
            continue
        taken.add(file.name)
        piece = _read(file, spec, contract, others, known[spec.name])
        if file.name not in (spec.name, *spec.alternatives):
            piece.find("file-name-assumed", detail=f"{spec.name}")
        pieces.append(_rename(piece, file.name))
    pointers = {n for spec in contract.files for n in spec.alternatives if n.endswith(".url")}
    for file in delivered:
        if file.name in pointers - taken:  # its dump was landed with it and has been read instead
            pieces.append(Piece(file.name))
        elif file.name not in taken:
            pieces.append(_further(file, others))
    result = assemble(pieces, contract)
    _shorten(result)
    return result


def _find(spec: FileSpec, delivered: Sequence[SourceFile], contract: Contract) -> SourceFile | None:
    """The delivered file for `spec`: by name, by name up to spelling, or the only file whose name contains it."""
    names = [spec.name, *spec.alternatives]
    by_name = {f.name: f for f in delivered}
    for name in names:
        if name in by_name:
            return by_name[name]
    declared = {n for f in contract.files for n in (f.name, *f.alternatives)}
    free = [f for f in delivered if f.name not in declared and not _LEFTOVER.search(f.name)]
    same = [f for f in free if f.name.casefold() in {n.casefold() for n in names}]
    stem = fold(PurePath(spec.name).stem)
    alike = [f for f in free if stem in fold(PurePath(f.name).stem) and PurePath(f.name).suffix.lower() in _SUFFIXES[spec.reader]]
    candidates = same or alike
    return min(candidates, key=lambda f: f.name) if candidates else None


def _rename(piece: Piece, name: str) -> Piece:
    """Give a piece the name of the delivered file."""
    if piece.file != name:
        for row in (*piece.structure, *piece.unreadable, *piece.findings, *piece.layout):
            row["file"] = name
        piece.tables = {table: [f.assign(_file=name) for f in frames] for table, frames in piece.tables.items()}
        piece.file = name
    return piece


def _known(found: Sequence[tuple[FileSpec, SourceFile]], contract: Contract) -> dict[str, Known]:
    """By declared file, the evidence for its encoding: agreed words, and the words of the delivery's other text files."""
    agreed = code_pages.agreed_words(contract)
    text = {spec.name: files.load(file, Piece(spec.name)) for spec, file in found if spec.reader == "delimited"} if len(found) > 1 else {}
    words = {name: encoding.eight_bit_words(data) for name, data in text.items() if data}
    beside = {spec.name: (words[name] for name in words if name != spec.name) for spec, _ in found}
    return {name: Known(agreed, sum(more, Counter())) for name, more in beside.items()}


def _read(file: SourceFile, spec: FileSpec, contract: Contract, others: Sequence[Contract], known: Known) -> Piece:
    """Read one file; an unexpected error makes it unreadable and reveals none of its content."""
    more = {"known": known} if spec.reader in _TEXT else {}
    try:
        return FORMS[spec.reader](file, spec, contract, others, **more)
    except UnsafeError as error:
        return Piece(spec.name).fail("file-unsafe", str(error))
    except MemoryError:
        raise  # limits of the whole delivery are reported for the delivery
    except Exception as error:  # noqa: BLE001 - any content must end in a finding, never stop the run
        return Piece(spec.name).fail("file-failed", type(error).__name__)


def _further(file: SourceFile, others: Sequence[Contract]) -> Piece:
    """A file that the contract does not name: left over, from another institution, or undeclared."""
    piece = Piece(file.name)
    if _LEFTOVER.search(file.name):
        piece.state = "leftover"
        piece.find("file-leftover")
        return piece
    owner = next(
        (c.institution for c in others for f in c.files if file.name.casefold() in {n.casefold() for n in (f.name, *f.alternatives)}), None
    )
    if owner is None:
        piece.state = "undeclared"
        piece.find("file-undeclared")
        return piece
    data = files.load(file, piece)
    piece.state = "foreign"
    piece.findings.clear()
    piece.find("file-foreign", detail=owner)
    if data is not None:
        files.quarantine_lines(piece, data, "file-foreign")
    return piece


def assemble(pieces: Sequence[Piece], contract: Contract) -> ReadResult:
    """Combine the files read into one delivery."""
    result = ReadResult()
    frames: dict[str, list[pd.DataFrame]] = {}
    offset = 0
    for piece in pieces:
        result.files[piece.file] = piece.state
        result.rows[piece.file] = piece.rows
        result.findings += piece.findings
        result.declared |= piece.declared
        for table, parts in piece.tables.items():
            frames.setdefault(table, []).extend(_shift(part, offset) for part in parts)
        offset += max((int(p["_row"].max()) + 1 for ps in piece.tables.values() for p in ps if "_row" in p and len(p)), default=0)
    for name, spec in contract.tables.items():
        declared = [c.name for c in spec.columns]
        parts = frames.get(name, [])
        if parts:
            result.tables[name] = _complete(pd.concat(parts, ignore_index=True), declared)
        else:
            result.tables[name] = _complete(pd.DataFrame(columns=declared), declared)
    _repair(result, Known(code_pages.agreed_words(contract)))
    _number(result)
    _parents(result, contract)
    result.structure = _rows([r for p in pieces for r in p.structure], result.structure)
    result.unreadable = _rows([r for p in pieces for r in p.unreadable], result.unreadable)
    result.layout = _rows([r for p in pieces for r in p.layout], result.layout)
    return result


def _rows(rows: list[dict[str, Any]], like: pd.DataFrame) -> pd.DataFrame:
    """Dictionaries as a typed frame with the columns of `like`."""
    out = pd.DataFrame(rows).reindex(columns=list(like.columns))
    numbers = {c: "Int64" for c in ("line", "column") if c in out}
    return out.astype(numbers | {c: "str" for c in out.columns if c not in (*numbers, "raw")})


def _shift(frame: pd.DataFrame, offset: int) -> pd.DataFrame:
    """Shift row numbers that are unique in a file to be unique in the delivery."""
    if "_row" not in frame:
        return frame
    return frame.assign(_row=frame["_row"] + offset, _parent=frame["_parent"] + offset)


def _complete(frame: pd.DataFrame, declared: list[str]) -> pd.DataFrame:
    """Declared columns, further ones, positions; all typed."""
    further = [c for c in frame.columns if c not in declared and c not in POSITION]
    out = frame.reindex(columns=[*declared, *further, *POSITION])
    types = dict.fromkeys([*declared, *further, "_file", "_part"], "str") | dict.fromkeys(["_line", "_row", "_parent"], "Int64")
    return out.astype({c: t for c, t in types.items() if str(out[c].dtype) != t})


def _repair(result: ReadResult, known: Known) -> None:
    filled = {name: frame for name, frame in result.tables.items() if len(frame)}
    columns = {name: [c for c in frame.columns if c not in POSITION] for name, frame in filled.items()}
    repaired, found = encoding.repair(filled, columns, known)
    result.tables |= repaired
    undecided = {f.get("file") for f in result.findings if f["rule"] == encoding.UNDECIDED}
    result.findings += [f for f in found if f["rule"] != encoding.UNDECIDED or f["file"] not in undecided]


def _shorten(result: ReadResult) -> None:
    """Empty cells longer than any real value: comparing them with all others would take hours."""
    for name, frame in result.tables.items():
        for column in (c for c in frame.columns if c not in POSITION):
            long = frame.index[frame[column].str.len().gt(MOST_LETTERS).fillna(False)]
            if len(long):
                for file, part, line, text in frame.loc[long, ["_file", "_part", "_line", column]].itertuples(index=False):
                    where = {"part": None if pd.isna(part) else part, "line": None if pd.isna(line) else line, "field": column}
                    found = {"rule": "cell-too-long", "value": text[:60], "detail": f"{len(text):,}"}
                    result.findings.append({"file": file, **where, **found})
                result.tables[name] = frame = frame.assign(**{column: frame[column].mask(frame.index.isin(long))})


def _number(result: ReadResult) -> None:
    """Number rows that have no number yet, after those that have one."""
    start = 0
    for frame in result.tables.values():
        if len(frame) and frame["_row"].notna().any():
            start = max(start, int(frame["_row"].max()) + 1)
    for frame in result.tables.values():
        empty = frame["_row"].isna()
        n = int(empty.sum())
        frame.loc[empty, "_row"] = range(start, start + n)
        start += n


def _parents(result: ReadResult, contract: Contract) -> None:
    """In formats without nesting, the parent is the last row of the parent table with the key."""
    for name, spec in contract.tables.items():
        if spec.parent is None or result.tables[name]["_parent"].notna().any():
            continue
        parent, child = result.tables[spec.parent], result.tables[name]
        keys = contract.tables[spec.parent].key
        if not len(parent) or not len(child) or len(keys) != len(spec.via):
            continue
        rows = pd.Series(parent["_row"].array, index=_joined(parent, keys))
        rows = rows[rows.index.notna() & ~rows.index.duplicated(keep="last")]
        child["_parent"] = _joined(child, spec.via).map(rows).astype("Int64")


def _joined(frame: pd.DataFrame, columns: Sequence[str]) -> pd.Series[Any]:
    """Key columns as one text; null if a part is missing."""
    out = frame[columns[0]].str.strip()
    for column in columns[1:]:
        out = out + "/" + frame[column].str.strip()
    return out
