"""Faults of whole files: which faults there are, after which of them a correction is delivered, and what can no longer be read because of
them.

Belongs here: the faults of each institution's files, and their effect on what can be read. Does not belong here: the bytes of a faulty file
(`write_*.py`). The kinds are those of deliveries.md ("Files") and of the samples. The kinds under `HARD` occur in reality, too, but
deliveries.md does not name all of them.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from random import Random

from sources.simulator.defects import DefectMaker
from sources.simulator.deliveries import Delivery
from sources.simulator.records import CaseRecord
from sources.simulator.write_police import CASES, GARBAGE, PERSONS

# Each of these faults occurs once in eight quarters, as in the samples.
FAULTS: dict[str, tuple[str, ...]] = {
    "police": (
        *("enc_utf8", "enc_utf8_bom", "renamed_header", "extra_column", "repeated_header", "total_line", "blank_lines", "garbage_lines"),
        *("quoted_newline", "cut_row", "leftover_part", "wrong_file_extra", "missing_column"),
    ),
    "inspectorate": ("renamed_header", "extra_column", "blank_rows", "hidden_sheet", "text_dates"),
    "prosecution": ("extra_column", "extra_table", "leftover_part"),
    "courts": ("bom", "external_entity", "extra_element", "wrong_declaration"),
    "corrections": ("blank_rows", "extra_sheet", "formula", "hidden_sheet", "text_dates", "total_row", "wrong_file_extra"),
}
# Faults of a first version, after which a corrected version follows.
CORRECTED: dict[str, tuple[str, ...]] = {
    "police": ("truncated",),
    "inspectorate": ("empty",),
    "prosecution": ("truncated",),
    "courts": ("illformed", "column_blank"),
    "corrections": (),
}
HARD: dict[str, tuple[str, ...]] = {
    "police": ("line_feeds", "comma", "wrong_total", "enc_utf16"),
    "inspectorate": ("wrong_total", "leftover_part"),
    "prosecution": (),
    "courts": ("leftover_part",),
    "corrections": ("wrong_total", "leftover_part"),
}
# Faults of one group never occur together in one file.
EXCLUSIVE = (
    {"enc_utf8", "enc_utf8_bom", "enc_utf16"},
    {"bom", "wrong_declaration"},
    {"comma", "garbage_lines", "total_line", "cut_row", "truncated"},
    {"truncated", "cut_row", "total_line", "garbage_lines"},
)


def can_have_fault(fault: str, delivery: Delivery) -> bool:
    """Return whether a fault can be added to a delivery, given the faults that the delivery already has."""
    if delivery.missing or delivery.read != "full" or delivery.twin is not None:
        return False
    return not any(fault in group and group & delivery.faults for group in EXCLUSIVE) and len(delivery.records) >= 4 * (fault in NEEDS_ROWS)


NEEDS_ROWS = {"truncated", "illformed", "cut_row", "quoted_newline", "formula", "column_blank"}


def add_fault(delivery: Delivery, fault: str, defect_maker: DefectMaker, note: str = "") -> None:
    """Add a fault to a delivery. Its files will be written with the fault; records that can no longer be read are marked."""
    delivery.faults.add(fault)
    kind = {"wrong_total": "file_wrong_total"}.get(fault, f"file_{fault}")
    defect_maker.log_defect(delivery.institution, delivery.name, "", kind, note=note)
    if fault in ("wrong_total",):
        delivery.faults.add("total_row" if delivery.institution == "corrections" else "total_line")
    effect = _EFFECTS.get(fault)
    if effect:
        effect(delivery, defect_maker)


def copy_record_of_delivery(delivery: Delivery, i: int) -> CaseRecord:
    """Replace record number `i` of a delivery by a copy, so that changes do not affect other versions, and return the copy."""
    record = delivery.records[i]
    copied = replace(record, cells=dict(record.cells), values_as_read=dict(record.values_as_read), lost_persons=set(record.lost_persons))
    copied.persons = [replace(entry, cells=copied.cells if entry.cells is record.cells else dict(entry.cells)) for entry in record.persons]
    delivery.records[i] = copied
    return copied


def _truncate_file(delivery: Delivery, defect_maker: DefectMaker) -> None:
    """Truncate a file. The police's file of cases ends in the middle of a row, and the courts' file in the middle of a record; of the
    prosecution's database nothing can be read."""
    if delivery.institution == "prosecution":
        delivery.read = "none"
        return
    delivery.read = "part"
    at = max(1, int(len(delivery.records) * defect_maker.rng.uniform(0.5, 0.9)))
    broken = copy_record_of_delivery(delivery, at)
    broken.unread = True
    defect_maker.log_defect(delivery.institution, delivery.name, broken.key, "row_cut", note="file cut in this row")
    if delivery.institution == "courts":
        del delivery.records[at + 1 :]
        return
    for i in range(at + 1, len(delivery.records)):
        copy_record_of_delivery(delivery, i).absent = True


