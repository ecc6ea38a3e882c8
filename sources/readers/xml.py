"""XML: elements of declared tables to rows, streamed by lxml; entities are not expanded, nothing outside the file is read.

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
from sources.readers.encoding import Known
from sources.readers.nested import DEEPEST, NestedRows
from sources.readers.piece import Piece, UnsafeError
from sources.readers.result import SourceFile
from sources.readers.xml_text import blank_comments, make_safe, parser_options, without_encoding

_MOST_TAGS = 10_000_000  # each may be a row, which takes about 300 bytes of memory while it is read


@dataclass
class Form:
    """The element declarations of the contract (`options` of the file)."""

    elements: Mapping[str, Mapping[str, Any]]
    namespace: str
    root: str
    declared: Sequence[str]
    known: dict[str, str | None] = field(default_factory=dict)
    tags: dict[str | bytes, tuple[str, str | None]] = field(default_factory=dict)

    def named(self, tag: str | bytes) -> tuple[str, str | None]:
        """The local name of a tag, and its table; cached per tag."""
        found = self.tags.get(tag)
        if found is None:
            local = _local(tag)
            found = self.tags[tag] = local, self.table(local)
        return found

    def table(self, local: str) -> str | None:
        """The declared table of elements with this local name, up to spelling."""
        if local not in self.known:
            alike = (t for t in self.elements if headers.fold(t) == headers.fold(local))
            self.known[local] = local if local in self.elements else next(alike, None)
        return self.known[local]


@dataclass
class Rows(NestedRows):
    """The rows of elements of declared tables."""

    form: Form = field(kw_only=True)

    def take(self, element: etree._Element, table: str, parent: int | None, shift: int = 0, depth: int = 0) -> None:
        """Add a row of `table` and the rows nested in it. `shift`: lines to add to the position."""
        spec, line = self.form.elements[table], _line(element) + shift
        row = {_local(name): str(value) for name, value in element.items()}
        own = self.add(table, row, line, parent)
        if spec.get("text"):
            row[spec["text"]] = _text(element)
        for child in element.iterchildren(tag=etree.Element):
            self._child(child, table, row, own, shift, depth)

    def _child(self, child: etree._Element, table: str, row: dict[str, str], own: int, shift: int, depth: int) -> None:
        tag = child.tag
        local, nested = self.form.tags.get(tag) or self.form.named(tag)
        if nested and depth < DEEPEST:
            if nested != local:
                self.note("xml-element-renamed", nested, local, _line(child) + shift)
            self.take(child, nested, own, shift, depth + 1)
            return
        for name, value in child.items():
            row.setdefault(f"{local}.{_local(name)}", str(value))
        deeper = list(child.iterchildren(tag=etree.Element)) if depth < DEEPEST and len(child) else []
        if deeper:
            self.note("xml-element-extra", table, local, _line(child) + shift)
            for further in deeper:
                self._child(further, table, row, own, shift, depth + 1)
        elif local in row:
            if row[local] != _text(child):
                self.note("xml-element-repeated", table, local, _line(child) + shift)
                row[f"{local} (2)"] = _text(child)
        else:
            row[local] = _text(child)


def _local(tag: str | bytes) -> str:
    return str(tag).rpartition("}")[2]


def _line(element: etree._Element) -> int:
    line = element.sourceline
    return line if isinstance(line, int) else 1


def _text(element: etree._Element) -> str:
    return "".join(str(t) for t in element.itertext(tag=etree.Element)) if len(element) else element.text or ""


def read(file: SourceFile, spec: FileSpec, contract: Contract, others: Sequence[Contract] = (), known: Known = encoding.NOTHING) -> Piece:
    """Read the elements of declared tables. Columns: attributes, child elements, and keys of enclosing elements (`options`)."""
    piece = Piece(spec.name)
    data = files.load(file, piece)
    if data is None:
        return piece
    if files.kind(data) != "text":
        files.quarantine_lines(piece, data, "file-wrong-form")
        return piece.fail("file-wrong-form", files.kind(data))
    if data.count(b"<") > _MOST_TAGS:
        raise UnsafeError(f"> {_MOST_TAGS:,} tags")
    options = spec.options
    stated = re.search(rb"""encoding\s*=\s*["']([\w.:-]+)["']""", data[:200])
    text, found = encoding.decode(data, options.get("encoding", "utf-8"), stated[1].decode() if stated else None, known)
    for finding in found:
        piece.find(**finding)
    text = without_encoding(text.lstrip("\ufeff"), found, piece)
    if not re.search(r"<[A-Za-z_]", text):
        files.quarantine_lines(piece, data, "file-wrong-form")
        return piece.fail("file-wrong-form", "text")
    form = Form(options["elements"], options["namespace"], options["root"], options.get("declared", ()))
    rows = Rows(form=form)
    safe = make_safe(text, piece)
    if not _stream(safe, rows, piece):
        xml_salvage.salvage(safe, rows, contract, piece)
    if not rows.count and not piece.unreadable and not _is_ours(safe, form):
        piece.findings.clear()
        files.quarantine_lines(piece, data, "file-header-not-found")
        return piece.fail("file-header-not-found")
    rows.into(piece, contract, {table: element.get("keys", {}) for table, element in form.elements.items()})
    return piece


def _is_ours(text: str, form: Form) -> bool:
    root = re.search(r"<(?:[\w.-]+:)?([A-Za-z_][\w.-]*)", blank_comments(text[:10_000]))
    return root is not None and headers.fold(root[1]) == headers.fold(form.root)


def _stream(text: str, rows: Rows, piece: Piece) -> bool:
    """Read rows as long as the document is well-formed and not too deep; return whether its end was reached."""
    source = BytesIO(text.encode("utf-8", "replace").lstrip())
    shift = text[: len(text) - len(text.lstrip())].count("\n")
    open_rows, deep, begun, named, known = 0, 0, False, rows.form.named, rows.form.tags
    try:
        for event, element in etree.iterparse(source, events=("start", "end"), **parser_options()):
            if not begun:
                _root(element, rows.form, piece)
                begun = True
            tag = element.tag
            table = (known.get(tag) or named(tag))[1]
            if event == "start":
                open_rows += table is not None
                deep += 1
                if deep > DEEPEST:
                    piece.find("xml-broken", line=_line(element) + shift, detail=f"> {DEEPEST} levels")
                    return False
                continue
            deep -= 1
            open_rows -= table is not None
            if not open_rows:
                _outermost(element, table, rows, shift)
                _forget(element)
    except (etree.XMLSyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        piece.find("xml-broken", line=line + shift if line else None)
        return False
    return True


def _forget(element: etree._Element) -> None:
    """Free what has been read; the element itself stays, because lxml needs it."""
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def _outermost(element: etree._Element, table: str | None, rows: Rows, shift: int) -> None:
    """An element outside any row: a row with everything nested in it, or an undeclared element, which is reported once."""
    local, line = _local(element.tag), _line(element) + shift
    if table is None:
        if element.getparent() is not None:
            rows.note("xml-element-extra", rows.form.root, local, line)
        return
    if table != next(iter(rows.form.elements)):
        rows.note("xml-element-misplaced", table, local, line)
    if table != local:
        rows.note("xml-element-renamed", table, local, line)
    rows.take(element, table, None, shift)


def _root(element: etree._Element, form: Form, piece: Piece) -> None:
    name = etree.QName(element)
    if (name.namespace or "") != form.namespace:
        piece.find("xml-namespace", line=_line(element), detail=name.namespace or "—")
    if name.localname != form.root and form.table(name.localname) is None:
        piece.find("xml-root", line=_line(element), detail=name.localname)
    for attribute in form.declared:
        value = element.get(attribute)
        if value:
            piece.declared[attribute] = value
    for attribute in map(str, element.attrib):
        if _local(attribute) not in form.declared:
            piece.find("xml-attribute-extra", line=_line(element), field=_local(attribute))
