"""Examines the zip archive of a workbook: its type, whether it is safe to open, and what its cells contain besides stored values.

Belongs here: limits, types, and the formulas, errors, merged cells and hidden rows in the XML of a sheet. Does not belong here: the values
of cells (`workbook`).
"""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
import zlib
from dataclasses import dataclass, field

from lxml import etree

from sources.readers import files

_MOST_BYTES = 256 << 20  # bytes of all parts together, unpacked
_MOST_RATIO = 300  # ratio of unpacked to packed bytes, for parts of more than 8 MiB
_MOST_PARTS = 10_000
_ERRORS = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError, RuntimeError, KeyError)
_LOCAL_HEADER = b"PK\x03\x04"
_GLOBALS = b"\x09\x08\x10\x00\x00\x06\x05\x00"  # beginning of the records on the whole workbook, BIFF8
_DATEMODE, _END = 0x0022, 0x000A
_REL = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_REFERENCE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_NOTEWORTHY = re.compile(rb"<(?:\w+:)?f[ >/]|t=\"e\"|hidden=\"(?:1|true)\"|<(?:\w+:)?mergeCell ")
_LITERAL = re.compile(r'\s*("(?:[^"]|"")*"|-?\d+(?:\.\d+)?)\s*')


@dataclass
class Overlay:
    """What a sheet contains besides stored values. Rows and columns count from 0.

    - `formulas`, `errors`: formula and error by (row, column)
    - `merged`: first row, first column, last row, last column of merged cells
    - `hidden_rows`: numbers of hidden rows, from 1
    - `area`: number of cells in the used range
    - `damaged`: the sheet is truncated, so rows may be missing that a tolerant reader does not report
    """

    formulas: dict[tuple[int, int], str] = field(default_factory=dict)
    errors: dict[tuple[int, int], str] = field(default_factory=dict)
    merged: list[tuple[int, int, int, int]] = field(default_factory=list)
    hidden_rows: list[int] = field(default_factory=list)
    area: int = 0
    damaged: bool = False


def detect_workbook_type(workbook_bytes: bytes) -> str:
    """Return `xlsx` or `xls`. For other bytes return why they are no workbook: `encrypted`, `unsafe`, `damaged`, `zip`, or the file type
    that their first bytes show."""
    first = files.detect_file_type(workbook_bytes)
    if first == "ole2":
        return "encrypted" if "EncryptedPackage".encode("utf-16-le") in workbook_bytes else "xls"
    if first != "zip":
        return first
    try:
        with zipfile.ZipFile(io.BytesIO(workbook_bytes)) as archive:
            parts = archive.infolist()
            if any(part.flag_bits & 1 for part in parts):
                return "encrypted"
            large = len(parts) > _MOST_PARTS or sum(part.file_size for part in parts) > _MOST_BYTES
            if large or not all(_is_zip_part_safe(archive, part) for part in parts):
                return "unsafe"
            names = {part.filename for part in parts}
            if len({name.lower() for name in names}) < len(parts):  # of two parts with one name, programs read different ones
                return "unsafe"
    except _ERRORS:
        return "damaged"
    return "xlsx" if "xl/workbook.xml" in names else "zip"


