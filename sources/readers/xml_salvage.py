"""Reads the rest of an XML file that is not well-formed from some point on. Its records are read one by one; broken records are quarantined
with their bytes and, if readable, their keys.

Belongs here: splitting the rest of the file into records and parsing each of them separately. Does not belong here: rows and columns
(`xml`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lxml import etree

from sources.contract import Contract, TableSpec
from sources.readers.file_reading import FileReading, UnsafeFileError, build_record_key, read_key_part
from sources.readers.xml_text import LineNumbers, replace_comments_by_spaces, safe_xml_parser_options

if TYPE_CHECKING:
    from sources.readers.xml import XmlRows

_MOST_BROKEN = 10_000  # records; each is quarantined separately
_NAME = r"(?:[\w.-]+:)?"
_ATTRIBUTE = re.compile(r"""([\w.:-]+)\s*=\s*("[^"<]*"|'[^'<]*')""")


def salvage_records(text: str, rows: XmlRows, contract: Contract, reading: FileReading) -> None:
    """Read the records that follow those in `rows`, which were read by streaming. Complete records are added to `rows`, and all others are
    quarantined. Raises `UnsafeFileError` if very many are broken.

    The file becomes partial, unless nothing was quarantined and it ends with the end tag of its root (as if the same document is in it
    twice).
    """
    before_state, reading.state, aside = reading.state, "partial", len(reading.unreadable)
    top = next(iter(rows.layout.elements))
    text = replace_comments_by_spaces(text)
    line_numbers = LineNumbers(text)
    starts = [m.start() for m in re.finditer(rf"<{_NAME}{re.escape(top)}(?=[\s>/])", text)]
    done = len(rows.rows.get(top, []))
    wrapper, root_end = _find_root_tags(text, starts[0] if starts else len(text), rows)
    before = _find_end_of_record(text, starts[done - 1], len(text), top) if 0 < done <= len(starts) else root_end
    for n in range(done, len(starts)):
        _quarantine_text_between_records(text, before, starts[n], line_numbers, rows, reading)
        before = _find_end_of_record(text, starts[n], starts[n + 1] if n + 1 < len(starts) else len(text), top)
        fragment, line = text[starts[n] : before], line_numbers.line_at(starts[n])
        element = _parse_fragment(wrapper, fragment)
        if element is not None:
            rows.add_record(element, top, None, line - 1)
        else:
            _quarantine_record(fragment, line, rows, contract, reading, top)
            if len(reading.unreadable) > _MOST_BROKEN:
                raise UnsafeFileError(f"> {_MOST_BROKEN:,} broken records")
    _quarantine_text_between_records(text, before, len(text), line_numbers, rows, reading)
    if len(reading.unreadable) == aside and re.search(rf"</{_NAME}{re.escape(rows.layout.root)}\s*>\s*$", text):
        reading.state = before_state


def _find_end_of_record(text: str, start: int, limit: int, top: str) -> int:
    """Return the position where the record that starts at `start` ends. It ends after its end tag or, if that is absent, where the next
    record begins (`limit`)."""
    close = re.compile(rf"</{_NAME}{re.escape(top)}\s*>").search(text, start, limit)
    return close.end() if close else limit


def _find_root_tags(text: str, end_of_search: int, rows: XmlRows) -> tuple[tuple[str, str], int]:
    """Return the tags of the root, between which a single record can be parsed, and the position where the start tag ends in the text. The
    start tag is on one line and declares the namespaces."""
    root = re.search(rf"<({_NAME}{re.escape(rows.layout.root)})(?=[\s>])[^<>]*>", text[:end_of_search])
    own = (root[0].replace("\n", " "), f"</{root[1]}>") if root else ("", "")
    if root and _parse_fragment(own, "<x/>") is not None:
        return own, root.end()
    made = (f'<{rows.layout.root} xmlns="{rows.layout.namespace}">', f"</{rows.layout.root}>")
    return made, root.end() if root else 0


def _parse_fragment(wrapper: tuple[str, str], fragment: str) -> etree._Element | None:
    """Return the first element in `fragment`, parsed between the tags of `wrapper`; None if it is not well-formed."""
    parser = etree.XMLParser(**safe_xml_parser_options())
    try:
        root = etree.fromstring((wrapper[0] + fragment + wrapper[1]).encode("utf-8", "replace"), parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
    return root[0] if len(root) else None


def _read_attributes(tag: str) -> dict[str, str]:
    """Return the attributes of a tag by name, without namespace."""
    return {name.split(":")[-1]: value[1:-1] for name, value in _ATTRIBUTE.findall(tag)}


def _quarantine_record(fragment: str, line: int, rows: XmlRows, contract: Contract, reading: FileReading, top: str) -> None:
    """Quarantine a broken record: one row for the record, and one for each nested row whose start tag and key can be read."""
    table = contract.tables[top]
    record_attributes = _read_attributes(fragment[: fragment.find(">") + 1 or len(fragment)].split("<", 2)[1])
    own = build_record_key(table, {c: record_attributes.get(c) for c in table.key})
    keyed = {name: spec for name, spec in contract.tables.items() if name != top and spec.key and name in rows.layout.elements}
    tags = list(re.finditer(rf"<{_NAME}({'|'.join(map(re.escape, keyed))})(?=[\s>/])[^<>]*>", fragment)) if keyed else []
    first, line_numbers = tags[0].start() if tags else len(fragment), LineNumbers(fragment)
    reading.rows += 1
    reading.quarantine_row("row-xml-broken", fragment[:first].encode(), line, table=top, record_key=own)
    for i, tag in enumerate(tags):
        spec = keyed[tag[1]]
        key = _build_record_key_of_nested_row(spec, _read_attributes(tag[0]), record_attributes, rows.layout.elements[tag[1]], contract)
        if key is None:
            continue
        end = tags[i + 1].start() if i + 1 < len(tags) else len(fragment)
        at = line + line_numbers.line_at(tag.start()) - 1
        reading.rows += 1
        reading.quarantine_row("row-xml-broken", fragment[tag.start() : end].encode(), at, table=spec.name, record_key=key)


def _build_record_key_of_nested_row(
    spec: TableSpec, row_attributes: dict[str, str], record_attributes: dict[str, str], element: Any, contract: Contract
) -> str | None:
    """Return the record key of a nested row. Its parts come from the attributes of the row (`row_attributes`) and of the record around it
    (`record_attributes`). Return None if a part cannot be read."""
    parts = []
    for column in spec.key:
        source = element.get("keys", {}).get(column)
        value = record_attributes.get(source.split(".")[1]) if source else row_attributes.get(column)
        part = read_key_part(spec.column(column), value)
        if part is None:
            return None
        parts.append(part)
    return "/".join(parts)


def _quarantine_text_between_records(
    text: str, start: int, end: int, line_numbers: LineNumbers, rows: XmlRows, reading: FileReading
) -> None:
    """Quarantine text between records, unless it is whitespace, the XML declaration, or a tag of the root."""
    between = text[start:end]
    rest = re.sub(rf"</?{_NAME}{re.escape(rows.layout.root)}(?:\s[^<>]*)?>|<\?xml[^<>]*\?>", "", between)
    if rest.strip():
        reading.rows += 1
        reading.quarantine_row("row-garbage", between.encode("utf-8", "replace"), line_numbers.line_at(start))
