"""Bytes to text: detect the encoding of a file from all its bytes; repair text that was encoded twice or misread.

Belongs here: Unicode or not, decoding line by line, repair of cells. Every assumption is returned as a finding.
Does not belong here: detecting the code page (`code_pages`), anything about lines as records.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pandas as pd

from schemas import domain
from sources.readers import code_pages
from sources.readers.code_pages import Choice

_LETTERS = "ëËçÇšŠžŽčČćĆđĐöÖüÜşŞğĞıİâÂîÎáéíóúýäßăĂțȚșȘţŢłŁńőű"
_MARKS = "–—‘’“”„«»…§°· €"
_CYRILLIC = "".join(map(chr, range(0x400, 0x460)))
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
UNDECIDED = "file-encoding-undecided"
_BEYOND_ASCII = r"[^\x00-\x7f]"
_LAST_OF_LATIN_1 = "\xff"
_SEQUENCE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")

Finding = dict[str, Any]


@dataclass(frozen=True)
class Known:
    """Evidence for the encoding outside the file: `words` that the institution agreed, and words of the delivery's other files."""

    words: frozenset[str] = frozenset()
    beside: Counter[bytes] = field(default_factory=Counter)


NOTHING = Known()


def decode(data: bytes, declared: str, hint: str | None = None, known: Known = NOTHING) -> tuple[str, list[Finding]]:
    """The text of `data`, and findings on what was assumed, with rule, line and detail (the encoding used).

    `declared`: the encoding in the contract (`utf-8-sig`: UTF-8 with a byte order mark); `hint`: the one declared in the file (used only
    if the file is not UTF-8).
    """
    if declared == AGREED_MARK:
        text, found = decode(data, "utf-8", hint, known)
        return text, [finding for finding in found if finding["rule"] != "file-byte-order-mark"]
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _marked(data[len(mark) :], encoding, declared, known)
    wide = _wide(data)
    if wide:
        return data.decode(wide, errors="replace"), [{"rule": "file-encoding-assumed", "detail": wide}]
    if data.isascii():
        return data.decode("ascii"), []
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return _by_line(data, declared, hint or declared, known)
    text, found = _misread(text, known)
    return text, found if _same(declared, "utf-8") else [{"rule": "file-encoding-assumed", "detail": "utf-8"}, *found]


AGREED_MARK = "utf-8-sig"
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_NO_TEXT = 0.005  # share of control characters


def eight_bit_words(data: bytes) -> Counter[bytes]:
    """The words with a byte above ASCII of a text in an 8-bit code page; none for other encodings and for bytes that are not text."""
    if len(_CONTROL.findall(data)) > len(data) * _NO_TEXT:
        return Counter()
    if any(data.startswith(mark) for mark, _ in _BOMS) or _wide(data) or data.isascii() or is_utf_8(data):
        return Counter()
    return code_pages.words_of(data)


def _misread(text: str, known: Known) -> tuple[str, list[Finding]]:
    """Undo a misreading: text with only Latin-1 characters, decoded in the code page in which it was written."""
    if text.isascii() or max(text) > _LAST_OF_LATIN_1:
        return text, []
    choice = _read_as_latin_1([text], known)
    if choice.page != code_pages.LATIN_1:
        return _reread(text, choice.page), [{"rule": "file-text-misread", "detail": choice.page}]
    return text, [_undecided(choice)] if choice.others else []


def _read_as_latin_1(texts: Iterable[str], known: Known, margin: float = code_pages.MARGIN) -> Choice:
    """The code page in which texts delivered as Latin-1 were written; letters encoded twice are ignored."""
    data = "\n".join(_TWICE_RE.sub(" ", text) for text in texts).encode("latin-1")
    return code_pages.misread(code_pages.words_of(data), known.words, margin)


def _reread(text: str, page: str) -> str:
    """`text` decoded in `page` instead of Latin-1, except letters that were encoded twice."""
    parts = _TWICE_APART.split(text)
    parts[::2] = [part.translate(_table(page)) for part in parts[::2]]
    return "".join(parts)


@cache
def _table(page: str) -> dict[int, str]:
    return {byte: bytes([byte]).decode(page, errors="replace") for byte in range(0x80, 0x100)}


