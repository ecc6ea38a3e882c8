"""Detects the 8-bit code page of a text: the code page in which its words are plausible words of the region.

Belongs here: the candidates, their scores, and the choice. Does not belong here: UTF-8, lines, files (`encoding`).

Every byte above ASCII is a letter in some code page, so a single byte cannot decide which code page was used. Evidence against a code page
is a symbol inside a word (`Pej‰`), a lower-case letter among capitals (`MOćKI`), or a letter that is rare in the region's languages.
Evidence for a code page is a word that was agreed with the institution (a value of its code lists, the name of a place or country). The
words of the delivery's other files are used too, since three words in one file are little evidence.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from math import log10

from schemas import domain, domain_folder
from sources.contract import Contract

CANDIDATES = (
    *("windows-1250", "cp852", "iso-8859-2", "windows-1252", "mac-roman", "mac-croatian", "mac-latin2"),
    *("windows-1251", "iso-8859-5", "cp855", "cp866", "mac-cyrillic"),
)
LATIN_1 = "iso-8859-1"
_MISREAD_SURNAME_END, _SURNAME_END = re.compile("(?:iæ|IÆ)$"), re.compile("(?:ić|IĆ)$")
_OTHER_LETTERS = set("öÖüÜäÄğĞışŞİâÂîÎáÁéÉíÍóÓúÚýÝßőŐűŰăĂțȚșȘţŢłŁńŃśŚźŹżŻřŘňŇěĚůŮąĄęĘťŤďĎ")
_CYRILLIC = set(map(chr, range(0x400, 0x460)))
_QUOTES = set("‘’“”„«»–—…§°·€´")
_STRONG, _SIGN, _APOSTROPHE, FOREIGN, _RARE = 8.0, 4.0, 1.0, 2.0, 1.0  # penalties of kinds of characters
_WORD = 3.0  # bonus of an agreed word, and penalty of a letter in the wrong case
_NOISE = 2.0  # maximum penalty of symbols without an ASCII letter next to them
_LONGEST = 60  # bytes of the longest word that is counted
MARGIN = 3.0  # minimum lead over every other code page to replace the agreed one
_BYTES = re.compile(rb"[A-Za-z\x80-\xff]+")
_LISTS = ("municipalities", "countries", "seats", "forms", "sexes", "offences")


@dataclass(frozen=True)
class CodePageChoice:
    """The chosen code page. `others` lists code pages that are equally likely but give a different text; if it is not empty, the choice is
    uncertain."""

    page: str
    others: tuple[str, ...] = ()


def count_non_ascii_words(data: bytes) -> Counter[bytes]:
    """Count the words of a text that contain a byte above ASCII."""
    return Counter(word for word in _BYTES.findall(data) if len(word) <= _LONGEST and not word.isascii())


def non_ascii_words_of_contract(contract: Contract) -> frozenset[str]:
    """Return the words that contain a letter above ASCII, in lower case, from the contract and from the code lists of the domain."""
    texts = [
        text
        for table in contract.tables.values()
        for column in table.columns
        for text in (column.name, *column.aliases, *column.delivered_codes, *column.prefixes)
    ]
    return _list_distinct_non_ascii_words(texts) | _non_ascii_words_of_code_lists()


@cache
def _non_ascii_letters_of_country() -> frozenset[str]:
    """Return the letters of the country's languages beyond ASCII."""
    return frozenset(domain.country().letters)


