"""The reports of all deliveries of a run: their inputs, and which of them changed.

Belongs here: gathering the inputs of all reports at once; skipping reports that are up to date.
Does not belong here: the content of a report (`report`), storing it (`write`), distributing them among processes
(`pipelines.assets.feedback_batches`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

from harmonia.feedback import report, up_to_date
from harmonia.feedback.figures import FIGURES, affected_figures, most_affected_figures
from harmonia.feedback.trend import SHOWN_AS, delivery_trends
from harmonia.feedback.write import NOT_LANDED, current_files, discard_report, report_key, rewrite_feedback, write_feedback
from pipelines.landing import LandedDelivery
from pipelines.resources import coded
from schemas.findings import rules
from sources import contract

_DELIVERY = ["institution", "delivery"]
_STATES = ["new", "remains", "fixed"]
PARTS = ("files", "findings", "figures", "trend")
Place = tuple[str, str]
Parts = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class DueReport:
    """The report of a delivery and its key, which changes whenever the report would."""

    institution: str
    delivery: str
    received: date | None
    key: str

    @property
    def language(self) -> str:
        """The language of the institution."""
        return contract.load(self.institution).language


def report_inputs(
    there: Sequence[LandedDelivery], record_status: Mapping[str, pd.DataFrame], found: pd.DataFrame, canonical: Mapping[str, pd.DataFrame]
) -> Parts:
    """The inputs of the reports of all deliveries, by name (`PARTS`), each with institution and delivery.

    there          the deliveries in the landing store
    record_status  `deliveries`, `files`, `accounting` of `pipelines.record_status`
    found          `harmonia.feedback.life.LIVED` and `answer`, texts coded (`pipelines.resources.coded`)
    canonical      as in `harmonia.feedback.figures.affected_figures`
    """
    files, asks = _file_frame(there, record_status), findings_to_report(found)
    inputs = (files, found, affected_figures(asks, canonical), delivery_trends(asks, record_status["accounting"]))
    return dict(zip(PARTS, inputs, strict=True))


def findings_to_report(found: pd.DataFrame) -> pd.DataFrame:
    """Select the findings that a report lists (a warning or worse, or fixed:

    a tenth of all), and convert their coded texts to plain texts.
    """
    return coded.decode_frame(found[(found["severity"] != "info") | (found["state"] == "fixed")])


def due_reports(
    home: Path, there: Sequence[LandedDelivery], received: Mapping[Place, date], today: date, deliveries: pd.DataFrame, parts: Parts
) -> list[DueReport]:
    """The report of every delivery in the landing store that this run has read (`deliveries`: institution, delivery).

    received: the day of receipt by delivery. parts: as `report_inputs` returns them.
    """
    read = set(deliveries[_DELIVERY].itertuples(index=False, name=None))
    places = [place for one in there if (place := (one.institution, str(one.name))) in read]
    hashes = up_to_date.content_hashes(*parts.values())
    out = []
    for place in places:
        language, day = contract.load(place[0]).language, received.get(place)
        out.append(DueReport(*place, day, report_key(home, *place, language, day, today, hashes.get(place, ""))))
    return out


def write_some(home: Path, due: Sequence[DueReport], today: date, parts: Parts) -> None:
    """Write the reports `due` unconditionally. parts: as `report_inputs` returns them, of these deliveries at least."""
    parts = {**parts, "findings": report.order_findings(parts["findings"])}
    rows = {name: rows_by_delivery(parts[name]) for name in PARTS}
    for one in due:
        place = (one.institution, one.delivery)
        files, mine, own, last = (parts[name].iloc[rows[name].get(place, [])].reset_index(drop=True) for name in PARTS)
        rewrite_feedback(
            home,
            *place,
            files.drop(columns=_DELIVERY),
            mine,
            one.language,
            one.received,
            today,
            one.key,
            figures=own[list(FIGURES)],
            foremost=most_affected_figures(own),
            trend=last.drop(columns=_DELIVERY).rename(columns=SHOWN_AS),
        )


def rows_by_delivery(frame: pd.DataFrame) -> dict[Place, np.ndarray]:
    """Return the row numbers of `frame` by delivery."""
    return cast("dict[Place, np.ndarray]", frame.groupby(_DELIVERY).indices)


def up_to_date_reports(home: Path, reports: Sequence[DueReport]) -> dict[Place, int]:
    """Return the number of files of each report that is up to date."""
    there = {(one.institution, one.delivery): current_files(home, one.institution, one.delivery, one.key) for one in reports}
    return {place: len(files) for place, files in there.items() if files}


def summarise_reports(
    reports: Sequence[DueReport], files: Mapping[Place, int], written: Collection[Place], found: pd.DataFrame
) -> pd.DataFrame:
    """institution, delivery, files (of the report), written (in this run), new, remains, fixed (findings)."""
    rows = [(*place, files.get(place, 0), place in written) for one in reports if (place := (one.institution, one.delivery))]
    by = [*_DELIVERY, "state"]
    counted = found.groupby(by, observed=True).size().rename("findings").reset_index().astype(dict.fromkeys(by, "str"))
    states = counted.set_index(by)["findings"].unstack(fill_value=0).reindex(columns=_STATES, fill_value=0)
    out = pd.DataFrame(rows, columns=[*_DELIVERY, "files", "written"]).merge(states.reset_index(), on=_DELIVERY, how="left")
    return out.fillna(dict.fromkeys(_STATES, 0)).astype(dict.fromkeys(_STATES, "int64"))


def received_files(there: Sequence[LandedDelivery]) -> pd.DataFrame:
    """The files of landed deliveries: institution, delivery, file, size, sha256."""
    rows = [(one.institution, str(one.name), f.name, f.size, f.path.name) for one in there for f in one.files]
    out = pd.DataFrame(rows, columns=[*_DELIVERY, "file", "size", "sha256"])
    return out.astype(dict.fromkeys([*_DELIVERY, "file", "sha256"], "str"))


def _file_frame(there: Sequence[LandedDelivery], record_status: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The files of all deliveries: institution, delivery, file, state, physical rows by record status, size and hash as landed, and the
    state of the delivery."""
    by = [*_DELIVERY, "file"]
    states = record_status["deliveries"][[*_DELIVERY, "state"]].rename(columns={"state": "delivery_state"})
    files = record_status["files"].merge(record_status["accounting"], on=by, how="left").merge(received_files(there), on=by, how="left")
    return files.merge(states, on=_DELIVERY, how="left")


def write_not_landed(home: Path, found: pd.DataFrame, landed: Collection[Place]) -> None:
    """Report what could not be landed: folders whose name is no quarter, stray files, deliveries without usable files (empty folder,
    links)."""
    whole = [code for code in rules() if code.startswith(("delivery-", "inbox-"))]
    inbox = coded.decode_frame(found[found["rule"].isin(whole) & found["institution"].notna()])
    nowhere = inbox[np.array([place not in landed for place in inbox[_DELIVERY].itertuples(index=False, name=None)], dtype="bool")]
    within = nowhere["delivery"].str.cat(nowhere["file"], sep="/").fillna(nowhere["delivery"])  # the page names no delivery
    nowhere = nowhere.assign(file=nowhere["file"].where(nowhere["delivery"].isna(), within))
    for institution in contract.institutions():
        mine = nowhere[nowhere["institution"] == institution]
        if len(mine):
            write_feedback(
                home, institution, NOT_LANDED, pd.DataFrame(columns=["file", "state"]), mine, contract.load(institution).language
            )
        else:
            discard_report(home, institution, NOT_LANDED)