def _is_zip_part_safe(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> bool:
    """Return whether a part of the zip unpacks within the limits and to its stated size, and declares no XML entities."""
    if part.file_size > 8 << 20 and part.file_size > _MOST_RATIO * max(part.compress_size, 1):
        return False
    with archive.open(part) as stream:
        head = stream.read(4096)
        while stream.read(1 << 20):
            pass
    return not (part.filename.endswith((".xml", ".rels")) and (b"<!DOCTYPE" in head or b"<!ENTITY" in head))


def rebuild_damaged_zip(workbook_bytes: bytes) -> bytes | None:
    """Return a valid zip with those parts of a damaged zip that are complete. They are found by their local headers. Return None if they do
    not form a workbook.

    The new zip contains only what was unpacked here within the limits, because the sizes that a damaged zip states cannot be trusted.
    """
    out, total, at = io.BytesIO(), 0, workbook_bytes.find(_LOCAL_HEADER)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        names: set[str] = set()
        while at != -1 and len(names) < _MOST_PARTS:
            name, content, after = _read_zip_part(workbook_bytes, at, _MOST_BYTES - total)
            if content is not None and name and name not in names:
                archive.writestr(name, content)
                names.add(name)
                total += len(content)
            at = workbook_bytes.find(_LOCAL_HEADER, max(after, at + 4))
    return out.getvalue() if "xl/workbook.xml" in names else None


def _read_zip_part(data: bytes, position: int, maximum_bytes: int) -> tuple[str, bytes | None, int]:
    """Return the name of the part of the zip whose local header is at `position`, its content, and the position where it ends. The content
    is None if it is incomplete or larger than `maximum_bytes`."""
    header = data[position : position + 30]
    if len(header) < 30:
        return "", None, position + 4
    method, size, length, extra = (int.from_bytes(header[a:b], "little") for a, b in ((8, 10), (18, 22), (26, 28), (28, 30)))
    name = data[position + 30 : position + 30 + length].decode("utf-8", "replace").partition("\0")[0]  # as zip programs read it
    start = position + 30 + length + extra
    if method == 0:
        content = data[start : start + size]
        return name, content if len(content) == size else None, start + size
    unpack = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        content = unpack.decompress(memoryview(data)[start:], maximum_bytes + 1)
    except zlib.error:
        return name, None, start
    if not unpack.eof or method != zipfile.ZIP_DEFLATED:
        return name, None, start
    end = len(data) - len(unpack.unused_data)
    bomb = len(content) > max(8 << 20, _MOST_RATIO * (end - start))
    return name, None if bomb or len(content) > maximum_bytes else content, end


def read_overlays(workbook_bytes: bytes) -> dict[str, Overlay]:
    """Return the overlay of each sheet of an xlsx file, by name of the sheet. The result is empty if the list of sheets cannot be read."""
    out: dict[str, Overlay] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(workbook_bytes)) as archive:
            for name, path in _find_sheet_paths(archive).items():
                xml = archive.read(path)
                try:
                    out[name] = _read_overlay(xml)
                    _require_well_formed(xml)
                except etree.XMLSyntaxError:
                    out.setdefault(name, Overlay()).damaged = True
    except (*_ERRORS, etree.XMLSyntaxError):
        return out
    return out


def _require_well_formed(xml: bytes) -> None:
    """Raise `etree.XMLSyntaxError` if the XML of a part is not well-formed."""
    for _, element in etree.iterparse(io.BytesIO(xml), resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False):
        element.clear()


def counts_days_from_1904(workbook_bytes: bytes) -> bool:
    """Return whether a workbook (xlsx or xls) counts days from 1904. The libraries convert such dates without saying so."""
    if files.detect_file_type(workbook_bytes) == "ole2":
        return _read_date_system(workbook_bytes) == 1
    try:
        with zipfile.ZipFile(io.BytesIO(workbook_bytes)) as archive:
            book = _parse_xml(archive.read("xl/workbook.xml"))
    except (*_ERRORS, etree.XMLSyntaxError):
        return False
    return any(e.get("date1904") in ("1", "true") for e in book.iter("{*}workbookPr"))


def _read_date_system(workbook_bytes: bytes) -> int | None:
    """Return the value of the date system record of an xls workbook (1 means that days count from 1904). Return None if there is no such
    record."""
    at = workbook_bytes.find(_GLOBALS)
    while 0 <= at < len(workbook_bytes) - 4:
        record, length = (int.from_bytes(workbook_bytes[k : k + 2], "little") for k in (at, at + 2))
        if record in (_DATEMODE, _END):
            return int.from_bytes(workbook_bytes[at + 4 : at + 6], "little") if record == _DATEMODE else None
        at += 4 + length
    return None


