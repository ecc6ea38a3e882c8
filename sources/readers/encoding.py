"""Turns bytes into text: detects the encoding of a file from all its bytes, and repairs text that was encoded twice or misread.

Belongs here: deciding whether bytes are Unicode, decoding line by line, repairing cells. Every assumption is returned as a finding. Does
not belong here: detecting the code page (`code_pages`), splitting lines into records.
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
from sources.readers.code_pages import CodePageChoice

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
class EncodingEvidence:
    """Evidence for the encoding of a file that comes from outside the file. `words` has words with letters above ASCII that were agreed
    with the institution. `beside` has the words of the delivery's other files, as bytes, with their frequency."""

    words: frozenset[str] = frozenset()
    beside: Counter[bytes] = field(default_factory=Counter)


NO_EVIDENCE = EncodingEvidence()


def decode(
    file_bytes: bytes, declared: str, stated_encoding: str | None = None, evidence: EncodingEvidence = NO_EVIDENCE
) -> tuple[str, list[Finding]]:
    """Decode the bytes of a file. Return the text, and a finding for each assumption. A finding has a rule and, in `detail`, the encoding
    that was used; some also have a line.

    `declared`: the encoding in the contract (`utf-8-sig` means UTF-8 with a byte order mark). `stated_encoding`: the encoding that the file
    itself states, used only if the file is not UTF-8.
    """
    if declared == AGREED_MARK:
        text, found = decode(file_bytes, "utf-8", stated_encoding, evidence)
        return text, [finding for finding in found if finding["rule"] != "file-byte-order-mark"]
    for mark, encoding in _BOMS:
        if file_bytes.startswith(mark):
            return _decode_after_byte_order_mark(file_bytes[len(mark) :], encoding, declared, evidence)
    wide = _detect_utf_16(file_bytes)
    if wide:
        return file_bytes.decode(wide, errors="replace"), [{"rule": "file-encoding-assumed", "detail": wide}]
    if file_bytes.isascii():
        return file_bytes.decode("ascii"), []
    try:
        text = file_bytes.decode("utf-8")
    except UnicodeDecodeError:
        return _decode_by_line(file_bytes, declared, stated_encoding or declared, evidence)
    text, found = _decode_misread_text_again(text, evidence)
    return text, found if _are_same_encoding(declared, "utf-8") else [{"rule": "file-encoding-assumed", "detail": "utf-8"}, *found]


AGREED_MARK = "utf-8-sig"
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_NO_TEXT = 0.005  # share of control characters from which bytes are no text


def count_eight_bit_words(data: bytes) -> Counter[bytes]:
    """Count the words that contain a byte above ASCII, if the bytes are text of an 8-bit code page. For bytes in another encoding, and for
    bytes that are no text, the result is empty."""
    if len(_CONTROL.findall(data)) > len(data) * _NO_TEXT:
        return Counter()
    if any(data.startswith(mark) for mark, _ in _BOMS) or _detect_utf_16(data) or data.isascii() or is_valid_utf_8(data):
        return Counter()
    return code_pages.count_non_ascii_words(data)


def _decode_misread_text_again(text: str, evidence: EncodingEvidence) -> tuple[str, list[Finding]]:
    """Correct a text that contains only Latin-1 characters, if it was written in another code page and read as Latin-1 by mistake. Return
    the text and the findings."""
    if text.isascii() or max(text) > _LAST_OF_LATIN_1:
        return text, []
    choice = _choose_code_page_of_misread_texts([text], evidence)
    if choice.page != code_pages.LATIN_1:
        return _decode_misread_text(text, choice.page), [{"rule": "file-text-misread", "detail": choice.page}]
    return text, [_make_finding_of_undecided_code_page(choice)] if choice.others else []


def _choose_code_page_of_misread_texts(
    texts: Iterable[str], evidence: EncodingEvidence, margin: float = code_pages.MARGIN
) -> CodePageChoice:
    """Return the code page in which texts that were delivered as Latin-1 were written. Letters that were encoded twice are ignored."""
    data = "\n".join(_TWICE_RE.sub(" ", text) for text in texts).encode("latin-1")
    return code_pages.choose_code_page_of_misread_text(code_pages.count_non_ascii_words(data), evidence.words, margin)


def _decode_misread_text(text: str, page: str) -> str:
    """Return `text`, which was read as Latin-1 by mistake, as it reads in the code page `page`. Letters that were encoded twice are not
    changed."""
    parts = _TWICE_APART.split(text)
    parts[::2] = [part.translate(_characters_by_byte(page)) for part in parts[::2]]
    return "".join(parts)


@cache
def _characters_by_byte(page: str) -> dict[int, str]:
    """Return the character in the code page `page` of each byte above ASCII."""
    return {byte: bytes([byte]).decode(page, errors="replace") for byte in range(0x80, 0x100)}


def _make_finding_of_undecided_code_page(choice: CodePageChoice) -> Finding:
    """Return the finding which says that several code pages are equally likely."""
    return {"rule": UNDECIDED, "detail": " / ".join((choice.page, *choice.others))}


