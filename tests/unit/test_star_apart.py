"""Which cases are counted together: those that share a record, a file, a case or a person, and no others."""

import pandas as pd

from warehouse.star.apart import pieces


def _held(*rows: tuple[str, str, str]) -> pd.DataFrame:
    """rows: entity, record_key, case_key, of the prosecution."""
    frame = pd.DataFrame(rows, columns=["entity", "record_key", "case_key"], dtype="str")
    return frame.assign(institution=pd.Series("prosecution", index=frame.index, dtype="str"), rows=1)


def _ids(column: str, **ids: str) -> pd.DataFrame:
    rows = [("prosecution", key, found) for key, found in ids.items()]
    return pd.DataFrame(rows, columns=["institution", "record_key", column], dtype="str")


def _together(held: pd.DataFrame, cases: pd.DataFrame, persons: pd.DataFrame) -> list[list[str]]:
    """The files of each piece, where none is to hold more than one group."""
    found = pieces(held, cases, persons, most=1)
    return sorted(sorted(set(mine["case_key"])) for _, mine in found.groupby("piece"))


def test_a_case_and_a_person_of_one_number_are_not_tied() -> None:
    held = _held(("case", "1", "1"), ("case", "2", "2"), ("person", "1", "2"), ("case", "3", "3"))
    assert _together(held, _ids("case_id", **{"1": "A", "2": "B", "3": "C"}), _ids("person_id", **{"1": "P"})) == [["1"], ["2"], ["3"]]


def test_files_are_tied_by_a_case_by_a_person_and_by_a_record_that_was_in_both() -> None:
    held = _held(
        *(("case", str(n), str(n)) for n in range(1, 7)),
        *(("person", "11", "1"), ("person", "12", "2"), ("person", "13", "3"), ("person", "13", "4")),
    )
    cases = _ids("case_id", **{"1": "A", "2": "B", "3": "C", "4": "D", "5": "E", "6": "E"})
    persons = _ids("person_id", **{"11": "P", "12": "P", "13": "Q"})
    assert _together(held, cases, persons) == [["1", "2"], ["3", "4"], ["5", "6"]]
