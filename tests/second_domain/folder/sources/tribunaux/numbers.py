"""Numbers of Valmira's courts: `TR.nr.12/2013`, typed `TR 12/2013`."""

import re

from sources.number_forms import BEHIND, START, TAIL, Form, Number, full_year, registered


def _build(match: re.Match[str]) -> Number:
    return registered("tribunaux", "TR", int(match["serial"]), full_year(match["year"]))


FORMS = (Form(normal=f"TR{BEHIND}", patterns=(f"{START}TR{TAIL}",), build=_build),)
