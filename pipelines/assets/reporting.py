"""Writing the feedback of a run in batches, so that several processes can share the work.

Belongs here: the size of a batch, and reading its data from the lake. Does not belong here: which reports are due and what they contain
(`harmonia.feedback.deliveries`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from harmonia.feedback.deliveries import (
    Due,
    Parts,
    Place,
    contents,
    reports_of,
    rows_by_delivery,
    summary,
    up_to_date_reports,
    write_not_landed,
    write_some,
)
from pipelines.describing import redact_stage_errors
from pipelines.landing import LandedDelivery
from pipelines.resources import coded, lake
from pipelines.resources.processes import run_each
from pipelines.resources.workplace import Workplace

_AT_A_TIME = 30_000  # findings that are read and told at a time


@dataclass(frozen=True)
class Piece:
    """Some reports, and the folder of the lake in which lies what they are made of."""

    workplace: Workplace
    due: tuple[Due, ...]
    today: date
    folder: Path


def write_reports(
    workplace: Workplace,
    there: Sequence[LandedDelivery],
    received: Mapping[Place, date],
    record_status: Mapping[str, pd.DataFrame],
    found: pd.DataFrame,
    canonical: Mapping[str, pd.DataFrame],
) -> pd.DataFrame:
    """Write the report of every delivery whose report would say something else than the one that is there.

    The arguments are those of `harmonia.feedback.deliveries.contents` and `reports_of`. Returns institution, delivery, files (of the
    report), written (made anew), new, remains, fixed (findings).
    """
    home, today = workplace.home.root, datetime.now(UTC).date()
    parts = contents(there, record_status, found, canonical)
    reports = reports_of(home, there, received, today, record_status["deliveries"], parts)
    kept = up_to_date_reports(home, reports)
    due = [one for one in reports if (one.institution, one.delivery) not in kept]
    write_all(workplace, due, today, parts)
    write_not_landed(home, found, {(one.institution, str(one.name)) for one in there})
    return summary(reports, up_to_date_reports(home, reports), {(one.institution, one.delivery) for one in due}, found)


def write_all(workplace: Workplace, due: Sequence[Due], today: date, parts: Parts) -> None:
    """Write the reports `due`. What they are made of goes through the folder of the feedback in the lake, which the run writes anew."""
    rows = {name: rows_by_delivery(frame) for name, frame in parts.items()}
    sizes = {(one.institution, one.delivery): len(rows["findings"].get((one.institution, one.delivery), [])) for one in due}
    pieces = []
    for number, some in enumerate(_divided(due, sizes)):
        piece = Piece(workplace, some, today, workplace.home.lake / "feedback" / "pieces" / f"{number:04}")
        own = {name: frame.iloc[_rows_of(some, rows[name])].reset_index(drop=True) for name, frame in parts.items()}
        lake.write(piece.folder, {**own, "findings": coded.decode(own["findings"])})
        pieces.append(piece)
    run_each(_write, pieces, sum(sizes.values()))


def _rows_of(some: Sequence[Due], rows: Mapping[Place, np.ndarray]) -> np.ndarray:
    """The numbers of the rows of these deliveries."""
    nothing = np.empty(0, "int64")
    return np.concatenate([rows.get((one.institution, one.delivery), nothing) for one in some])


def _divided(due: Sequence[Due], sizes: dict[tuple[str, str], int]) -> Iterator[tuple[Due, ...]]:
    """Neighbours together, up to `_AT_A_TIME` findings."""
    some: list[Due] = []
    held = 0
    for one in due:
        size = sizes[one.institution, one.delivery]
        if some and held + size > _AT_A_TIME:
            yield tuple(some)
            some, held = [], 0
        some.append(one)
        held += size
    if some:
        yield tuple(some)


def _write(piece: Piece) -> None:
    with redact_stage_errors(piece.workplace, "feedback"):
        write_some(piece.workplace.home.root, piece.due, piece.today, lake.read(piece.folder))
