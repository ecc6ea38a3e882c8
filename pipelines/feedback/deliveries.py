"""The reports of all deliveries of a run: which of them changed, and what each is made of.

Belongs here: putting together, for all deliveries in one go, what their reports are made of; leaving alone those that say it already.
Does not belong here: what stands in a report (`report`), storing it (`write`), sharing them among processes
(`pipelines.assets.reporting`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

from pipelines.feedback import report, up_to_date
from pipelines.feedback.figures import FIGURES, foremost, moved
from pipelines.feedback.trend import SHOWN_AS, trends
from pipelines.feedback.write import NOT_TAKEN, discard, key_for, left_alone, write_anew, write_feedback
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
class Due:
    """The report of a delivery under its key: it changes when anything would be said otherwise."""

    institution: str
    delivery: str
    received: date | None
    key: str

    @property
    def language(self) -> str:
        """The institution's own."""
        return contract.load(self.institution).language


def contents(
    there: Sequence[LandedDelivery], record_status: Mapping[str, pd.DataFrame], found: pd.DataFrame, canonical: Mapping[str, pd.DataFrame]
) -> Parts:
    """What the reports of all deliveries are made of, by name (`PARTS`), each with institution and delivery.

    there      the deliveries that lie in the landing store
    standing   `deliveries`, `files`, `accounting` of `pipelines.current`
    found      `pipelines.feedback.life.LIVED` and `answer`, texts coded (`pipelines.resources.coded`)
    canonical  as in `pipelines.feedback.figures.moved`
    """
    came, asks = _files(there, record_status), asking(found)
    made_of = (came, found, moved(asks, canonical), trends(asks, record_status["accounting"]))
    return dict(zip(PARTS, made_of, strict=True))


def asking(found: pd.DataFrame) -> pd.DataFrame:
    """Of findings with coded texts those that are no information, and those that are gone, as plain ones: a tenth of all."""
    return coded.plain(found[(found["severity"] != "info") | (found["state"] == "fixed")])


def reports_of(
    home: Path, there: Sequence[LandedDelivery], received: Mapping[Place, date], today: date, deliveries: pd.DataFrame, parts: Parts
) -> list[Due]:
    """The report of every delivery in the landing store that this run has read (`deliveries`: institution, delivery); others came since.

    received: the day of each one's receipt. parts: as `contents` gives them.
    """
    read = set(deliveries[_DELIVERY].itertuples(index=False, name=None))
    places = [place for one in there if (place := (one.institution, str(one.name))) in read]
    hashes = up_to_date.contents(*parts.values())
    out = []
    for place in places:
        language, day = contract.load(place[0]).language, received.get(place)
        out.append(Due(*place, day, key_for(home, *place, language, day, today, hashes.get(place, ""))))
    return out


def write_some(home: Path, due: Sequence[Due], today: date, parts: Parts) -> None:
    """Write the reports `due`, whatever is there. parts: as `contents` gives them, of these deliveries at least."""
    parts = {**parts, "findings": report.ordered(parts["findings"])}
    rows = {name: rows_by_delivery(parts[name]) for name in PARTS}
    for one in due:
        place = (one.institution, one.delivery)
        files, mine, own, last = (parts[name].iloc[rows[name].get(place, [])].reset_index(drop=True) for name in PARTS)
        write_anew(
            home,
            *place,
            files.drop(columns=_DELIVERY),
            mine,
            one.language,
            one.received,
            today,
            one.key,
            figures=own[list(FIGURES)],
            foremost=foremost(own),
            trend=last.drop(columns=_DELIVERY).rename(columns=SHOWN_AS),
        )


def rows_by_delivery(frame: pd.DataFrame) -> dict[Place, np.ndarray]:
    """The numbers of the rows of each delivery."""
    return cast("dict[Place, np.ndarray]", frame.groupby(_DELIVERY).indices)


def standing_reports(home: Path, reports: Sequence[Due]) -> dict[Place, int]:
    """Of the reports that are there as they were written under their key: how many files."""
    there = {(one.institution, one.delivery): left_alone(home, one.institution, one.delivery, one.key) for one in reports}
    return {place: len(files) for place, files in there.items() if files}


def summary(reports: Sequence[Due], files: Mapping[Place, int], written: Collection[Place], found: pd.DataFrame) -> pd.DataFrame:
    """institution, delivery, files (of the report), written (made anew), new, remains, fixed (findings)."""
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


def _files(there: Sequence[LandedDelivery], record_status: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The files of all deliveries: institution, delivery, file, state, physical rows by what became of them, size and hash as landed, and
    the state of the delivery."""
    by = [*_DELIVERY, "file"]
    states = record_status["deliveries"][[*_DELIVERY, "state"]].rename(columns={"state": "delivery_state"})
    files = record_status["files"].merge(record_status["accounting"], on=by, how="left").merge(received_files(there), on=by, how="left")
    return files.merge(states, on=_DELIVERY, how="left")


def write_not_taken(home: Path, found: pd.DataFrame, landed: Collection[Place]) -> None:
    """What an institution put where no delivery is (a folder whose name is no quarter, a stray file), or as a delivery of which nothing
    could be landed (an empty folder, links), is told to it, too."""
    whole = [code for code in rules() if code.startswith(("delivery-", "inbox-"))]
    told = coded.plain(found[found["rule"].isin(whole) & found["institution"].notna()])
    nowhere = told[np.array([place not in landed for place in told[_DELIVERY].itertuples(index=False, name=None)], dtype="bool")]
    within = nowhere["delivery"].str.cat(nowhere["file"], sep="/").fillna(nowhere["delivery"])  # its page names no delivery
    nowhere = nowhere.assign(file=nowhere["file"].where(nowhere["delivery"].isna(), within))
    for institution in contract.institutions():
        mine = nowhere[nowhere["institution"] == institution]
        if len(mine):
            write_feedback(home, institution, NOT_TAKEN, pd.DataFrame(columns=["file", "state"]), mine, contract.load(institution).language)
        else:
            discard(home, institution, NOT_TAKEN)
