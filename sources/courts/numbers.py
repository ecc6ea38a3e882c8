"""Case numbers of the courts. `PKR.nr.12/2013` is also typed as `P.K.R. nr. 12/13` or `PKR-12-2013`. The system SMIL, which all courts
share, gives numbers such as `2022:19820`. The section "Case numbers" of docs/reference/sources-of-facts.md explains the letters."""

import re

from sources.number_forms import BEHIND, START, TAIL, CaseNumber, NumberForm, build_registered_number, full_year

KIND = "court"


def _build_number(match: re.Match[str]) -> CaseNumber:
    register = re.sub(r"[\s.]", "", match["register"])
    register = {"PKRP": "PKR", "PA1": "PAI", "PMLKZZ": "PML"}.get(register, register)
    return build_registered_number(KIND, register, int(match["serial"]), full_year(match["year"]))


def _build_smil_number(match: re.Match[str]) -> CaseNumber:
    year, serial = int(match["year"]), int(match["serial"])
    return CaseNumber(KIND, f"{year}:{serial}", "SMIL", serial, year, None)


def _build_number_without_register(serial: int, year: int) -> CaseNumber:
    return build_registered_number(KIND, "?", serial, year)


FORMS = (
    NumberForm(
        normal=f"(?P<register>PAKR|PKR|PK|PML|PN1|PN|P){BEHIND}",
        patterns=(rf"{START}(?P<register>P\.?A\.?K\.?R|P\.?K\.?R(?:\.?\s?P)?|P\.?K|PML(?:\.?\s?KZZ)?|PA\s?(?:II|I|1)|PN1|PN|P|\?){TAIL}",),
        build=_build_number,
        bare=_build_number_without_register,
        continues=True,
    ),
    NumberForm(
        normal="(?P<year>20[0-9]{2}):(?P<serial>[1-9][0-9]{0,6})",
        patterns=(r"(?<![\d:])(?P<year>20\d{2})\s*:\s*(?P<serial>\d{1,7})(?![\d:])",),
        build=_build_smil_number,
        first=True,
    ),
)
