"""Writes files that do not belong in a delivery: leftovers of copying, a file of another institution, or a file whose content does not fit
its name."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from sources.simulator.deliveries import Delivery
from sources.simulator.write_courts import NAMESPACE
from sources.simulator.write_police import CASES, PERSONS

MAIN = {
    "police": "rastet.csv",
    "inspectorate": "raporti.xlsx",
    "prosecution": "psh.sqlite",
    "courts": "smil.xml",
    "corrections": "shkk.xlsx",
}


def write_stray_files(folder: Path, delivery: Delivery) -> None:
    """Write leftovers and files of other institutions beside the delivery's own files, if the faults of the delivery ask for them."""
    if "leftover_part" in delivery.faults:
        if delivery.institution == "police":
            (folder / "personat.csv.part").write_bytes(";".join(PERSONS)[:17].encode())
        elif delivery.institution == "prosecution":
            (folder / "psh.sqlite-journal").write_bytes(b"")
        elif delivery.institution == "courts":
            (folder / "smil.xml.tmp").write_bytes(b'<?xml version="1.0" enc')
        else:
            (folder / f"~${MAIN[delivery.institution]}").write_bytes(b"\x05zyra" + b" " * 160)
    if "wrong_file_extra" in delivery.faults:
        if delivery.institution == "police":
            made = (delivery.exported - timedelta(days=90)).isoformat()
            root = f'<eksporti xmlns="{NAMESPACE}" periudha="{delivery.period}" krijuar="{made}">'
            text = f'<?xml version="1.0" encoding="UTF-8"?>\n{root}\n</eksporti>\n'
            (folder / "smil.xml").write_text(text, encoding="utf-8")
        else:
            (folder / "rastet.csv").write_bytes((";".join(CASES) + "\r\n").encode("cp1250"))


def write_wrong_content(folder: Path, delivery: Delivery) -> None:
    """Write a file that has the right name, but contains a saved web page."""
    page = "<html><head><title>Hyrja në sistem</title></head><body>Seanca ka skaduar. Kyçuni përsëri.</body></html>\n"
    (folder / MAIN[delivery.institution]).write_text(page, encoding="utf-8")
