"""By what is known again all that counting reads of a record: a 64-bit number.

Belongs here: which columns count of each table, and what deliveries and other files add to what a row means. Does not belong here: which
records stand together (`apart`), what is kept of those that are known again.

Numbers are sums (modulo 2**64) of one hash a row, so that the order of rows does not matter and those of several records add up to that of
their group. They are the same in every run of one version of DuckDB.
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb
import pandas as pd

from schemas.canonical import TABLES
from sources import contract
from warehouse.count.inputs import KEY, NAMES, blind_periods
from warehouse.loading import Rows, show

# What a record key names: a case and a person of one institution may have the same number.
_ENTITY = {"case_records": "'case'", "person_records": "'person'", "events": "entity"}
_OTHERWISE = "CASE WHEN record_key = coalesce(case_key, record_key) THEN 'case' ELSE 'person' END"
_MORE = {
    "events": ["blind.period IS NOT NULL", "whole.period IS NOT NULL"],
    "references": ["bearer.number IS NOT NULL"],
}
"""What else a row means: whether its delivery tells when a thing first appeared, whether the quarter of its date was delivered (both as in
`warehouse.count.inputs.Standing`), whether a file bears the number that it cites."""
_BESIDE = {
    "events": """LEFT JOIN blind USING (institution, period)
        LEFT JOIN whole ON whole.institution = rows.institution AND whole.period = year(rows.date) || '-Q' || quarter(rows.date)""",
    "references": """LEFT JOIN cited ON cited.kind = rows.kind
        LEFT JOIN bearer ON bearer.institution = cited.institution AND bearer.number = rows.number""",
}


def printed(canonical: Mapping[str, Rows], deliveries: pd.DataFrame) -> pd.DataFrame:
    """How many rows of all tables have the same keys, and what they hold, as one number.

    canonical  every table of `schemas.canonical.TABLES`; deliveries as in `warehouse.count.CountInputs`
    Columns out: institution, entity (case or person: what record_key names; a number may name both), record_key, case_key, rows, print.
    """
    whole = deliveries.loc[deliveries["state"] == "complete", ["institution", "period"]].drop_duplicates()
    with duckdb.connect() as connection:
        for name in TABLES:
            show(connection, name, canonical[name])
        connection.register("blind", blind_periods(deliveries))
        connection.register("whole", whole)
        connection.register("cited", pd.DataFrame(list(contract.bearers().items()), columns=["kind", "institution"]))
        bearers = "SELECT DISTINCT institution, number FROM case_records WHERE status = 'accepted' AND number IS NOT NULL"
        connection.execute(f"CREATE TEMP TABLE bearer AS {bearers}")
        every = " UNION ALL ".join(map(_of_table, TABLES))
        by = "institution, entity, record_key, case_key"
        found = connection.execute(
            f"SELECT {by}, sum(rows)::BIGINT AS rows, (sum(print) % 18446744073709551616)::UBIGINT AS print FROM ({every}) GROUP BY ALL"
        ).df()
    return found.astype(dict.fromkeys([*KEY, "entity", "case_key"], "str"))


def _of_table(name: str) -> str:
    """The SELECT of one table: institution, entity, record_key, case_key, rows, print."""
    columns = [f'rows."{column.name}"' for column in TABLES[name] if column.name not in NAMES]
    hashed = ", ".join([f"'{name}'", *columns, *_MORE.get(name, [])])
    keys = f"rows.institution, {_ENTITY.get(name, _OTHERWISE)} AS entity, record_key, coalesce(case_key, record_key) AS case_key"
    return f'SELECT {keys}, count(*) AS rows, sum(hash({hashed})) AS print FROM "{name}" AS rows {_BESIDE.get(name, "")} GROUP BY ALL'
