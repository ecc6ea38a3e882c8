"""Case numbers of the prosecution. `PP.I.nr.34/2013` and `PPS.nr.425/2009` are also typed as, for example, `PPI-34-2013` or `PP/1 nr.
34/13`. If the register is not known, the number is `PP.?.nr.34/2013`. The section "Case numbers" of docs/reference/sources-of-facts.md
explains the letters."""

import re

from sources.number_forms import BEHIND, GAP, START, TAIL, CaseNumber, NumberForm, build_registered_number, full_year


def _read_roman_register(text: str | None) -> str:
    """Return the register `I`, `II` or `III`, which may be written in Roman or Arabic digits or in letters that look like them. Return `?`
    if it is missing or unknown."""
    if not text:
        return "?"
    if text in ("2", "3"):
        return "I" * int(text)
    return "I" * len(text) if set(text) <= set("IL1|") else "?"


def _build_number(match: re.Match[str]) -> CaseNumber:
    register = f"PP{match['letter']}" if match["letter"] else f"PP.{_read_roman_register(match['roman'])}"
    return build_registered_number("prosecution", register, int(match["serial"]), full_year(match["year"]))


def _build_number_without_register(serial: int, year: int) -> CaseNumber:
    return build_registered_number("prosecution", "PP.?", serial, year)


FORMS = (
    NumberForm(
        normal=rf"PP(?:\.(?P<roman>I{{1,3}}|\?)|(?P<letter>[SMNP])){BEHIND}",
        patterns=(rf"{START}P\.?\s?P(?:{GAP}(?P<roman>[IL1|]{{1,3}}|[2-9?])(?=[\s./\-_N]+\D*\d)|\.?(?P<letter>[SMNP]))?{TAIL}",),
        build=_build_number,
        bare=_build_number_without_register,
        continues=True,
    ),
)
