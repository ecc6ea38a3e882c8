"""Reads XML: the elements of declared tables become rows. The file is streamed by lxml; entities are not expanded, and nothing outside the
file is read.

Belongs here: turning elements into rows, names and namespace. Does not belong here: making the text safe to parse (`xml_text`), text that
is not well-formed (`xml_salvage`), encodings (`encoding`).
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
from sources.readers.xml_text import declare_encoding_utf_8, make_xml_safe, replace_comments_by_spaces, safe_xml_parser_options

_MOST_TAGS = 10_000_000  # each may be a row, which takes about 300 bytes of memory while it is read


@dataclass
class XmlLayout:
    """What the contract declares about an XML file under `options`: its elements, root and namespace, and the attributes of the root that
    are metadata (`declared`). `tables` and `tags` keep the results of earlier look-ups."""

    elements: Mapping[str, Mapping[str, Any]]
    namespace: str
    root: str
    declared: Sequence[str]
    tables: dict[str, str | None] = field(default_factory=dict)
    tags: dict[str | bytes, tuple[str, str | None]] = field(default_factory=dict)

    def find_name_and_table_of_tag(self, tag: str | bytes) -> tuple[str, str | None]:
        """Return the local name of a tag, and the table whose rows are such elements, or None. Results are cached by tag."""
        found = self.tags.get(tag)
        if found is None:
            local = _remove_namespace(tag)
            found = self.tags[tag] = local, self.find_table_of_element(local)
        return found

    def find_table_of_element(self, local: str) -> str | None:
        """Return the declared table whose rows are elements with this local name. Spelling does not matter. Return None if there is
        none."""
        if local not in self.tables:
            alike = (t for t in self.elements if headers.normalise_name(t) == headers.normalise_name(local))
            self.tables[local] = local if local in self.elements else next(alike, None)
        return self.tables[local]


@dataclass
class XmlRows(NestedRows):
    """The rows of an XML document, by declared table."""

    layout: XmlLayout = field(kw_only=True)

    def add_record(self, element: etree._Element, table: str, parent: int | None, line_offset: int = 0, depth: int = 0) -> None:
        """Add an element as a row of `table`, and the rows nested in it.

        `line_offset`: a number that is added to the line of each element. `depth`: the number of rows around the element.
        """
        spec, line = self.layout.elements[table], _find_line_of_element(element) + line_offset
        row = {_remove_namespace(name): str(value) for name, value in element.items()}
        own = self.add_row(table, row, line, parent)
        if spec.get("text"):
            row[spec["text"]] = _collect_text_of_element(element)
        for child in element.iterchildren(tag=etree.Element):
            self._add_child(child, table, row, own, line_offset, depth)

    def _add_child(self, child: etree._Element, table: str, row: dict[str, str], row_number: int, line_offset: int, depth: int) -> None:
        """Add a child element of a row. It becomes a separate row if it belongs to a declared table, otherwise cells of `row`, which has
        the number `row_number`."""
        tag = child.tag
        local, nested = self.layout.tags.get(tag) or self.layout.find_name_and_table_of_tag(tag)
        if nested and depth < DEEPEST:
            if nested != local:
                self.record_finding("xml-element-renamed", nested, local, _find_line_of_element(child) + line_offset)
            self.add_record(child, nested, row_number, line_offset, depth + 1)
            return
        for name, value in child.items():
            row.setdefault(f"{local}.{_remove_namespace(name)}", str(value))
        deeper = list(child.iterchildren(tag=etree.Element)) if depth < DEEPEST and len(child) else []
        if deeper:
            self.record_finding("xml-element-extra", table, local, _find_line_of_element(child) + line_offset)
            for further in deeper:
                self._add_child(further, table, row, row_number, line_offset, depth + 1)
        elif local in row:
            if row[local] != _collect_text_of_element(child):
                self.record_finding("xml-element-repeated", table, local, _find_line_of_element(child) + line_offset)
                row[f"{local} (2)"] = _collect_text_of_element(child)
        else:
            row[local] = _collect_text_of_element(child)


def _remove_namespace(tag: str | bytes) -> str:
    """Return a tag without its namespace."""
    return str(tag).rpartition("}")[2]


def _find_line_of_element(element: etree._Element) -> int:
    """Return the line on which an element begins."""
    line = element.sourceline
    return line if isinstance(line, int) else 1


def _collect_text_of_element(element: etree._Element) -> str:
    """Return the text of an element and of all elements in it."""
    return "".join(str(t) for t in element.itertext(tag=etree.Element)) if len(element) else element.text or ""


def read(
    file: SourceFile,
    spec: FileSpec,
    contract: Contract,
    other_contracts: Sequence[Contract] = (),
    evidence: EncodingEvidence = encoding.NO_EVIDENCE,
) -> FileReading:
    """Read the elements of declared tables. The columns of a row are its attributes, its child elements, and the keys of enclosing elements
    that `elements` in the options of the file names."""
    reading = FileReading(spec.name)
    data = files.load_file_bytes(file, reading)
    if data is None:
        return reading
    if files.detect_file_type(data) != "text":
        files.quarantine_all_lines(reading, data, "file-wrong-form")
        return reading.mark_unreadable("file-wrong-form", files.detect_file_type(data))
    if data.count(b"<") > _MOST_TAGS:
        raise UnsafeFileError(f"> {_MOST_TAGS:,} tags")
    options = spec.options
    stated = re.search(rb"""encoding\s*=\s*["']([\w.:-]+)["']""", data[:200])
    text, found = encoding.decode(data, options.get("encoding", "utf-8"), stated[1].decode() if stated else None, evidence)
    for finding in found:
        reading.add_finding(**finding)
    text = declare_encoding_utf_8(text.lstrip("\ufeff"), found, reading)
    if not re.search(r"<[A-Za-z_]", text):
        files.quarantine_all_lines(reading, data, "file-wrong-form")
        return reading.mark_unreadable("file-wrong-form", "text")
    layout = XmlLayout(options["elements"], options["namespace"], options["root"], options.get("declared", ()))
    rows = XmlRows(layout=layout)
    safe = make_xml_safe(text, reading)
    if not _stream_rows(safe, rows, reading):
        xml_salvage.salvage_records(safe, rows, contract, reading)
    if not rows.count and not reading.unreadable and not _has_declared_root(safe, layout):
        reading.findings.clear()
        files.quarantine_all_lines(reading, data, "file-header-not-found")
        return reading.mark_unreadable("file-header-not-found")
    rows.add_to_reading(reading, contract, {table: element.get("keys", {}) for table, element in layout.elements.items()})
    return reading


def _has_declared_root(text: str, layout: XmlLayout) -> bool:
    """Return whether the root element of a text is the declared one."""
    root = re.search(r"<(?:[\w.-]+:)?([A-Za-z_][\w.-]*)", replace_comments_by_spaces(text[:10_000]))
    return root is not None and headers.normalise_name(root[1]) == headers.normalise_name(layout.root)


def _stream_rows(text: str, rows: XmlRows, reading: FileReading) -> bool:
    """Read rows as long as the document is well-formed and not nested too deeply. Return whether the end of the document was reached."""
    source = BytesIO(text.encode("utf-8", "replace").lstrip())
    line_offset = text[: len(text) - len(text.lstrip())].count("\n")
    open_rows, deep, begun, named, seen = 0, 0, False, rows.layout.find_name_and_table_of_tag, rows.layout.tags
    try:
        for event, element in etree.iterparse(source, events=("start", "end"), **safe_xml_parser_options()):
            if not begun:
                _check_root(element, rows.layout, reading)
                begun = True
            tag = element.tag
            table = (seen.get(tag) or named(tag))[1]
            if event == "start":
                open_rows += table is not None
                deep += 1
                if deep > DEEPEST:
                    reading.add_finding("xml-broken", line=_find_line_of_element(element) + line_offset, detail=f"> {DEEPEST} levels")
                    return False
                continue
            deep -= 1
            open_rows -= table is not None
            if not open_rows:
                _read_outermost_element(element, table, rows, line_offset)
                _free_memory(element)
    except (etree.XMLSyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        reading.add_finding("xml-broken", line=line + line_offset if line else None)
        return False
    return True


def _free_memory(element: etree._Element) -> None:
    """Free the memory of an element that has been read. The element itself stays, because lxml needs it."""
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def _read_outermost_element(element: etree._Element, table: str | None, rows: XmlRows, line_offset: int) -> None:
    """Read an element that is not inside a row. A declared element becomes a row, with everything nested in it. An undeclared element is
    reported once as a finding."""
    local, line = _remove_namespace(element.tag), _find_line_of_element(element) + line_offset
    if table is None:
        if element.getparent() is not None:
            rows.record_finding("xml-element-extra", rows.layout.root, local, line)
        return
    if table != next(iter(rows.layout.elements)):
        rows.record_finding("xml-element-misplaced", table, local, line)
    if table != local:
        rows.record_finding("xml-element-renamed", table, local, line)
    rows.add_record(element, table, None, line_offset)


def _check_root(element: etree._Element, layout: XmlLayout, reading: FileReading) -> None:
    """Report the root element if it has another name, another namespace or undeclared attributes. Read its declared attributes as
    metadata."""
    name = etree.QName(element)
    if (name.namespace or "") != layout.namespace:
        reading.add_finding("xml-namespace", line=_find_line_of_element(element), detail=name.namespace or "—")
    if name.localname != layout.root and layout.find_table_of_element(name.localname) is None:
        reading.add_finding("xml-root", line=_find_line_of_element(element), detail=name.localname)
    for attribute in layout.declared:
        value = element.get(attribute)
        if value:
            reading.declared[attribute] = value
    for attribute in map(str, element.attrib):
        if _remove_namespace(attribute) not in layout.declared:
            reading.add_finding("xml-attribute-extra", line=_find_line_of_element(element), field=_remove_namespace(attribute))
