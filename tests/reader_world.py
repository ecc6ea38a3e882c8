"""Small deliveries in every form, made by hand, for tests of the readers. All persons are made up.

Belongs here: one good delivery per institution, and reading what a test made of it. Does not belong here: what is expected of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

import openpyxl
import pandas as pd

from sources.readers.result import ReadResult, SourceFile, count_rows_by_file
from sources.reading import read_delivery

RASTET = (
    "Nr_rastit;Data_raportimit;Data_e_vepres;Data_dergimit_PSH;Stacioni;Komuna;Vepra_penale;Neni;Forma_shfrytezimit;Statusi;Nr_PP",
    "2013-PR-00001;04.01.2013;01.01.2013;20.01.2013;Stacioni Policor;Prishtinë;Trafikim me njerëz;171/1 KPRK;Shfrytëzim seksual;"
    "Dërguar në prokurori;PP.I.nr.34/2013",
    "2013-PZ-00002;11.02.2013;;;Stacioni Qendër;Prizren;Mundësim prostitucioni;241 KPRK;;Nën hetim;",
    "2013-PE-00003;12.02.2013;10.02.2013;;DHTQNJ;Pejë;Skllavëri;169/2;;I mbyllur;",
    "2013-GL-00004;15.03.2013;14.03.2013;;Stacioni Viti;Viti;Trafikim me njerëz;neni 171 par.1 KPRK;Lypje e detyruar;"
    "Bashkuar me 2013-PR-00001;",
)
PERSONAT = (
    "Nr_rastit;Nr_rendor;Roli;Mbiemri;Emri;Emri_prindit;Nr_personal;Data_lindjes;Vendlindja;Komuna_banimit;Gjinia;Shtetesia;Data_arrestimit",
    "2013-PR-00001;1;I dyshuar;Krasniqi;Gëzim;Hasan;1234567892;11.02.1979;Prishtinë;Prishtinë;M;Kosovë;04.01.2013",
    "2013-PR-00001;2;Viktimë;Šehu;Mërgime;;;1995;Deçan;Deçan;F;Shqipëri;",
    "2013-PZ-00002;1;I dyshuar;Hoxha;Xhavit;Agim;1000000003;01.01.1980;Prizren;Prizren;M;XKX;",
    "2013-PE-00003;1;Dëshmitar;Gashi;Arbër;Ilir;1000000011;05.05.1985;Pejë;Pejë;M;Kosovë;",
    "2013-GL-00004;1;I dyshuar;Đorđević;Žarko;Dragan;1000000020;06.06.1970;Vitina;Viti;M;SRB;",
)
LENDET = ("Nr.", "Nr. i lëndës", "Data e pranimit", "Emri dhe mbiemri", "Nr. personal", "Grada", "Njësia", "Vepra e dyshuar", "Statusi")
LENDET += ("Nr. i prokurorisë", "Data e dërgimit")
SHKK = ("ID", "Emri", "Mbiemri", "Emri i babait", "Nr. personal", "Data e lindjes", "Gjinia", "Shtetësia", "Statusi", "Gjykata")
SHKK += ("Nr. i aktgjykimit", "Vepra", "Dënimi", "Data e pranimit", "Data e lirimit", "Arsyeja e lirimit")
SMIL = """<?xml version="1.0" encoding="UTF-8"?>
<eksporti xmlns="urn:kgjk:smil:1" periudha="2013-Q2" krijuar="2013-07-05T09:12:00">
 <lenda nr="PKR.nr.12/2013" gjykata="Prishtinë" dega="" gjuha="sq">
  <pranuar>2013-05-03</pranuar>
  <referenca lloji="PP">PP.I.nr.34/2013</referenca>
  <i_pandehur id="1">
   <emri>Arbër</emri><mbiemri>Krasniqi</mbiemri><emri_babait>Hasan</emri_babait>
   <nr_personal>1234567892</nr_personal><datelindja>1979-02-11</datelindja><gjinia>M</gjinia><shtetesia>XKX</shtetesia>
   <akuza ligji="KPRK2012" neni="171" paragrafi="1" kryesore="po"/>
   <aktgjykimi lloji="DEN" data="2014-01-20" forme_prere="2014-06-02">
    <denimi lloji="burgim" vjet="3" muaj="6"/><denimi lloji="gjobe" eur="2500"/>
   </aktgjykimi>
  </i_pandehur>
  <i_pandehur id="2">
   <emri>Drita</emri><mbiemri>Gashi</mbiemri>
   <nr_personal/><datelindja>1990-01-01</datelindja><gjinia>F</gjinia><shtetesia>ALB</shtetesia>
   <akuza ligji="KPRK2012" neni="241" paragrafi="1" kryesore="po"/>
  </i_pandehur>
 </lenda>
 <lenda nr="PKR.nr.13/2013" gjykata="Mitrovicë" dega="Leposaviq" gjuha="sr">
  <pranuar>2013-06-03</pranuar>
  <i_pandehur id="1">
   <emri>Жарко</emri><mbiemri>Ђорђевић</mbiemri><emri_babait>Драган</emri_babait>
   <nr_personal>1000000020</nr_personal><datelindja>1970-06-06</datelindja><gjinia>M</gjinia><shtetesia>SRB</shtetesia>
   <akuza ligji="KPRK2012" neni="171" paragrafi="2" kryesore="po"/>
   <akuza ligji="KPRK2012" neni="241" paragrafi="1" kryesore="jo"/>
   <aktgjykimi lloji="LIR" data="2013-06-28"/>
  </i_pandehur>
 </lenda>
 <lenda nr="P.nr.14/2013" gjykata="Pejë" dega="" gjuha="sq">
  <pranuar>2013-06-04</pranuar>
  <referenca lloji="PP">PPI-35-2013</referenca>
  <i_pandehur id="1">
   <emri>Ilir</emri><mbiemri>Hoxha</mbiemri><emri_babait>Agim</emri_babait>
   <nr_personal>1000000003</nr_personal><datelindja>1980-01-01</datelindja><gjinia>M</gjinia><shtetesia>XKX</shtetesia>
   <akuza ligji="LRQP2009" neni="4" paragrafi="1" kryesore="po"/>
  </i_pandehur>
 </lenda>