@cache
def _non_ascii_words_of_code_lists() -> frozenset[str]:
    """Return the words with a letter above ASCII in the labels and aliases of the code lists."""
    texts: list[str] = []
    for name in _LISTS:
        with domain_folder.find_path_in_domain(f"codes/{name}.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                texts += [row["label_sq"] or "", row["label_sr"] or "", row["aliases"] or ""]
    return _list_distinct_non_ascii_words(texts)


def _list_distinct_non_ascii_words(texts: Iterable[str]) -> frozenset[str]:
    """Return the distinct case-folded words of texts that contain a letter above ASCII."""
    return frozenset(word for text in texts for word in re.findall(r"[^\W\d_]+", text.casefold()) if not word.isascii())


def choose_code_page(
    text_words: Counter[bytes], agreed_page: str, expected_words: frozenset[str], words_of_other_files: Counter[bytes] | None = None
) -> CodePageChoice:
    """Return the code page of a text that contains the words `text_words`. This is the agreed code page, unless the words of the text,
    together with those of other files (`words_of_other_files`), clearly favour another code page.

    `expected_words`: the result of `non_ascii_words_of_contract`.
    """
    if not text_words:
        return CodePageChoice(agreed_page)
    pages = list(dict.fromkeys((agreed_page, *CANDIDATES)))
    mine = {page: _compute_penalty_of_code_page(text_words, page, expected_words) for page in pages}
    best = min(pages, key=lambda page: mine[page])
    if mine[agreed_page] - mine[best] < MARGIN and words_of_other_files:
        theirs = {page: _compute_penalty_of_code_page(words_of_other_files, page, expected_words) for page in pages}
        mine = {page: mine[page] + theirs[page] for page in pages}
        best = min(pages, key=lambda page: mine[page])
    if mine[agreed_page] - mine[best] < MARGIN:
        return CodePageChoice(
            agreed_page,
            _code_pages_that_read_differently(text_words, agreed_page, [page for page in pages if mine[page] <= mine[agreed_page] - _RARE]),
        )
    near = [page for page in pages if mine[page] - mine[best] < _RARE and page != best]
    return CodePageChoice(best, _code_pages_that_read_differently(text_words, best, near))


def _code_pages_that_read_differently(text_words: Counter[bytes], chosen_page: str, others: Sequence[str]) -> tuple[str, ...]:
    """Return those code pages among `others` that give another text than `chosen_page` for some word."""
    text = [word.decode(chosen_page, errors="replace") for word in text_words]
    return tuple(other for other in others if [word.decode(other, errors="replace") for word in text_words] != text)


def _compute_penalty_of_code_page(word_counts: Counter[bytes], page: str, expected_words: frozenset[str]) -> float:
    """Return the penalty of reading the words `word_counts` in a code page. A word that occurs often counts only a little more than a word
    that occurs once."""
    return sum(
        (1 + log10(n)) * compute_penalty_of_decoded_word(word.decode(page, errors="replace"), expected_words)
        for word, n in word_counts.items()
    )


def compute_penalty_of_decoded_word(text: str, expected_words: frozenset[str]) -> float:
    """Return the penalty of a decoded word. The penalty is the higher, the less plausible the word is; for a word that was agreed with the
    institution it is negative."""
    if text.casefold() in expected_words:
        return -_WORD
    ascii_letters = [c for c in text if c.isascii()]
    foreign = [(at, c) for at, c in enumerate(text) if not c.isascii()]
    if any(c in _CYRILLIC for _, c in foreign):
        if ascii_letters or not all(c in _CYRILLIC for c in text) or not (text.isupper() or text.islower() or text.istitle()):
            return _WORD * len(foreign)
        return 0.0 if len(set(text)) > 1 else _RARE
    small = sum(c.islower() for c in ascii_letters)
    total = 0.0
    for at, c in foreign:
        inside = 0 < at < len(text) - 1
        if c.isspace() or c == "\xad":
            continue
        if _is_letter(c):
            total += 0 if c in _non_ascii_letters_of_country() else _RARE if c in _OTHER_LETTERS else FOREIGN
            capital = c.isupper()
            total += _WORD * ((not capital and small == 0 and len(ascii_letters) > 1) or (capital and at > 0 and small > 0))
        elif c in _QUOTES:
            total += _APOSTROPHE if c == "’" or not inside else _SIGN
        else:
            total += _STRONG if c == "\ufffd" or c < "\xa0" else _SIGN
    return total if ascii_letters else min(total, _NOISE)


def choose_code_page_of_misread_text(text_words: Counter[bytes], expected_words: frozenset[str], margin: float = MARGIN) -> CodePageChoice:
    """Decide whether words were written in the country's code page but read as Latin-1 by mistake. Return the code page in which they are
    correct. The words are given as Latin-1 bytes.

    Letters of other languages alone prove nothing (`Thérèse` is not `Thérčse`). Some word must contain a symbol in place of a letter, end
    like a Serbian surname, or be an agreed word when it is read in the country's code page.
    """
    page = domain.country().code_page
    as_read, other = (
        _compute_penalty_of_code_page(text_words, LATIN_1, expected_words),
        _compute_penalty_of_code_page(text_words, page, expected_words),
    )
    gain = as_read - other
    proved = any(_is_evidence_of_misreading(word.decode(LATIN_1), word.decode(page, "replace"), expected_words) for word in text_words)
    if proved and gain >= margin:
        return CodePageChoice(page)
    return CodePageChoice(LATIN_1, (page,) if gain >= (FOREIGN if proved else MARGIN) else ())


def _is_evidence_of_misreading(as_read: str, other: str, expected_words: frozenset[str]) -> bool:
    """Return whether a word is implausible as it was read (`as_read`) and plausible in the other code page (`other`)."""
    if (other.casefold() in expected_words and as_read.casefold() not in expected_words) or (
        _MISREAD_SURNAME_END.search(as_read) and _SURNAME_END.search(other)
    ):
        return True
    inside = zip(as_read[1:-1], other[1:-1], strict=True)
    control = any("\x80" <= c < "\xa0" and d.isalpha() for c, d in zip(as_read, other, strict=True))
    return (control and any(c.isascii() for c in as_read)) or any(not _is_letter(c) and d.isalpha() for c, d in inside)


def _is_letter(c: str) -> bool:
    return (c.isalpha() and c not in "ªº") or c.isspace() or c == "\xad"
