"""Other spellings of names, numbers, articles and dates, as people and offices write them. Each function turns a text or a day into a text;
if there are several ways to write it, one is drawn by chance.

Belongs here: permitted variants as well as errors of writing. Does not belong here: where each of them occurs (`defects.py`,
`value_defects.py`). The spelling of names follows the section "Spelling of names" of sources-of-facts.md; that of case numbers follows
deliveries.md and the section "Case numbers" of sources-of-facts.md.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from random import Random

from sources.simulator.codes import MINOR_OFFENCES, Offence, read_vocabulary

_TO_SERBIAN = (
    ("xh", "dž"),
    ("gj", "đ"),
    ("sh", "š"),
    ("zh", "ž"),
    ("ll", "l"),
    ("rr", "r"),
    ("th", "t"),
    ("dh", "d"),
    ("q", "ć"),
    ("ç", "č"),
    ("x", "dz"),
    ("y", "i"),
    ("ë", "e"),
)
_TO_ALBANIAN = (("dž", "xh"), ("lj", "l"), ("đ", "gj"), ("ć", "q"), ("č", "ç"), ("š", "sh"), ("ž", "zh"))
_TO_CYRILLIC = (
    *(("dž", "џ"), ("lj", "љ"), ("nj", "њ"), ("đ", "ђ"), ("ć", "ћ"), ("č", "ч"), ("š", "ш"), ("ž", "ж")),
    *zip("abcdefghijklmnoprstuvz", "абцдефгхијклмнопрстувз", strict=True),
    *(("y", "и"), ("w", "в"), ("q", "к"), ("x", "кс")),
)
_NEAR = {"a": "s", "e": "r", "i": "o", "k": "l", "m": "n", "n": "m", "o": "p", "r": "t", "s": "a", "t": "r", "b": "v", "g": "h", "u": "i"}


def _replace_letters(text: str, pairs: tuple[tuple[str, str], ...]) -> str:
    """Replace letters and pairs of letters in one pass. A capital is replaced by a capital."""
    table = dict(pairs)
    result, i = [], 0
    while i < len(text):
        for length in (2, 1):
            piece = text[i : i + length]
            other = table.get(piece.lower())
            if other is not None and len(piece) == length:
                result.append(other.capitalize() if piece[0].isupper() else other)
                i += length
                break
        else:
            result.append(text[i])
            i += 1
    return "".join(result)


def write_in_serbian(name: str) -> str:
    """Return an Albanian name as written in Serbian: `Xhavit Hoxha` → `Džavit Hodža`."""
    return _replace_letters(name, _TO_SERBIAN)


def write_in_albanian(name: str) -> str:
    """Return a Serbian name as written in Albanian: `Đorđević` → `Gjorgjeviq`."""
    return _replace_letters(name, _TO_ALBANIAN)


def write_in_cyrillic(name: str) -> str:
    """Return a name in Serbian Cyrillic."""
    return _replace_letters(remove_foreign_marks(write_in_serbian(name)), _TO_CYRILLIC)


def remove_foreign_marks(name: str) -> str:
    """Return a name without those diacritics that Serbian does not use (ö, ü, ş, ı). Serbian letters (č, ć, š, ž, đ) stay."""
    return "".join(char if char in "čćšžđČĆŠŽĐ" else remove_diacritics(char) for char in name)


def remove_diacritics(name: str) -> str:
    """Return a name without diacritics: `Gëzim` → `Gezim`, `Đorđe` → `Djordje`."""
    text = name.replace("đ", "dj").replace("Đ", "Dj").replace("ı", "i")
    return "".join(char for char in unicodedata.normalize("NFD", text) if not unicodedata.combining(char))


def misdecode_name(name: str) -> str:
    """Return a name as it looks if its UTF-8 bytes are read as windows-1250: `Gëzim` → `GĂ«zim`."""
    return name.encode("utf-8").decode("cp1250", errors="replace")


def add_typing_error(rng: Random, name: str) -> str:
    """Return a name with one typing error: a letter is dropped, doubled, exchanged with the next one, or replaced by a neighbour on the
    keyboard."""
    if len(name) < 3:
        return name + name[-1:]
    i = rng.randrange(1, len(name) - 1)
    way = rng.randrange(4)
    if way == 0:
        return name[:i] + name[i + 1 :]
    if way == 1:
        return name[: i + 1] + name[i:]
    if way == 2 and name[i] != name[i + 1]:
        return name[:i] + name[i + 1] + name[i] + name[i + 2 :]
    return name[:i] + _NEAR.get(name[i], "h") + name[i + 1 :]


def add_error_to_personal_number(rng: Random, number: str) -> str:
    """Return a personal number in which one digit is wrong or missing, or two digits are exchanged."""
    i = rng.randrange(len(number) - 1)
    way = rng.randrange(3)
    if way == 0 and number[i] != number[i + 1]:
        return number[:i] + number[i + 1] + number[i] + number[i + 2 :]
    if way == 1:
        return number[:i] + number[i + 1 :]
    return number[:i] + str((int(number[i]) + rng.randrange(1, 10)) % 10) + number[i + 1 :]


def add_spaces_to_number(rng: Random, number: str) -> str:
    """Return a personal number with spaces in it or around it."""
    return rng.choice((f" {number}", f"{number} ", f"{number[:4]} {number[4:]}", f"{number[:3]} {number[3:6]} {number[6:]}"))


# -- numbers of cases -----------------------------------------------------------------------------------------------------------------


def vary_prosecution_number(rng: Random, number: str) -> str:
    """Return a number such as `PP.I.nr.34/2013` in another spelling; some spellings lack the register."""
    match = re.fullmatch(r"PP\.(I+)\.nr\.(\d+)/(\d{4})", number)
    if not match:
        return number
    register, serial, year = match.groups()
    short = year[2:]
    return rng.choice(
        (
            f"PP.{register}.NR.{serial}/{year}",
            f"PP {register} {serial}/{short}",
            f"PP.{register}.nr. {serial}/{short}",
            f"PP.{register}-{serial}/{year}",
            f"PP{register}-{serial}-{year}",
            f"PP.{register}.nr.{serial}-{short}",
            f"PP.{register}.nr.{int(serial):03d}/{year}",
            f"pp.{register} nr {serial}/{year}",
            f" {number} ",
            f"PP/{register} nr.{serial}/{year}",
            f"PP.{len(register)}.nr.{serial}/{year}",
            f"PP nr.{serial}/{year}",
        )
    )


def vary_police_number(rng: Random, number: str) -> str:
    """Return a number such as `2013-PR-00012` in another spelling."""
    match = re.fullmatch(r"(\d{4})-([A-Z]{2})-(\d{5})", number)
    if not match:
        return number
    year, region, serial = match.groups()
    return rng.choice(
        (
            number.lower(),
            f"{year}{region}{serial}",
            f"{year} {region} {serial}",
            f"Nr. {number}",
            f"Rasti {number}",
            f"{region} {int(serial)}/{year[2:]}",
            f"{region}-{serial}/{year}",
            f"{year}/{region}/{serial}",
        )
    )


def vary_inspectorate_number(rng: Random, number: str) -> str:
    """Return a number such as `IPK-003/2012` in another spelling."""
    match = re.fullmatch(r"IPK-(\d+)/(\d{4})", number)
    if not match:
        return number
    serial, year = match.groups()
    return rng.choice(
        (number.lower(), f"IPK {int(serial)}/{year[2:]}", f"IPK-{int(serial)}/{year}", f"I.P.K. {serial}/{year}", f"Nr. {number}")
    )


def vary_court_number(rng: Random, number: str) -> str:
    """Return a number such as `PKR.nr.12/2013` in another spelling."""
    match = re.fullmatch(r"(PKR|P)\.nr\.(\d+)/(\d{4})", number)
    if not match:
        return number
    register, serial, year = match.groups()
    dotted = ".".join(register) + "."
    return rng.choice(
        (
            f"{register}.Nr. {serial}/{year[2:]}",
            f"{register}-{serial}-{year}",
            f"{register} {serial}/{year[2:]}",
            f"{register}.nr.{int(serial):03d}/{year}",
            number.lower(),
            f"{dotted} nr. {serial}/{year}",
            f"{register}. no. {serial}/{year[2:]}",
            f"{register} nr {serial}/{year}",
        )
    )


def replace_digit_of_case_number(rng: Random, number: str) -> str:
    """Return a case number with one wrong digit. It then refers to no case, or to another case."""
    places = [i for i, char in enumerate(number) if char.isdigit()]
    i = rng.choice(places)
    return number[:i] + str((int(number[i]) + rng.randrange(1, 10)) % 10) + number[i + 1 :]


# -- articles -------------------------------------------------------------------------------------------------------------------------


def vary_article(rng: Random, charged_offence: Offence, with_words: bool = False) -> tuple[str, str | None]:
    """Return an article as somebody types it, and the criminal code that this text names. `KPRK` can mean the code of 2012 or of 2019; None
    means that no code is named."""
    if charged_offence.law == MINOR_OFFENCES:
        ways = ("neni 4 LRQP", "Ligji 03/L-142, neni 4", "4 L.03/L-142", "neni 4 i Ligjit 03/L-142")
        return rng.choice(ways), MINOR_OFFENCES
    code = "KPK" if charged_offence.law == "KPK2003" else "KPRK"
    named = "KPK2003" if charged_offence.law == "KPK2003" else "KPRK"
    a, p = charged_offence.article, charged_offence.paragraph
    bare = [a, f"neni {a}", f"{a}/{p}", f"nen. {a}/{p}", f"Neni {a}, paragrafi {p}", f"{a}.{p}"]
    full = [f"neni {a} {code}", f"{a} {code}", f"neni {a} par.{p} {code}"]
    if with_words:
        bare += [f"{read_vocabulary()['offences'][charged_offence.kind][0]}, neni {a}"] * 2
    way = rng.randrange(len(bare) + len(full))
    return (bare[way], None) if way < len(bare) else (full[way - len(bare)], named)


# -- days -----------------------------------------------------------------------------------------------------------------------------


def swap_day_and_month(day: date) -> date | None:
    """Return a date with day and month swapped. Return None if this gives no valid date, or the same date."""
    return day.replace(day=day.month, month=day.day) if day.day <= 12 and day.day != day.month else None


def write_day_in_format(day: date, form: str) -> str:
    """Return a day as text. `form`: `dotted` (dd.mm.yyyy), `iso`, or `short` (dotted, with two digits of the year)."""
    return day.strftime({"dotted": "%d.%m.%Y", "iso": "%Y-%m-%d", "short": "%d.%m.%y"}[form])


def write_impossible_day(day: date, form: str) -> str:
    """Return, as text, a day that does not exist and is near the true one, such as 31 February."""
    month = {2: 2, 4: 4, 6: 6, 9: 9, 11: 11}.get(day.month) or (2 if day.month < 3 else day.month - 1 if day.month != 8 else 9)
    return f"31.{month:02d}.{day.year}" if form == "dotted" else f"{day.year}-{month:02d}-31"