def _are_same_encoding(first: str, second: str) -> bool:
    """Return whether two names mean the same encoding."""
    try:
        return codecs.lookup(first).name == codecs.lookup(second).name
    except LookupError:
        return False


def _decode_after_byte_order_mark(data: bytes, encoding: str, declared: str, evidence: EncodingEvidence) -> tuple[str, list[Finding]]:
    """Decode the bytes after a byte order mark of `encoding`. Return the text and the findings."""
    if encoding == "utf-8":
        text, found = decode(data, "utf-8", evidence=evidence)
        if not _are_same_encoding(declared, "utf-8"):
            found.insert(0, {"rule": "file-encoding-assumed", "detail": "utf-8"})
        return text, [{"rule": "file-byte-order-mark", "line": 1, "detail": encoding}, *found]
    text = data.decode(encoding, errors="replace")
    return text, [{"rule": "file-encoding-assumed", "detail": encoding}]


def _detect_utf_16(data: bytes) -> str | None:
    """Return `utf-16-le` or `utf-16-be` if bytes look like UTF-16 without a byte order mark: in Latin text every other byte is then zero.
    Return None for all other bytes."""
    sample = data[: 1 << 16]
    if len(sample) < 8:
        return None
    even, odd = sample[::2].count(0) / len(sample[::2]), sample[1::2].count(0) / len(sample[1::2])
    if odd > 0.4 and even < 0.1:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 and odd < 0.1 else None


def _is_text_encoding(encoding: str) -> bool:
    """Return whether Python knows the encoding, and it encodes text."""
    try:
        return codecs.lookup(encoding)._is_text_encoding
    except LookupError:
        return False


def is_valid_utf_8(line: bytes) -> bool:
    """Return whether bytes are valid UTF-8."""
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _choose_code_page(data: bytes, declared: str, evidence: EncodingEvidence) -> tuple[str, list[Finding]]:
    """Return the most likely code page of bytes that are not UTF-8. Also return a finding if several code pages are equally likely."""
    own = declared if not _are_same_encoding(declared, "utf-8") and _is_text_encoding(declared) else domain.country().code_page
    choice = code_pages.choose_code_page(code_pages.count_non_ascii_words(data), own, evidence.words, evidence.beside)
    return choice.page, [_make_finding_of_undecided_code_page(choice)] if choice.others else []


def _decode_by_line(data: bytes, declared: str, hint: str, evidence: EncodingEvidence) -> tuple[str, list[Finding]]:
    """Decode bytes that are neither ASCII nor UTF-8 as a whole. Each line is decoded as UTF-8 or in one code page, and lines that deviate
    from the majority are reported."""
    if not _SEQUENCE.search(data):
        eight, doubt = _choose_code_page(data, hint, evidence)
        text = data.decode(eight, errors="replace")
        if "\ufffd" not in text:
            return text, doubt if _are_same_encoding(eight, declared) else [{"rule": "file-encoding-assumed", "detail": eight}, *doubt]
    lines = data.split(b"\n")
    wide = {i: is_valid_utf_8(line) for i, line in enumerate(lines) if not line.isascii()}
    in_utf8 = sum(wide.values())
    eight, found = _choose_code_page(b"\n".join(lines[i] for i, ok in wide.items() if not ok), hint, evidence)
    main = "utf-8" if in_utf8 > len(wide) - in_utf8 else eight
    found = found if _are_same_encoding(main, declared) else [{"rule": "file-encoding-assumed", "detail": main}, *found]
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


def _misdecode_character(character: str, encoding: str) -> str:
    """Return what a character becomes if its UTF-8 bytes are read in an 8-bit encoding. Undefined bytes become control characters."""
    return "".join(b.decode(encoding, errors="ignore") or b.decode("latin-1") for b in (bytes([x]) for x in character.encode("utf-8")))


def _map_misdecoded_texts_to_letters(characters: str) -> dict[str, str]:
    """Return the characters by what each of them becomes if its UTF-8 bytes are read in an 8-bit encoding."""
    return {_misdecode_character(c, e): c for c in characters if not c.isascii() for e in ("latin-1", "windows-1252", "windows-1250")}


def _build_pattern_of_alternatives(sequences: dict[str, str]) -> str:
    """Return a pattern that matches any of the sequences, longer ones first."""
    return "|".join(re.escape(s) for s in sorted(sequences, key=len, reverse=True))


_LATIN_TWICE = _map_misdecoded_texts_to_letters(_LETTERS + _MARKS)
_CYRILLIC_TWICE = _map_misdecoded_texts_to_letters(
    _CYRILLIC
)  # Two of its letters can be a Serbian name in Latin script (ĐŠ), so only three letters in a row count.
_TWICE_RE = re.compile(f"{_build_pattern_of_alternatives(_LATIN_TWICE)}|(?:{_build_pattern_of_alternatives(_CYRILLIC_TWICE)}){{3,}}")
_TWICE_APART = re.compile(f"({_TWICE_RE.pattern})")
_CYRILLIC_RE = re.compile(_build_pattern_of_alternatives(_CYRILLIC_TWICE))


