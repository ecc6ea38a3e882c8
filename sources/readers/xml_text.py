"""Makes the text of an XML file safe to parse: nothing remains that a parser could expand or fetch.

Belongs here: document types, entity references, control characters, comments, the declared encoding, converting positions to lines. Does
not belong here: elements (`xml`). The time of every function grows linearly with the length of the text.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from sources.readers.file_reading import FileReading

_DECLARATION = re.compile(r"""<\?xml[^>]*?encoding\s*=\s*["']([\w.:-]+)["'][^>]*\?>""")
_DOCTYPE = re.compile(r"<!DOCTYPE")
_ENTITY = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[0-9a-fA-F]+);)(?=[\w.:-]{1,200};)")
_DOCTYPE_TOKEN = re.compile(r"""<!--|"[^"]*"|'[^']*'|\[|\]|>""")
_REST_OF_LINE = re.compile(r"[^\n]+")
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def make_xml_safe(text: str, reading: FileReading) -> str:
    """Remove the document type and turn entity references into plain text. Each of these gives a finding; line numbers do not change."""
    if _ILLEGAL.search(text):
        for i, line in enumerate(text.split("\n"), 1):
            if _ILLEGAL.search(line):
                reading.add_finding("row-control-character", line=i)
        text = _ILLEGAL.sub("\ufffd", text)
    start = _DOCTYPE.search(text)
    first = re.search(r"<[A-Za-z_]", text)
    if not start or (first and first.start() < start.start()):
        return text
    end = _find_end_of_document_type(text, start.end())
    line_numbers = LineNumbers(text)
    reading.add_finding("xml-doctype", line=line_numbers.line_at(start.start()))
    text = text[: start.start()] + _REST_OF_LINE.sub(lambda m: " " * len(m[0]), text[start.start() : end]) + text[end:]
    literal = find_comments_and_cdata(text)
    starts = [a for a, _ in literal]
    out, done = [], 0
    for match in _ENTITY.finditer(text):
        at = bisect_right(starts, match.start()) - 1
        if at < 0 or match.start() >= literal[at][1]:
            reading.add_finding("xml-entity", line=line_numbers.line_at(match.start()))
            out += [text[done : match.start()], "&amp;"]
            done = match.end()
    return "".join([*out, text[done:]])


class LineNumbers:
    """Converts positions in a text to line numbers."""

    def __init__(self, text: str) -> None:
        self.breaks = [m.start() for m in re.finditer("\n", text)]

    def line_at(self, position: int) -> int:
        """Return the line, from 1, of the character at position `position`."""
        return bisect_left(self.breaks, position) + 1


def find_comments_and_cdata(text: str, kinds: Sequence[tuple[str, str]] = (("<!--", "-->"), ("<![CDATA[", "]]>"))) -> list[tuple[int, int]]:
    """Return start and end of the comments and CDATA sections of a text, in order. A section that is not closed is ignored."""
    out: list[tuple[int, int]] = []
    opening = re.compile("|".join(re.escape(a) for a, _ in kinds))
    closing = dict(kinds)
    match = opening.search(text)
    while match:
        end = text.find(closing[match[0]], match.end())
        if end == -1:
            del closing[match[0]]
            if not closing:
                break
            opening = re.compile("|".join(map(re.escape, closing)))
            match = opening.search(text, match.end())
            continue
        out.append((match.start(), end + len(closing[match[0]])))
        match = opening.search(text, out[-1][1])
    return out


def _find_end_of_document_type(text: str, position: int) -> int:
    """Return the end of the document type declaration that began before `position`. If the declaration is not closed, return the start of
    the root element."""
    depth, pos = 0, position
    while match := _DOCTYPE_TOKEN.search(text, pos):
        pos = match.end()
        if match[0] == "<!--":
            close = text.find("-->", pos)
            if close == -1:
                break
            pos = close + 3
        depth += {"[": 1, "]": -1}.get(match[0], 0)
        if match[0] == ">" and depth <= 0:
            return pos
    root = re.compile(r"<[A-Za-z_]").search(text, position)
    return root.start() if root else len(text)


def safe_xml_parser_options() -> dict[str, Any]:
    """Return the options for every XML parser: it must not expand, load or fetch anything, and must keep all its limits."""
    return {
        "resolve_entities": False,
        "no_network": True,
        "load_dtd": False,
        "huge_tree": False,
        "remove_comments": True,
        "remove_pis": True,
    }


def replace_comments_by_spaces(text: str) -> str:
    """Replace comments by spaces; positions do not change."""
    out, done = [], 0
    for start, end in find_comments_and_cdata(text, (("<!--", "-->"),)):
        out += [text[done:start], _REST_OF_LINE.sub(lambda m: " " * len(m[0]), text[start:end])]
        done = end
    return "".join([*out, text[done:]])


def declare_encoding_utf_8(text: str, found: Sequence[Mapping[str, Any]], reading: FileReading) -> str:
    """Return the text with `utf-8` as its declared encoding, since the text is already decoded. A wrong declaration is reported."""
    match = _DECLARATION.match(text.lstrip())
    if match:
        used = next((str(f["detail"]) for f in found if f["rule"] == "file-encoding-assumed"), "utf-8")
        named = match[1].lower().replace("_", "-")
        if named != used and not used.startswith(named) and named.replace("-", "") != used.replace("-", "") and not text.isascii():
            reading.add_finding("xml-encoding-declared", line=1, detail=f"{match[1]} ≠ {used}")
        start, end = match.span(1)
        lead = len(text) - len(text.lstrip())
        text = text[: lead + start] + "utf-8" + text[lead + end :]
    return text