</eksporti>
"""
ZMNV = """{
 "eksporti": {"institucioni": "ZMNV", "periudha": "2013-Q2", "krijuar": "2013-07-05T08:20:00Z", "skema": "1.2"},
 "viktimat": [
  {
   "nr_zmnv": "ZM-PR-2013-0042", "zyra": "Prishtinë", "hapur_me": "2013-04-16T22:00:00Z",
   "viktima": {"emri": "Blerta", "mbiemri": "Gashi", "emri_prindit": "Avni", "nr_personal": "1012345674", "datelindja": "1996-02-11",
    "gjinia": "F", "shtetesia": "XKX", "vendbanimi": "Gjilan"},
   "vepra": "TRAFIKIM", "forma": "S",
   "referimi": {"nga": "POLICIA", "data": "2013-04-16T22:00:00Z"},
   "statusi": [
    {"lloji": "SUPOZUAR", "data": "2013-04-16T22:00:00Z"},
    {"lloji": "IDENTIFIKUAR", "data": "2013-04-29T22:00:00Z"}
   ],
   "nr_policise": "2013-PR-00412", "nr_pp": "PP.I.nr.34/2013", "nr_qps": "QPS/05/117",
   "sherbimet": [{"id": 1, "lloji": "JUR", "data": "2013-04-17T22:00:00Z"}],
   "seancat": [
    {"id": 1, "nr_gjykates": "PKR.nr.12/2013", "gjykata": "Prishtinë", "data": "2013-06-20T08:30:00Z", "mbrojtesi_i_pranishem": true},
    {"id": 2, "nr_gjykates": null, "gjykata": "Prishtinë", "data": "2013-06-27T08:30:00Z", "mbrojtesi_i_pranishem": null}
   ],
   "kompensimi": {"kerkuar_me": "2013-06-19T22:00:00Z", "kerkuar_eur": 3000, "vendosur_me": null, "dhene_eur": null}
  },
  {
   "nr_zmnv": "ZM-PE-2013-0007", "zyra": "Pejë", "hapur_me": "2013-05-02T22:00:00Z",
   "viktima": {"emri": "Ana", "mbiemri": "Rusu", "emri_prindit": null, "nr_personal": null, "datelindja": "1990-01-01",
    "gjinia": "F", "shtetesia": "MDA", "vendbanimi": null},
   "vepra": "TJETER", "forma": null,
   "referimi": {"nga": "OJQ", "data": "2013-05-01T22:00:00Z"},
   "statusi": [{"lloji": "NUK_KONFIRMUAR", "data": "2013-05-20T22:00:00Z"}],
   "nr_policise": null, "nr_pp": null, "nr_qps": null,
   "sherbimet": [], "seancat": [], "kompensimi": null
  }
 ]
}
"""
PERSONA = (
    "Nr_QPS,Qendra,Data_e_hapjes,Emri,Mbiemri,Emri_i_prindit,Nr_personal,Datelindja,Gjinia,Shtetesia,Komuna,Referuar_nga,"
    "Data_e_referimit,Statusi,Data_e_statusit,Vepra,Forma,Nr_policise,Nr_PP,Nr_ZMNV,Shenim",
    "QPS/05/117,QPS Mitrovicë,20/04/2013,Blerta,Gashi,Avni,1012345674,11/02/1996,F,Kosovë,Gjilan,ZMNV,18/04/2013,E identifikuar,"
    "30/04/2013,Trafikim me njerëz,S,2013-PR-00412,,ZM-PR-2013-0042,",
    'QPS/02/30,QPS Prizren,23/04/2013,Drita,Hoxha,Agim,,1999,F,Shqipëri,,Policia,22/04/2013,E supozuar,23/04/2013,Skllavëri,,,,,"vizitë,'
    ' në shtëpi"',
)
SHERBIMET = (
    "Nr_QPS,Nr_rendor,Lloji,Prej,Deri,Ofruesi,Strehimorja,Shenim",
    "QPS/05/117,1,Strehim,20/04/2013,,Strehimorja,SPS,",
    "QPS/05/117,2,Psikosociale,25/04/2013,,QPS,,",
    "QPS/02/30,1,Riintegrim,29/04/2013,,OJQ,,",
)
PSH = {
    "lenda": (
        "lenda_id INTEGER PRIMARY KEY, nr_lendes TEXT, data_pranimit TEXT, burimi TEXT, nr_burimit TEXT, prokuroria TEXT, statusi TEXT,"
        " data_statusit TEXT",
        [
            (11, "PP.I.nr.34/2013", "2013-01-21", "PK", "2013-PR-00001", "Prishtinë", "AKT", "2013-03-01"),
            (12, "PP.II.nr.5/2013", "2013-02-02", "TJ", None, "Prizren", "HET", "2013-02-02"),
        ],
    ),
    "pala": (
        "pala_id INTEGER PRIMARY KEY, lenda_id INTEGER, roli TEXT, emri_mbiemri TEXT, emri_babait TEXT, nr_personal TEXT, datelindja TEXT,"
        " gjinia TEXT, shtetesia TEXT, komuna TEXT",
        [
            (21, 11, "D", "Gëzim Krasniqi", "Hasan", "1234567892", "1979-02-11", "1", "XKX", "Prishtinë"),
            (22, 11, "V", "Mërgime Šehu", None, None, None, "2", "ALB", None),
            (23, 12, "D", "Drita Gashi", "Ilir", "1000000011", "1990-01-01", "9", "XKX", "Prizren"),
        ],
    ),
    "akuza": (
        "akuza_id INTEGER PRIMARY KEY, pala_id INTEGER, ligji TEXT, neni TEXT, paragrafi TEXT, forma TEXT, kryesore INTEGER",
        [(31, 21, "KPRK2012", "171", "1", "S", 1), (32, 21, "KPRK2012", "241", "1", None, 0), (33, 23, "LRQP2009", "4", "1", None, 1)],
    ),
    "vendimi": (
        "vendimi_id INTEGER PRIMARY KEY, lenda_id INTEGER, pala_id INTEGER, lloji TEXT, data TEXT, nr_aktakuzes TEXT",
        [(41, 11, None, "FILL", "2013-01-22", None), (42, 11, 21, "AKT", "2013-03-01", "PP.I.nr.34/2013-A")],
    ),
}


def text(lines: tuple[str, ...] | list[str]) -> str:
    """Lines of a delimited file as the contract says: CRLF after each."""
    return "".join(line + "\r\n" for line in lines)


def lendet(path: Path, change: Callable[[openpyxl.Workbook], None] | None = None) -> None:
    """The inspectorate's workbook with two cases; `change` may damage it before it is saved."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Lëndët"
    for n, title in enumerate(("INSPEKTORATI POLICOR I KOSOVËS", "Raporti për lëndët ndaj zyrtarëve policorë", "Periudha: 2013-Q2"), 1):
        sheet.cell(n, 1, title)
        sheet.merge_cells(start_row=n, start_column=1, end_row=n, end_column=11)
    day = pd.Timestamp
    rows = [
        (1, "IPK-001/2013", day(2013, 4, 1).to_pydatetime(), "Gashi Arbër", "1000000011", "Toger", "Stacioni Pejë", "171/1 KPRK"),
        (2, "IPK-002/2013", "02.05.2013", "Ilir Hoxha", 1000000003, "Kapiten", "Policia Kufitare", "neni 422", "Nën hetim", None, None),
    ]
    rows[0] += ("Kallëzim penal", "PP I 34/13", day(2013, 5, 1).to_pydatetime())
    for n, row in enumerate([LENDET, *rows], 5):
        for k, value in enumerate(row, 1):
            sheet.cell(n, k, value)
    sheet.cell(8, 1, "Gjithsej: 2")
    if change:
        change(book)
    book.save(path)


