"""Case numbers of the police. `2013-PR-00276` is also typed as `2013PR276`, `2013/PR/00276` or `PR 276/13`. The section "Case numbers" of
docs/reference/sources-of-facts.md explains the letters."""

import re

from sources.number_forms import GAP, START, TAIL, CaseNumber, NumberForm, full_year

REGIONS = ("PR", "PZ", "PE", "GL", "MJ", "MV", "FE", "GJ")
_REGION = "(?P<region>" + "|".join(REGIONS) + ")"


def _build_number(match: re.Match[str]) -> CaseNumber:
    year, serial, region = full_year(match["year"]), int(match["serial"]), match["region"]
    return CaseNumber("police", f"{year:04d}-{region}-{serial:05d}", None, serial, year, region)


FORMS = (
    NumberForm(
        normal=f"(?P<year>[0-9]{{4}})-{_REGION}-(?P<serial>[0-9]{{5}}|[1-9][0-9]{{5}})",
        patterns=(
            rf"(?<!\d)(?P<year>\d{{4}}){GAP}{_REGION}{GAP}(?P<serial>\d{{1,6}})(?!\d)",
            r"(?<!\d)(?P<year>\d{4})-(?P<region>(?!NR|NO|BR)[A-Z]{2})-(?P<serial>\d{1,6})(?!\d)",
            rf"{START}{_REGION}{TAIL}",
        ),
        build=_build_number,
        regions=REGIONS,
    ),
)
