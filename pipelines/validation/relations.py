"""Faults between rows or tables of one delivery: in the keys, parent rows and charges that the contract declares.

Does not belong here: the order of dates, and other relations between cells of one row, which are pandera checks in `schemas/exports`.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

import pandas as pd

from pipelines.harmonisation import code_lists, dates, personal_numbers
from pipelines.harmonisation.offences import OffenceColumns, classify_offences, rank_by_seriousness
from sources.contract import Contract, TableSpec

FaultInColumn = tuple[str, str | None, pd.Index]


def find_faults_within_table(spec: TableSpec, frame: pd.DataFrame) -> Iterator[FaultInColumn]:
    """Yield the faults between rows of one table in the same delivery. Each has a rule, a field and the index of the rows."""
    if not spec.key or frame.empty:
        return
    key = ["_delivery", "_key"]
    repeated = frame["_key"].notna() & frame.duplicated(key, keep=False)
    if repeated.any():
        contents = frame[repeated].groupby(key)["_content"].transform("nunique")
        yield "cross-duplicate-identical", None, contents.index[(contents == 1) & frame[repeated].duplicated(key)]
        yield "cross-duplicate-different", None, contents.index[contents > 1]
    yield from _find_repeated_persons(spec, frame, repeated)


def _find_repeated_persons(spec: TableSpec, frame: pd.DataFrame, repeated: pd.Series) -> Iterator[FaultInColumn]:
    """Find persons who are in the same case twice, with the same personal number but different keys."""
    column = next((c.name for c in spec.columns if c.type == "personal_number"), None)
    if spec.entity != "person" or column is None:
        return
    number = personal_numbers.parse_personal_numbers(frame[column])["number"]
    pair = pd.DataFrame({"delivery": frame["_delivery"], "case": frame["_case"], "number": number})
    hit = pair["number"].notna() & pair.duplicated(keep=False) & ~repeated
    if hit.any():
        yield "cross-person-twice-in-case", column, hit.index[hit]


def find_faults_between_tables(contract: Contract, tables: dict[str, pd.DataFrame]) -> Iterator[tuple[str, str, str | None, pd.Index]]:
    """Yield the faults between tables of the same delivery. Each has a table, a rule, a field and the index of the rows."""
    for name, spec in contract.tables.items():
        frame = tables[name]
        if spec.parent and len(frame):
            without_parent = frame["_parent"].isna() | ~frame["_parent"].isin(tables[spec.parent]["_row"])
            if without_parent.any():
                yield name, "cross-parent-missing", spec.via[-1] if spec.via else None, without_parent.index[without_parent]
        if spec.parent and spec.expected:
            alone = ~tables[spec.parent]["_row"].isin(frame["_parent"])
            yield spec.parent, "cell-empty", name, alone.index[alone]
        if spec.parent and spec.entity == "person":
            parents = tables[spec.parent]
            has_person = pd.MultiIndex.from_frame(parents[["_delivery", "_key"]]).isin(
                pd.MultiIndex.from_frame(frame[["_delivery", "_case"]])
            )
            empty = parents["_key"].notna() & ~has_person
            if empty.any():
                yield spec.parent, "cross-case-without-person", None, empty.index[empty]
    yield from _find_persons_dated_before_case(contract, tables)
    for offence_columns in import_module(f"sources.{contract.institution}.mapping").OFFENCES:
        for rule, field, index in _find_faults_of_articles_and_words(tables[offence_columns.table], offence_columns):
            yield offence_columns.table, rule, field, index
        if offence_columns.law and not offence_columns.days:
            early = _find_charges_under_later_code(contract, tables, offence_columns)
            if len(early):
                yield offence_columns.table, "cell-article-not-in-force", offence_columns.article, early


def _find_case_table(contract: Contract, table: str) -> TableSpec:
    """Return the table of cases to which the rows of `table` belong, directly or through another table.

    If `table` depends on no other table, return the table itself.
    """
    spec = contract.tables[table]
    return _find_case_table(contract, spec.parent) if spec.parent and spec.entity != "case" else spec


def _find_days_of_cases(contract: Contract, tables: dict[str, pd.DataFrame], table: str, column: str) -> pd.Series:
    """Return, for each row of `table`, the day that its case has in `column`, in the same delivery; null if there is none.

    If only the month is known, the first day of the month is returned.
    """
    cases = tables[_find_case_table(contract, table).name].drop_duplicates(["_delivery", "_key"], keep="last")
    days = dates.find_first_possible_day(cases[column], cases[f"{column}:precision"])
    days = days.set_axis(pd.MultiIndex.from_frame(cases[["_delivery", "_key"]]))
    rows = tables[table]
    return pd.Series(days.reindex(pd.MultiIndex.from_frame(rows[["_delivery", "_case"]])).to_numpy(), index=rows.index)


def _find_persons_dated_before_case(contract: Contract, tables: dict[str, pd.DataFrame]) -> Iterator[tuple[str, str, str | None, pd.Index]]:
    """Find rows with a day that is earlier than the day of their case permits (`not_before` of the contract)."""
    for name, spec in contract.tables.items():
        for column in spec.columns:
            if column.not_before and len(tables[name]):
                floor = _find_days_of_cases(contract, tables, name, column.not_before) - pd.Timedelta(days=column.not_before_days)
                early = dates.find_last_possible_day(tables[name][column.name], tables[name][f"{column.name}:precision"]) < floor
                if early.any():
                    yield name, "cross-before-case", column.name, early.index[early]


def _find_charges_under_later_code(contract: Contract, tables: dict[str, pd.DataFrame], offence_columns: OffenceColumns) -> pd.Index:
    """Find charges under a code that came into force after the case was opened, and therefore after the offence."""
    opened = next(
        (c.name for c in _find_case_table(contract, offence_columns.table).columns if c.type == "date" and c.event and c.required), None
    )
    frame = tables[offence_columns.table]
    if opened is None or frame.empty:
        return frame.index[:0]
    began = pd.to_datetime(
        frame[offence_columns.law].map(code_lists.read_code_list("laws").set_index("code")["valid_from"]), format="ISO8601", errors="coerce"
    )
    early = began > _find_days_of_cases(contract, tables, offence_columns.table, opened)
    return early.index[early]


def _find_faults_of_articles_and_words(frame: pd.DataFrame, offence_columns: OffenceColumns) -> Iterator[FaultInColumn]:
    """Find articles that are unknown or were not in force, words that contradict the article, and wrong principal offences."""
    if frame.empty:
        return
    classified = classify_offences(frame, offence_columns)
    problem = classified["problem"]
    not_in_force = problem == "not_in_force"
    if not_in_force.any():
        yield "cell-article-not-in-force", offence_columns.article, frame.index[not_in_force]
    unknown = problem.isin(["unknown_code", "unknown_article"])
    if unknown.any():
        yield "cell-article-unknown", offence_columns.article, frame.index[unknown]
    both = classified["article_group"].notna() & classified["words_group"].notna()
    disagree = both & (classified["article_group"] != classified["words_group"])
    if disagree.any():
        yield "cross-words-disagree", offence_columns.words or offence_columns.article, frame.index[disagree]
    if offence_columns.principal:
        marked = (frame[offence_columns.principal] == "true").groupby([frame["_delivery"], frame["_record"]]).transform("sum")
        if (marked != 1).any():
            yield "cross-principal-not-single", offence_columns.principal, frame.index[marked != 1]
        rank = rank_by_seriousness(classified["offence_group"])
        worst = rank.groupby([frame["_delivery"], frame["_record"]]).transform("min")
        lesser = (frame[offence_columns.principal] == "true") & (rank > worst)
        if lesser.any():
            yield "cross-principal-not-most-serious", offence_columns.principal, frame.index[lesser]
