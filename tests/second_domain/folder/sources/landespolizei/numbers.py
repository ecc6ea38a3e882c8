"""Numbers of Valmira's police: `LP-2013-00012`, also typed `LP 12/2013`."""

import re

from sources.number_forms import CaseNumber, NumberForm, full_year


def _build(match: re.Match[str]) -> CaseNumber:
    year, serial = full_year(match["year"]), int(match["serial"])
    return CaseNumber("landespolizei", f"LP-{year:04d}-{serial:05d}", "LP", serial, year, None)


FORMS = (
    NumberForm(
        normal=r"LP-(?P<year>[0-9]{4})-(?P<serial>[0-9]{5})",
        patterns=(r"\bLP[\s-]*(?P<year>\d{4})-(?P<serial>\d{1,6})(?!\d)", r"\bLP[\s.]*(?P<serial>\d{1,6})/(?P<year>\d{4}|\d{2})(?!\d)"),
        build=_build,
    ),
)
