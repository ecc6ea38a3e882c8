"""What follows an indictment: the court file, judgments and appeals, detention before the judgment and prison after it.

Belongs here: drawing by chance what happens, and when. Does not belong here: what the police and the prosecution did before (`life.py`).
"""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

from sources.simulator.codes import find_court_seat, make_offence, read_places
from sources.simulator.model import Case, Charge, CourtFile, Defendant, Judgment, Party, Person, PrisonStay, ProsecutionFile
from sources.simulator.settings import Settings

CUSTODY = {"trafficking": 0.6, "slavery": 0.6, "facilitating_prostitution": 0.35, "withholding_identity_papers": 0.3, "prostitution": 0.0}
RELEASES = ("Përfundim i paraburgimit", "Vendim i gjykatës", "Arrest shtëpiak")


def simulate_trial(
    rng: Random, settings: Settings, case: Case, prosecution_file: ProsecutionFile, indicted: list[Party], day: date
) -> None:
    """Add the court file on an indictment of the day `day`, with its judgments and sentences. A few indictments never arrive at the
    court."""
    if rng.random() < 0.025:
        return
    received = day + timedelta(days=rng.randrange(2, 30))
    serious = prosecution_file.register == "I"
    municipality = read_places()["municipalities"][case.municipality]
    branch = "" if serious or rng.random() < 0.3 else municipality[1]
    language = "sr" if prosecution_file.seat == "Mitrovicë" and rng.random() < 0.55 else "sq"
    file = CourtFile("PKR" if serious else "P", prosecution_file.seat, branch, language, received, prosecution_file)
    for seq, party in enumerate(indicted, 1):
        charges = [Charge(c.offence, None, c.principal, received) for c in party.charges if c.until is None and c.since <= day]
        file.defendants.append(Defendant(party.person, seq, charges))
    case.courts.append(file)
    if rng.random() < settings.renumbered * 1.5:
        file = _renumber_court_file(rng, case, file)
    together = file.received + timedelta(days=rng.randrange(50, 520))
    for defendant in file.defendants:
        if rng.random() < 0.12:
            continue
        judged = together if rng.random() < 0.85 else together + timedelta(days=rng.randrange(5, 150))
        _judge_defendant(rng, file, defendant, judged)


def _renumber_court_file(rng: Random, case: Case, file: CourtFile) -> CourtFile:
    """Let a court file go on under a new number, while the old entry stays in the register. This is a defect of the register. The new entry
    mostly keeps the day on which the file was received. Return the new file."""
    moved = file.received + timedelta(days=rng.randrange(8, 80))
    new = CourtFile(file.register, file.seat, file.branch, file.language, moved, file.prosecution_file, former=file)
    if rng.random() < 0.7:
        new.received, new.since = file.received, moved
    new.defendants = [Defendant(d.person, d.seq, d.charges) for d in file.defendants]
    file.until = moved
    case.courts.append(new)
    return new


def _judge_defendant(rng: Random, file: CourtFile, defendant: Defendant, day: date) -> None:
    """Add the judgment on a defendant. More than a third of the judgments are appealed, and some appeals end in a new judgment in the same
    file."""
    if rng.random() < 0.05 and defendant.charges[0].offence.kind == "trafficking":
        _convict_of_other_offence(defendant, day)
    first = Judgment(_draw_judgment_kind(rng), day)
    first.sentences = _draw_sentences(rng, first.kind, defendant)
    defendant.judgments.append(first)
    if rng.random() < 0.62:
        first.final = day + timedelta(days=rng.randrange(15, 60))
        return
    decided = day + timedelta(days=rng.randrange(60, 260))
    if rng.random() < 0.65:
        first.final = decided
        return
    second = Judgment(_draw_judgment_kind(rng), decided)
    second.sentences = _draw_sentences(rng, second.kind, defendant)
    second.final = decided + timedelta(days=rng.randrange(0, 45)) if rng.random() < 0.9 else None
    defendant.judgments.append(second)
    defendant.replaces = rng.random() < 0.5


