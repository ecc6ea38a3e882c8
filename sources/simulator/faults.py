"""What is wrong with whole files: which faults there are, which of them a correction follows, and what they take from a delivery.

Belongs here: the list of faults by institution and their effect on what can be read. How a faulty file's bytes look: `write_*.py`.
Kinds are those of deliveries.md ("Files") and of the samples. Those under HARD occur too: deliveries.md does not name them all.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from random import Random

from sources.simulator.defects import Spoiler
from sources.simulator.deliveries import Delivery
from sources.simulator.records import CaseRecord
from sources.simulator.write_police import CASES, GARBAGE, PERSONS

# Once in eight quarters each, as in the samples.
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
# Of a first version that a corrected one follows.
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
# Not both in one file.
EXCLUSIVE = (
    {"enc_utf8", "enc_utf8_bom", "enc_utf16"},
    {"bom", "wrong_declaration"},
    {"comma", "garbage_lines", "total_line", "cut_row", "truncated"},
    {"truncated", "cut_row", "total_line", "garbage_lines"},
)


def fits(fault: str, delivery: Delivery) -> bool:
    """Whether a fault can be in a delivery beside those that are there already."""
    if delivery.missing or delivery.read != "full" or delivery.twin is not None:
        return False
    return not any(fault in group and group & delivery.faults for group in EXCLUSIVE) and len(delivery.records) >= 4 * (fault in NEEDS_ROWS)


NEEDS_ROWS = {"truncated", "illformed", "cut_row", "quoted_newline", "formula", "column_blank"}


def add(delivery: Delivery, fault: str, spoiler: Spoiler, note: str = "") -> None:
    """Puts a fault into a delivery: its files will be written so, and what cannot be read of them is marked."""
    delivery.faults.add(fault)
    kind = {"wrong_total": "file_wrong_total"}.get(fault, f"file_{fault}")
    spoiler.log(delivery.institution, delivery.name, "", kind, note=note)
    if fault in ("wrong_total",):
        delivery.faults.add("total_row" if delivery.institution == "corrections" else "total_line")
    effect = _EFFECTS.get(fault)
    if effect:
        effect(delivery, spoiler)


def _own_copy(delivery: Delivery, i: int) -> CaseRecord:
    """The i-th record as this delivery alone has it, so that other versions keep theirs."""
    record = delivery.records[i]
    copied = replace(record, cells=dict(record.cells), said=dict(record.said), lost_persons=set(record.lost_persons))
    copied.persons = [replace(entry, cells=copied.cells if entry.cells is record.cells else dict(entry.cells)) for entry in record.persons]
    delivery.records[i] = copied
    return copied


def _truncated(delivery: Delivery, spoiler: Spoiler) -> None:
    """A copy broke off: of the police's cases file in the middle of a row, of the database so that nothing can be read."""
    if delivery.institution == "prosecution":
        delivery.read = "none"
        return
    delivery.read = "part"
    at = max(1, int(len(delivery.records) * spoiler.rng.uniform(0.5, 0.9)))
    broken = _own_copy(delivery, at)
    broken.unread = True
    spoiler.log(delivery.institution, delivery.name, broken.key, "row_cut", note="file cut in this row")
    if delivery.institution == "courts":
        del delivery.records[at + 1 :]
        return
    for i in range(at + 1, len(delivery.records)):
        _own_copy(delivery, i).absent = True


def _illformed(delivery: Delivery, spoiler: Spoiler) -> None:
    delivery.read = "part"
    at = max(1, int(len(delivery.records) * spoiler.rng.uniform(0.5, 0.9)))
    _own_copy(delivery, at).unread = True
    spoiler.log(delivery.institution, delivery.name, delivery.records[at].key, "row_cut", note="not well-formed from this record on")
    for i in range(at + 1, len(delivery.records)):
        _own_copy(delivery, i).doubtful = True


def _unreadable(delivery: Delivery, _: Spoiler) -> None:
    delivery.read = "none"


def _cut_row(delivery: Delivery, spoiler: Spoiler) -> None:
    """Two rows of persons end after the surname; their keys can still be read."""
    for i in sorted(spoiler.rng.sample(range(len(delivery.records)), 2)):
        record = _own_copy(delivery, i)
        entry = spoiler.rng.choice(record.persons)
        record.lost_persons.add(entry.key)
        whole = [entry.cells[name] for name in PERSONS]
        spoiler.log("police", delivery.name, entry.key, "row_cut", "", ";".join(whole), ";".join(whole[:4]), "cannot be parsed")


def _quoted_newline(delivery: Delivery, spoiler: Spoiler) -> None:
    spaced = [i for i, record in enumerate(delivery.records) if " " in record.cells[CASES[4]]]
    for i in sorted(spoiler.rng.sample(spaced, min(3, len(spaced)))):
        record = _own_copy(delivery, i)
        station = record.cells["Stacioni"]
        record.cells["Stacioni"] = station.replace(" ", "\n", 1)
        spoiler.log("police", delivery.name, record.key, "quoted_line_break", "Stacioni", station, record.cells["Stacioni"])


def _garbage(delivery: Delivery, spoiler: Spoiler) -> None:
    for line in GARBAGE:
        text = line.format(page=2)
        spoiler.log("police", delivery.name, "", "garbage_line", "", "", text, "no record; to be kept as quarantined")


def _formula(delivery: Delivery, spoiler: Spoiler) -> None:
    """Some sentences are formulas without a cached value."""
    serving = [i for i, record in enumerate(delivery.records) if record.cells["Dënimi"].endswith(("muaj", "vjet", "vit"))]
    for i in sorted(spoiler.rng.sample(serving, min(4, len(serving)))):
        record = _own_copy(delivery, i)
        before = record.cells["Dënimi"]
        record.cells["Dënimi"] = f'=CONCATENATE({_months(before)}," muaj")'
        spoiler.log("corrections", delivery.name, record.key, "formula_in_cell", "Dënimi", before, record.cells["Dënimi"])


def _months(sentence: str) -> int:
    total = 0
    parts = sentence.split()
    for number, unit in pairwise(parts):
        if number.isdigit():
            total += int(number) * (12 if unit.startswith("v") else 1)
    return total


_EFFECTS = {
    "truncated": _truncated,
    "illformed": _illformed,
    "empty": _unreadable,
    "wrong_content": _unreadable,
    "cut_row": _cut_row,
    "quoted_newline": _quoted_newline,
    "garbage_lines": _garbage,
    "formula": _formula,
}


def spread(rng: Random, deliveries: list[Delivery], wanted: list[str], spoiler: Spoiler) -> None:
    """Puts each fault into some delivery of an institution that it fits, the ones with fewest faults first."""
    for fault in wanted:
        candidates = [delivery for delivery in deliveries if fault not in delivery.faults and fits(fault, delivery)]
        if candidates:
            fewest = min(len(delivery.faults) for delivery in candidates)
            add(rng.choice([delivery for delivery in candidates if len(delivery.faults) == fewest]), fault, spoiler)
