"""Find the figures (indicator and calendar quarter) that a finding affects or may affect.

Belongs here: finding the figures in which a record counts, from the institution's own records only. Does not belong here: counting
(`warehouse.count`); results of linkage, since harmonised figures, or dates of another institution, would disclose that institution's
data.

A finding on a record affects those indicators of the institution whose event happened to the record, to its case or to a person in it, in
the quarters of these events. A finding that concerns no such event (on a quarantined row, an unreadable date, a file or a delivery) may
affect every indicator of the institution, in the quarters of the delivered period.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.resources.encoded_texts import are_texts_in
from pipelines.resources.lake import read_as_arrow
from sources import contract as contracts
from sources.contract import DeliveryName
from sources.periods import Cadence, quarters_of
from warehouse.count.periods import find_period_of_each_day
from warehouse.indicators import Indicator, indicators

FIGURES = ("institution", "delivery", "finding", "indicator", "period")
_CASE, _RECORD = ["institution", "case_key"], ["institution", "record_key"]


def find_affected_figures(findings: pd.DataFrame, canonical: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Find the figures that each open finding affects, if it is a warning or worse. Columns out: `FIGURES`.

    findings: columns `harmonia.feedback.finding_states.COLUMNS_WITH_STATE`. canonical: `case_records`, `person_records`, `events` of
    `schemas.canonical`.
    """
    asks = findings[(findings["severity"] != "info") & ~findings["state"].isin(["fixed", "accepted_as_is"])]
    asks = asks.drop_duplicates(["institution", "delivery", "finding"])
    own_records = _OwnRecords.from_findings(asks, canonical)
    rows = pd.concat([_select_counted_records(indicator, own_records) for indicator in indicators().values()], ignore_index=True)
    exact = _find_figures_of_findings(asks, rows)
    rest = asks[~asks.index.isin(exact["at"])]
    names = {name: DeliveryName.parse(name) for name in rest["delivery"].dropna().unique()}
    rest = rest.assign(period=rest["delivery"].map({name: quarters_of(one.period) for name, one in names.items() if one})).explode("period")
    counting = pd.DataFrame(
        [(name, i.code) for i in indicators().values() for name in i.institutions], columns=["institution", "indicator"]
    )
    every = pd.concat([exact, rest.merge(counting, on="institution")], ignore_index=True)[list(FIGURES)]
    return every.dropna(subset=["period"]).drop_duplicates(ignore_index=True)


@dataclass(frozen=True)
class _OwnRecords:
    """The accepted records that have findings or whose case file has findings, and the dated events of these records.

    records: maps the entity (`case` or `person`) to its records, with institution, record_key and case_key; persons also have a role.
    events: the events, with institution, record_key, case_key, entity, event, date, and period (the calendar quarter, or another period
    if the institution's cadence is used).
    """

    records: Mapping[str, pd.DataFrame]
    events: pd.DataFrame

    @classmethod
    def from_findings(cls, open_findings: pd.DataFrame, canonical: Mapping[str, pd.DataFrame]) -> _OwnRecords:
        """Select the records and events that findings concern. canonical: as for `find_affected_figures`."""
        record_keys = _join_institution_and_key(open_findings, "record_key").dropna().drop_duplicates()
        keys = open_findings["record_key"].dropna().drop_duplicates()
        records = {}
        for entity, more in (("case", ()), ("person", ("role",))):
            every = _select_accepted_rows(canonical, f"{entity}_records", (*_RECORD, "case_key", *more), keys, keys)
            records[entity] = every[
                are_texts_in(_join_institution_and_key(every, "record_key"), record_keys)
                | are_texts_in(_join_institution_and_key(every, "case_key"), record_keys)
            ]
        both = pd.concat(records.values())
        columns = (*_RECORD, "case_key", "entity", "event", "date")
        events = _select_accepted_rows(
            canonical, "events", columns, both["record_key"].drop_duplicates(), both["case_key"].dropna().drop_duplicates()
        )
        of_them = are_texts_in(
            _join_institution_and_key(events, "case_key"), _join_institution_and_key(both, "case_key").dropna().drop_duplicates()
        )
        of_them |= are_texts_in(
            _join_institution_and_key(events, "record_key"), _join_institution_and_key(both, "record_key").drop_duplicates()
        )
        events = events[of_them & events["date"].notna()]
        return cls(records, _add_periods(events, "quarterly"))


def _select_accepted_rows(
    canonical: Mapping[str, pd.DataFrame], name: str, columns: Sequence[str], record_keys: pd.Series, case_keys: pd.Series
) -> pd.DataFrame:
    """Select the accepted rows of the canonical table `name` that have one of the record keys or one of the case keys.

    Rows of other institutions that happen to have the same keys are also selected.
    """
    rows = read_as_arrow(canonical, name, (*columns, "status"))
    alike = [
        pc.is_in(rows[column].cast(pa.string()), value_set=pa.array(keys, pa.string()))
        for column, keys in (("record_key", record_keys), ("case_key", case_keys))
    ]
    accepted = rows.filter(pc.and_(pc.equal(rows["status"], "accepted"), pc.or_(*alike)))
    return accepted.select(list(columns)).to_pandas(date_as_object=False)


