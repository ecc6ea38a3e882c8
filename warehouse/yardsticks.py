"""Yardsticks: figures that institutions published themselves, beside the warehouse's `as_reported`. They check, and never count.

Belongs here: the declared form (docs/reference/yardsticks.md), what can be compared, the gap. Does not belong here: reading the warehouse,
showing the gaps (`harmonia/cli/yardstick_commands.py`).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from harmonia.errors import HarmoniaError
from schemas.topic import topic
from sources import contract
from warehouse.indicators import DIMENSIONS, indicators

COLUMNS = ("institution", "indicator", "period", "offence_group", "unit", "value", "source")
GAPS = (
    "indicator",
    "period",
    "offence_group",
    "institutions",
    "published",
    "as_reported",
    "gap",
    "gap_percent",
    "incomplete",
    "source",
    "line",
)
TOLD = ("line", "institution", "indicator", "period", "why")
TOTAL = "total"
Key = tuple[str, str, str]
_PERIOD = re.compile(r"(?:19|20)[0-9]{2}(?:-Q[1-4])?")
_LARGEST = 16 << 20  # bytes


def read(path: Path) -> pd.DataFrame:
    """The lines of a file of yardsticks as text, with `line`. Raises `HarmoniaError` with the way out if it is not of the declared form."""
    try:
        data = path.read_bytes() if path.stat().st_size <= _LARGEST else b"\xff"
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise HarmoniaError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise HarmoniaError(f"{path}: is not a small CSV file in UTF-8: export it as “CSV UTF-8”") from None
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise HarmoniaError(f"{path}: line {reader.line_num} is not CSV ({error}): correct it") from None
    header = [name.strip() for name in reader.fieldnames or ()]
    if sorted(header) != sorted(COLUMNS):
        raise HarmoniaError(f"{path}: the columns are {', '.join(header) or 'none'}: they must be {', '.join(COLUMNS)}")
    if odd := [line for line, row in rows if None in row or None in row.values()]:
        raise HarmoniaError(f"{path}: line {odd[0]} has more or fewer cells than the header: correct it")
    out = pd.DataFrame(
        [{"line": line, **{str(k).strip(): v.strip() for k, v in row.items()}} for line, row in rows], columns=["line", *COLUMNS]
    )
    return out.astype(dict.fromkeys(COLUMNS, "str")).assign(offence_group=lambda frame: frame["offence_group"].replace("", TOTAL))


def compare(lines: pd.DataFrame, statistics: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Gaps (`GAPS`), and the lines that are not compared with the way out (`TOLD`).

    In: `read`; `statistics` of the warehouse. gap: `as_reported` - published, a sum over the institutions of an indicator where one source
    gives a figure for each; gap_percent: of the published one, null if that is 0.
    """
    why = pd.Series([_problem(row) for row in lines.to_dict("records")], index=lines.index, dtype="str")
    sound, told = lines[why.isna()], lines.assign(why=why)[why.notna()]
    others = [name for name in DIMENSIONS if name != "offence_group"]
    totals = statistics[(statistics[others] == TOTAL).all(axis=1)]
    whole = {
        (str(row["indicator"]), str(row["period"]), str(row["offence_group"])): (
            None if pd.isna(row["as_reported"]) else int(row["as_reported"]),
            bool(row["incomplete"]),
        )
        for row in totals.to_dict("records")
    }
    gaps, more = [], []
    for (code, period, group, source), rows in sound.groupby(["indicator", "period", "offence_group", "source"], sort=True):
        key = (str(code), str(period), str(group))
        problem = _not_comparable(key, rows, whole)
        if problem:
            more.append(rows.assign(why=problem))
            continue
        (own, incomplete), value = whole[key], int(rows["value"].astype("int64").sum())
        gap = (own or 0) - value
        names = ", ".join(rows["institution"])
        share = 100 * gap / value if value else None
        gaps.append((*key, names, value, own, gap, share, incomplete, source, int(rows["line"].iloc[0])))
    said = pd.concat([told, *more])[list(TOLD)].sort_values("line", ignore_index=True)
    return pd.DataFrame(gaps, columns=list(GAPS)).astype({"gap_percent": "float64"}), said


def _problem(row: Mapping[Any, Any]) -> str | None:
    """Why a line cannot be compared whatever the warehouse holds, with the way out; None if it can."""
    known = indicators().get(row["indicator"])
    if row["institution"] not in contract.institutions():
        return f"institution {row['institution']!r} is unknown: name one of {', '.join(contract.institutions())}"
    if known is None:
        return f"indicator {row['indicator']!r} is unknown: name one of `harmonia indicator list`, or leave the line out"
    if row["unit"] != known.unit:
        fitting = [code for code, one in indicators().items() if one.unit == row["unit"] and row["institution"] in one.institutions]
        way = f"name an indicator of unit {row['unit']} ({', '.join(fitting)})" if fitting else "leave the line out"
        return f"the figure counts in unit {row['unit']!r}, {known.code} in {known.unit!r}: {way}"
    if row["institution"] not in known.institutions:
        return f"{known.code} does not count records of {row['institution']}: it counts those of {', '.join(known.institutions)}"
    if not _PERIOD.fullmatch(row["period"]):
        return f"period {row['period']!r} is neither a year nor a quarter: write 2013 or 2013-Q2"
    if row["offence_group"] not in (TOTAL, *topic().offence_groups):
        return f"offence group {row['offence_group']!r} is unknown: write {TOTAL}, {', '.join(topic().offence_groups)}"
    if not (row["value"].isascii() and row["value"].isdigit() and len(row["value"]) <= 12):
        return f"value {row['value']!r} is not a whole number: write digits only"
    return None if row["source"] else "no source is given: say where the figure was published"


def _not_comparable(key: Key, rows: pd.DataFrame, whole: Mapping[Key, tuple[int | None, bool]]) -> str | None:
    """Why the figures of one source cannot be compared with the warehouse, with the way out; None if they can."""
    counted = indicators()[key[0]].institutions
    if rows["institution"].duplicated().any():
        return "the source gives this figure twice: leave one line out, or name the sources apart"
    if absent := [name for name in counted if name not in set(rows["institution"])]:
        return f"{key[0]} also counts {', '.join(absent)}: add a line with the figure of the same source for each"
    if key not in whole:
        return f"the warehouse has no figure for {key[1]}: run the deliveries of that period first"
    if whole[key][0] is None:
        return f"nothing could be read from {', '.join(counted)} for {key[1]}: see `harmonia status`"
    return None
