"""Corrected versions, withdrawn records, and deliveries that are missing, late or sent twice.

Belongs here: which versions of a quarter exist, what they contain, and when they arrived. Does not belong here: what is wrong inside a file
(`faults.py`). A record that a correction withdraws was mostly registered in error and belongs to no case (its case id begins with `W`).
With `hard` noise some withdrawn records are real; then their state of an earlier quarter counts again.
"""

from __future__ import annotations

from datetime import timedelta
from math import ceil
from random import Random

from sources.periods import MONTHS
from sources.simulator import faults
from sources.simulator.defects import DefectMaker
from sources.simulator.deliveries import INSTITUTIONS, Delivery
from sources.simulator.mistaken_records import make_mistaken_record
from sources.simulator.model import World

BLOCK = 24  # months of a sample set: `faults.FAULTS` has the faults in so many months


def make_noisy_deliveries(world: World, deliveries: list[Delivery], defect_maker: DefectMaker) -> list[Delivery]:
    """Return all deliveries of a noisy set: the first versions with their faults, and the corrections that followed them."""
    rng = Random(f"versions {defect_maker.settings.seed} {defect_maker.settings.noise}")
    hard = defect_maker.settings.noise == "hard"
    _mark_missing_deliveries(rng, deliveries, defect_maker, hard)
    result: list[Delivery] = []
    for institution in INSTITUTIONS:
        own = [delivery for delivery in deliveries if delivery.institution == institution]
        size = BLOCK // MONTHS[defect_maker.settings.cadence[institution]]
        for start in range(0, len(own), size):
            block = own[start : start + size]
            share = len(block) / size
            result += block
            result += _make_corrections(rng, world, institution, block, defect_maker, hard)
            wanted = list(faults.FAULTS[institution]) * (2 if hard else 1) + (list(faults.HARD[institution]) if hard else [])
            rng.shuffle(wanted)
            everything = [delivery for delivery in result if delivery.institution == institution and delivery.period >= block[0].period]
            faults.distribute_faults(rng, everything, wanted[: ceil(len(wanted) * share)], defect_maker)
            if institution == "corrections":
                result += _deliver_same_bytes_again(rng, everything, defect_maker, 2 if hard else 1)
    _delay_deliveries(rng, result, hard)
    return result


def _mark_missing_deliveries(rng: Random, deliveries: list[Delivery], defect_maker: DefectMaker, hard: bool) -> None:
    """Mark some deliveries as missing: in each block of two years one of the inspectorate, and with `hard` noise also one of the police and
    one of the prisons."""
    losers = ["inspectorate"] + (["police", "corrections"] if hard else [])
    for institution in losers:
        own = [delivery for delivery in deliveries if delivery.institution == institution]
        size = BLOCK // MONTHS[defect_maker.settings.cadence[institution]]
        for start in range(0, len(own), size):
            block = own[start : start + size]
            if len(block) < 3:
                continue
            delivery = rng.choice(block[1:-1])
            delivery.missing = True
            note = f"never delivered; {len(delivery.records)} records of it are seen again only if they change later"
            defect_maker.log_defect(institution, delivery.name, "", "delivery_missing", note=note)
            for record in delivery.records:
                defect_maker.log_defect(institution, delivery.name, record.key, "row_lost", note="not delivered")


def _make_next_version(rng: Random, delivery: Delivery) -> Delivery:
    """Return the next version of a delivery, with the same records and a later day of arrival."""
    new = Delivery(delivery.institution, delivery.period, list(delivery.records), delivery.version + 1)
    new.arrived = delivery.arrived + timedelta(days=rng.randrange(15, 60), seconds=rng.randrange(20000))
    new.note = "corrected version"
    new.crosswalk = list(delivery.crosswalk)
    return new


