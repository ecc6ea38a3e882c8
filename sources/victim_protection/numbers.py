"""Case numbers of the victim protection office. `ZM-PR-2013-0042` is also typed as `ZM/PR/2013/42`, `ZMNV-PR-2013-0042`, `ZM-PR-42/2013` or
`PR-2013-0042`. The section "Victim protection" of docs/reference/deliveries.md lists the offices."""

import re

from sources.number_forms import GAP, START, YEAR, CaseNumber, NumberForm, full_year

OFFICES = ("PR", "PZ", "PE", "GL", "MI", "FE", "GJ")
_OFFICE = "(?P<region>" + "|".join(OFFICES) + ")"
_LABEL = rf"{START}ZM(?:NV)?{GAP}"


def _build_number(match: re.Match[str]) -> CaseNumber:
    year, serial, office = full_year(match["year"]), int(match["serial"]), match["region"]
    return CaseNumber("victim_protection", f"ZM-{office}-{year:04d}-{serial:04d}", None, serial, year, office)


FORMS = (
    NumberForm(
        normal=rf"ZM-{_OFFICE}-(?P<year>[0-9]{{4}})-(?P<serial>[0-9]{{4}}|[1-9][0-9]{{4,5}})",
        patterns=(
            rf"{_LABEL}{_OFFICE}{GAP}(?P<year>\d{{4}}){GAP}(?P<serial>\d{{1,6}})(?!\d)",
            rf"{_LABEL}{_OFFICE}{GAP}(?P<serial>\d{{1,6}}){YEAR}",
            rf"{START}{_OFFICE}[\s.\-/_](?P<year>(?:19|20)\d{{2}})[\s.\-/_](?P<serial>\d{{4}})(?!\d)",
        ),
        build=_build_number,
        regions=OFFICES,
        first=True,
    ),
)
