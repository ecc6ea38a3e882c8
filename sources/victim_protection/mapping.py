"""Map the victim protection office's export to the canonical schema. Each object is a case file and its victim."""

from __future__ import annotations

import pandas as pd

from pipelines.harmonisation import builders
from pipelines.harmonisation.offences import OffenceColumns

INSTITUTION = "victim_protection"
OFFENCES: tuple[OffenceColumns, ...] = ()  # its records state the offence as a code
_CENTRE_ALONE = r"^\s*(?P<centre>\d{1,2})\s*[/\-]\s*(?P<serial>\d{1,6})\s*$"


def to_canonical(tables: dict[str, pd.DataFrame]) -> dict[str, list[pd.DataFrame]]:
    """Convert the delivered rows to rows of the canonical tables. Returns a list of frames for each canonical table.

    tables: the delivered tables `viktimat`, `statusi`, `sherbimet` and `seancat`, with parsed values and the record status of each row.
    """
    files, statuses, services, hearings = (tables[name] for name in ("viktimat", "statusi", "sherbimet", "seancat"))
    records = builders.build_key_columns(INSTITUTION, files).assign(
        number=builders.normalise_own_case_numbers(files["nr_zmnv"], "victim_protection"),
        seat=builders.find_code("seats", files["zyra"]),
        form=files["forma"],
        words_group=files["vepra"],
        offence_group=files["vepra"].fillna("other"),
        period=files["_period"],
    )
    people = builders.build_person_records(
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
    people["victim_status"] = _select_current_statuses(statuses, files)
    known = files["_key"].notna()
    stated = statuses[statuses["lloji"].notna()]
    attended = hearings[hearings["mbrojtesi_i_pranishem"] == "true"]
    return {
        "case_records": [records],
        "person_records": [people],
        "events": [
            builders.build_events(INSTITUTION, files, "supported", "hapur_me", entity="person", present=known),
            builders.build_events(
                INSTITUTION, files, "referred", "referimi.data", entity="person", present=known, outcome=files["referimi.nga"]
            ),
            _convert_entries_to_events(stated, stated["lloji"], _find_positions_of_entries(stated)),
            _convert_entries_to_events(services, "assisted", _identify_entries(services), outcome=services["lloji"]),
            _convert_entries_to_events(attended, "represented", _identify_entries(attended)),
        ],
        "references": [
            builders.build_references(INSTITUTION, files, "nr_policise", kind="police"),
            builders.build_references(INSTITUTION, files, "nr_pp", kind="prosecution"),
            builders.build_references(INSTITUTION, files.assign(nr_qps=_add_centre_label(files["nr_qps"])), "nr_qps", kind="social_work"),
            builders.build_references(INSTITUTION, hearings, "nr_gjykates", kind="court"),
        ],
    }


def _convert_entries_to_events(
    rows: pd.DataFrame, event: pd.Series | str, entry: pd.Series, outcome: pd.Series | None = None
) -> pd.DataFrame:
    """Convert the entries of an array in a case file to events, each on its day. entry: a text that identifies each entry within its
    file."""
    present = rows["_record"].notna()
    return builders.build_events(INSTITUTION, rows, event, "data", entity="person", present=present, outcome=outcome, entry=entry)


def _identify_entries(rows: pd.DataFrame) -> pd.Series:
    """Return a text that identifies each entry within its case file: its id or, without an id, its position."""
    return rows["id"].astype("str").where(rows["id"].notna(), _find_positions_of_entries(rows))


def _find_positions_of_entries(rows: pd.DataFrame) -> pd.Series:
    """Return the position of each entry in its case file, as text. It identifies the entry, since the institution adds entries but never
    removes any."""
    return "#" + (rows.groupby(["_delivery", "_parent"], dropna=False).cumcount() + 1).astype("str")


def _select_current_statuses(statuses: pd.DataFrame, files: pd.DataFrame) -> pd.Series:
    """Return the current status of the victim in each case file: the status with the latest day.

    An entry whose day is missing or impossible is treated as if it had the day of the entry above it.
    """
    possible = statuses["data"].where(statuses["data"] <= statuses["_period_end"])
    day = possible.groupby(statuses["_parent"]).ffill()
    ordered = statuses.assign(day=day).sort_values("day", kind="stable", na_position="first")
    latest = ordered.drop_duplicates("_parent", keep="last").set_index("_parent")["lloji"]
    return files["_row"].map(latest).astype("str")


def _add_centre_label(text: pd.Series) -> pd.Series:
    """Return numbers of a centre with their label: `05/117` becomes `QPS/05/117`."""
    return text.str.replace(_CENTRE_ALONE, r"QPS/\g<centre>/\g<serial>", regex=True)