def _parse_xml(xml: bytes) -> etree._Element:
    """Parse XML without expanding entities or fetching anything."""
    return etree.fromstring(xml, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False))


def _remove_namespace(element: etree._Element) -> str:
    """Return the name of an element without its namespace."""
    return etree.QName(element).localname


def _find_sheet_paths(archive: zipfile.ZipFile) -> dict[str, str]:
    """Return the path in the zip of each sheet by its name."""
    targets = {r.get("Id"): r.get("Target", "") for r in _parse_xml(archive.read("xl/_rels/workbook.xml.rels")).iter(etree.Element)}
    out = {}
    for sheet in _parse_xml(archive.read("xl/workbook.xml")).iter(etree.Element):
        target = targets.get(sheet.get(_REL)) if _remove_namespace(sheet) == "sheet" else None
        if target:
            path = target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join("xl", target))
            if path in archive.namelist():
                out[sheet.get("name", "")] = path
    return out


def _parse_cell_reference(reference: str | None) -> tuple[int, int] | None:
    """Return row and column (from 0) of a cell reference such as `M2`; None for any other text."""
    match = _REFERENCE.fullmatch(reference or "")
    if not match:
        return None
    column = 0
    for letter in match[1]:
        column = column * 26 + ord(letter) - 64
    return int(match[2]) - 1, column - 1


def write_cell_reference(row: int, column: int) -> str:
    """Return the reference of a cell, such as `M2`. `row` and `column` count from 0."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{letters}{row + 1}"


def _read_overlay(xml: bytes) -> Overlay:
    """Read the overlay of a sheet from its XML."""
    out = Overlay()
    rows = [int(n) for n in re.findall(rb"<(?:\w+:)?row [^>]*?r=\"(\d{1,7})\"", xml)]
    letters = set(re.findall(rb"<(?:\w+:)?c [^>]*?r=\"([A-Z]{1,3})\d", xml))
    columns = [p[1] + 1 for letter in letters if (p := _parse_cell_reference(letter.decode() + "1"))]
    out.area = max(rows, default=0) * max(columns, default=0)
    if not _NOTEWORTHY.search(xml):
        return out
    for _, element in etree.iterparse(io.BytesIO(xml), resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False):
        name = _remove_namespace(element)
        if name == "c":
            _add_cell_to_overlay(element, out)
        elif name == "mergeCell":
            first, _, last = element.get("ref", "").partition(":")
            start, stop = _parse_cell_reference(first), _parse_cell_reference(last)
            if start and stop:
                out.merged.append((*start, *stop))
        elif name == "row":
            if element.get("hidden") in ("1", "true"):
                out.hidden_rows.append(int(element.get("r", "0")))
            element.clear()
    return out


def _add_cell_to_overlay(cell: etree._Element, overlay: Overlay) -> None:
    """Add the formula and the error of a cell to the overlay."""
    at = _parse_cell_reference(cell.get("r"))
    if at is None:
        return
    for child in cell:
        if _remove_namespace(child) == "f":
            overlay.formulas[at] = child.text or ""
        elif _remove_namespace(child) == "v" and cell.get("t") == "e":
            overlay.errors[at] = child.text or ""


def evaluate_joined_literals(formula: str) -> str | None:
    """Return the text of a formula that only joins literals (`CONCATENATE(8," muaj")`, `8&" muaj"`); None for any other formula."""
    match = re.fullmatch(r"\s*(?:_xlfn\.)?CONCAT(?:ENATE)?\((.*)\)\s*", formula, re.DOTALL | re.IGNORECASE)
    body, separators = (match[1], ",;") if match else (formula, "&")
    out, at = [], 0
    while True:
        found = _LITERAL.match(body, at)
        if not found:
            return None
        text = found[1]
        out.append(text[1:-1].replace('""', '"') if text.startswith('"') else text)
        at = found.end()
        if at == len(body):
            return "".join(out)
        if body[at] not in separators:
            return None
        at += 1
