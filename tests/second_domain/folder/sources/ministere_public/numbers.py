"""Numbers of Valmira's prosecution: `MP.nr.12/2013`, typed `MP 12/2013`, `MP 12/13`."""

import re

from sources.number_forms import BEHIND, START, TAIL, Form, Number, full_year, registered


def _build(match: re.Match[str]) -> Number:
    return registered("ministere_public", "MP", int(match["serial"]), full_year(match["year"]))


FORMS = (Form(normal=f"MP{BEHIND}", patterns=(f"{START}MP{TAIL}",), build=_build),)
