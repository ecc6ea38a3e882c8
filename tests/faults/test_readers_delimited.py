"""What goes wrong with the police's files, and that no row is lost over it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from reader_world import PERSONAT, RASTET, cells, police, rules, text

from sources.contract import ColumnSpec, TableSpec
from sources.readers import tabular
from sources.readers.file_reading import FileReading

GOOD = text(RASTET)
PEOPLE = text(PERSONAT)


@pytest.fixture
def clean(tmp_path: Path) -> list[object]:
    return list(cells(police(tmp_path / "clean").tables["rastet"]))


def test_the_agreed_form_has_no_findings(tmp_path: Path) -> None:
    result = police(tmp_path)
    assert result.findings == []
    assert result.state == "complete"
    assert result.tables["personat"]["_parent"].notna().all()
    assert result.tables["rastet"]["_line"].tolist() == [2, 3, 4, 5]


@pytest.mark.parametrize(
    ("encode", "rule"),
    [
        (lambda t: t.encode("utf-8"), "file-encoding-assumed"),
        (lambda t: t.encode("utf-8-sig"), "file-byte-order-mark"),
        (lambda t: t.encode("utf-16"), "file-encoding-assumed"),
        (lambda t: t.encode("utf-16-le"), "file-encoding-assumed"),
        (lambda t: t.encode("utf-32"), "file-encoding-assumed"),
        (lambda t: t.encode("cp852"), "file-encoding-assumed"),
        (lambda t: t.replace(";", ",").encode("windows-1250"), "file-delimiter-assumed"),
        (lambda t: t.replace(";", "\t").encode("windows-1250"), "file-delimiter-assumed"),
        (lambda t: t.replace(";", "|").encode("utf-8"), "file-delimiter-assumed"),
        (lambda t: t.replace("\r\n", "\n").encode("windows-1250"), "file-line-ends"),
        (lambda t: t.replace("\r\n", "\r").encode("windows-1250"), "file-line-ends"),
        (lambda t: t.encode("utf-8").decode("windows-1252").encode("utf-8"), "cell-text-encoded-twice"),
        (lambda t: t.encode("utf-8").decode("windows-1250").encode("utf-8"), "cell-text-encoded-twice"),
    ],
)
def test_another_dialect_gives_the_same_cells_and_says_so(
    encode: Callable[[str], bytes], rule: str, tmp_path: Path, clean: list[object]
) -> None:
    result = police(tmp_path / "other", encode(GOOD))
    assert cells(result.tables["rastet"]) == clean
    assert rule in rules(result)
    assert result.state == "complete"


def test_one_line_in_another_encoding_is_named(tmp_path: Path, clean: list[object]) -> None:
    lines = [line.encode("windows-1250") for line in RASTET]
    lines[1] = RASTET[1].encode("utf-8")
    result = police(tmp_path / "other", b"".join(line + b"\r\n" for line in lines))
    assert cells(result.tables["rastet"]) == clean
    assert [(f["rule"], f["line"]) for f in result.findings] == [("file-encoding-mixed", 2)]


def test_a_twice_encoded_cell_is_repaired_and_keeps_its_delivered_value_in_the_finding(tmp_path: Path) -> None:
    result = police(tmp_path, GOOD.replace("Pejë", "PejÃ«").encode("utf-8"))
    finding = next(f for f in result.findings if f["rule"] == "cell-text-encoded-twice")
    assert (finding["line"], finding["field"], finding["value"]) == (4, "Komuna", "PejÃ«")
    assert result.tables["rastet"]["Komuna"][2] == "Pejë"


def test_quotes_hold_delimiters_quotes_and_line_breaks(tmp_path: Path) -> None:
    changed = GOOD.replace("Stacioni Qendër", '"Stacioni\r\n""Qendër""; kati 2"')
    frame = police(tmp_path, changed.encode("windows-1250")).tables["rastet"]
    assert frame["Stacioni"][1] == 'Stacioni\r\n"Qendër"; kati 2'
    assert frame["_line"].tolist() == [2, 3, 5, 6]


@pytest.mark.parametrize("stray", ['"Stacioni Qendër', 'Stacioni "Qendër"', '"Stacioni" Qendër', 'Stacioni Qendër"'])
def test_a_stray_quote_swallows_nothing(stray: str, tmp_path: Path) -> None:
    result = police(tmp_path, GOOD.replace("Stacioni Qendër", stray).encode("windows-1250"))
    assert result.tables["rastet"]["Stacioni"][1] == stray
    assert len(result.tables["rastet"]) == 4
    assert rules(result) == {"row-quote-stray"}


def test_an_unquoted_line_break_of_another_kind_is_joined(tmp_path: Path) -> None:
    result = police(tmp_path, GOOD.replace("Stacioni Qendër", "Stacioni\nQendër").encode("windows-1250"))
    assert result.tables["rastet"]["Stacioni"][1] == "Stacioni\nQendër"
    assert "row-line-break-unquoted" in rules(result)


def test_a_lone_carriage_return_ends_a_row(tmp_path: Path, clean: list[object]) -> None:
    first, rest = GOOD.split("2013-PE", 1)
    result = police(tmp_path / "other", (first.removesuffix("\r\n") + "\r2013-PE" + rest).encode("windows-1250"))
    assert cells(result.tables["rastet"]) == clean
    assert rules(result) == {"file-line-ends"}


def _insert(at: int, *lines: str) -> bytes:
    return text([*RASTET[:at], *lines, *RASTET[at:]]).encode("windows-1250")


@pytest.mark.parametrize(
    ("lines", "kinds", "found"),
    [
        ([""], ["blank"], set()),
        ([";;;;;;;;;;"], ["blank"], set()),
        ([";;;;"], ["blank"], set()),
        ([";;;;;;;;;;;;;;;;;"], ["blank"], set()),
        ([RASTET[0]], ["repeated_header"], {"file-header-repeated"}),
        (["Gjithsej;;;;;;;;;;4"], ["total"], set()),
        (["Gjithsej: 4"], ["total"], set()),
        (["TOTALI;4"], ["total"], set()),
        (["Totali: 9;;;;;;;;;;"], ["total"], {"file-total-wrong"}),
        (["Gjithsej"], ["total"], {"file-total-unreadable"}),
    ],
)
def test_rows_that_are_no_data_are_structural(lines: list[str], kinds: list[str], found: set[str], tmp_path: Path) -> None:
    result = police(tmp_path, _insert(3, *lines))
    assert result.structure["kind"].tolist() == ["header", *kinds, "header"]
    assert len(result.tables["rastet"]) == 4
    assert rules(result) == found


@pytest.mark.parametrize(
    ("line", "rule", "key"),
    [
        ("2013-PR-00077;04.01.2013;01.01.2013", "row-cut", "2013-PR-00077"),
        ("2013-PR-00077", "row-cut", "2013-PR-00077"),
        ("2013-PR-000", "row-garbage", None),
        ("2013-PR-00077;04.01.2013;;;A;B;C;D;;Nën hetim;;një shënim; tjetër", "row-too-long", "2013-PR-00077"),
        ("Faqe 2 nga 3", "row-garbage", None),
        ("--------;;;;;;;;;;", "row-garbage", None),
        ("#REF!;#REF!;#REF!", "row-garbage", None),
    ],
)
def test_a_row_whose_structure_cannot_be_read_is_set_aside_with_its_bytes(line: str, rule: str, key: str | None, tmp_path: Path) -> None:
    result = police(tmp_path, _insert(3, line))
    row = result.unreadable.iloc[0]
    assert len(result.unreadable) == 1
    assert (row["rule"], row["line"], row["raw"]) == (rule, 4, line.encode("windows-1250"))
    assert (None if row.isna()["record_key"] else row["record_key"]) == key
    assert len(result.tables["rastet"]) == 4
    assert result.state == "complete"


def test_the_running_number_of_a_cut_row_is_no_key_when_digits_may_be_missing(tmp_path: Path) -> None:
    result = police(tmp_path, personat=text([*PERSONAT, "2013-PR-00001;1", "2013-PR-00001;1;I dysh"]).encode("windows-1250"))
    assert result.unreadable["record_key"].isna().tolist() == [True, False]


def test_a_truncated_file_is_partial_and_its_last_row_set_aside(tmp_path: Path) -> None:
    result = police(tmp_path, GOOD.encode("windows-1250")[:-30])
    assert result.files["rastet.csv"] == "partial"
    assert result.state == "partial"
    assert result.unreadable[["rule", "record_key"]].values.tolist() == [["row-truncated", "2013-GL-00004"]]


def test_a_missing_last_line_end_is_no_truncation(tmp_path: Path) -> None:
    result = police(tmp_path, GOOD.removesuffix("\r\n").encode("windows-1250"))
    assert (result.state, rules(result), len(result.tables["rastet"])) == ("complete", {"file-end-missing"}, 4)


def test_zero_bytes_are_left_out_and_named(tmp_path: Path, clean: list[object]) -> None:
    result = police(tmp_path / "other", GOOD.replace("DHTQNJ", "DHT\x00QNJ").encode("windows-1250"))
    assert cells(result.tables["rastet"]) == clean
    assert [(f["rule"], f["line"]) for f in result.findings] == [("row-control-character", 4)]


def _columns(change: Callable[[list[str]], list[str]]) -> bytes:
    return text([";".join(change(line.split(";"))) for line in RASTET]).encode("windows-1250")


@pytest.mark.parametrize(
    "header",
    [
        {"Statusi": "Statusi_i_rastit"},
        {"Statusi": "STATUSI", "Nr_rastit": "Nr. rastit"},
        {"Data_e_vepres": "Data e veprës", "Nr_PP": "Numri PP"},
        {"Forma_shfrytezimit": "Forma e shfrytëzimit"},
        {"Komuna": "Opština"},
    ],
)
def test_a_renamed_column_is_recognised_and_the_assumption_said(header: dict[str, str], tmp_path: Path, clean: list[object]) -> None:
    result = police(
        tmp_path / "other", text([";".join(header.get(c, c) for c in RASTET[0].split(";")), *RASTET[1:]]).encode("windows-1250")
    )
    assert cells(result.tables["rastet"]) == clean
    assert {f["field"] for f in result.findings} == set(header)
    assert rules(result) <= {"file-column-renamed", "file-column-by-position"}


def test_an_extra_column_is_kept(tmp_path: Path, clean: list[object]) -> None:
    result = police(tmp_path / "other", _columns(lambda row: [*row[:4], "Shënime" if row[0] == "Nr_rastit" else "x", *row[4:]]))
    frame = result.tables["rastet"]
    assert frame["Shënime"].tolist() == ["x"] * 4
    assert cells(frame.drop(columns="Shënime")) == clean
    assert rules(result) == {"file-column-extra"}


def test_a_missing_column_is_null(tmp_path: Path) -> None:
    result = police(tmp_path, _columns(lambda row: row[:7] + row[8:]))
    assert result.tables["rastet"]["Neni"].isna().all()
    assert [(f["rule"], f["field"]) for f in result.findings] == [("file-column-missing", "Neni")]


def test_columns_in_another_order_are_read_by_name(tmp_path: Path, clean: list[object]) -> None:
    result = police(tmp_path / "other", _columns(lambda row: row[::-1]))
    assert cells(result.tables["rastet"]) == clean
    assert rules(result) == {"file-column-order"}


def test_a_second_export_below_the_first_is_read_by_its_own_header(tmp_path: Path, clean: list[object]) -> None:
    turned = [";".join(line.split(";")[::-1]) for line in (RASTET[0], *RASTET[3:])]
    result = police(tmp_path / "other", text([*RASTET[:3], *turned]).encode("windows-1250"))
    assert cells(result.tables["rastet"]) == clean


def test_without_a_header_the_columns_are_taken_by_place(tmp_path: Path, clean: list[object]) -> None:
    result = police(tmp_path / "other", text(RASTET[1:]).encode("windows-1250"))
    assert cells(result.tables["rastet"]) == clean
    assert rules(result) == {"file-header-missing"}


def test_a_header_that_sorting_moved_down_loses_no_row(tmp_path: Path) -> None:
    result = police(tmp_path, text([*RASTET[1:3], RASTET[0], *RASTET[3:]]).encode("windows-1250"))
    assert sorted(result.tables["rastet"]["_line"].tolist()) == [1, 2, 4, 5]
    assert "file-header-late" in rules(result)


def test_titles_above_the_header_are_structural(tmp_path: Path) -> None:
    result = police(tmp_path, text(["Policia e Kosovës", "", "sep=;", *RASTET]).encode("windows-1250"))
    assert len(result.tables["rastet"]) == 4
    assert result.structure.query("file == 'rastet.csv'")["kind"].tolist() == ["title", "blank", "title", "header"]


def test_a_header_with_a_column_that_no_row_has(tmp_path: Path, clean: list[object]) -> None:
    result = police(tmp_path / "other", text([RASTET[0] + ";Shënime", *RASTET[1:]]).encode("windows-1250"))
    assert cells(result.tables["rastet"]) == clean
    assert "file-header-longer" in rules(result)


def test_two_files_under_each_other_s_name_are_read_by_their_columns(tmp_path: Path) -> None:
    result = police(tmp_path, PEOPLE.encode("windows-1250"), GOOD.encode("windows-1250"))
    assert (len(result.tables["rastet"]), len(result.tables["personat"])) == (4, 5)
    assert rules(result) == {"file-table-assumed"}


@pytest.mark.parametrize(
    "data", [b"<html><body>Gabim 500</body></html>\r\n", b"\x00\x01\x02" * 900, b"PK\x03\x04" + b"x" * 50, b"a;b;c\r\n1;2;3\r\n"]
)
def test_something_else_under_the_agreed_name_is_unreadable_and_kept(data: bytes, tmp_path: Path) -> None:
    result = police(tmp_path, data)
    assert result.files["rastet.csv"] == "unreadable"
    assert result.state == "partial"
    assert len(result.unreadable) > 0
    assert len(result.tables["personat"]) == 5


@pytest.mark.parametrize(
    ("change", "accepted"),
    [
        (lambda line: line + ";", True),  # anywhere else, a date, a status or the key would not be one
        (lambda line: line + ";;", True),
        (lambda line: line.replace("11.02.2013;", "11.02.2013;;"), False),
        (lambda line: line.replace("Nën hetim;", "Nën hetim;;x"), False),
        (lambda line: line.replace(";Prizren", "Prizren"), False),
        (lambda line: line.replace("Nën hetim;", ""), False),
    ],
)
def test_a_row_of_another_width_is_accepted_only_where_its_cells_say_how(
    change: Callable[[str], str], accepted: bool, tmp_path: Path, clean: list[object]
) -> None:
    lines = list(RASTET)
    lines[2] = change(lines[2])
    result = police(tmp_path / "other", text(lines).encode("windows-1250"))
    rows = cells(result.tables["rastet"])
    assert rows == (clean if accepted else [clean[0], *clean[2:]])
    assert result.unreadable["record_key"].tolist() == ([] if accepted else ["2013-PZ-00002"])
    assert rules(result) <= {"row-too-long", "row-cut"}


def test_rows_that_are_all_wider_than_a_header_which_lost_a_delimiter_are_set_aside(tmp_path: Path) -> None:
    lines = [RASTET[0].replace("Stacioni;Komuna", "StacioniKomuna"), *(line.rstrip(";") + ";" for line in RASTET[1:])]
    result = police(tmp_path, text(lines).encode("windows-1250"))
    assert len(result.tables["rastet"]) == 0
    assert len(result.unreadable) == 4


def test_a_delimiter_too_few_where_every_row_ends_with_one_is_seen(tmp_path: Path) -> None:
    lines = [line + ";" for line in RASTET]
    lines[2] = lines[2].replace("Stacioni Qendër;Prizren", "Stacioni Qendër Prizren")
    result = police(tmp_path, text(lines).encode("windows-1250"))
    assert result.tables["rastet"]["_line"].tolist() == [2, 4, 5]
    assert result.unreadable["rule"].tolist() == ["row-cut"]


def test_quotes_that_can_be_read_in_two_ways_set_the_row_aside(tmp_path: Path) -> None:
    lines = list(RASTET)
    lines[2] = lines[2].replace("Stacioni Qendër;Prizren;", 'Stacioni "Qendër;Prizren";')  # a cell less, or a delimiter in a cell
    lines[3] = lines[3].replace("DHTQNJ;Pejë;", 'DHTQNJ"Pejë; qendër";')  # as many delimiters as a row has, one of them in a cell
    result = police(tmp_path, text(lines).encode("windows-1250"))
    assert result.tables["rastet"]["_line"].tolist() == [2, 5]
    assert result.unreadable["line"].tolist() == [3, 4]


@pytest.mark.parametrize(
    ("quote", "name"),
    [
        (lambda cell: f"'{cell}'", "'"),
        (lambda cell: f' "{cell}"', ' "'),
        (lambda cell: '"' + cell.replace('"', '\\"') + '"', '\\"'),
    ],
)
def test_another_way_to_quote_is_recognised_from_the_whole_file(quote: Callable[[str], str], name: str, tmp_path: Path) -> None:
    station = 'Stacioni; "Qendër"' if name == '\\"' else "Stacioni; Qendër"
    rows = [line.split(";") for line in RASTET]
    rows[1:] = [[*row[:4], station, *row[5:]] for row in rows[1:]]
    lines = [";".join(quote(cell) if ";" in cell else cell for cell in row) for row in rows]
    result = police(tmp_path, text(lines).encode("windows-1250"))
    assert result.tables["rastet"]["Stacioni"].tolist() == [station] * 4
    assert [(f["rule"], f["detail"]) for f in result.findings] == [("file-quoting-assumed", name)]


def test_a_title_in_a_row_as_wide_as_the_table_is_no_record() -> None:
    table = TableSpec("t", (ColumnSpec("A", key=True), ColumnSpec("B"), ColumnSpec("C")), key=("A",))
    reading = FileReading("f.csv")
    cells = [["Raport", "", ""], ["", "", ""], ["A", "B", "C"], ["1", "2", "3"]]
    assert tabular.read_grid(tabular.CellGrid(cells, [1, 2, 3, 4], lambda i: b""), [table], reading)
    assert [row["kind"] for row in reading.structure] == ["title", "blank", "header"]
    assert reading.data_rows() == 1


def test_a_header_in_other_words_that_comes_again_is_no_record(tmp_path: Path, clean: list[object]) -> None:
    head = RASTET[0].replace("Nr_rastit", "Numri i rastit").replace("Vepra_penale", "Vepra").replace("Neni", "Neni i ligjit")
    head = head.replace("Komuna", "Komuna e vepres").replace("Statusi", "Statusi i rastit").replace("Stacioni", "Stacioni policor")
    head = head.replace("Data_e_vepres", "Dita e vepres").replace("Data_raportimit", "Dita e raportimit").replace("Nr_PP", "Numri i PP")
    result = police(tmp_path / "other", text([head, *RASTET[1:3], head, *RASTET[3:]]).encode("windows-1250"))
    assert cells(result.tables["rastet"]) == clean
    assert result.structure["kind"].tolist()[:2] == ["header", "repeated_header"]


def test_a_delimiter_at_the_end_of_every_row_says_nothing(tmp_path: Path) -> None:
    result = police(tmp_path, text([line + ";" for line in RASTET]).encode("windows-1250"))
    assert len(result.tables["rastet"]) == 4
    assert rules(result) == set()
