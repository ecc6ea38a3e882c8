"""Case numbers of the inspectorate. `IPK-015/2011` is also typed as `I.P.K. 15/11` or `ipk.nr.15/2011`. The section "Case numbers" of
docs/reference/sources-of-facts.md explains the letters."""

import re

from sources.number_forms import GAP, NR, START, TAIL, CaseNumber, NumberForm, full_year


def _make_number(serial: int, year: int) -> CaseNumber:
    return CaseNumber("inspectorate", f"IPK-{serial:03d}/{year}", "IPK", serial, year, None)


def _build_number(match: re.Match[str]) -> CaseNumber:
    return _make_number(int(match["serial"]), full_year(match["year"]))


FORMS = (
    NumberForm(
        normal="IPK-(?P<serial>[0-9]{3}|[1-9][0-9]{3,5})/(?P<year>[1-9][0-9]{3})",
        patterns=(
            rf"{START}I\.?\s?P\.?\s?K{TAIL}",
            rf"{START}I\.?\s?P\.?\s?K{NR}{GAP}(?P<year>(?:19|20)\d{{2}})[/\-](?P<serial>\d{{1,4}})(?!\d)",
        ),
        build=_build_number,
        bare=_make_number,
    ),
)
