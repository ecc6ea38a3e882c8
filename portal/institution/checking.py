"""`python -m portal.institution.checking FOLDER UPLOAD HOME INSTITUTION DELIVERY`: check an upload as `harmonia check` does.

It writes `findings.json` (`schemas/feedback.schema.json`) into FOLDER, then its result (`portal.job_result`). It is a separate process, so
that the portal goes on answering meanwhile, and a delivery that needs too much memory ends only this process.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from harmonia.atomic_files import write_small_file
from portal.job_result import run_job
from sources.periods import previous_period, year_before

FINDINGS = "findings.json"
_COMPARED_PERIODS = ("this", "last", "year_ago")


def check_upload(folder: Path, upload: str, home: str, institution: str, delivery: str) -> dict[str, Any]:
    """Check the files in the folder `upload`. Returns what the page shows: the state of the delivery, the numbers of findings, the files,
    the figures, and the number of counted records in each period."""
    from harmonia.feedback import report
    from harmonia.trial import check_folder_in_dry_run
    from sources import contract
    from sources.contract import DeliveryName

    attempted = check_folder_in_dry_run(Path(upload), institution, delivery)
    findings = attempted.findings[attempted.findings["delivery"].fillna(delivery) == delivery]
    document = report.make_report(institution, delivery, attempted.files, findings, contract.load(institution).language)
    write_small_file(folder / FINDINGS, report.convert_to_json(document).encode("utf-8", "backslashreplace"), 0o600)
    name = DeliveryName.parse(delivery)
    return {
        "state": attempted.state,
        "counts": document.finding_counts,
        "files": report.convert_rows_to_dicts(document.files),
        "figures": _compare_figures(attempted.figures, institution, name.period if name else delivery, Path(home)),
        "periods": {str(period): int(n) for period, n in attempted.figures.groupby("period")["n"].sum().items()},
    }


def _compare_figures(figures: pd.DataFrame, institution: str, period: str, home: Path) -> list[dict[str, object]]:
    """Return a row for each indicator of the institution. It has the title of the indicator, the count in this upload, and the counts in
    the institution's records for the period before and for the same period a year ago."""
    from warehouse.indicators import indicators

    counted = pd.concat([_count_earlier_records(institution, home), figures[figures["period"] == period].assign(period="this")])
    numbers = {(code, counted_period): int(n) for code, counted_period, n in counted[["indicator", "period", "n"]].itertuples(index=False)}
    known_periods = {*counted["period"], "this"}
    columns = dict(zip(_COMPARED_PERIODS, ("this", *find_earlier_periods(period)), strict=True))
    rows: list[dict[str, object]] = []
    for code, indicator in indicators().items():
        if institution in indicator.institutions:
            values = {
                name: numbers.get((code, counted_period), 0) if counted_period in known_periods else None
                for name, counted_period in columns.items()
            }
            if any(values.values()):
                rows.append({"title": dict(indicator.title), **values})
    return rows


def find_earlier_periods(period: str) -> tuple[str, str]:
    """Return the period before `period`, and the same period of the year before."""
    return previous_period(period), year_before(period)


def _count_earlier_records(institution: str, home: Path) -> pd.DataFrame:
    """Count the records that earlier runs read, by indicator and period (column `n`). The result is empty before the first run."""
    from harmonia.feedback.figures import count_own_records

    folder = home / "lake" / "canonical"
    names = ("case_records", "person_records", "events")
    if not all((folder / f"{name}.parquet").is_file() for name in names):
        return pd.DataFrame(columns=["indicator", "period", "n"])
    own = [("institution", "=", institution)]
    canonical = {name: pq.read_table(folder / f"{name}.parquet", filters=own).to_pandas(date_as_object=False) for name in names}
    return count_own_records(institution, canonical)


if __name__ == "__main__":
    run_job(check_upload)