def _make_corrections(
    rng: Random, world: World, institution: str, block: list[Delivery], defect_maker: DefectMaker, hard: bool
) -> list[Delivery]:
    """Return corrected versions of deliveries in a block of two years: one after each faulty first version, and one that withdraws a
    record. With `hard` noise there are also corrections that are faulty themselves or withdraw a real record."""
    free = [delivery for delivery in block if not delivery.missing and len(delivery.records) >= (1 if institution == "inspectorate" else 4)]
    rng.shuffle(free)
    made: list[Delivery] = []
    for fault in faults.CORRECTED[institution]:
        if free:
            faulty = free.pop()
            made.append(_make_next_version(rng, faulty))
            faults.add_fault(faulty, fault, defect_maker, "version 1 of the quarter")
    if institution != "inspectorate":
        again = bool(made) and rng.random() < 0.5  # a correction that is itself corrected: `_v3`
        if again or free:
            made.append(_withdraw_mistaken_record(rng, world, made[-1] if again else free.pop(), defect_maker))
    if hard:
        if free and institution != "inspectorate":
            made += _withdraw_real_record(rng, free.pop(), defect_maker)
        if free:
            made.append(_make_faulty_correction(rng, institution, free.pop(), defect_maker))
    return made


def _withdraw_mistaken_record(rng: Random, world: World, first: Delivery, defect_maker: DefectMaker) -> Delivery:
    """Add to a delivery a record that was registered in error. Return the next version, which does not contain the record."""
    second = _make_next_version(rng, first)
    record = make_mistaken_record(rng, world, first)
    first.records = [*first.records, record]
    defect_maker.log_defect(first.institution, first.name, record.key, "record_withdrawn_later")
    return second


def _withdraw_real_record(rng: Random, first: Delivery, defect_maker: DefectMaker) -> list[Delivery]:
    """Return a next version from which a record is missing that has an earlier state; this earlier state then counts again. Return an empty
    list if there is no such record."""
    before = [i for i, record in enumerate(first.records) if record.true["registered"] < first.exported.date() - timedelta(days=130)]
    if not before:
        return []
    second = _make_next_version(rng, first)
    record = second.records.pop(rng.choice(before))
    defect_maker.log_defect(first.institution, first.name, record.key, "record_withdrawn_later", note="a real record")
    return [second]


def _make_faulty_correction(rng: Random, institution: str, first: Delivery, defect_maker: DefectMaker) -> Delivery:
    """Return a correction that has a fault itself. Either nothing of it can be read, and it replaces nothing; or a part of it can be read,
    and it withdraws nothing (counting-rules.md)."""
    second = _make_next_version(rng, first)
    part = institution in ("police", "courts") and len(second.records) >= 4
    faults.add_fault(second, "truncated" if part else "wrong_content", defect_maker)
    return second


def _deliver_same_bytes_again(rng: Random, own: list[Delivery], defect_maker: DefectMaker, times: int) -> list[Delivery]:
    """Return next versions that have the same bytes as the version before. They count as separate deliveries nevertheless."""
    latest = {delivery.period: delivery for delivery in sorted(own, key=lambda delivery: delivery.version)}
    candidates = [delivery for delivery in latest.values() if not delivery.missing and delivery.read == "full"]
    made = []
    for delivery in rng.sample(candidates, min(times, len(candidates))):
        defect_maker.log_defect(delivery.institution, delivery.name, "", "delivered_twice", note="the next version is the same bytes")
        second = _make_next_version(rng, delivery)
        second.twin, second.faults = delivery, set(delivery.faults)
        made.append(second)
    return made


def _delay_deliveries(rng: Random, deliveries: list[Delivery], hard: bool) -> None:
    """Delay the arrival of some first versions until after the next quarter's delivery. With `hard` noise some of them arrive after their
    own correction."""
    firsts = [delivery for delivery in deliveries if delivery.version == 1 and not delivery.missing]
    corrected = {(delivery.institution, delivery.period) for delivery in deliveries if delivery.version > 1}
    late = max(1, round(len(firsts) / 13) * (2 if hard else 1))
    for delivery in rng.sample(firsts, min(late, len(firsts))):
        if (delivery.institution, delivery.period) in corrected and not hard:
            continue
        delivery.arrived += timedelta(days=rng.randrange(95, 150))
        delivery.note = "late, after the next quarter"
