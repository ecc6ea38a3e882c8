"""Which files the deliveries of ZMNV (the victim protection office) and of the centres contain, which versions exist, and what is wrong
with whole files.

Belongs here: the content of a delivery before it is written. Does not belong here: wrong values (`victim_defects.py`), bytes
(`write_victims.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, time, timedelta
from math import ceil
from random import Random

from sources.periods import MONTHS, Cadence, first_day, last_day, period_containing
from sources.simulator.codes import read_places
from sources.simulator.defects import DefectMaker
from sources.simulator.deliveries import Delivery
from sources.simulator.model import Case, Person, World
from sources.simulator.people import draw_person_outside_world
from sources.simulator.periods import list_simulated_periods
from sources.simulator.records import CaseRecord
from sources.simulator.victim_files import BOTH, QPS, ZMNV, VictimFile, VictimWorld
from sources.simulator.victim_records import make_victim_record

YEARS = 2  # years of a sample set: `FAULTS` has the faults in so many years
FAULTS: dict[str, tuple[str, ...]] = {
    ZMNV: ("bom", "compact", "extra_field", "leftover_part"),
    QPS: (
        *("no_bom", "delimiter_semicolon", "extra_column", "renamed_header", "column_order", "repeated_header", "total_line"),
        *("blank_lines", "cut_row", "cut_row", "quoted_newline", "leftover_part", "enc_cp1250"),
    ),
}
CORRECTED = {ZMNV: ("illformed",), QPS: ("truncated",)}  # faults of first versions; a correction follows
HARD: dict[str, tuple[str, ...]] = {ZMNV: ("enc_utf16",), QPS: ("wrong_total", "enc_utf16")}
EXCLUSIVE = (
    {"bom", "enc_utf16", "no_bom", "enc_cp1250"},
    {"truncated", "cut_row", "total_line", "wrong_total", "illformed"},
    {"column_order", "cut_row", "truncated"},
)


def build_victim_deliveries(world: World, victims: VictimWorld, rng: Random, cadence: Mapping[str, Cadence]) -> list[Delivery]:
    """Return the first version of each delivery of both institutions. A delivery contains the files that were opened or changed in its
    period."""
    deliveries = []
    for institution in BOTH:
        periods = list_simulated_periods(world.start, world.years, cadence[institution])
        within = set(periods)
        held: dict[str, list[CaseRecord]] = defaultdict(list)
        for file in victims.files:
            if file.institution == institution:
                for period in sorted({period_containing(day, cadence[institution]) for day in file.list_change_days()} & within):
                    held[period].append(make_victim_record(file, last_day(period)))
        for period in periods:
            delivery = Delivery(institution, period, held[period])
            days = timedelta(days=rng.randrange(3, 12), hours=rng.randrange(8, 16), seconds=rng.randrange(3600))
            delivery.arrived = datetime.combine(last_day(period), time()) + timedelta(days=1) + days
            deliveries.append(delivery)
    return deliveries


def make_noisy_victim_deliveries(
    world: World, victims: VictimWorld, deliveries: list[Delivery], defect_maker: DefectMaker, next_case: int
) -> list[Delivery]:
    """Return all deliveries of a noisy set: the first versions with their faults, and the corrections that followed them. `next_case`: the
    number of the next case that is made for a mistaken file."""
    rng = Random(f"victim versions {defect_maker.settings.seed} {defect_maker.settings.noise}")
    hard = defect_maker.settings.noise == "hard"
    result = list(deliveries)
    for institution in BOTH:
        own = [delivery for delivery in deliveries if delivery.institution == institution]
        size = YEARS * 12 // MONTHS[defect_maker.settings.cadence[institution]]
        for start in range(0, len(own), size):
            block = own[start : start + size]
            share = len(block) / size
            if institution == QPS or hard:
                _mark_missing_delivery(rng, block, defect_maker)
            free = [delivery for delivery in block if not delivery.missing and len(delivery.records) >= 4]
            rng.shuffle(free)
            made: list[Delivery] = []
            for fault in CORRECTED[institution]:
                if free:
                    faulty = free.pop()
                    made.append(_make_next_version(rng, faulty))
                    _add_fault(faulty, fault, defect_maker, "version 1 of the period")
            if free:
                made.append(_withdraw_mistaken_file(rng, world, victims, free.pop(), defect_maker, next_case))
                next_case += 1
            wanted = list(FAULTS[institution]) * (2 if hard else 1) + (list(HARD[institution]) if hard else [])
            rng.shuffle(wanted)
            for fault in wanted[: ceil(len(wanted) * share)]:
                fits = [delivery for delivery in [*block, *made] if _can_have_fault(fault, delivery)]
                if fits:
                    _add_fault(rng.choice(fits), fault, defect_maker)
            if free:
                made.append(_deliver_same_bytes_again(rng, free.pop(), defect_maker))
            result += made
    for delivery in rng.sample(result, max(1, len(result) // 12)):
        if (
            delivery.version == 1
            and not delivery.missing
            and not any(
                other.version > 1 and (other.institution, other.period) == (delivery.institution, delivery.period) for other in result
            )
        ):
            delivery.arrived += timedelta(days=rng.randrange(95, 150))
            delivery.note = "late, after the next quarter"
    return result


def _mark_missing_delivery(rng: Random, block: list[Delivery], defect_maker: DefectMaker) -> None:
    """Mark one delivery of a block as missing, and record what is lost with it."""
    if len(block) < 3:
        return
    delivery = rng.choice(block[1:-1])
    delivery.missing = True
    note = f"never delivered; {len(delivery.records)} files of it are seen again only if they change later"
    defect_maker.log_defect(delivery.institution, delivery.name, "", "delivery_missing", note=note)
    for record in delivery.records:
        defect_maker.log_defect(delivery.institution, delivery.name, record.key, "row_lost", note="not delivered")


def _make_next_version(rng: Random, delivery: Delivery) -> Delivery:
    """Return the next version of a delivery, with the same records and a later day of arrival."""
    new = Delivery(delivery.institution, delivery.period, list(delivery.records), delivery.version + 1)
    new.arrived = delivery.arrived + timedelta(days=rng.randrange(10, 40), seconds=rng.randrange(20000))
    new.note = "corrected version"
    return new


def _deliver_same_bytes_again(rng: Random, delivery: Delivery, defect_maker: DefectMaker) -> Delivery:
    """Return a next version that has the same bytes."""
    defect_maker.log_defect(delivery.institution, delivery.name, "", "delivered_twice", note="the next version is the same bytes")
    second = _make_next_version(rng, delivery)
    second.twin, second.faults = delivery, set(delivery.faults)
    return second


def _withdraw_mistaken_file(
    rng: Random, world: World, victims: VictimWorld, first: Delivery, defect_maker: DefectMaker, case: int
) -> Delivery:
    """Add to a delivery a file that was opened in error and belongs to no case. Return the next version, which does not contain the
    file."""
    second = _make_next_version(rng, first)
    day = first_day(first.period) + timedelta(days=rng.randrange(1, 25))
    person = _make_person(rng, victims, len(world.persons) + 1)
    matter = Case(day, day - timedelta(days=20), "trafficking", "sexual", rng.choice(list(read_places()["municipalities"])))
    matter.case_id = f"W{case:06d}"
    zmnv = first.institution == ZMNV
    file = VictimFile(
        first.institution,
        person,
        matter,
        "PR" if zmnv else "01",
        "Prishtinë",
        day,
        day,
        "OJQ",
        "trafficking",
        "sexual",
        day,
        [(day, "presumed")],
    )
    file.number = f"ZM-PR-{day.year}-{9000 + case % 900}" if zmnv else f"QPS/01/{9000 + case % 900}"
    first.records = [*first.records, make_victim_record(file, last_day(first.period))]
    defect_maker.log_defect(first.institution, first.name, file.number, "record_withdrawn_later")
    return second


def _make_person(rng: Random, victims: VictimWorld, serial: int) -> Person:
    person = draw_person_outside_world(rng, "F", range(1970, 1995))
    person.person_id = f"P{serial + len(victims.persons):07d}"
    victims.persons.append(person)
    return person


# -- faults of files ------------------------------------------------------------------------------------------------------------------


def _can_have_fault(fault: str, delivery: Delivery) -> bool:
    """Return whether a fault can be added to a delivery, given the faults that the delivery already has."""
    if delivery.missing or delivery.read != "full" or delivery.twin is not None or fault in delivery.faults:
        return False
    if any(fault in group and group & delivery.faults for group in EXCLUSIVE):
        return False
    return len(delivery.records) >= 4 * (fault in ("cut_row", "quoted_newline"))


def _add_fault(delivery: Delivery, fault: str, defect_maker: DefectMaker, note: str = "") -> None:
    """Add a fault to a delivery, and mark what can no longer be read because of it."""
    delivery.faults.add(fault)
    if fault == "wrong_total":
        delivery.faults.add("total_line")
    defect_maker.log_defect(delivery.institution, delivery.name, "", f"file_{fault}", note=note)
    effect = {
        "illformed": _break_json,
        "truncated": _truncate_services_file,
        "cut_row": _cut_person_and_service_rows,
        "quoted_newline": _break_quoted_lines,
    }.get(fault)
    if effect:
        effect(delivery, defect_maker)


def _copy_record_of_delivery(delivery: Delivery, i: int) -> CaseRecord:
    """Replace record number `i` of a delivery by a copy, so that changes do not affect other versions, and return the copy."""
    record = delivery.records[i]
    copied = replace(record, cells=dict(record.cells), lost_persons=set(record.lost_persons))
    copied.lost_entries, copied.short_entries = set(record.lost_entries), set(record.short_entries)
    delivery.records[i] = copied
    return copied


def _break_json(delivery: Delivery, _: DefectMaker) -> None:
    """Mark the delivery as unreadable, since nothing can be read from a JSON document that is not well-formed."""
    delivery.read = "none"


def _truncate_services_file(delivery: Delivery, defect_maker: DefectMaker) -> None:
    """Truncate `sherbimet.csv` in the middle of a row. This row cannot be read, and the rows after it are missing."""
    rows = [(i, part.key) for i, record in enumerate(delivery.records) for part in record.entries]
    delivery.read = "part" if rows else "full"
    at = int(len(rows) * defect_maker.rng.uniform(0.5, 0.9))
    for i, key in rows[at:]:
        record = _copy_record_of_delivery(delivery, i)
        record.lost_entries.add(key)
        if key == rows[at][1]:
            record.cut_entry = key
    if rows:
        defect_maker.log_defect(delivery.institution, delivery.name, rows[at][1], "row_cut", note="file cut in this row")


def _cut_person_and_service_rows(delivery: Delivery, defect_maker: DefectMaker) -> None:
    """Let one row of `persona.csv` and one row of `sherbimet.csv` end too early. Their keys can still be read."""
    i, j = defect_maker.rng.sample(range(len(delivery.records)), 2)
    record = _copy_record_of_delivery(delivery, i)
    record.unread = True
    record.lost_persons = {person.key for person in record.persons}
    defect_maker.log_defect(delivery.institution, delivery.name, record.key, "row_cut", note="cannot be parsed")
    other = _copy_record_of_delivery(delivery, j)
    if other.entries:
        part = defect_maker.rng.choice(other.entries)
        other.lost_entries.add(part.key)
        other.short_entries.add(part.key)
        defect_maker.log_defect(delivery.institution, delivery.name, part.key, "row_cut", note="cannot be parsed")


def _break_quoted_lines(delivery: Delivery, defect_maker: DefectMaker) -> None:
    """Put a note with a line break into some records, so that a quoted cell spans two lines."""
    for i in sorted(defect_maker.rng.sample(range(len(delivery.records)), 2)):
        record = _copy_record_of_delivery(delivery, i)
        record.cells["Shenim"] = "Vizitë në shtëpi,\nbisedë me familjen"
        defect_maker.log_defect(delivery.institution, delivery.name, record.key, "quoted_line_break", "Shenim", "", record.cells["Shenim"])