def _convict_of_other_offence(defendant: Defendant, day: date) -> None:
    """Let the court convict for another offence than the one charged. From the day of the judgment on, the principal charge is the other
    offence."""
    old = defendant.charges[0]
    lesser = "injury" if old.form != "sexual" else "facilitating_prostitution"
    law_day = {"KPK2003": date(2012, 6, 1), "KPRK2012": date(2014, 6, 1)}.get(old.offence.law, date(2020, 6, 1))
    defendant.charges = [
        Charge(old.offence, old.form, True, old.since, day),
        Charge(make_offence(lesser, law_day), None, True, day),
        *defendant.charges[1:],
    ]


def _draw_judgment_kind(rng: Random) -> str:
    return rng.choices(("DEN", "LIR", "REF"), (60, 27, 13))[0]


def _draw_sentences(rng: Random, kind: str, defendant: Defendant) -> list[tuple[str, int]]:
    """Return the sentences of a conviction as pairs of kind and amount (months or euro). Return no sentences for any other kind of
    judgment."""
    if kind != "DEN":
        return []
    group = defendant.charges[-1].offence.group if defendant.charges[0].until else defendant.charges[0].offence.group
    fine = [("gjobe", rng.randrange(2, 50) * 100)] if rng.random() < 0.5 else []
    if group in ("trafficking", "slavery"):
        return [("burgim", rng.choice((24, 30, 36, 42, 48, 60, 72, 78, 84, 96, 102, 114, 120))), *fine]
    way = rng.random()
    if group == "prostitution":
        return [("burgim", rng.randrange(1, 3))] if way < 0.15 else [("mase", 0)] if way < 0.25 else [("gjobe", rng.randrange(2, 15) * 100)]
    if way < 0.6:
        return [("burgim", rng.choice((6, 8, 12, 15, 18, 20, 24, 32, 36, 42))), *fine]
    return [("kusht", rng.choice((6, 12, 18, 24))), *fine] if way < 0.92 else [("mase", 0)]


# -- detention and prison -------------------------------------------------------------------------------------------------------------


def add_prison_stays(rng: Random, case: Case, counter: list[int]) -> None:
    """Add the stays of the suspects of a matter: detention after the arrest, and prison after a final sentence. `counter` has the number of
    the last commitment."""
    arrests: dict[int, tuple[Person, date]] = {}
    for police in case.police:
        for entry in police.people:
            if entry.role == "S" and entry.arrested and entry.arrested <= arrests.get(id(entry.person), (None, date.max))[1]:
                arrests[id(entry.person)] = (entry.person, entry.arrested)
    served: dict[int, tuple[CourtFile, Defendant, Judgment]] = {}
    for court in case.courts:
        for defendant in court.defendants:
            last = defendant.judgments[-1] if defendant.judgments else None
            if last and last.final and any(kind == "burgim" for kind, _ in last.sentences):
                served[id(defendant.person)] = (court, defendant, last)
    for file in case.courts:
        for defendant in file.defendants:
            key = id(defendant.person)
            if key not in arrests and rng.random() < 0.1:  # taken into custody without an arrest by the police
                arrests[key] = (defendant.person, case.opened + timedelta(days=rng.randrange(0, 9)))
    for key, (person, arrested) in arrests.items():
        group = case.police[0].offence.group if case.police else case.prosecution[0].parties[0].charges[0].offence.group
        if rng.random() < CUSTODY.get(group, 0.3):
            _add_detention(rng, case, person, arrested, served.get(key), counter)
    for court, defendant, judgment in served.values():
        if rng.random() < 0.8 or any(stay.person is defendant.person for stay in case.stays):
            _add_imprisonment(rng, case, court, defendant, judgment, counter)


def _find_court_file_of_person(case: Case, person: Person) -> CourtFile | None:
    """Return the latest court file of a case in which the person is a defendant, or None."""
    return next((file for file in reversed(case.courts) if any(d.person is person for d in file.defendants)), None)