def shkk(path: Path, change: Callable[[openpyxl.Workbook], None] | None = None) -> None:
    """The correctional service's workbook: three rows on two sheets, a third sheet with a header only."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "QK Dubravë"
    first, moved = pd.Timestamp(2013, 4, 2).to_pydatetime(), pd.Timestamp(2013, 5, 2).to_pydatetime()
    person = ("P-00001", "Arbër", "Krasniqi", "Hasan", "1234567892", "11.02.1979", "M", "Kosovë", "I dënuar", "Prishtinë", "PKR.nr.12/2013")
    sheet.append(SHKK)
    sheet.append((*person, "171/1", "3 vjet e 6 muaj", moved, None, None))
    other = book.create_sheet("QP Prishtinë")
    other.append(SHKK)
    other.append((*person, "171/1", "3 vjet e 6 muaj", first, moved, "Transferim në QK Dubravë"))
    woman = ("P-00002", "Drita", "Gashi", None, None, "1990", "F", "AL", "I paraburgosur", "Pejë", None, "neni 241", None, "05.06.2013")
    other.append((*woman, None, None))
    book.create_sheet("QP Gjilan").append(SHKK)
    if change:
        change(book)
    book.save(path)


def psh(path: Path, rows: int = 0) -> None:
    """The prosecution's database; `rows` > 0 adds so many cases, to make it many pages long."""
    db = sqlite3.connect(path)
    for table, (columns, values) in PSH.items():
        db.execute(f"CREATE TABLE {table} ({columns})")
        db.executemany(f"INSERT INTO {table} VALUES ({','.join('?' * len(values[0]))})", values)
    more = [(100 + i, f"PP.I.nr.{100 + i}/2013", "2013-02-02", "TJ", None, "Prishtinë", "HET", "2013-02-02") for i in range(rows)]
    db.executemany("INSERT INTO lenda VALUES (?,?,?,?,?,?,?,?)", more)
    db.commit()
    db.close()


