"""What would count, of an institution that delivers monthly: the month, the month before, the same month a year ago."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from portal_world import World

from harmonia.trial import check_folder_in_dry_run
from pipelines.harmonisation.stage import harmonise
from pipelines.record_status import resolve_record_statuses
from pipelines.validation import validate
from portal.institution.checking import check_upload
from sources.readers.result import SourceFile
from sources.reading import read_delivery
from sources.simulator import simulate

INSTITUTION, MONTH = "social_work", "2018-05"


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two years without a defect."""
    folder = tmp_path_factory.mktemp("monthly") / "set"
    return simulate(folder, seed=5, start=2017, years=2, cases_per_year=60, noise="clean", victims=True).inbox / INSTITUTION


def referred(*deliveries: Path) -> Counter[str]:
    """Victims referred by month, counted from the files as they are; a later row of a file replaces an earlier one."""
    days: dict[str, str] = {}
    for delivery in deliveries:
        with (delivery / "persona.csv").open(encoding="utf-8-sig", newline="") as file:
            days.update({row["Nr_QPS"]: row["Data_e_referimit"] for row in csv.DictReader(file)})
    return Counter(f"{day.split('/')[2]}-{day.split('/')[1]}" for day in days.values() if day)


def test_the_coordinators_board_shows_months_in_their_quarters(world: World) -> None:
    page = world.client("coordinator").get("/coordinator").content.decode()
    board = page[page.index('class="matrix"') :]
    heads = re.findall(r'<th scope="col">(\d[^<]*)</th>', board)
    assert heads == sorted(heads, reverse=True) and {"2013-Q1", "2013-Q2", "2013-Q3"} <= set(heads) <= {f"2013-Q{n}" for n in range(1, 5)}
    row = board[board.index("Centres for Social Work") :]
    assert row[: row.index("</tr>")].count("overdue") == len(heads), "none of its months came"


def test_figures_are_those_of_months(inbox: Path) -> None:
    figures = check_folder_in_dry_run(inbox / MONTH, INSTITUTION, MONTH).figures
    own = figures[figures["indicator"] == "victims_referred"]
    expected = referred(inbox / MONTH)
    assert expected and dict(zip(own["period"], own["n"], strict=True)) == expected


def test_an_upload_is_compared_with_the_month_before_and_the_year_before(inbox: Path, tmp_path: Path) -> None:
    earlier = [path for path in sorted(inbox.iterdir()) if path.name < MONTH]
    read = {path.name: read_delivery(INSTITUTION, [SourceFile(one.name, one) for one in sorted(path.iterdir())]) for path in earlier}
    lake = tmp_path / "home" / "lake" / "canonical"
    lake.mkdir(parents=True)
    for name, rows in harmonise(INSTITUTION, resolve_record_statuses(validate(INSTITUTION, read)).tables).items():
        pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), lake / f"{name}.parquet")
    result = check_upload(tmp_path, str(inbox / MONTH), str(tmp_path / "home"), INSTITUTION, MONTH)
    (shown,) = (one for one in result["figures"] if one["title"]["en"] == "Victims referred")
    before = referred(*earlier)
    assert (shown["this"], shown["last"], shown["year_ago"]) == (
        referred(inbox / MONTH)[MONTH],
        before["2018-04"],
        before["2017-05"],
    )
    assert all((shown["this"], shown["last"], shown["year_ago"])), "each month has some: the test shows something"
    assert MONTH in result["periods"], "so that the page sees whether most dates are of this month"
    assert json.loads((tmp_path / "findings.json").read_text("utf-8"))
