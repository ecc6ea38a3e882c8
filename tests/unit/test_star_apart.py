"""Which cases are counted together: those that share something, and no others; and by what they are known again."""

import pandas as pd

from warehouse.star.apart import groups, pieces


def _held(*rows: tuple[str, str, str]) -> pd.DataFrame:
    """rows: entity, record_key, case_key, of the prosecution."""
    frame = pd.DataFrame(rows, columns=["entity", "record_key", "case_key"], dtype="str")
    prints = pd.Series(range(1, len(frame) + 1), dtype="uint64")
    return frame.assign(institution=pd.Series("prosecution", index=frame.index, dtype="str"), rows=1, print=prints)


def _ids(column: str, **ids: str) -> pd.DataFrame:
    rows = [("prosecution", key, found) for key, found in ids.items()]
    return pd.DataFrame(rows, columns=["institution", "record_key", column], dtype="str")


def _together(held: pd.DataFrame, cases: pd.DataFrame, persons: pd.DataFrame) -> list[list[str]]:
    """The files of each group."""
    return sorted(sorted(set(mine["case_key"])) for _, mine in groups(held, cases, persons).groupby("group"))


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


def test_a_piece_holds_whole_groups() -> None:
    held = _held(*(("case", str(n), str(n)) for n in range(4)), ("person", "10", "0"), ("person", "11", "3"))
    found = groups(held, _ids("case_id", **{str(n): str(n) for n in range(4)}), _ids("person_id", **{"10": "P", "11": "P"}))
    assert found.assign(piece=pieces(found, most=2)).groupby("group")["piece"].nunique().eq(1).all()
    assert pieces(found, most=2).nunique() == 2
    assert pieces(found, most=1).nunique() == found["group"].nunique() == 3


def test_a_group_is_known_again_by_its_records_and_its_ids() -> None:
    held = _held(("case", "1", "1"), ("person", "10", "1"), ("case", "2", "2"), ("person", "20", "2"))
    cases, persons = _ids("case_id", **{"1": "A", "2": "B"}), _ids("person_id", **{"10": "P", "20": "Q"})

    def prints(held: pd.DataFrame, cases: pd.DataFrame, persons: pd.DataFrame) -> tuple[int, int]:
        found = groups(held, cases, persons).drop_duplicates("case_key").set_index("case_key")["print"]
        return int(found["1"]), int(found["2"])

    first, second = prints(held, cases, persons)
    assert prints(held.iloc[::-1], cases.iloc[::-1], persons) == (first, second)
    otherwise = {
        "a row says something else": prints(held.assign(print=held["print"].mask(held["record_key"] == "10", 9)), cases, persons),
        "another case": prints(held, _ids("case_id", **{"1": "Z", "2": "B"}), persons),
        "another person": prints(held, cases, _ids("person_id", **{"10": "Z", "20": "Q"})),
        "tied to the other": prints(held, cases, _ids("person_id", **{"10": "P", "20": "P"})),
    }
    assert {what: found[0] == first for what, found in otherwise.items()} == dict.fromkeys(otherwise, False)
    assert {what: found[1] == second for what, found in otherwise.items()} == {**dict.fromkeys(otherwise, True), "tied to the other": False}