def deliver(institution: str, folder: Path) -> None:
    """Write the good delivery of an institution into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    if institution == "police":
        (folder / "rastet.csv").write_bytes(text(RASTET).encode("windows-1250"))
        (folder / "personat.csv").write_bytes(text(PERSONAT).encode("windows-1250"))
    elif institution == "inspectorate":
        lendet(folder / "raporti.xlsx")
    elif institution == "prosecution":
        psh(folder / "psh.sqlite")
    elif institution == "courts":
        (folder / "smil.xml").write_text(SMIL, "utf-8")
    elif institution == "victim_protection":
        (folder / "zmnv.json").write_text(ZMNV, "utf-8")
    elif institution == "social_work":
        (folder / "persona.csv").write_bytes(text(PERSONA).encode("utf-8-sig"))
        (folder / "sherbimet.csv").write_bytes(text(SHERBIMET).encode("utf-8-sig"))
    elif institution == "corrections":
        shkk(folder / "shkk.xlsx")
    else:
        raise KeyError(f"{institution}: a new source needs a good delivery in tests/reader_world.py")


def read(institution: str, folder: Path) -> ReadResult:
    """Read what lies in `folder`, and see that every physical row is accounted for."""
    result = read_delivery(institution, [SourceFile(p.name, p) for p in sorted(folder.iterdir())])
    book = count_rows_by_file(result)
    wrong = book[book["rows_read"] != book["data"] + book["structural"] + book["unreadable"]]
    assert wrong.empty, wrong.to_string()
    return result


def police(folder: Path, rastet: bytes | None = None, personat: bytes | None = None) -> ReadResult:
    """A good police delivery with one or both files replaced by other bytes."""
    deliver("police", folder)
    for name, data in (("rastet.csv", rastet), ("personat.csv", personat)):
        if data is not None:
            (folder / name).write_bytes(data)
    return read("police", folder)


def courts(folder: Path, data: bytes | str) -> ReadResult:
    """A courts' delivery of these bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "smil.xml").write_bytes(data.encode("utf-8") if isinstance(data, str) else data)
    return read("courts", folder)


def rules(result: ReadResult) -> set[str]:
    """The rules of all findings."""
    return {str(f["rule"]) for f in result.findings}


def cells(frame: pd.DataFrame) -> list[Mapping[str, object]]:
    """Rows of a table without positions."""
    plain = frame[[c for c in frame.columns if not c.startswith("_")]]
    return [dict(row) for row in plain.astype(object).where(plain.notna(), None).to_dict("records")]


GOOD_INSTITUTIONS = ("police", "inspectorate", "prosecution", "courts", "corrections", "victim_protection", "social_work")
