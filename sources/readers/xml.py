"""Reads XML: elements of declared tables become rows. The file is streamed by lxml; entities are not expanded, and nothing outside the
file is read.

Belongs here: elements to rows, names and namespace. Does not belong here: making the text safe to parse (`xml_text`), text that is not
well-formed (`xml_salvage`), encodings (`encoding`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from lxml import etree

from sources.contract import Contract, FileSpec
from sources.readers import encoding, files, headers, xml_salvage
from sources.readers.encoding import EncodingEvidence
from sources.readers.file_reading import FileReading, UnsafeFileError
from sources.readers.nested import DEEPEST, NestedRows
from sources.readers.result import SourceFile
from sources.readers.xml_text import make_xml_safe, parser_options, replace_comments_by_spaces, set_encoding_to_utf_8

_MOST_TAGS = 10_000_000  # each may be a row, which takes about 300 bytes of memory while it is read


@dataclass
class XmlLayout:
    """The elements, root and namespace that the contract declares (`options` of the file), and the tables of names that were already
    looked up."""

    elements: Mapping[str, Mapping[str, Any]]
    namespace: str
    root: str
    declared: Sequence[str]
    tables: dict[str, str | None] = field(default_factory=dict)
    tags: dict[str | bytes, tuple[str, str | None]] = field(default_factory=dict)

    def name_and_table(self, tag: str | bytes) -> tuple[str, str | None]:
        """Return the local name of a tag, and its table or None. Results are cached by tag."""
        found = self.tags.get(tag)
        if found is None:
            local = _local_name(tag)
            found = self.tags[tag] = local, self.table_of_element(local)
        return found

    def table_of_element(self, local: str) -> str | None:
        """Return the declared table whose rows are elements with this local name, up to spelling; None if there is none."""
        if local not in self.tables:
            alike = (t for t in self.elements if headers.fold_name(t) == headers.fold_name(local))
            self.tables[local] = local if local in self.elements else next(alike, None)
        return self.tables[local]


@dataclass
class XmlRows(NestedRows):
    """The rows of an XML document, by declared table."""

    layout: XmlLayout = field(kw_only=True)

    def add_record(self, element: etree._Element, table: str, parent: int | None, shift: int = 0, depth: int = 0) -> None:
        """Add an element as a row of `table`, and the rows nested in it. `shift`: the number of lines that are added to the position of the
        element. `depth`: the number of enclosing rows."""
        spec, line = self.layout.elements[table], _line_of(element) + shift
        row = {_local_name(name): str(value) for name, value in element.items()}
        own = self.add_row(table, row, line, parent)
        if spec.get("text"):
            row[spec["text"]] = _text_of(element)
        for child in element.iterchildren(tag=etree.Element):
            self._add_child(child, table, row, own, shift, depth)

    def _add_child(self, child: etree._Element, table: str, row: dict[str, str], row_number: int, shift: int, depth: int) -> None:
        """Add a child element of a row: as a separate row if it belongs to a declared table, else as cells of `row` (number
        `row_number`)."""
        tag = child.tag
        local, nested = self.layout.tags.get(tag) or self.layout.name_and_table(tag)
        if nested and depth < DEEPEST:
            if nested != local:
                self.note_finding("xml-element-renamed", nested, local, _line_of(child) + shift)
            self.add_record(child, nested, row_number, shift, depth + 1)
            return
        for name, value in child.items():
            row.setdefault(f"{local}.{_local_name(name)}", str(value))
        deeper = list(child.iterchildren(tag=etree.Element)) if depth < DEEPEST and len(child) else []
        if deeper:
            self.note_finding("xml-element-extra", table, local, _line_of(child) + shift)
            for further in deeper:
                self._add_child(further, table, row, row_number, shift, depth + 1)
        elif local in row:
            if row[local] != _text_of(child):
                self.note_finding("xml-element-repeated", table, local, _line_of(child) + shift)
                row[f"{local} (2)"] = _text_of(child)
        else:
            row[local] = _text_of(child)


def _local_name(tag: str | bytes) -> str:
    """Return a tag without its namespace."""
    return str(tag).rpartition("}")[2]


def _line_of(element: etree._Element) -> int:
    """Return the line on which an element begins."""
    line = element.sourceline
    return line if isinstance(line, int) else 1


def _text_of(element: etree._Element) -> str:
    """Return the text of an element and of all elements in it."""
    return "".join(str(t) for t in element.itertext(tag=etree.Element)) if len(element) else element.text or ""


def read(
    file: SourceFile, spec: FileSpec, contract: Contract, others: Sequence[Contract] = (), evidence: EncodingEvidence = encoding.NO_EVIDENCE
) -> FileReading:
    """Read the elements of declared tables. Columns: attributes, child elements, and keys of enclosing elements (`elements` in the
    options of the file)."""
    reading = FileReading(spec.name)
    data = files.load_bytes(file, reading)
    if data is None:
        return reading
    if files.detect_type(data) != "text":
        files.quarantine_lines(reading, data, "file-wrong-form")
        return reading.mark_unreadable("file-wrong-form", files.detect_type(data))
    if data.count(b"<") > _MOST_TAGS:
        raise UnsafeFileError(f"> {_MOST_TAGS:,} tags")
    options = spec.options
    stated = re.search(rb"""encoding\s*=\s*["']([\w.:-]+)["']""", data[:200])
    text, found = encoding.decode(data, options.get("encoding", "utf-8"), stated[1].decode() if stated else None, evidence)
    for finding in found:
        reading.add_finding(**finding)
    text = set_encoding_to_utf_8(text.lstrip("\ufeff"), found, reading)
    if not re.search(r"<[A-Za-z_]", text):
        files.quarantine_lines(reading, data, "file-wrong-form")
        return reading.mark_unreadable("file-wrong-form", "text")
    layout = XmlLayout(options["elements"], options["namespace"], options["root"], options.get("declared", ()))
    rows = XmlRows(layout=layout)
    safe = make_xml_safe(text, reading)
    if not _stream_rows(safe, rows, reading):
        xml_salvage.salvage_records(safe, rows, contract, reading)
    if not rows.count and not reading.unreadable and not _has_declared_root(safe, layout):
        reading.findings.clear()
        files.quarantine_lines(reading, data, "file-header-not-found")
        return reading.mark_unreadable("file-header-not-found")
    rows.add_to_reading(reading, contract, {table: element.get("keys", {}) for table, element in layout.elements.items()})
    return reading


def _has_declared_root(text: str, layout: XmlLayout) -> bool:
    """Return whether the root element of a text is the declared one."""
    root = re.search(r"<(?:[\w.-]+:)?([A-Za-z_][\w.-]*)", replace_comments_by_spaces(text[:10_000]))
    return root is not None and headers.fold_name(root[1]) == headers.fold_name(layout.root)


def _stream_rows(text: str, rows: XmlRows, reading: FileReading) -> bool:
    """Read rows as long as the document is well-formed and not too deep. Return whether its end was reached."""
    source = BytesIO(text.encode("utf-8", "replace").lstrip())
    shift = text[: len(text) - len(text.lstrip())].count("\n")
    open_rows, deep, begun, named, seen = 0, 0, False, rows.layout.name_and_table, rows.layout.tags
    try:
        for event, element in etree.iterparse(source, events=("start", "end"), **parser_options()):
            if not begun:
                _check_root(element, rows.layout, reading)
                begun = True
            tag = element.tag
            table = (seen.get(tag) or named(tag))[1]
            if event == "start":
                open_rows += table is not None
                deep += 1
                if deep > DEEPEST:
                    reading.add_finding("xml-broken", line=_line_of(element) + shift, detail=f"> {DEEPEST} levels")
                    return False
                continue
            deep -= 1
            open_rows -= table is not None
            if not open_rows:
                _take_outermost_element(element, table, rows, shift)
                _free_memory(element)
    except (etree.XMLSyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        reading.add_finding("xml-broken", line=line + shift if line else None)
        return False
    return True


def _free_memory(element: etree._Element) -> None:
    """Free the memory of an element that has been read. The element itself stays, because lxml needs it."""
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def _take_outermost_element(element: etree._Element, table: str | None, rows: XmlRows, shift: int) -> None:
    """Read an element that is not inside a row. A declared element becomes a row, with everything nested in it. An undeclared element is
    reported once as a finding."""
    local, line = _local_name(element.tag), _line_of(element) + shift
    if table is None:
        if element.getparent() is not None:
            rows.note_finding("xml-element-extra", rows.layout.root, local, line)
        return
    if table != next(iter(rows.layout.elements)):
        rows.note_finding("xml-element-misplaced", table, local, line)
    if table != local:
        rows.note_finding("xml-element-renamed", table, local, line)
    rows.add_record(element, table, None, shift)


def _check_root(element: etree._Element, layout: XmlLayout, reading: FileReading) -> None:
    """Report a root element that has another name, another namespace or further attributes. Read its declared attributes as metadata."""
    name = etree.QName(element)
    if (name.namespace or "") != layout.namespace:
        reading.add_finding("xml-namespace", line=_line_of(element), detail=name.namespace or "—")
    if name.localname != layout.root and layout.table_of_element(name.localname) is None:
        reading.add_finding("xml-root", line=_line_of(element), detail=name.localname)
    for attribute in layout.declared:
        value = element.get(attribute)
        if value:
            reading.declared[attribute] = value
    for attribute in map(str, element.attrib):
        if _local_name(attribute) not in layout.declared:
            reading.add_finding("xml-attribute-extra", line=_line_of(element), field=_local_name(attribute))