def _join_institution_and_key(rows: pd.DataFrame, column: str) -> pd.Series:
    """Return for each row the institution and the key in `column`, joined to one text."""
    return rows["institution"] + "\0" + rows[column]


def _select_counted_records(indicator: Indicator, own_records: _OwnRecords) -> pd.DataFrame:
    """Select the records that institutions would count for `indicator` by their own records alone.

    Columns out: institution, entity, record_key, case_key, indicator, period.
    """
    rules = indicator.rows
    records = own_records.records[rules.record]
    records = records[records["institution"].isin(indicator.institutions)]
    if rules.roles:
        records = records[records["role"].isin(rules.roles)]
    events = own_records.events[own_records.events["event"] == rules.event]
    of_file = events[events["entity"] == "case"] if rules.of == "case" or rules.record == "case" or rules.covers_file else events.iloc[:0]
    of_record = events[events["entity"] == rules.record]
    both = [
        records[["institution", "record_key", "case_key"]].merge(dated[[*key, "period"]].drop_duplicates(), on=key)
        for dated, key in ((of_file, _CASE), (of_record, _RECORD))
    ]
    return pd.concat(both, ignore_index=True).drop_duplicates().assign(entity=rules.record, indicator=indicator.code)


def _find_figures_of_findings(open_findings: pd.DataFrame, counted_records: pd.DataFrame) -> pd.DataFrame:
    """Return the findings on records that count in figures, one row per finding and figure. Columns out: `FIGURES` and `at`, their index.

    A finding on a case also affects the figures in which the persons of the case count.
    """
    entity = open_findings["part"].map(_map_tables_to_entities())
    records = open_findings.assign(at=open_findings.index, asked=entity)[
        ["at", "institution", "delivery", "finding", "record_key", "asked"]
    ]
    records = records.dropna(subset=["record_key"])
    counted = records.merge(counted_records, on=_RECORD)
    counted = counted[counted["asked"].isna() | (counted["asked"] == counted["entity"])]
    cases = records[records["asked"].isna() | (records["asked"] == "case")].rename(columns={"record_key": "case_key"})
    return pd.concat([counted, cases.merge(counted_records, on=_CASE)], ignore_index=True)[["at", *FIGURES]].drop_duplicates()


def _map_tables_to_entities() -> dict[str, str]:
    """Return for each table that an institution delivers whether its rows are records of a `case` or of a `person`.

    For a table of further data, this is the entity of its parent table. It is needed because tables may have the same record keys.
    """
    out = {}
    for name in contracts.institutions():
        tables = contracts.load(name).tables
        for table, spec in tables.items():
            owner = spec
            while not owner.entity and owner.parent:
                owner = tables[owner.parent]
            if owner.entity in ("case", "person"):
                out[table] = str(owner.entity)
    return out


def count_own_records(institution: str, canonical: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Count the records that an institution would count by its own records alone.

    Dates are not imputed, and records of other institutions are not linked. canonical: the canonical tables, with any number of the
    institution's deliveries. Columns out: indicator, period (month, quarter, …, as the institution delivers), n.
    """
    frames = {name: canonical[f"{name}_records"] for name in ("case", "person")}
    records = {name: frame[(frame["institution"] == institution) & (frame["status"] == "accepted")] for name, frame in frames.items()}
    events = canonical["events"]
    events = events[(events["institution"] == institution) & (events["status"] == "accepted") & events["date"].notna()]
    dated = _add_periods(events, contracts.load(institution).cadence)
    columns = ["entity", "indicator", "period", "record_key"]
    rows = [
        _select_counted_records(one, _OwnRecords(records, dated))[columns]
        for one in indicators().values()
        if institution in one.institutions
    ]
    every = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=columns)
    return every.drop_duplicates().groupby(["indicator", "period"]).size().rename("n").reset_index()


def _add_periods(events: pd.DataFrame, cadence: Cadence) -> pd.DataFrame:
    """Add the column `period`: the period of this cadence that contains the date of the event."""
    return events.assign(period=find_period_of_each_day(pd.to_datetime(events["date"]), cadence))


def find_most_affected_figures(figures: pd.DataFrame, max_figures: int = 3) -> pd.DataFrame:
    """Return the figures that are affected by most findings, at most `max_figures` of them.

    Columns out: indicator, period, findings (number of findings that affect the figure).
    """
    counted = figures.groupby(["indicator", "period"])["finding"].nunique().rename("findings").reset_index()
    counted["order"] = counted["indicator"].map({code: i.order for code, i in indicators().items()})
    top = counted.sort_values(["findings", "period", "order"], ascending=[False, False, True])
    return top.head(max_figures).drop(columns="order").reset_index(drop=True)