def _break_xml(delivery: Delivery, defect_maker: DefectMaker) -> None:
    """Make an XML file not well-formed from some record on."""
    delivery.read = "part"
    at = max(1, int(len(delivery.records) * defect_maker.rng.uniform(0.5, 0.9)))
    copy_record_of_delivery(delivery, at).unread = True
    defect_maker.log_defect(
        delivery.institution, delivery.name, delivery.records[at].key, "row_cut", note="not well-formed from this record on"
    )
    for i in range(at + 1, len(delivery.records)):
        copy_record_of_delivery(delivery, i).doubtful = True


def _make_delivery_unreadable(delivery: Delivery, _: DefectMaker) -> None:
    delivery.read = "none"


def _cut_off_person_rows(delivery: Delivery, defect_maker: DefectMaker) -> None:
    """Let two rows of persons end after the surname. The keys of these rows can still be read."""
    for i in sorted(defect_maker.rng.sample(range(len(delivery.records)), 2)):
        record = copy_record_of_delivery(delivery, i)
        entry = defect_maker.rng.choice(record.persons)
        record.lost_persons.add(entry.key)
        whole = [entry.cells[name] for name in PERSONS]
        defect_maker.log_defect("police", delivery.name, entry.key, "row_cut", "", ";".join(whole), ";".join(whole[:4]), "cannot be parsed")


def _break_quoted_lines(delivery: Delivery, defect_maker: DefectMaker) -> None:
    """Put a line break into the name of the police station in some records, so that a quoted cell spans two lines."""
    spaced = [i for i, record in enumerate(delivery.records) if " " in record.cells[CASES[4]]]
    for i in sorted(defect_maker.rng.sample(spaced, min(3, len(spaced)))):
        record = copy_record_of_delivery(delivery, i)
        station = record.cells["Stacioni"]
        record.cells["Stacioni"] = station.replace(" ", "\n", 1)
        defect_maker.log_defect("police", delivery.name, record.key, "quoted_line_break", "Stacioni", station, record.cells["Stacioni"])


def _log_garbage_lines(delivery: Delivery, defect_maker: DefectMaker) -> None:
    """Record, as defects, the lines of the file that are no records."""
    for line in GARBAGE:
        text = line.format(page=2)
        defect_maker.log_defect("police", delivery.name, "", "garbage_line", "", "", text, "no record; to be kept as quarantined")


def _replace_sentences_by_formulas(delivery: Delivery, defect_maker: DefectMaker) -> None:
    """Replace some lengths of sentences by formulas without a stored value."""
    serving = [i for i, record in enumerate(delivery.records) if record.cells["Dënimi"].endswith(("muaj", "vjet", "vit"))]
    for i in sorted(defect_maker.rng.sample(serving, min(4, len(serving)))):
        record = copy_record_of_delivery(delivery, i)
        before = record.cells["Dënimi"]
        record.cells["Dënimi"] = f'=CONCATENATE({_count_months_of_sentence(before)}," muaj")'
        defect_maker.log_defect("corrections", delivery.name, record.key, "formula_in_cell", "Dënimi", before, record.cells["Dënimi"])


def _count_months_of_sentence(sentence: str) -> int:
    """Return the length of a sentence that is written in words, in months."""
    total = 0
    parts = sentence.split()
    for number, unit in pairwise(parts):
        if number.isdigit():
            total += int(number) * (12 if unit.startswith("v") else 1)
    return total


_EFFECTS = {
    "truncated": _truncate_file,
    "illformed": _break_xml,
    "empty": _make_delivery_unreadable,
    "wrong_content": _make_delivery_unreadable,
    "cut_row": _cut_off_person_rows,
    "quoted_newline": _break_quoted_lines,
    "garbage_lines": _log_garbage_lines,
    "formula": _replace_sentences_by_formulas,
}


def distribute_faults(rng: Random, deliveries: list[Delivery], wanted: list[str], defect_maker: DefectMaker) -> None:
    """Add each of the faults `wanted` to a delivery that can have it. Deliveries with the fewest faults are preferred."""
    for fault in wanted:
        candidates = [delivery for delivery in deliveries if fault not in delivery.faults and can_have_fault(fault, delivery)]
        if candidates:
            fewest = min(len(delivery.faults) for delivery in candidates)
            add_fault(rng.choice([delivery for delivery in candidates if len(delivery.faults) == fewest]), fault, defect_maker)
