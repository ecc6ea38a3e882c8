"""From the victim protection office's export to the canonical schema: each object is a file, and its victim."""

from __future__ import annotations

import pandas as pd

from pipelines.harmonisation import builders
from pipelines.harmonisation.offences import OffenceColumns

INSTITUTION = "victim_protection"
OFFENCES: tuple[OffenceColumns, ...] = ()  # its records state the offence as a code
_CENTRE_ALONE = r"^\s*(?P<centre>\d{1,2})\s*[/\-]\s*(?P<serial>\d{1,6})\s*$"


def to_canonical(tables: dict[str, pd.DataFrame]) -> dict[str, list[pd.DataFrame]]:
    """`viktimat`, `statusi`, `sherbimet`, `seancat` (typed, with status) to rows of the canonical tables."""
    files, statuses, services, hearings = (tables[name] for name in ("viktimat", "statusi", "sherbimet", "seancat"))
    records = builders.state(INSTITUTION, files).assign(
        number=builders.own_number(files["nr_zmnv"], "victim_protection"),
        seat=builders.code_of("seats", files["zyra"]),
        form=files["forma"],
        words_group=files["vepra"],
        offence_group=files["vepra"].fillna("other"),
        period=files["_period"],
    )
    people = builders.persons(
        INSTITUTION,
        files,
        role="victim",
        given="viktima.emri",
        surname="viktima.mbiemri",
        parent="viktima.emri_prindit",
        number="viktima.nr_personal",
        born="viktima.datelindja",
        sex="viktima.gjinia",
        citizenship="viktima.shtetesia",
        residence="viktima.vendbanimi",
        year_of_impossible_day=False,
    )
    people["victim_status"] = _current(statuses, files)
    known = files["_key"].notna()
    stated = statuses[statuses["lloji"].notna()]
    attended = hearings[hearings["mbrojtesi_i_pranishem"] == "true"]
    return {
        "case_records": [records],
        "person_records": [people],
        "events": [
            builders.events(INSTITUTION, files, "supported", "hapur_me", entity="person", present=known),
            builders.events(INSTITUTION, files, "referred", "referimi.data", entity="person", present=known, outcome=files["referimi.nga"]),
            _entries(stated, stated["lloji"], _position(stated)),
            _entries(services, "assisted", _id(services), outcome=services["lloji"]),
            _entries(attended, "represented", _id(attended)),
        ],
        "references": [
            builders.references(INSTITUTION, files, "nr_policise", kind="police"),
            builders.references(INSTITUTION, files, "nr_pp", kind="prosecution"),
            builders.references(INSTITUTION, files.assign(nr_qps=_with_label(files["nr_qps"])), "nr_qps", kind="social_work"),
            builders.references(INSTITUTION, hearings, "nr_gjykates", kind="court"),
        ],
    }


def _entries(rows: pd.DataFrame, event: pd.Series | str, entry: pd.Series, outcome: pd.Series | None = None) -> pd.DataFrame:
    """Events of entries in the arrays of a file, each on its day."""
    there = rows["_record"].notna()
    return builders.events(INSTITUTION, rows, event, "data", entity="person", present=there, outcome=outcome, entry=entry)


def _id(rows: pd.DataFrame) -> pd.Series:
    """What identifies an entry in its file: its id, else its position."""
    return rows["id"].astype("str").where(rows["id"].notna(), _position(rows))


def _position(rows: pd.DataFrame) -> pd.Series:
    """Position of each entry in its file: entries are added, never removed."""
    return "#" + (rows.groupby(["_delivery", "_parent"], dropna=False).cumcount() + 1).astype("str")


def _current(statuses: pd.DataFrame, files: pd.DataFrame) -> pd.Series:
    """The current status of each file: of the entry with the latest day. An entry without a possible day counts with that before it."""
    possible = statuses["data"].where(statuses["data"] <= statuses["_period_end"])
    day = possible.groupby(statuses["_parent"]).ffill()
    ordered = statuses.assign(day=day).sort_values("day", kind="stable", na_position="first")
    latest = ordered.drop_duplicates("_parent", keep="last").set_index("_parent")["lloji"]
    return files["_row"].map(latest).astype("str")


def _with_label(text: pd.Series) -> pd.Series:
    """A number of a centre without its label (`05/117`) with it."""
    return text.str.replace(_CENTRE_ALONE, r"QPS/\g<centre>/\g<serial>", regex=True)
