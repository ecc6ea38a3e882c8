"""XML that is not well-formed from some point on: read later records one by one, quarantine broken ones with bytes and keys.

Belongs here: splitting the rest of a file into records and parsing each separately. Does not belong here: rows and columns (`xml`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lxml import etree

from sources.contract import Contract, TableSpec
from sources.readers.piece import Piece, UnsafeError, key_part, record_key
from sources.readers.xml_text import Places, blank_comments, parser_options

if TYPE_CHECKING:
    from sources.readers.xml import Rows

_MOST_BROKEN = 10_000  # records; each is quarantined separately
_NAME = r"(?:[\w.-]+:)?"
_ATTRIBUTE = re.compile(r"""([\w.:-]+)\s*=\s*("[^"<]*"|'[^'<]*')""")


def salvage(text: str, rows: Rows, contract: Contract, piece: Piece) -> None:
    """Continue after the streamed rows: read each complete record, quarantine the others. Raises `UnsafeError`.

    The file is partial unless nothing was quarantined and it ends correctly (the same document twice).
    """
    before_state, piece.state, aside = piece.state, "partial", len(piece.unreadable)
    top = next(iter(rows.form.elements))
    text = blank_comments(text)
    place = Places(text)
    starts = [m.start() for m in re.finditer(rf"<{_NAME}{re.escape(top)}(?=[\s>/])", text)]
    done = len(rows.rows.get(top, []))
    wrapper, root_end = _wrapper(text, starts[0] if starts else len(text), rows)
    before = _end(text, starts[done - 1], len(text), top) if 0 < done <= len(starts) else root_end
    for n in range(done, len(starts)):
        _between(text, before, starts[n], place, rows, piece)
        before = _end(text, starts[n], starts[n + 1] if n + 1 < len(starts) else len(text), top)
        fragment, line = text[starts[n] : before], place.line(starts[n])
        element = _parse(wrapper, fragment)
        if element is not None:
            rows.take(element, top, None, line - 1)
        else:
            _broken(fragment, line, rows, contract, piece, top)
            if len(piece.unreadable) > _MOST_BROKEN:
                raise UnsafeError(f"> {_MOST_BROKEN:,} broken records")
    _between(text, before, len(text), place, rows, piece)
    if len(piece.unreadable) == aside and re.search(rf"</{_NAME}{re.escape(rows.form.root)}\s*>\s*$", text):
        piece.state = before_state


def _end(text: str, start: int, limit: int, top: str) -> int:
    """The end of the record that starts at `start`: after its end tag, else where the next one begins."""
    close = re.compile(rf"</{_NAME}{re.escape(top)}\s*>").search(text, start, limit)
    return close.end() if close else limit


def _wrapper(text: str, before: int, rows: Rows) -> tuple[tuple[str, str], int]:
    """The root's start tag with its namespaces, on one line, and end tag, in which to parse a record; and where the start tag ends."""
    root = re.search(rf"<({_NAME}{re.escape(rows.form.root)})(?=[\s>])[^<>]*>", text[:before])
    own = (root[0].replace("\n", " "), f"</{root[1]}>") if root else ("", "")
    if root and _parse(own, "<x/>") is not None:
        return own, root.end()
    made = (f'<{rows.form.root} xmlns="{rows.form.namespace}">', f"</{rows.form.root}>")
    return made, root.end() if root else 0


def _parse(wrapper: tuple[str, str], fragment: str) -> etree._Element | None:
    """The first element in `fragment`; None if it is not well-formed."""
    parser = etree.XMLParser(**parser_options())
    try:
        root = etree.fromstring((wrapper[0] + fragment + wrapper[1]).encode("utf-8", "replace"), parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
    return root[0] if len(root) else None


def _attributes(tag: str) -> dict[str, str]:
    return {name.split(":")[-1]: value[1:-1] for name, value in _ATTRIBUTE.findall(tag)}


def _broken(fragment: str, line: int, rows: Rows, contract: Contract, piece: Piece, top: str) -> None:
    """Quarantine a broken record: one row for the record, one for each nested row whose start tag and key can be read."""
    table = contract.tables[top]
    around = _attributes(fragment[: fragment.find(">") + 1 or len(fragment)].split("<", 2)[1])
    own = record_key(table, {c: around.get(c) for c in table.key})
    keyed = {name: spec for name, spec in contract.tables.items() if name != top and spec.key and name in rows.form.elements}
    tags = list(re.finditer(rf"<{_NAME}({'|'.join(map(re.escape, keyed))})(?=[\s>/])[^<>]*>", fragment)) if keyed else []
    first, place = tags[0].start() if tags else len(fragment), Places(fragment)
    piece.rows += 1
    piece.quarantine("row-xml-broken", fragment[:first].encode(), line, table=top, record_key=own)
    for i, tag in enumerate(tags):
        spec = keyed[tag[1]]
        key = _nested_key(spec, _attributes(tag[0]), around, rows.form.elements[tag[1]], contract)
        if key is None:
            continue
        end = tags[i + 1].start() if i + 1 < len(tags) else len(fragment)
        at = line + place.line(tag.start()) - 1
        piece.rows += 1
        piece.quarantine("row-xml-broken", fragment[tag.start() : end].encode(), at, table=spec.name, record_key=key)


def _nested_key(spec: TableSpec, own: dict[str, str], around: dict[str, str], element: Any, contract: Contract) -> str | None:
    parts = []
    for column in spec.key:
        source = element.get("keys", {}).get(column)
        value = around.get(source.split(".")[1]) if source else own.get(column)
        part = key_part(spec.column(column), value)
        if part is None:
            return None
        parts.append(part)
    return "/".join(parts)


def _between(text: str, start: int, end: int, place: Places, rows: Rows, piece: Piece) -> None:
    """Quarantine text between records unless it is whitespace, the XML declaration, or a tag of the root."""
    between = text[start:end]
    rest = re.sub(rf"</?{_NAME}{re.escape(rows.form.root)}(?:\s[^<>]*)?>|<\?xml[^<>]*\?>", "", between)
    if rest.strip():
        piece.rows += 1
        piece.quarantine("row-garbage", between.encode("utf-8", "replace"), place.line(start))
