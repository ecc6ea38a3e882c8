"""XML: elements of declared tables to rows, streamed by lxml; entities are not expanded, nothing outside the file is read.

Belongs here: elements to rows, names and namespace. Does not belong here: making the text safe to parse (`xml_text`), text that is not
well-formed (`xml_salvage`), encodings (`encoding`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import Any

import pandas as pd
from lxml import etree

from sources.contract import Contract, FileSpec
from sources.readers import encoding, files, headers, xml_salvage
from sources.readers.encoding import Known
from sources.readers.piece import Piece, UnsafeError, nulls, text_frame
from sources.readers.result import SourceFile
from sources.readers.xml_text import blank_comments, make_safe, parser_options, without_encoding

_DEEP = 64  # levels; an agreed export has five
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
class Rows:
    """Rows by table in document order: position, parent, delivered names and texts."""

    form: Form
    rows: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    lines: dict[str, list[int]] = field(default_factory=dict)
    ids: dict[str, list[int]] = field(default_factory=dict)
    parents: dict[str, list[int | None]] = field(default_factory=dict)
    notes: dict[tuple[str, str, str], int] = field(default_factory=dict)  # rule, table, name -> first line
    count: int = 0

    def note(self, rule: str, table: str, name: str, line: int) -> None:
        """Record the first line where something occurs."""
        self.notes.setdefault((rule, table, name), line)

    def take(self, element: etree._Element, table: str, parent: int | None, shift: int = 0, depth: int = 0) -> None:
        """Add a row of `table` and the rows nested in it. `shift`: lines to add to the position."""
        spec, line = self.form.elements[table], _line(element) + shift
        own = self.count
        self.count += 1
        row = {_local(name): str(value) for name, value in element.items()}
        self.rows.setdefault(table, []).append(row)
        self.lines.setdefault(table, []).append(line)
        self.ids.setdefault(table, []).append(own)
        self.parents.setdefault(table, []).append(parent)
        if spec.get("text"):
            row[spec["text"]] = _text(element)
        for child in element.iterchildren(tag=etree.Element):
            self._child(child, table, row, own, shift, depth)

    def _child(self, child: etree._Element, table: str, row: dict[str, str], own: int, shift: int, depth: int) -> None:
        tag = child.tag
        local, nested = self.form.tags.get(tag) or self.form.named(tag)
        if nested and depth < _DEEP:
            if nested != local:
                self.note("xml-element-renamed", nested, local, _line(child) + shift)
            self.take(child, nested, own, shift, depth + 1)
            return
        for name, value in child.items():
            row.setdefault(f"{local}.{_local(name)}", str(value))
        deeper = list(child.iterchildren(tag=etree.Element)) if depth < _DEEP and len(child) else []
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
    rows = Rows(form)
    safe = make_safe(text, piece)
    if not _stream(safe, rows, piece):
        xml_salvage.salvage(safe, rows, contract, piece)
    if not rows.count and not piece.unreadable and not _is_ours(safe, form):
        piece.findings.clear()
        files.quarantine_lines(piece, data, "file-header-not-found")
        return piece.fail("file-header-not-found")
    _notes(rows, piece)
    _frames(rows, contract, piece)
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
                if deep > _DEEP:
                    piece.find("xml-broken", line=_line(element) + shift, detail=f"> {_DEEP} levels")
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


def _notes(rows: Rows, piece: Piece) -> None:
    for (rule, table, name), line in rows.notes.items():
        piece.find(rule, line=line, field=name, detail=table)


def _frames(rows: Rows, contract: Contract, piece: Piece) -> None:
    """Rows to frames: delivered names to declared columns, keys of enclosing rows filled in, parents by row number."""
    piece.rows += rows.count
    around: dict[int, tuple[str, int, int | None]] = {}  # row number -> table, position in it, parent
    frames: dict[str, pd.DataFrame] = {}
    for table, delivered in rows.rows.items():
        around |= {own: (table, i, rows.parents[table][i]) for i, own in enumerate(rows.ids[table])}
        frames[table] = _frame(delivered, table, contract, rows, piece)
    for table, frame in frames.items():
        for column, source in rows.form.elements[table].get("keys", {}).items():
            of, name = source.split(".")
            values = list(frames[of][name]) if of in frames else []
            places = [_ancestor(around, parent, of) for parent in rows.parents[table]]
            frame[column] = pd.array([None if i is None else values[i] for i in places], dtype="str")
        frame["_part"] = nulls(len(frame))
        frame["_line"] = pd.array(rows.lines[table], dtype="Int64")
        frame["_row"] = pd.array(rows.ids[table], dtype="Int64")
        frame["_parent"] = pd.array(rows.parents[table], dtype="Int64")
        piece.add(table, frame)


def _ancestor(around: Mapping[int, tuple[str, int, int | None]], row: int | None, table: str) -> int | None:
    """The position in `table` of the ancestor of row number `row`."""
    while row is not None:
        of, place, parent = around[row]
        if of == table:
            return place
        row = parent
    return None


def _frame(delivered: Sequence[Mapping[str, str]], table: str, contract: Contract, rows: Rows, piece: Piece) -> pd.DataFrame:
    """Match delivered names to declared columns; XML omits empty cells, so an absent element is a finding only if it is required."""
    names = list(dict.fromkeys(name for row in delivered for name in row))
    spec, declared = rows.form.elements[table], contract.tables[table]
    own = {*spec.get("attributes", {}).values(), *spec.get("children", {}).values(), spec.get("text")}
    part = replace(declared, columns=tuple(c for c in declared.columns if c.name in own))
    match = headers.match(names, part, by_place=False)
    optional = {c.name for c in part.columns if not c.required}
    for finding in match.findings:
        absent = finding["rule"] == "file-column-missing" and finding["field"] in optional
        if not absent and finding["rule"] != "file-column-order":
            piece.find(line=rows.lines[table][0], **({"detail": table} | finding))
    frame = text_frame({column: [row.get(names[k], "") for row in delivered] for k, column in sorted(match.names.items())})
    for column in match.missing:
        frame[column] = nulls(len(delivered))
    return frame
