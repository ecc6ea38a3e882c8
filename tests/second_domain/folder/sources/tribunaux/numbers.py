"""Numbers of Valmira's courts: `TR.nr.12/2013`, typed `TR 12/2013`."""

import re

from sources.number_forms import BEHIND, START, TAIL, CaseNumber, NumberForm, build_registered_number, full_year


def _build(match: re.Match[str]) -> CaseNumber:
    return build_registered_number("tribunaux", "TR", int(match["serial"]), full_year(match["year"]))


FORMS = (NumberForm(normal=f"TR{BEHIND}", patterns=(f"{START}TR{TAIL}",), build=_build),)
