"""Find out which published figures change when records get the ids of other cases or persons.

Belongs here: selecting the records that such a change can reach, and counting them before and after it. Does not belong here: counting
rules (`warehouse/models`, run unchanged), which records belong together (`pipelines.linkage`).

A figure depends on a case only through the records of that case, and on a person only through all records of that person. So the
records of the changed cases and persons are counted twice, with the ids before and after the change. All cases of every person in these
cases are counted with them. A case of which only some records are counted counts the same both times, so it does not change the result.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pandas as pd

from schemas import canonical
from warehouse.count import (
    CountInputs,
    determine_event_days,
    dimensions,
    iterate_dated_events,
    learn_date_entry_habits,
    open_database_of_counting_models,
)
from warehouse.count.table_models import TableModel, TableModelDatabase, convert_duckdb_result_to_frame
from warehouse.star.figures import CELL

MEASURES = ["as_reported", "harmonised"]
_ENTITIES = ("cases", "persons")
_WHOLE = "memory.main"
"""The database of all records. It contains the tables that do not depend on ids, and the table `day_now` with the days of events according
to the current ids."""
_SEARCH_PATH = f"counted_{{}}.main,recounted.main,{_WHOLE}"
"""Where SQL models look for a table: first among the tables counted from the recounted rows, then among these rows,
then among all tables of the run."""
_PREPARE_STATES_AND_DAYS = """
CREATE TABLE state AS SELECT DISTINCT institution, record_key, case_key FROM person_records;
CREATE TABLE day_now AS SELECT n, day, method, date_problem FROM dated_event JOIN event_day USING (place)
"""
_AFFECTED = "(institution, case_key) IN (SELECT (institution, case_key) FROM temp.affected_file)"
_COPY_RECOUNTED_ROWS = """CREATE TABLE recounted.main."{0}" AS
FROM memory.main."{0}"
WHERE (institution, case_key) IN (SELECT (institution, case_key) FROM temp.recounted_file)
  OR (institution, record_key) IN (SELECT (institution, record_key) FROM temp.recounted_record)
ORDER BY n
"""
_CREATE_IDS_OF_RECOUNTED = """
CREATE TABLE case_ids AS
  SELECT *, row_number() OVER () AS n FROM temp.cases_{0} SEMI JOIN temp.recounted_record USING (institution, record_key);
CREATE TABLE person_ids AS
  SELECT *, row_number() OVER () AS n FROM temp.persons_{0} SEMI JOIN temp.recounted_record USING (institution, record_key)
"""
_SELECT_DAYS_NOW = "SELECT place, day, method, date_problem FROM dated_event JOIN memory.main.day_now USING (n)"
_UPDATE_DAYS_NOW = """
CREATE OR REPLACE TEMP TABLE moved_day AS SELECT n, day, method, date_problem FROM dated_event JOIN event_day USING (place);
DELETE FROM memory.main.day_now WHERE n IN (SELECT n FROM moved_day);
INSERT INTO memory.main.day_now FROM moved_day
"""
# A person's position in a list is reassigned from delivery to delivery, so its key may end with the name of a delivery
# (`pipelines.linkage.list_positions`). The states of such a person are stored under the key of the position, without that ending.
_FIND_RECOUNTED_RECORDS = r"""
CREATE OR REPLACE TEMP TABLE case_of AS
  SELECT DISTINCT institution, record_key AS case_key, case_id FROM (FROM cases_before UNION ALL FROM cases_after);
CREATE OR REPLACE TEMP TABLE person_of AS
  SELECT DISTINCT institution, unnest([record_key, regexp_replace(record_key, '@[^@]*$', '')]) AS record_key, person_id
  FROM (FROM persons_before UNION ALL FROM persons_after);
CREATE OR REPLACE TEMP TABLE affected_file AS
WITH changed_case AS (
  SELECT DISTINCT unnest([one.case_id, other.case_id]) AS case_id
  FROM cases_before AS one FULL JOIN cases_after AS other USING (institution, record_key)
  WHERE one.case_id IS DISTINCT FROM other.case_id
), changed_person AS (
  SELECT DISTINCT unnest([one.person_id, other.person_id]) AS person_id
  FROM persons_before AS one FULL JOIN persons_after AS other USING (institution, record_key)
  WHERE one.person_id IS DISTINCT FROM other.person_id
), changed_file AS (
  SELECT institution, case_key FROM case_of SEMI JOIN changed_case USING (case_id)
  UNION SELECT institution, case_key FROM state JOIN person_of USING (institution, record_key) SEMI JOIN changed_person USING (person_id)
), moved AS (  -- a decision on a file also counts for those who were in it then
  SELECT other.institution, other.case_key
  FROM changed_file JOIN state AS one USING (institution, case_key) JOIN state AS other USING (institution, record_key)
  UNION FROM changed_file
), affected_case AS (
  SELECT DISTINCT case_id FROM case_of SEMI JOIN moved USING (institution, case_key)
)
SELECT institution, case_key FROM case_of SEMI JOIN affected_case USING (case_id) UNION FROM moved;
CREATE OR REPLACE TEMP TABLE recounted_file AS
WITH person AS (
  SELECT DISTINCT person_id FROM affected_file JOIN state USING (institution, case_key) JOIN person_of USING (institution, record_key)
), of_person AS (
  SELECT state.institution, case_key FROM person JOIN person_of USING (person_id) JOIN state USING (institution, record_key)
  UNION FROM affected_file
), recounted_case AS (
  SELECT DISTINCT case_id FROM case_of SEMI JOIN of_person USING (institution, case_key)
)
SELECT institution, case_key FROM case_of SEMI JOIN recounted_case USING (case_id) UNION FROM of_person;
CREATE OR REPLACE TEMP TABLE recounted_record AS
  SELECT DISTINCT institution, record_key FROM state SEMI JOIN recounted_file USING (institution, case_key)
  UNION SELECT institution, case_key FROM recounted_file