def repair_text_encoded_twice(text: str) -> str:
    """Return `text` in which letters that were encoded twice or more often are repaired."""
    for _ in range(3):
        better = _TWICE_RE.sub(lambda m: _LATIN_TWICE.get(m[0]) or _CYRILLIC_RE.sub(lambda c: _CYRILLIC_TWICE[c[0]], m[0]), text)
        if better == text:
            break
        text = better
    return text


def _list_non_ascii_texts(cells: pd.Series) -> Iterable[str]:
    """Return the distinct texts that contain a character outside ASCII."""
    unique: Iterable[str] = cells[cells.str.contains(_BEYOND_ASCII, regex=True, na=False)].unique()
    return unique


def repair_encoding_of_cells(
    frames: Mapping[str, pd.DataFrame], columns: Mapping[str, list[str]], evidence: EncodingEvidence = NO_EVIDENCE
) -> tuple[dict[str, pd.DataFrame], list[Finding]]:
    """Repair cells that were encoded twice or misread as Latin-1, in the `columns` of each frame. Return the frames and the findings. A
    finding has file, part, line, field and the delivered value.

    If more than 20 cells of a file are affected, and at least half of its cells with a character outside ASCII, there is one finding for
    the file instead of one for each cell.
    """
    twice = {
        v: repair_text_encoded_twice(v)
        for name, frame in frames.items()
        for c in columns[name]
        for v in _list_non_ascii_texts(frame[c])
        if _TWICE_RE.search(v)
    }
    out, found = _replace_texts(frames, columns, twice, ("cell-text-encoded-twice", "file-text-encoded-twice"))
    texts = {v for name, frame in out.items() for c in columns[name] for v in _list_non_ascii_texts(frame[c])}
    pages, doubt = _choose_code_pages_of_misread_texts(texts, evidence)
    out, more = _replace_texts(
        out, columns, {v: _decode_misread_text(v, page) for v, page in pages.items()}, ("cell-text-misread", "file-text-misread")
    )
    named = sorted({file for frame in out.values() for file in frame["_file"].dropna()} if doubt else ())
    return out, [*found, *more, *({**finding, "file": file} for file in named for finding in doubt)]


def _choose_code_pages_of_misread_texts(texts: set[str], evidence: EncodingEvidence) -> tuple[dict[str, str], list[Finding]]:
    """Return the code page in which each text that was misread as Latin-1 was written. Also return a finding if this cannot be decided.

    If the delivery contains letters that Latin-1 lacks, not all of it was misread. Then each text needs its own evidence.
    """
    latin = {text for text in texts if max(text) <= _LAST_OF_LATIN_1}
    if any(c > _LAST_OF_LATIN_1 and c.isalpha() for text in texts for c in text):
        pages = {text: _choose_code_page_of_misread_texts([text], evidence, code_pages.FOREIGN).page for text in latin}
        return {text: page for text, page in pages.items() if page != code_pages.LATIN_1}, []
    choice = _choose_code_page_of_misread_texts(latin, evidence)
    doubt = [_make_finding_of_undecided_code_page(choice)] if choice.others else []
    return ({} if choice.page == code_pages.LATIN_1 else dict.fromkeys(latin, choice.page)), doubt


def _replace_texts(
    frames: Mapping[str, pd.DataFrame], columns: Mapping[str, list[str]], repaired_texts: Mapping[str, str], rules: tuple[str, str]
) -> tuple[dict[str, pd.DataFrame], list[Finding]]:
    """Replace delivered texts by repaired ones in the frames (`repaired_texts` maps one to the other). Also return the findings: one for
    each cell, or one for a file of which a large part is affected. `rules`: the rule of a finding on a cell, and that of a finding on a
    file."""
    if not repaired_texts:
        return dict(frames), []
    out, found, wide = {}, dict[str, list[Finding]](), Counter[str]()
    for name, frame in frames.items():
        out[name] = frame.copy()
        for column in columns[name]:
            wide.update(frame.loc[frame[column].str.contains(_BEYOND_ASCII, regex=True, na=False), "_file"])
            affected = frame[column].isin(list(repaired_texts))
            out[name][column] = frame[column].where(~affected, frame[column].map(repaired_texts))
            for file, part, line, value in frame.loc[affected, ["_file", "_part", "_line", column]].itertuples(index=False, name=None):
                where = {"file": file, "part": part, "line": None if pd.isna(line) else int(line), "field": column}
                found.setdefault(file, []).append({"rule": rules[0], **where, "value": value})
    reported: list[Finding] = []
    for file, cells in found.items():
        whole = len(cells) > 20 and len(cells) * 2 >= wide[file]
        reported += [{"rule": rules[1], "file": file, "detail": str(len(cells))}] if whole else cells
    return out, reported
