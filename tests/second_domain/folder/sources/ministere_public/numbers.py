"""Numbers of Valmira's prosecution: `MP.nr.12/2013`, typed `MP 12/2013`, `MP 12/13`."""

import re

from sources.number_forms import BEHIND, START, TAIL, CaseNumber, NumberForm, build_registered_number, full_year


def _build(match: re.Match[str]) -> CaseNumber:
    return build_registered_number("ministere_public", "MP", int(match["serial"]), full_year(match["year"]))


FORMS = (NumberForm(normal=f"MP{BEHIND}", patterns=(f"{START}MP{TAIL}",), build=_build),)
