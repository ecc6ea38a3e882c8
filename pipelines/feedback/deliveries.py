"""The reports of all deliveries of a run: which of them changed, and what each is made of.

Belongs here: putting together, for all deliveries in one go, what their reports are made of; leaving alone those that say it already.
Does not belong here: what stands in a report (`report`), storing it (`write`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import pandas as pd

from pipelines.feedback import made
from pipelines.feedback.figures import FIGURES, foremost, moved
from pipelines.feedback.trend import SHOWN_AS, trends
from pipelines.feedback.write import NOT_TAKEN, discard, key_for, left_alone, write_anew, write_feedback
from pipelines.landing import LandedDelivery
from sources import contract

_DELIVERY = ["institution", "delivery"]
_STATES = ["new", "remains", "fixed"]
Place = tuple[str, str]


def write_reports(
    home: Path,
    there: Sequence[LandedDelivery],
    received: Mapping[Place, date],
    today: date,
    standing: Mapping[str, pd.DataFrame],
    found: pd.DataFrame,
    canonical: Mapping[str, pd.DataFrame],
) -> pd.DataFrame:
    """Write the report of every delivery whose report would say something else than the one that is there.

    there, received  the deliveries that lie in the landing store, and the day of each one's receipt
    standing         `deliveries`, `files`, `accounting` of `pipelines.current`
    found            `pipelines.feedback.life.LIVED` and `answer`
    canonical        as in `pipelines.feedback.figures.moved`

    Returns institution, delivery, files (of the report), written (made anew), new, remains, fixed (findings).
    """
    read = set(standing["deliveries"][_DELIVERY].itertuples(index=False, name=None))
    places = [place for one in there if (place := (one.institution, str(one.name))) in read]  # others came since: the next run's
    came = _files([one for one in there if (one.institution, str(one.name)) in read], standing)
    parts = {"files": came, "findings": found, "figures": moved(found, canonical), "trend": trends(found, standing["accounting"])}
    contents, of = made.contents(*parts.values()), {name: dict(list(frame.groupby(_DELIVERY))) for name, frame in parts.items()}
    rows = []
    for place in places:
        language, day = contract.load(place[0]).language, received.get(place)
        key = key_for(home, *place, language, day, today, contents.get(place, ""))
        if there_already := left_alone(home, *place, key):
            rows.append((*place, len(there_already), False))
            continue
        files, mine, own, last = (of[name].get(place, frame.iloc[:0]) for name, frame in parts.items())
        written = write_anew(
            home,
            *place,
            files.drop(columns=_DELIVERY),
            mine,
            language,
            day,
            today,
            key,
            figures=own[list(FIGURES)],
            foremost=foremost(own),
            trend=last.drop(columns=_DELIVERY).rename(columns=SHOWN_AS),
        )
        rows.append((*place, len(written), True))
    _not_taken(home, found)
    states = found.groupby([*_DELIVERY, "state"]).size().unstack(fill_value=0).reindex(columns=_STATES, fill_value=0)
    out = pd.DataFrame(rows, columns=[*_DELIVERY, "files", "written"]).merge(states.reset_index(), on=_DELIVERY, how="left")
    return out.fillna(dict.fromkeys(_STATES, 0)).astype(dict.fromkeys(_STATES, "int64"))


def received_files(there: Sequence[LandedDelivery]) -> pd.DataFrame:
    """The files of landed deliveries: institution, delivery, file, size, sha256."""
    rows = [(one.institution, str(one.name), f.name, f.size, f.path.name) for one in there for f in one.files]
    out = pd.DataFrame(rows, columns=[*_DELIVERY, "file", "size", "sha256"])
    return out.astype(dict.fromkeys([*_DELIVERY, "file", "sha256"], "str"))


def _files(there: Sequence[LandedDelivery], standing: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The files of all deliveries: institution, delivery, file, state, physical rows by what became of them, size and hash as landed."""
    by = [*_DELIVERY, "file"]
    return standing["files"].merge(standing["accounting"], on=by, how="left").merge(received_files(there), on=by, how="left")


def _not_taken(home: Path, found: pd.DataFrame) -> None:
    """What an institution put where no delivery is (a folder whose name is no quarter, a stray file) is told to it, too."""
    for institution in contract.institutions():
        mine = found[(found["institution"] == institution) & found["delivery"].isna()]
        if len(mine):
            write_feedback(home, institution, NOT_TAKEN, pd.DataFrame(columns=["file", "state"]), mine, contract.load(institution).language)
        else:
            discard(home, institution, NOT_TAKEN)
