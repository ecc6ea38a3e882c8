"""Load the records that an explanation shows, with their content and where they were delivered.

Belongs here: which state of a record is shown; its delivery, file and line; its dates, cited numbers and offence. Does not belong here:
links between records.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from harmonia.explain.labels import format_day, format_value
from harmonia.explain.published import Key, PublishedHome
from schemas.canonical import remove_confidential_events

_STATUS = ("accepted", "superseded", "withdrawn", "quarantined")


@dataclass(frozen=True)
class Record:
    """A record in one of its states: the accepted state or, if it has none, the latest.

    values: the canonical columns. delivery, file, line, status: of the shown state. states: how many states were delivered. offence: its
    offence group. dates: its events with their dates. references: the numbers that its case file cites.
    """

    key: Key
    case_key: str
    values: dict[str, object]
    delivery: str
    file: str
    line: str
    status: str
    states: int
    case_id: str
    offence: str
    dates: tuple[str, ...]
    references: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name of the record, `institution:key`."""
        return f"{self.key[0]}:{self.key[1]}"

    def get_text(self, column: str) -> str:
        """Return the value of a canonical column as text; empty if it is missing."""
        value = self.values.get(column)
        return format_day(value) if column.endswith("_date") else format_value(value)


def load_records(home: PublishedHome, entity: str, keys: Sequence[Key]) -> list[Record]:
    """Load the records with these keys, in the order of the keys. A record that is not in the lake is left out.

    entity: `case` or `person`, the kind of the records.
    """
    table = home.canonical["person_records" if entity == "person" else "case_records"]
    states = _select_rows_with_keys(table, keys, "record_key")
    locations = _find_locations_of_record_states(home, entity, keys)
    case_keys = [(str(i), str(k)) for i, k in states[["institution", "case_key"]].drop_duplicates().itertuples(index=False)]
    files, charges = (
        _select_rows_with_keys(home.canonical["case_records"], case_keys, "record_key"),
        _select_rows_with_keys(home.canonical["charges"], case_keys, "case_key"),
    )
    events, references = (
        remove_confidential_events(_select_rows_with_keys(home.canonical["events"], case_keys, "case_key")),
        _select_rows_with_keys(home.canonical["references"], case_keys, "case_key"),
    )
    out = []
    for key in keys:
        states_of_record = _sort_best_state_first(states[(states["institution"] == key[0]) & (states["record_key"] == key[1])])
        if states_of_record.empty:
            continue
        shown = states_of_record.iloc[0]
        case_key, delivery = format_value(shown["case_key"]), format_value(shown["delivery"])
        delivered_key = home.restore_delivered_key(key)
        location = locations.get((*delivered_key, delivery), ("", "", ""))
        out.append(
            Record(
                key=key,
                case_key=case_key,
                values=dict(shown),
                delivery=delivery,
                file=location[0],
                line=location[1],
                status=format_value(shown["status"]),
                states=len(states_of_record),
                case_id=location[2] or next((p[2] for k, p in locations.items() if k[:2] == delivered_key), ""),
                offence=_find_offence_of_record(key, case_key, files, charges, entity),
                dates=_list_event_dates(events[events["institution"] == key[0]], key[1], case_key, entity),
                references=_list_cited_numbers(references[(references["institution"] == key[0]) & (references["case_key"] == case_key)]),
            )
        )
    return out


def _select_rows_with_keys(table: pd.DataFrame, keys: Sequence[Key], column: str) -> pd.DataFrame:
    if not keys:
        return table.iloc[:0]
    requested = pd.MultiIndex.from_tuples(list(keys))
    return table[pd.MultiIndex.from_frame(table[["institution", column]]).isin(requested)]


def _sort_best_state_first(states: pd.DataFrame) -> pd.DataFrame:
    """Sort the states of records by status, accepted first; with equal status, the latest delivery first."""
    rank = states["status"].map({name: n for n, name in enumerate(_STATUS)})
    return states.assign(rank=rank).sort_values(["rank", "delivery"], ascending=[True, False], kind="stable").drop(columns="rank")


def _find_locations_of_record_states(
    home: PublishedHome, entity: str, keys: Sequence[Key]
) -> dict[tuple[str, str, str], tuple[str, str, str]]:
    """Return where each state of the records was delivered.

    The result maps institution, record key and delivery to the file (with its sheet or table), the line number and the case_id.
    """
    names = [home.restore_delivered_key(key)[1] for key in keys]
    rows = home.query(
        "SELECT institution, record_key, delivery, file, part, line, case_id, status FROM lineage "
        "WHERE entity = ? AND record_key IN (SELECT unnest(?::VARCHAR[])) ORDER BY status = 'accepted', delivery",
        [entity, names],
    )
    return {
        (row["institution"], row["record_key"], row["delivery"]): (
            " · ".join(filter(None, (format_value(row["file"]), format_value(row["part"])))),
            "" if pd.isna(row["line"]) else str(int(row["line"])),
            format_value(row["case_id"]),
        )
        for row in rows.to_dict("records")
    }


def _find_offence_of_record(key: Key, case_key: str, files: pd.DataFrame, charges: pd.DataFrame, entity: str) -> str:
    """Return the offence group of the first charge of a record, accepted charges first; if it has no charge, that of its case file."""
    charges_of_case = charges[(charges["institution"] == key[0]) & (charges["case_key"] == case_key)]
    if entity == "person":
        own_charges = charges_of_case[charges_of_case["record_key"] == key[1]]
        charges_of_case = own_charges if len(own_charges) else charges_of_case
    ordered = _sort_best_state_first(charges_of_case)
    if ordered.empty:
        ordered = _sort_best_state_first(files[(files["institution"] == key[0]) & (files["record_key"] == case_key)])
    if ordered.empty:
        return ""
    row = ordered.iloc[0]
    article = " ".join(filter(None, (format_value(row["law"]), format_value(row["article"]))))
    return format_value(row["offence_group"]).replace("_", " ") + (f" ({article})" if article else "")


def _list_event_dates(events: pd.DataFrame, key: str, case_key: str, entity: str) -> tuple[str, ...]:
    """List the events of a record with their delivered dates, sorted by date. For a person, the events of the case file are included."""
    events_of_record = events[events["record_key"] == key]
    if entity == "person":
        events_of_record = pd.concat([events_of_record, events[(events["entity"] == "case") & (events["record_key"] == case_key)]])
    events_of_record = (
        _sort_best_state_first(events_of_record).dropna(subset=["date"]).drop_duplicates("event").sort_values("date", kind="stable")
    )
    return tuple(
        f"{name} {format_day(date)}"
        for name, date in zip(events_of_record["event"].str.replace("_", " "), events_of_record["date"], strict=True)
    )


def _list_cited_numbers(rows: pd.DataFrame) -> tuple[str, ...]:
    """List the numbers that a case file cites; numbers from accepted states come first."""
    return tuple(dict.fromkeys(_sort_best_state_first(rows)["number"].dropna().astype(str)))
