"""Writes the courts' file `smil.xml` (docs/reference/deliveries.md, Courts), with the faults that the delivery has."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from sources.simulator.deliveries import Delivery
from sources.simulator.records import CaseRecord, PersonRecord

NAMESPACE = "urn:kgjk:smil:1"


def write_courts(folder: Path, delivery: Delivery) -> None:
    """Write the courts' export of a delivery into `folder`."""
    faults = delivery.faults
    declared = "ISO-8859-1" if "wrong_declaration" in faults else "UTF-8"
    lines = [f'<?xml version="1.0" encoding="{declared}"?>']
    if "external_entity" in faults:
        lines += ["<!DOCTYPE eksporti [", ' <!ENTITY shtojca SYSTEM "file:///etc/passwd">', "]>"]
    made = delivery.exported.replace(hour=9, minute=12)
    lines.append(f'<eksporti xmlns="{NAMESPACE}" periudha="{delivery.period}" krijuar="{made.isoformat()}">')
    if "external_entity" in faults:
        lines.append(" <shenim>&shtojca;</shenim>")
    if "extra_element" in faults:
        lines.append(' <sistemi versioni="2.4"><perdoruesi>admin</perdoruesi></sistemi>')
    for record in delivery.records:
        lines += _write_case_lines(record, "column_blank" in faults)
    lines.append("</eksporti>")
    text = "\n".join(lines) + "\n"
    if "truncated" in faults:
        broken = next(record.key for record in delivery.records if record.unread)
        text = text[: text.index(f'<lenda nr="{broken}"') + 190]
    (folder / "smil.xml").write_bytes(text.encode("utf-8-sig" if "bom" in faults else "utf-8"))


def _write_case_lines(record: CaseRecord, is_column_blank: bool) -> list[str]:
    """Return the lines of one case. `is_column_blank`: whether all personal numbers are left empty, which is one of the faults."""
    cells = record.cells
    head = " ".join(f"{name}={quoteattr(cells[name])}" for name in ("nr", "gjykata", "dega", "gjuha"))
    lines = [f" <lenda {head}>", f"  <pranuar>{escape(cells['pranuar'])}</pranuar>"]
    if cells["referenca"]:
        lines.append(f'  <referenca lloji="PP">{escape(cells["referenca"])}</referenca>')
    for i, person in enumerate(record.persons):
        lines += _write_defendant_lines(person, is_column_blank, broken=record.unread and i == 0)
    return [*lines, " </lenda>"]


def _write_text_element(name: str, value: str) -> str:
    return f"<{name}>{escape(value)}</{name}>" if value else f"<{name}/>"


def _write_defendant_lines(person: PersonRecord, is_column_blank: bool, broken: bool) -> list[str]:
    cells = person.cells
    surname = f"<mbiemri>{cells['mbiemri']} & bij <</mbiemri>" if broken else _write_text_element("mbiemri", cells["mbiemri"])
    lines = [
        f'  <i_pandehur id="{cells["id"]}">',
        "   " + _write_text_element("emri", cells["emri"]) + surname + _write_text_element("emri_babait", cells["emri_babait"]),
        "   "
        + _write_text_element("nr_personal", "" if is_column_blank else cells["nr_personal"])
        + (_write_text_element("datelindja", cells["datelindja"]) if cells["datelindja"] else "")
        + _write_text_element("gjinia", cells["gjinia"])
        + _write_text_element("shtetesia", cells["shtetesia"]),
    ]
    for part in person.charges:
        lines.append("   <akuza " + " ".join(f"{name}={quoteattr(value)}" for name, value in part.cells.items()) + "/>")
    for part in person.judgments:
        head = " ".join(f"{name}={quoteattr(part.cells[name])}" for name in ("lloji", "data", "forme_prere") if part.cells[name])
        sentences = "".join(_write_sentence_element(kind, amount) for kind, amount in part.cells["denimet"])
        if sentences:
            lines += [f"   <aktgjykimi {head}>", f"    {sentences}", "   </aktgjykimi>"]
        else:
            lines.append(f"   <aktgjykimi {head}/>")
    return [*lines, "  </i_pandehur>"]


def _write_sentence_element(kind: str, amount: int) -> str:
    if kind == "gjobe":
        return f'<denimi lloji="gjobe" eur="{amount}"/>'
    if kind == "mase":
        return '<denimi lloji="mase"/>'
    return f'<denimi lloji="{kind}" vjet="{amount // 12}" muaj="{amount % 12}"/>'