def _add_detention(
    rng: Random, case: Case, person: Person, arrested: date, served: tuple[CourtFile, Defendant, Judgment] | None, counter: list[int]
) -> None:
    """Add the detention of a suspect after the arrest. `served` is the sentence that the suspect serves later, if there is one."""
    counter[0] += 1
    charge = case.police[0].offence if case.police else case.prosecution[0].parties[0].charges[0].offence
    seat = find_court_seat(case.municipality)
    facility = "QK Lipjan" if person.sex == "F" else read_places()["detention"][seat]
    admitted = arrested + timedelta(days=rng.randrange(0, 4))
    stay = PrisonStay(
        person,
        "P",
        facility,
        seat,
        charge,
        case.offence_day,
        admitted,
        court=_find_court_file_of_person(case, person),
        commitment=counter[0],
    )
    judgment = served[2] if served else None
    if judgment and judgment.final and (judgment.final - admitted).days < 900 and rng.random() < 0.45:
        stay.released = max(judgment.final + timedelta(days=rng.randrange(0, 25)), admitted + timedelta(days=5))
        stay.reason = "Kaluar në vuajtje të dënimit"
    else:
        length = rng.randrange(25, 190)
        limit = (judgment.final - admitted).days if judgment and judgment.final else 9999
        stay.released, stay.reason = admitted + timedelta(days=max(4, min(length, limit - 1))), rng.choice(RELEASES)
    case.stays += _split_stay_at_transfers(rng, stay)


def _add_imprisonment(rng: Random, case: Case, court: CourtFile, defendant: Defendant, judgment: Judgment, counter: list[int]) -> None:
    """Add the imprisonment of a convict. It continues a detention that ended with the transfer to prison, or begins after the final
    judgment."""
    person, final = defendant.person, judgment.final
    assert final is not None
    months = next(amount for kind, amount in judgment.sentences if kind == "burgim")
    held = next((s for s in case.stays if s.person is person and s.reason == "Kaluar në vuajtje të dënimit"), None)
    counter[0] += 1
    if held and held.released:
        admitted, commitment = held.released, held.commitment
    else:
        ends = [stay.released for stay in case.stays if stay.person is person and stay.released]
        admitted = max([final + timedelta(days=rng.randrange(1, 70)), *(end + timedelta(days=1) for end in ends)])
        commitment = counter[0]
    charges = [charge for charge in defendant.charges if charge.until is None]
    principal = next((charge for charge in charges if charge.principal), charges[0])
    facility = "QK Lipjan" if person.sex == "F" else "QK Smrekonicë" if months <= 24 and rng.random() < 0.6 else "QK Dubravë"
    stay = PrisonStay(
        person, "D", facility, court.seat, principal.offence, case.offence_day, admitted, months, court=court, commitment=commitment
    )
    left = max(20, int(months * 30.4 * rng.uniform(0.65, 1.0)) - (200 if held else 0))
    stay.released = admitted + timedelta(days=left)
    stay.reason = "Vuajtja e dënimit" if rng.random() < 0.6 else "Lirim me kusht"
    case.stays += _split_stay_at_transfers(rng, stay)


def _split_stay_at_transfers(rng: Random, stay: PrisonStay) -> list[PrisonStay]:
    """Return the stay as rows of the register.

    A person who was moved between facilities has a row for each facility, with the day of admission to it.
    """
    rows = [stay]
    while rng.random() < 0.13 and rows[-1].released and (rows[-1].released - rows[-1].admitted).days > 25:
        last = rows[-1]
        assert last.released is not None
        moved = last.admitted + timedelta(days=rng.randrange(8, (last.released - last.admitted).days - 8))
        choices = ("QP Lipjan", "QK Lipjan") if stay.person.sex == "F" else tuple(read_places()["facilities"])
        facility = rng.choice([name for name in choices if name != last.facility])
        new = PrisonStay(stay.person, stay.status, facility, stay.seat, stay.offence, stay.offence_day, moved, stay.months)
        new.released, new.reason, new.court, new.commitment = last.released, last.reason, stay.court, stay.commitment
        last.released, last.reason = moved, f"Transferim në {facility}"
        rows.append(new)
    return rows
