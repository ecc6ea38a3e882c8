"""`python -m portal.institution.checking FOLDER UPLOAD HOME INSTITUTION DELIVERY`: check an upload as `harmonia check` does.

Writes `findings.json` (`schemas/feedback.schema.json`), then its result (`portal.job_result`: state, counts, figures) into FOLDER. A
process of its own: the portal goes on answering, and a delivery that needs too much memory ends only this.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from harmonia.swap import write_whole
from portal.job_result import run
from sources.periods import previous, year_before

FINDINGS = "findings.json"
_COMPARED = ("this", "last", "year_ago")


def check(folder: Path, upload: str, home: str, institution: str, delivery: str) -> dict[str, Any]:
    """Check the files in `upload`: state, counts, files, figures, and how many records count in each period."""
    from harmonia.feedback import report
    from harmonia.trial import attempt
    from sources import contract
    from sources.contract import DeliveryName

    found = attempt(Path(upload), institution, delivery)
    findings = found.findings[found.findings["delivery"].fillna(delivery) == delivery]
    document = report.make_report(institution, delivery, found.files, findings, contract.load(institution).language)
    write_whole(folder / FINDINGS, report.to_json(document).encode("utf-8", "backslashreplace"), 0o600)
    name = DeliveryName.parse(delivery)
    return {
        "state": found.state,
        "counts": document.counts,
        "files": report.rows_of(document.files),
        "figures": _figures(found.figures, institution, name.period if name else delivery, Path(home)),
        "periods": {str(period): int(n) for period, n in found.figures.groupby("period")["n"].sum().items()},
    }


def _figures(figures: pd.DataFrame, institution: str, period: str, home: Path) -> list[dict[str, object]]:
    """Each indicator of the institution: what this upload would count, and what its records count for the quarter before and a year ago."""
    from warehouse.indicators import indicators

    counted = pd.concat([_earlier(institution, home), figures[figures["period"] == period].assign(period="this")])
    numbers = {(code, when): int(n) for code, when, n in counted[["indicator", "period", "n"]].itertuples(index=False)}
    known = {*counted["period"], "this"}
    columns = dict(zip(_COMPARED, ("this", *earlier_periods(period)), strict=True))
    out: list[dict[str, object]] = []
    for code, one in indicators().items():
        if institution in one.institutions:
            values = {name: numbers.get((code, when), 0) if when in known else None for name, when in columns.items()}
            if any(values.values()):
                out.append({"title": dict(one.title), **values})
    return out


def earlier_periods(period: str) -> tuple[str, str]:
    """The period before, and the same period a year ago."""
    return previous(period), year_before(period)


def _earlier(institution: str, home: Path) -> pd.DataFrame:
    """indicator, period, n of what earlier runs read; empty before the first run."""
    from harmonia.feedback.figures import own_figures

    folder = home / "lake" / "canonical"
    names = ("case_records", "person_records", "events")
    if not all((folder / f"{name}.parquet").is_file() for name in names):
        return pd.DataFrame(columns=["indicator", "period", "n"])
    own = [("institution", "=", institution)]
    canonical = {name: pq.read_table(folder / f"{name}.parquet", filters=own).to_pandas(date_as_object=False) for name in names}
    return own_figures(institution, canonical)


if __name__ == "__main__":
    run(check)
