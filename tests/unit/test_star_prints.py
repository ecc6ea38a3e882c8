"""What a record is known again by: all that counting reads of it, also of what deliveries and other files add, and nothing else."""

from dataclasses import replace

import pandas as pd
import pytest
from count_world import World

from schemas.canonical import TABLES
from warehouse.count.inputs import NAMES, CountInputs
from warehouse.star.prints import printed

Record = tuple[str, str]
_KEYS = ("institution", "record_key", "case_key", "entity")
_VALUES = {"str": "other", "Int64": 7, "boolean": True, "datetime64[s]": pd.Timestamp("2013-05-05")}


def _world() -> World:
    """A file of the police with a suspect, and one of the prosecution that cites another number of the police."""
    world = World()
    world.case("police", "p1", "A", period="2013-Q1", reported="2013-02-03", number="2013-PR-1")
    world.person("police", "p1/1", "P", file="p1", period="2013-Q1", arrested="2013-02-05", charges=("trafficking",))
    world.case("prosecution", "q1", "A", period="2013-Q2", received="2013-04-05")
    cited = {name: world.rows["case_records"][-1][name] for name in ("institution", "delivery", "status", "record_key", "case_key")}
    world.rows["references"].append({**cited, "kind": "police", "number": "2013-PR-2"})
    return world


def _prints(inputs: CountInputs) -> dict[Record, int]:
    found = printed(inputs.canonical, inputs.deliveries)
    return {(row.institution, row.record_key): int(row.print) for row in found.itertuples()}


def _changed(before: CountInputs, after: CountInputs) -> set[Record]:
    one, other = _prints(before), _prints(after)
    return {key for key in one.keys() | other.keys() if one.get(key) != other.get(key)}


def test_rows_are_held_under_their_keys() -> None:
    inputs = _world().inputs()
    found = printed(inputs.canonical, inputs.deliveries)
    assert {(row.institution, row.entity, row.record_key, row.case_key): row.rows for row in found.itertuples()} == {
        ("police", "case", "p1", "p1"): 2,
        ("police", "person", "p1/1", "p1"): 3,
        ("prosecution", "case", "q1", "q1"): 3,
    }


def test_the_order_of_rows_and_the_names_of_persons_do_not_matter() -> None:
    inputs = _world().inputs()
    turned = {name: frame.iloc[::-1].reset_index(drop=True) for name, frame in inputs.canonical.items()}
    turned["person_records"] = turned["person_records"].assign(**dict.fromkeys(NAMES, "other"))
    assert _changed(inputs, replace(inputs, canonical=turned)) == set()


@pytest.mark.parametrize(
    ("table", "column"),
    [(name, column.name) for name in TABLES for column in TABLES[name] if name != "sentences" and column.name not in (*NAMES, *_KEYS)],
)
def test_every_column_that_counting_reads_matters(table: str, column: str) -> None:
    inputs = _world().inputs()
    frame = inputs.canonical[table]
    value = _VALUES[str(frame[column].dtype)] if frame[column].isna().all() else None
    other = frame.assign(**{column: pd.Series(value, index=frame.index, dtype=frame[column].dtype)})
    said = frame[frame[column].notna() | (value is not None)]
    told = set(zip(said["institution"], said["record_key"], strict=True))
    assert told and _changed(inputs, replace(inputs, canonical={**inputs.canonical, table: other})) == told


def test_what_deliveries_and_other_files_add_matters() -> None:
    inputs = _world().inputs()
    # The delivery before the one in which the police's events first appeared, and the one of the quarter in which they happened.
    assert _changed(inputs, _world().missing("police", "2012-Q4").inputs()) == {("police", "p1"), ("police", "p1/1")}
    assert _changed(inputs, _world().missing("prosecution", "2013-Q2").inputs()) == {("prosecution", "q1")}
    assert _changed(inputs, _world().missing("courts", "2013-Q1").inputs()) == set()
    # A file that bears the number which the prosecution cites.
    more = _world().case("police", "p2", "B", period="2013-Q2", reported="2013-04-03", number="2013-PR-2")
    assert _changed(inputs, more.inputs()) == {("police", "p2"), ("prosecution", "q1")}
