"""Case numbers of the centres for social work. `QPS/05/117` (centre, running number in the centre) is also typed as `QPS 05/117`,
`qps-05-117` or `QPS nr. 5/117`. A number that ends in a year is only read as a case number if it has the normal form: `QPS 12/2013` is a
letter of that year."""

import re

from sources.number_forms import NR, START, CaseNumber, NumberForm


def _build_number(match: re.Match[str]) -> CaseNumber:
    centre, serial = int(match["centre"]), int(match["serial"])
    return CaseNumber("social_work", f"QPS/{centre:02d}/{serial}", None, serial, None, None)


FORMS = (
    NumberForm(
        normal=r"QPS/(?P<centre>[0-9]{2})/(?P<serial>[1-9][0-9]{0,5})",
        patterns=(
            rf"{START}QPS/(?P<centre>\d{{2}})/(?P<serial>\d{{1,6}})(?![\d/])",
            rf"{START}Q\.?P\.?S{NR}[\s.\-/_:]*(?P<centre>\d{{1,2}})\s*[/\-_.\s]\s*(?!(?:19|20)\d\d(?!\d))(?P<serial>\d{{1,6}})(?![\d/])",
        ),
        build=_build_number,
        first=True,
    ),
)
