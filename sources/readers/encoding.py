"""Bytes to text: which encoding a file is in, decided from all of its bytes, and text that was encoded twice.

Belongs here: evidence for an encoding, decoding line by line, repair of twice-encoded cells. Every assumption comes back as a finding.
Does not belong here: anything about lines as records.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pandas as pd

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
_EIGHT_BIT = ("windows-1250", "iso-8859-2", "windows-1252", "windows-1251", "iso-8859-5", "cp852", "mac-latin2")
_SEQUENCE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_TOKEN = re.compile(rb"[A-Za-z\x80-\xff]+")

Finding = dict[str, Any]


def decode(data: bytes, declared: str, hint: str | None = None) -> tuple[str, list[Finding]]:
    """The text of `data` and what was assumed: findings with rule, line and detail (encoding taken).

    `declared` is what the contract says, `hint` what the file says of itself (only where it is not UTF-8 does that matter).
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _marked(data[len(mark) :], encoding, declared)
    wide = _wide(data)
    if wide:
        return data.decode(wide, errors="replace"), [{"rule": "file-encoding-assumed", "detail": wide}]
    if data.isascii():
        return data.decode("ascii"), []
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return _by_line(data, declared, hint or declared)
    return text, [] if _same(declared, "utf-8") else [{"rule": "file-encoding-assumed", "detail": "utf-8"}]


def _same(first: str, second: str) -> bool:
    try:
        return codecs.lookup(first).name == codecs.lookup(second).name
    except LookupError:
        return False


def _marked(data: bytes, encoding: str, declared: str) -> tuple[str, list[Finding]]:
    if encoding == "utf-8":
        text, found = decode(data, "utf-8")
        if not _same(declared, "utf-8"):
            found.insert(0, {"rule": "file-encoding-assumed", "detail": "utf-8"})
        return text, [{"rule": "file-byte-order-mark", "line": 1, "detail": encoding}, *found]
    text = data.decode(encoding, errors="replace")
    return text, [{"rule": "file-encoding-assumed", "detail": encoding}]


def _wide(data: bytes) -> str | None:
    """UTF-16 without a mark: every other byte of Latin text is zero."""
    sample = data[: 1 << 16]
    if len(sample) < 8:
        return None
    even, odd = sample[::2].count(0) / len(sample[::2]), sample[1::2].count(0) / len(sample[1::2])
    if odd > 0.4 and even < 0.1:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 and odd < 0.1 else None


def _score(tokens: Counter[bytes], encoding: str) -> float:
    """Share of words with a non-ASCII byte that read like words of the region."""
    good = total = 0
    for token, n in tokens.items():
        total += n
        text = token.decode(encoding, errors="replace")
        foreign = [c for c in text if not c.isascii()]
        cyrillic = sum(c in _CYRILLIC for c in foreign)
        if cyrillic:
            good += n * (cyrillic == len(foreign) == len(text))
        else:
            good += n * all(c in _LETTERS or c in _MARKS for c in foreign)
    return good / total if total else 1.0


def _eight_bit(data: bytes, declared: str) -> str:
    """The 8-bit encoding that the words speak for: the declared one unless another is clearly better."""
    own = declared if not _same(declared, "utf-8") and _known(declared) else "windows-1250"
    high = bytes(sorted(set(data) - set(range(128))))
    if all(c in _LETTERS or c in _MARKS for c in high.decode(own, errors="replace")):
        return own
    tokens = Counter(t for t in _TOKEN.findall(data) if not t.isascii())
    scores = {e: _score(tokens, e) for e in (own, *_EIGHT_BIT)}
    best = max(scores, key=lambda e: scores[e])
    return best if scores[best] > scores[own] + 0.2 else own


def _known(encoding: str) -> bool:
    try:
        return codecs.lookup(encoding)._is_text_encoding
    except LookupError:
        return False


def _decodes(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _by_line(data: bytes, declared: str, hint: str) -> tuple[str, list[Finding]]:
    """Neither ASCII nor all UTF-8: the encoding of the majority, and each line that is otherwise by itself."""
    if not _SEQUENCE.search(data):
        eight = _eight_bit(data, hint)
        text = data.decode(eight, errors="replace")
        if "\ufffd" not in text:
            return text, [] if _same(eight, declared) else [{"rule": "file-encoding-assumed", "detail": eight}]
    lines = data.split(b"\n")
    wide = {i: _decodes(line) for i, line in enumerate(lines) if not line.isascii()}
    in_utf8 = sum(wide.values())
    eight = _eight_bit(b"\n".join(lines[i] for i, ok in wide.items() if not ok), hint)
    main = "utf-8" if in_utf8 > len(wide) - in_utf8 else eight
    found: list[Finding] = [] if _same(main, declared) else [{"rule": "file-encoding-assumed", "detail": main}]
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
    """How the UTF-8 bytes of a character look when read in an 8-bit encoding (undefined bytes as control characters)."""
    return "".join(b.decode(encoding, errors="ignore") or b.decode("latin-1") for b in (bytes([x]) for x in character.encode("utf-8")))


def _views(characters: str) -> dict[str, str]:
    return {_view(c, e): c for c in characters if not c.isascii() for e in ("latin-1", "windows-1252", "windows-1250")}


def _any(sequences: dict[str, str]) -> str:
    return "|".join(re.escape(s) for s in sorted(sequences, key=len, reverse=True))


_LATIN_TWICE = _views(_LETTERS + _MARKS)
_CYRILLIC_TWICE = _views(_CYRILLIC)  # two of its letters can be a Serbian name in Latin script (ĐŠ): only runs of three count
_TWICE_RE = re.compile(f"{_any(_LATIN_TWICE)}|(?:{_any(_CYRILLIC_TWICE)}){{3,}}")
_CYRILLIC_RE = re.compile(_any(_CYRILLIC_TWICE))


def once(text: str) -> str:
    """`text` with letters that were encoded twice (or more often) put right."""
    for _ in range(3):
        better = _TWICE_RE.sub(lambda m: _LATIN_TWICE.get(m[0]) or _CYRILLIC_RE.sub(lambda c: _CYRILLIC_TWICE[c[0]], m[0]), text)
        if better == text:
            break
        text = better
    return text


def _foreign(cells: pd.Series) -> Iterable[str]:
    """The different texts with a letter that is not of ASCII."""
    unique: Iterable[str] = cells[cells.str.contains(r"[^\x00-\x7f]", regex=True, na=False)].unique()
    return unique


def repair(frame: pd.DataFrame, columns: list[str]) -> tuple[pd.DataFrame, list[Finding]]:
    """Put twice-encoded cells of `columns` right; findings name part, line, field and the delivered value.

    Where at least half of all cells with a non-ASCII letter are affected the whole file was encoded twice: one finding.
    """
    hits = {c: u for c in columns if (u := [v for v in _foreign(frame[c]) if _TWICE_RE.search(v)])}
    if not hits:
        return frame, []
    wide = sum(not v.isascii() for c in columns for v in frame[c].dropna())
    found, frame = [], frame.copy()
    for column, values in hits.items():
        affected = frame[column].isin(values)
        places = frame.loc[affected, ["_part", "_line", column]].itertuples(index=False, name=None)
        what = {"rule": "cell-text-encoded-twice", "field": column}
        found += [{**what, "part": part, "line": None if pd.isna(line) else int(line), "value": value} for part, line, value in places]
        frame[column] = frame[column].where(~affected, frame[column].map({v: once(v) for v in values}))
    if len(found) > 20 and len(found) * 2 >= wide:
        return frame, [{"rule": "file-text-encoded-twice", "detail": str(len(found))}]
    return frame, found
