"""Reads delimited text: splits the bytes of a file into records, as the declared dialect says (encoding, delimiter, line endings).
Deviations from the dialect are detected from the whole file and reported.

Belongs here: line endings, delimiter, quotes, truncation. Does not belong here: encodings (`encoding`), headers and kinds of rows
(`tabular`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from schemas import domain
from sources.contract import Contract, FileSpec, TableSpec
from sources.readers import encoding, files, headers, tabular
from sources.readers.encoding import EncodingEvidence
from sources.readers.file_reading import FileReading
from sources.readers.result import SourceFile

DELIMITERS = (";", ",", "\t", "|")
_LINE_BREAK = re.compile("(\r\n|\r|\n)")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_MOST_LINES = 50  # physical lines that one quoted cell may span
_LONGEST = 100_000  # characters of one quoted cell
_MOST_QUOTED, _FEW_BROKEN = 2000, 3  # lines examined to detect the quoting; fewer broken lines are no evidence
_LINES_EXAMINED = 200  # lines examined to detect the delimiter


@dataclass
class PhysicalLines:
    """The physical lines of a file. `text` has the text of each line and `ends` its line ending, which is empty for a last line without
    one. `data` has the bytes of the file."""

    text: list[str]
    ends: list[str]
    data: bytes

    @property
    def usual_line_ending(self) -> str:
        """The most frequent line ending."""
        return max(("\r\n", "\n", "\r"), key=self.ends.count)

    @cached_property
    def _line_bytes(self) -> list[bytes]:
        return re.split(rb"\r\n|\r|\n", self.data)

    def bytes_of_lines(self, first: int, last: int) -> bytes:
        """Return the bytes of the lines from `first` up to, but not including, `last`, as received, without the last line ending."""
        same = len(self._line_bytes) - len(self.text) in (0, 1)
        lines = self._line_bytes[first:last] if same else [t.encode("utf-8", "replace") for t in self.text[first:last]]
        return b"\n".join(lines)


def split_lines(text: str, data: bytes) -> PhysicalLines:
    """Split a text at each CRLF, LF or single CR. An empty last line is left out."""
    parts = _LINE_BREAK.split(text)
    lines, ends = parts[::2], parts[1::2]
    if not lines[-1]:
        lines.pop()
    else:
        ends.append("")
    return PhysicalLines(lines, ends, data)


def split_record(text: str, delimiter: str, ends_here: bool = False) -> tuple[list[str], bool, bool]:
    """Split one record into cells by RFC 4180. Return the cells, whether the last quote is not closed, and whether a quote is misplaced. A
    misplaced quote is read as part of the text.

    `ends_here`: no line follows that could close a quote, so a quote that is not closed is read as part of the text, too.
    """
    out: list[str] = []
    at, stray = 0, False
    while True:
        if text.startswith('"', at):
            close = text.find('"', at + 1)
            while close != -1 and text.startswith('"', close + 1):
                close = text.find('"', close + 2)
            if close == -1 and not ends_here:
                return out, True, stray
            if close != -1 and (close + 1 == len(text) or text.startswith(delimiter, close + 1)):
                out.append(text[at + 1 : close].replace('""', '"'))
                at = close + 1 + len(delimiter)
                if close + 1 == len(text):
                    return out, False, stray
                continue
            stray = True
        end = text.find(delimiter, at)
        cell = text[at:] if end == -1 else text[at:end]
        stray = stray or '"' in cell
        out.append(cell[1:-1].replace('""', '"') if len(cell) > 2 and cell[0] == cell[-1] == '"' else cell)
        if end == -1:
            return out, False, stray
        at = end + len(delimiter)


def choose_delimiter(lines: Sequence[str], declared: str, tables: Sequence[TableSpec]) -> str:
    """Return the declared delimiter, unless only another delimiter yields a header. If none yields a header, return the delimiter that
    gives most rows of the declared width."""
    candidates = dict.fromkeys((declared, *DELIMITERS))
    for delimiter in candidates:
        rows = [split_record(line, delimiter)[0] for line in lines[:_LINES_EXAMINED]]
        if any(headers.is_header(row, table) for row in rows for table in tables):
            return delimiter
    widths = {d: sum(line.count(d) + 1 in {len(t.columns) for t in tables} for line in lines[:_LINES_EXAMINED]) for d in candidates}
    best = max(widths, key=lambda d: widths[d])
    return best if widths[best] > widths[declared] else declared


@dataclass(frozen=True)
class QuotingStyle:
    """A way of quoting cells. `name` identifies it and is empty for the quoting of RFC 4180. `to_rfc_4180` converts a line to that
    quoting."""

    name: str = ""

    def to_rfc_4180(self, line: str, delimiter: str) -> str:
        """Return the line in the quoting of RFC 4180. A quote that is part of a value is replaced by the placeholder `_TEXT`."""
        between = re.escape(delimiter)
        if self.name == _APOSTROPHE:
            line = re.sub(f"(^|{between})'", r'\1"', line.replace('""', '"').replace('"', _TEXT))
            return re.sub(f"'({between}|$)", r'"\1', line)
        if self.name == _ESCAPED:
            return line.replace(_ESCAPED, _TEXT)
        return re.sub(f'{between} +"', f'{delimiter}"', line) if self.name == _SPACED else line


_TEXT = "\ue000"
_APOSTROPHE, _ESCAPED, _SPACED = "'", '\\"', ' "'
RFC_4180 = QuotingStyle()


def choose_quoting(lines: Sequence[str], delimiter: str, tables: Sequence[TableSpec]) -> QuotingStyle:
    """Return the quoting of RFC 4180, unless many lines are broken in it and hardly any line is broken in another quoting."""
    some = [line for line in lines[:_MOST_QUOTED] if "'" in line or '"' in line]
    heads = [split_record(line, delimiter)[0] for line in lines[:_LINES_EXAMINED]]
    width = next((len(row) for row in heads if any(headers.is_header(row, table) for table in tables)), None)

    def count_broken_lines(quoting: QuotingStyle) -> int:
        read = (split_record(quoting.to_rfc_4180(line, delimiter), delimiter) for line in some)
        return sum(is_open or stray or len(row) != width for row, is_open, stray in read)

    as_agreed = count_broken_lines(RFC_4180) if width is not None else 0
    if as_agreed < _FEW_BROKEN:
        return RFC_4180
    others = {count_broken_lines(quoting): quoting for quoting in map(QuotingStyle, (_SPACED, _ESCAPED, _APOSTROPHE))}
    return others[min(others)] if min(others) * 10 <= as_agreed else RFC_4180


def has_ambiguous_quotes(text: str, delimiter: str, row: Sequence[str]) -> bool:
    """Return whether a line with a misplaced quote can be read in two ways. This is so if its quotes form pairs, and if reading them as
    pairs gives cells other than `row`."""
    parts = text.split('"')
    if len(parts) % 2 == 0:
        return False
    joined = "".join(part if n % 2 else part.replace(delimiter, "\0") for n, part in enumerate(parts))
    return joined.split("\0") != [cell.replace('"', "") for cell in row]


def _is_complete_record(text: str, delimiter: str, width: int) -> bool:
    """Return whether a line is clearly a complete record, so that it cannot be part of a quoted cell."""
    cells = text.split(delimiter)
    return len(cells) == width and '"' not in text and 2 * sum(map(bool, cells)) >= width


def _read_quoted_record(lines: PhysicalLines, i: int, delimiter: str, width: int, reading: FileReading) -> tuple[list[str], int]:
    """Return the record that begins in line `i`, which contains a quote, and the number of the line after the record."""
    text = lines.text[i]
    row, is_open, stray = split_record(text, delimiter)
    if not is_open:
        if stray:
            reading.add_finding("row-quote-stray", line=i + 1)
        return row, i + 1
    for j in range(i + 1, min(i + _MOST_LINES, len(lines.text))):
        if _is_complete_record(lines.text[j], delimiter, width) or len(text) > _LONGEST:
            break
        text += lines.ends[j - 1] + lines.text[j]
        row, is_open, stray = split_record(text, delimiter)
        if not is_open:
            if len(row) == width and not stray:
                return row, j + 1
            break
        if stray or len(row) >= width:
            break
    reading.add_finding("row-quote-stray", line=i + 1)
    return split_record(lines.text[i], delimiter, ends_here=True)[0], i + 1


def _join_split_record(lines: PhysicalLines, i: int, delimiter: str, width: int, usual: str) -> tuple[list[str], int] | None:
    """Return the record that begins in line `i`, if an unquoted line ending other than `usual` split it into several lines, and the number
    of the line after it. Return None if joining the lines gives no record."""
    text = lines.text[i]
    for j in range(i + 1, min(i + _MOST_LINES, len(lines.text))):
        if lines.ends[j - 1] == usual or '"' in lines.text[j]:
            return None
        text += lines.ends[j - 1] + lines.text[j]
        if text.count(delimiter) + 1 >= width:
            return (text.split(delimiter), j + 1) if text.count(delimiter) + 1 == width else None
    return None


def _find_usual_record_width(lines: PhysicalLines, delimiter: str, tables: Sequence[TableSpec]) -> int:
    """Return the number of cells of a record. This is the number of cells of the header, or of most lines if there is no header or if most
    lines are wider than the header."""
    counts = Counter(t.count(delimiter) + 1 for t in lines.text if '"' not in t and t.strip(delimiter + " "))
    header = next(
        (r for t in lines.text[:_LINES_EXAMINED] if any(headers.is_header(r := split_record(t, delimiter)[0], s) for s in tables)), None
    )
    usual = counts.most_common(1)[0][0] if counts else 1
    return usual if header is None or usual > len(header) else len(header)


def split_records(lines: PhysicalLines, delimiter: str, width: int, reading: FileReading) -> tuple[list[list[str]], list[int], list[int]]:
    """Split the lines into records of `width` cells. Return the records, the position of the line in which each begins (the first line is
    0), and the position of the line after each."""
    usual = lines.usual_line_ending
    mixed = len(set(lines.ends) - {""}) > 1
    rows, first, after = [], [], []
    i, n = 0, len(lines.text)
    while i < n:
        start, text = i, lines.text[i]
        if '"' in text:
            row, i = _read_quoted_record(lines, i, delimiter, width, reading)
        else:
            row, i = text.split(delimiter), i + 1
            if mixed and lines.ends[start] not in (usual, "") and len(row) < width:
                whole = _join_split_record(lines, start, delimiter, width, usual)
                if whole is not None:
                    row, i = whole
                    reading.add_finding("row-line-break-unquoted", line=start + 1)
        rows.append(row)
        first.append(start)
        after.append(i)
    return rows, first, after


def _make_repair_by_other_delimiter(delimiter: str) -> Callable[[list[str], int], tuple[list[str], str] | None]:
    """Return a function that splits a row of one cell by a delimiter other than `delimiter`. The function returns the cells and the rule of
    the finding, or None if no delimiter gives `width` cells."""

    def repair(row: list[str], width: int) -> tuple[list[str], str] | None:
        if len(row) > 1 or width < 4:
            return None
        for other in DELIMITERS:
            cells = split_record(row[0], other)[0]
            if other != delimiter and len(cells) == width:
                return cells, "row-delimiter-assumed"
        return None

    return repair


def _remove_control_characters(text: str, reading: FileReading) -> str:
    """Return the text without zero bytes and without a DOS end-of-file mark. Lines with control characters are reported."""
    if not _CONTROL.search(text):
        return text
    if text.endswith("\x00"):
        reading.state = "partial"
        reading.add_finding("file-truncated", detail="NUL")
    for i, line in enumerate(_LINE_BREAK.split(text)[::2], 1):
        if _CONTROL.search(line):
            reading.add_finding("row-control-character", line=i)
    return text.replace("\x00", "").rstrip("\x1a")


def _report_deviations_from_dialect(lines: PhysicalLines, delimiter: str, spec: FileSpec, reading: FileReading) -> None:
    """Report a delimiter and line endings other than the declared ones."""
    if delimiter != spec.options.get("delimiter", ";"):
        reading.add_finding("file-delimiter-assumed", detail=repr(delimiter))
    seen = {end for end in lines.ends if end}
    if seen - {spec.options.get("line_end", "\r\n")}:
        reading.add_finding("file-line-ends", detail=", ".join(sorted(repr(e).strip("'") for e in seen)))


def read(
    file: SourceFile,
    spec: FileSpec,
    contract: Contract,
    other_contracts: Sequence[Contract] = (),
    evidence: EncodingEvidence = encoding.NO_EVIDENCE,
) -> FileReading:
    """Read a delimited file into the tables of `spec`. If the header belongs to another delimited table of the contract, the rows are read
    into that table."""
    reading = FileReading(spec.name)
    data = files.load_file_bytes(file, reading)
    if data is None:
        return reading
    if files.detect_file_type(data) != "text":
        files.quarantine_all_lines(reading, data, "file-wrong-form")
        return reading.mark_unreadable("file-wrong-form", files.detect_file_type(data))
    beyond = files.describe_exceeded_limit(data)
    if beyond:
        files.quarantine_all_lines(reading, data, "file-unsafe")
        return reading.mark_unreadable("file-unsafe", beyond)
    text, found = encoding.decode(data, spec.options.get("encoding", domain.country().code_page), evidence=evidence)
    for finding in found:
        reading.add_finding(**finding)
    lines = split_lines(_remove_control_characters(text, reading), data)
    own = [contract.tables[t] for t in spec.tables]
    tables = own + [contract.tables[t] for f in contract.files if f.reader == "delimited" for t in f.tables if t not in spec.tables]
    delimiter = choose_delimiter(lines.text, spec.options.get("delimiter", ";"), tables)
    quoting = choose_quoting(lines.text, delimiter, tables)
    lines.text = [quoting.to_rfc_4180(line, delimiter) for line in lines.text] if quoting.name else lines.text
    rows, first, after = split_records(lines, delimiter, _find_usual_record_width(lines, delimiter, tables), reading)
    stray = {f["line"] for f in reading.findings if f["rule"] == "row-quote-stray"}
    doubtful = [k for k, i in enumerate(first) if i + 1 in stray and has_ambiguous_quotes(lines.text[i], delimiter, rows[k])]
    rows = [[cell.replace(_TEXT, '"') for cell in row] for row in rows] if quoting.name else rows
    broken = bool(lines.ends) and lines.ends[-1] == ""
    grid = tabular.CellGrid(
        cells=rows,
        lines=[i + 1 for i in first],
        raw=lambda i: lines.bytes_of_lines(first[i], after[i]),
        cut_at=len(rows) - 1 if broken else None,
        doubtful=frozenset(doubtful),
        earlier=spec.options.get("earlier"),
        repair=_make_repair_by_other_delimiter(delimiter),
    )
    if not tabular.read_grid(grid, tables, reading):
        return _quarantine_file_without_header(reading, data, rows, other_contracts)
    _report_deviations_from_dialect(lines, delimiter, spec, reading)
    if quoting.name:
        reading.add_finding("file-quoting-assumed", detail=quoting.name)
    _report_incomplete_end_of_file(reading, broken, len(lines.text))
    if any(name not in spec.tables for name in reading.tables):
        reading.add_finding("file-table-assumed", detail=", ".join(sorted(reading.tables)))
    return reading


def _quarantine_file_without_header(
    reading: FileReading, data: bytes, rows: list[list[str]], other_contracts: Sequence[Contract]
) -> FileReading:
    """Quarantine all lines of a file that has no known header. If the header belongs to a table of another institution, report that
    institution."""
    reading.findings.clear()
    owner = files.find_institution_with_header(rows[:_LINES_EXAMINED], list(other_contracts))
    rule = "file-foreign" if owner else "file-header-not-found"
    files.quarantine_all_lines(reading, data, rule)
    return reading.mark_unreadable(rule, owner)


def _report_incomplete_end_of_file(reading: FileReading, broken: bool, last: int) -> None:
    """Report a file that ends in the middle of a record, or without a line ending (`broken`)."""
    if any(row["rule"] == "row-truncated" for row in reading.unreadable):
        reading.state = "partial"
        reading.add_finding("file-truncated", line=last)
    elif broken:
        reading.add_finding("file-end-missing", line=last)