def _undecided(choice: Choice) -> Finding:
    return {"rule": UNDECIDED, "detail": " / ".join((choice.page, *choice.others))}


def _same(first: str, second: str) -> bool:
    try:
        return codecs.lookup(first).name == codecs.lookup(second).name
    except LookupError:
        return False


def _marked(data: bytes, encoding: str, declared: str, known: Known) -> tuple[str, list[Finding]]:
    if encoding == "utf-8":
        text, found = decode(data, "utf-8", known=known)
        if not _same(declared, "utf-8"):
            found.insert(0, {"rule": "file-encoding-assumed", "detail": "utf-8"})
        return text, [{"rule": "file-byte-order-mark", "line": 1, "detail": encoding}, *found]
    text = data.decode(encoding, errors="replace")
    return text, [{"rule": "file-encoding-assumed", "detail": encoding}]


def _wide(data: bytes) -> str | None:
    """Detect UTF-16 without a byte order mark: every other byte of Latin text is zero."""
    sample = data[: 1 << 16]
    if len(sample) < 8:
        return None
    even, odd = sample[::2].count(0) / len(sample[::2]), sample[1::2].count(0) / len(sample[1::2])
    if odd > 0.4 and even < 0.1:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 and odd < 0.1 else None


def _known(encoding: str) -> bool:
    try:
        return codecs.lookup(encoding)._is_text_encoding
    except LookupError:
        return False


def is_utf_8(line: bytes) -> bool:
    """Whether bytes are valid UTF-8."""
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _eight_bit(data: bytes, declared: str, known: Known) -> tuple[str, list[Finding]]:
    """Decode in the most likely code page; a finding if the words do not decide."""
    own = declared if not _same(declared, "utf-8") and _known(declared) else domain.country().code_page
    choice = code_pages.choose(code_pages.words_of(data), own, known.words, known.beside)
    return choice.page, [_undecided(choice)] if choice.others else []


def _by_line(data: bytes, declared: str, hint: str, known: Known) -> tuple[str, list[Finding]]:
    """Neither ASCII nor all UTF-8: decode in the encoding of the majority, and each deviating line separately."""
    if not _SEQUENCE.search(data):
        eight, doubt = _eight_bit(data, hint, known)
        text = data.decode(eight, errors="replace")
        if "\ufffd" not in text:
            return text, doubt if _same(eight, declared) else [{"rule": "file-encoding-assumed", "detail": eight}, *doubt]
    lines = data.split(b"\n")
    wide = {i: is_utf_8(line) for i, line in enumerate(lines) if not line.isascii()}
    in_utf8 = sum(wide.values())
    eight, found = _eight_bit(b"\n".join(lines[i] for i, ok in wide.items() if not ok), hint, known)
    main = "utf-8" if in_utf8 > len(wide) - in_utf8 else eight
    found = found if _same(main, declared) else [{"rule": "file-encoding-assumed", "detail": main}, *found]
    out = []
    for i, line in enumerate(lines):
        encoding = "ascii" if i not in wide else "utf-8" if wide[i] else eight
        if i in wide and encoding != main:
            found.append({"rule": "file-encoding-mixed", "line": i + 1, "detail": encoding})
        text = line.decode(encoding, errors="replace")
        if "\ufffd" in text:
            found.append({"rule": "file-byte-undefined", "line": i + 1, "detail": encoding})
        out.append(text)
    return "\n".join(out), found


def _view(character: str, encoding: str) -> str:
    """The UTF-8 bytes of a character decoded in an 8-bit encoding (undefined bytes as control characters)."""
    return "".join(b.decode(encoding, errors="ignore") or b.decode("latin-1") for b in (bytes([x]) for x in character.encode("utf-8")))


def _views(characters: str) -> dict[str, str]:
    return {_view(c, e): c for c in characters if not c.isascii() for e in ("latin-1", "windows-1252", "windows-1250")}


def _any(sequences: dict[str, str]) -> str:
    return "|".join(re.escape(s) for s in sorted(sequences, key=len, reverse=True))


_LATIN_TWICE = _views(_LETTERS + _MARKS)
_CYRILLIC_TWICE = _views(_CYRILLIC)  # two of its letters can be a Serbian name in Latin script (ĐŠ): only runs of three count
_TWICE_RE = re.compile(f"{_any(_LATIN_TWICE)}|(?:{_any(_CYRILLIC_TWICE)}){{3,}}")
_TWICE_APART = re.compile(f"({_TWICE_RE.pattern})")
_CYRILLIC_RE = re.compile(_any(_CYRILLIC_TWICE))


