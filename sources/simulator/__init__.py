"""The simulator makes a small world of persons and criminal matters, and writes the deliveries of its institutions, with the truth beside
them.

`simulate` is the only entry point. The deliveries have exactly the formats that docs/reference/deliveries.md describes. The truth has the
same files and columns as the truth of the two sample sets of deliveries (docs/benchmarks.md); other docstrings call these sets the samples.
The simulator knows nothing of the pipeline that will read the deliveries: it follows the specification only.

The modules, in the order in which they are used:

- `codes`, `people`, `life`, `aftermath`, `numbering` make the world (`model`)
- `register_records` makes the records of each register at the end of a quarter (`records`)
- `deliveries` and `versions` make deliveries of these records
- `defects`, `spelling` and `faults` make values and files wrong; `write_*` write the bytes
- `record_statuses`, `happened`, `reported`, `tally`, `reconciliation_truth` and `truth` write down what is true

The two institutions for victims come after the others and have their own random generator. Their modules are `victim_files`, `victim_life`,
`victim_records`, `victim_deliveries`, `victim_defects`, `write_victims` and `victim_truth`.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from sources.simulator import register_life
from sources.simulator.answers import write_simulation_mark
from sources.simulator.defects import Defect, DefectMaker
from sources.simulator.deliveries import INSTITUTIONS, Delivery, build_deliveries
from sources.simulator.life import build_world
from sources.simulator.model import World
from sources.simulator.noise import spoil_records
from sources.simulator.settings import Noise, Settings, choose_settings
from sources.simulator.truth import write_truth
from sources.simulator.versions import make_noisy_deliveries
from sources.simulator.victim_defects import spoil_victim_records
from sources.simulator.victim_deliveries import build_victim_deliveries, make_noisy_victim_deliveries
from sources.simulator.victim_life import VictimFileMaker
from sources.simulator.write_courts import write_courts
from sources.simulator.write_domain import write_domain
from sources.simulator.write_police import write_police
from sources.simulator.write_prosecution import write_prosecution
from sources.simulator.write_returns import write_yardstick_returns
from sources.simulator.write_strays import write_stray_files, write_wrong_content
from sources.simulator.write_victims import write_social_work, write_victim_protection
from sources.simulator.write_workbooks import write_corrections, write_inspectorate

WRITERS = {
    "police": write_police,
    "inspectorate": write_inspectorate,
    "prosecution": write_prosecution,
    "courts": write_courts,
    "corrections": write_corrections,
    "victim_protection": write_victim_protection,
    "social_work": write_social_work,
}


@dataclass(frozen=True, slots=True)
class SimulationReport:
    """What a simulation wrote: its folders, and the numbers of deliveries, cases, persons, states of records and defects."""

    inbox: Path
    truth: Path
    deliveries: int
    cases: int
    persons: int
    record_states: int
    defects: int
    domain: Path | None  # the domain that can read the deliveries, if the built-in one cannot


def simulate(
    out: Path,
    *,
    seed: int = 1,
    start: int = 2012,
    years: int = 2,
    cases_per_year: int = 100,
    noise: Noise = "typical",
    victims: bool = False,
    life: Collection[str] = (),
    returns: bool = False,
    cadence: Mapping[str, str] | None = None,
) -> SimulationReport:
    """Write `<out>/inbox/<institution>/<period>[_vN]/`, `<out>/truth/`, and the file that marks the set as simulated (`answers`). The same
    arguments give the same bytes.

    - `cases_per_year`: the number of criminal matters that are opened in a year, over all institutions
    - `noise`: `clean` (nothing is wrong), `typical` (as many defects as in the samples), `hard` (about twice as many, more persons who are
      in several cases, and kinds of defects that deliveries.md does not name)
    - `victims`: whether the victim protection office and the centres for social work deliver too, about the same matters; this does not
      change a byte of the other deliveries
    - `life`: what registers do over the years, as kinds of `register_life.KINDS` or `all`; leaving out a kind changes nothing else
    - `returns`: whether to write, beside the deliveries, the counts that each institution would make of its own records; this changes no
      other byte
    - `cadence`: the cadence of institutions that do not deliver as in `settings.CADENCE`: `monthly`, `quarterly`, `half_yearly` or `yearly`

    If the built-in contracts cannot read the deliveries (because of `cadence`, or `new_codes` of `life`), `<out>/domain/` is a domain with
    contracts that can.

    Raises `ValueError` if `out` exists and is not empty (nothing is overwritten), or if an argument is out of range.
    """
    chosen = choose_settings(seed, start, years, cases_per_year, noise, register_life.check_register_life_kinds(life), cadence)
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} is there and not empty: choose another folder or remove it first; the simulator overwrites nothing")
    world = build_world(chosen)
    deliveries = build_deliveries(world, Random(f"deliveries {seed}"), chosen.cadence)
    register_life.renumber_prosecution_records(chosen, world, deliveries)
    defect_maker = DefectMaker(chosen)
    if chosen.factor:
        spoil_records(world, deliveries, defect_maker)
        deliveries = make_noisy_deliveries(world, deliveries, defect_maker)
    deliveries = register_life.change_workbooks_and_code_pages(chosen, deliveries)
    register_life.record_register_life_as_defects(deliveries, defect_maker)
    cases, defects = len(world.cases), defect_maker.found
    if victims:
        more, found, own = _make_victim_institution_deliveries(chosen, world)
        deliveries, defects, cases = [*deliveries, *more], [*defects, *found], cases + own
    for delivery in deliveries:
        if not delivery.missing:
            _write_delivery(out / "inbox", delivery)
    history = write_truth(out / "truth", world, deliveries, defects, victims)
    if returns:
        write_yardstick_returns(out / "inbox", history, range(start, start + years))
    write_simulation_mark(out, chosen, victims)
    domain = write_domain(out / "domain", chosen)
    persons = {state.person.person.person_id for state in history.states if state.person}
    came = sum(not delivery.missing for delivery in deliveries)
    return SimulationReport(out / "inbox", out / "truth", came, cases, len(persons), len(history.states), len(defects), domain)


def _make_victim_institution_deliveries(chosen: Settings, world: World) -> tuple[list[Delivery], list[Defect], int]:
    """Return the deliveries of the victim protection office and of the centres, their defects, and the number of matters that only these
    two know."""
    victims = VictimFileMaker(chosen, world).make_victim_world()
    for i, case in enumerate(victims.cases, len(world.cases) + 1):
        case.case_id = f"C{i:06d}"
    for i, person in enumerate(victims.persons, len(world.persons) + 1):
        person.person_id = f"P{i:07d}"
    deliveries = build_victim_deliveries(world, victims, Random(f"victim deliveries {chosen.seed}"), chosen.cadence)
    defect_maker = DefectMaker(chosen, "victim defects")
    if chosen.factor:
        spoil_victim_records(world, victims, deliveries, defect_maker)
        deliveries = make_noisy_victim_deliveries(world, victims, deliveries, defect_maker, world.mistakes)
    return deliveries, defect_maker.found, len(victims.cases)


def _write_delivery(inbox: Path, delivery: Delivery) -> None:
    """Write the files of a delivery into its folder in the inbox."""
    folder = inbox / delivery.institution / delivery.name
    folder.mkdir(parents=True)
    if "wrong_content" in delivery.faults:
        write_wrong_content(folder, delivery)
    elif delivery.twin is not None:
        for path in sorted((inbox / delivery.institution / delivery.twin.name).iterdir()):
            shutil.copyfile(path, folder / path.name)
    else:
        WRITERS[delivery.institution](folder, delivery)
        if delivery.institution in INSTITUTIONS:
            write_stray_files(folder, delivery)


__all__ = ["SimulationReport", "simulate"]