"""


@dataclass(frozen=True)
class RecordIds:
    """The case or person to which each record belongs.

    cases: the case of each case record, with the columns institution, record_key, case_id. persons: the person of each person record, with
    the columns institution, record_key, person_id.
    """

    cases: pd.DataFrame
    persons: pd.DataFrame


class RecountWithOtherIds:
    """A database with all records of a run, in which some records can be counted again with other case or person ids. It must not be used
    by several threads at once."""

    def __init__(self, inputs: CountInputs, current_ids: RecordIds) -> None:
        """Load `inputs`, which a run counted with the ids `current_ids`. The findings and the lineage in `inputs` are not used."""
        self.now = current_ids
        self._stack = ExitStack()
        whole = self._stack.enter_context(open_database_of_counting_models(inputs))
        self._connection = whole.connection
        whole.run("event_day", *dimensions.STATIC)
        self._habits = learn_date_entry_habits(whole)
        self._models_of_ids = {name: model for name, model in whole.models.items() if name not in dimensions.STATIC}
        self._connection.execute(_PREPARE_STATES_AND_DAYS)
        self._connection.execute("SET threads = 1")  # faster for few rows

    def close(self) -> None:
        """Free the database."""
        self._stack.close()

    def compute_changed_cells(self, new_ids: RecordIds) -> pd.DataFrame:
        """Compute which cells of the table `statistics` change if records get the ids `new_ids`.

        Columns out: `CELL`, and `MEASURES` with the increase of each measure.
        """
        with self._create_tables_of_recounted_rows(new_ids):
            figures = [self._count_figures(side) for side in ("before", "after")]
        both = pd.concat([-figures[0], figures[1]]).groupby(level=CELL).sum()
        return both[(both != 0).any(axis=1)].astype("int64").reset_index()

    def set_current_ids(self, new_ids: RecordIds) -> None:
        """Make `new_ids` the current ids (`now`), with which later changes are compared."""
        with self._create_tables_of_recounted_rows(new_ids), self._open_models_with_ids("after") as models:
            models.run("event_day")
            self._connection.execute(_UPDATE_DAYS_NOW)
        self.now = new_ids

    def _count_figures(self, side: str) -> pd.DataFrame:
        """Count the rows that the change can affect, with the ids before or after the change (`side`: `before` or `after`).

        The result has the columns `MEASURES` and the index `CELL`; it contains every cell whose figure is not null.
        """
        with self._open_models_with_ids(side) as models:
            figures = models.read_frame("statistics", ", ".join([*CELL, *MEASURES]), "as_reported IS NOT NULL")
        return figures.set_index(CELL)[MEASURES].astype("int64")

    @contextmanager
    def _create_tables_of_recounted_rows(self, new_ids: RecordIds) -> Iterator[None]:
        """Create the database `recounted`. It contains the canonical rows that can be counted differently if the ids change from `now` to
        `new_ids`."""
        frames = {
            f"{entity}_{side}": getattr(ids, entity) for side, ids in (("before", self.now), ("after", new_ids)) for entity in _ENTITIES
        }
        for name, frame in frames.items():
            self._connection.register(name, frame)
        self._connection.execute(_FIND_RECOUNTED_RECORDS)
        self._connection.execute("ATTACH ':memory:' AS recounted")
        try:
            for name in canonical.TABLES:
                self._connection.execute(_COPY_RECOUNTED_ROWS.format(name))
            yield
        finally:
            self._connection.execute("DETACH recounted")
            for name in frames:
                self._connection.unregister(name)

    @contextmanager
    def _open_models_with_ids(self, side: str) -> Iterator[TableModelDatabase]:
        """Open table models that read the rows of the database `recounted`, with the ids before or after the change (`side`: `before` or
        `after`). The days of events according to the ids before the change are known already."""
        self._connection.execute(f"ATTACH ':memory:' AS counted_{side}; SET search_path = '{_SEARCH_PATH.format(side)}'")
        try:
            self._connection.execute(_CREATE_IDS_OF_RECOUNTED.format(side))
            reads = frozenset({"dated_event"})
            if side == "before":
                days = TableModel("event_day", reads, _SELECT_DAYS_NOW)
            else:
                days = TableModel("event_day", reads, function=self._compute_event_days_with_new_ids)
            yield TableModelDatabase(self._connection, {**self._models_of_ids, "event_day": days})
        finally:
            self._connection.execute(f"SET search_path = '{_WHOLE}'; DETACH counted_{side}")

    def _compute_event_days_with_new_ids(self, models: TableModelDatabase) -> Iterator[pd.DataFrame]:
        """Compute the table `event_day` with the ids after the change. Unchanged cases keep their known days; the days of other cases are
        determined again."""
        yield convert_duckdb_result_to_frame(models.connection.sql(f"{_SELECT_DAYS_NOW} WHERE NOT {_AFFECTED}").to_arrow_table())
        for events in iterate_dated_events(models, _AFFECTED):
            yield determine_event_days(events, self._habits)