def once(text: str) -> str:
    """`text` with letters encoded twice (or more often) repaired."""
    for _ in range(3):
        better = _TWICE_RE.sub(lambda m: _LATIN_TWICE.get(m[0]) or _CYRILLIC_RE.sub(lambda c: _CYRILLIC_TWICE[c[0]], m[0]), text)
        if better == text:
            break
        text = better
    return text


def _foreign(cells: pd.Series) -> Iterable[str]:
    """The distinct texts with a letter outside ASCII."""
    unique: Iterable[str] = cells[cells.str.contains(_BEYOND_ASCII, regex=True, na=False)].unique()
    return unique


def repair(
    frames: Mapping[str, pd.DataFrame], columns: Mapping[str, list[str]], known: Known = NOTHING
) -> tuple[dict[str, pd.DataFrame], list[Finding]]:
    """Repair cells that were encoded twice or misread as Latin-1; findings name file, part, line, field and the delivered value.

    If at least half of a file's cells with a letter above ASCII are affected, there is one finding on the file.
    """
    twice = {v: once(v) for name, frame in frames.items() for c in columns[name] for v in _foreign(frame[c]) if _TWICE_RE.search(v)}
    out, found = _replaced(frames, columns, twice, ("cell-text-encoded-twice", "file-text-encoded-twice"))
    texts = {v for name, frame in out.items() for c in columns[name] for v in _foreign(frame[c])}
    pages, doubt = _pages(texts, known)
    out, more = _replaced(out, columns, {v: _reread(v, page) for v, page in pages.items()}, ("cell-text-misread", "file-text-misread"))
    named = sorted({file for frame in out.values() for file in frame["_file"].dropna()} if doubt else ())
    return out, [*found, *more, *({**finding, "file": file} for file in named for finding in doubt)]


def _pages(texts: set[str], known: Known) -> tuple[dict[str, str], list[Finding]]:
    """By text delivered as Latin-1, the code page in which it was written.

    If the delivery contains letters outside Latin-1, not all of it was misread: each text needs its own evidence.
    """
    latin = {text for text in texts if max(text) <= _LAST_OF_LATIN_1}
    if any(c > _LAST_OF_LATIN_1 and c.isalpha() for text in texts for c in text):
        pages = {text: _read_as_latin_1([text], known, code_pages.FOREIGN).page for text in latin}
        return {text: page for text, page in pages.items() if page != code_pages.LATIN_1}, []
    choice = _read_as_latin_1(latin, known)
    doubt = [_undecided(choice)] if choice.others else []
    return ({} if choice.page == code_pages.LATIN_1 else dict.fromkeys(latin, choice.page)), doubt


def _replaced(
    frames: Mapping[str, pd.DataFrame], columns: Mapping[str, list[str]], better: Mapping[str, str], rules: tuple[str, str]
) -> tuple[dict[str, pd.DataFrame], list[Finding]]:
    """Replace texts in the frames, with a finding for each cell, or one for a file that is affected as a whole (`rules`)."""
    if not better:
        return dict(frames), []
    out, found, wide = {}, dict[str, list[Finding]](), Counter[str]()
    for name, frame in frames.items():
        out[name] = frame.copy()
        for column in columns[name]:
            wide.update(frame.loc[frame[column].str.contains(_BEYOND_ASCII, regex=True, na=False), "_file"])
            affected = frame[column].isin(list(better))
            out[name][column] = frame[column].where(~affected, frame[column].map(better))
            for file, part, line, value in frame.loc[affected, ["_file", "_part", "_line", column]].itertuples(index=False, name=None):
                where = {"file": file, "part": part, "line": None if pd.isna(line) else int(line), "field": column}
                found.setdefault(file, []).append({"rule": rules[0], **where, "value": value})
    reported: list[Finding] = []
    for file, cells in found.items():
        whole = len(cells) > 20 and len(cells) * 2 >= wide[file]
        reported += [{"rule": rules[1], "file": file, "detail": str(len(cells))}] if whole else cells
    return out, reported
