"""How long does the feedback on a large delivery take, and how much memory? 100,000 police rows with 20,000 findings.

    python -m benchmarks feedback_large_delivery FOLDER

Writes the delivery, reads and validates it, then times the feedback alone (states of findings, figures, receipt, pages in three
languages, JSON, workbook) in a separate process. Goal: 60 s, 1 GiB.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import time
from pathlib import Path

CASES, PERSONS, FAULTS = 40_000, 60_000, 20_000
STATIONS = [
    f"Stacioni Policor {place}" for place in ("Prishtinë", "Prizren", "Pejë", "Gjilan", "Ferizaj", "Gjakovë", "Mitrovicë", "Vushtrri")
]
CASE = "Nr_rastit;Data_raportimit;Data_e_vepres;Data_dergimit_PSH;Stacioni;Komuna;Vepra_penale;Neni;Forma_shfrytezimit;Statusi;Nr_PP"
PERSON = (
    "Nr_rastit;Nr_rendor;Roli;Mbiemri;Emri;Emri_prindit;Nr_personal;Data_lindjes;Vendlindja;Komuna_banimit;Gjinia;Shtetesia;Data_arrestimit"
)


def deliver(folder: Path) -> None:
    """The two files, with one fault in each of `FAULTS` rows."""
    rng = random.Random(1)
    cases = [f"2013-PR-{n:05};{1 + n % 28:02}.02.2013;;;{rng.choice(STATIONS)};Prishtinë;;171;;Nën hetim;" for n in range(CASES)]
    persons = []
    for n in range(PERSONS):
        born, sex = f"{1 + n % 28:02}.03.1980", "M"
        if n < FAULTS:
            born, sex = (f"31.02.19{n % 90 + 10}", sex) if n % 2 else (born, "X")
        persons.append(f"2013-PR-{n % CASES:05};{1 + n // CASES};I dyshuar;Krasniqi;Arben;Hasan;;{born};Pejë;Pejë;{sex};Kosovë;")
    rng.shuffle(persons)
    folder.mkdir(parents=True, exist_ok=True)
    for name, head, rows in (("rastet.csv", CASE, cases), ("personat.csv", PERSON, persons)):
        (folder / name).write_bytes("\r\n".join([head, *rows, ""]).encode("cp1250"))


def prepare(folder: Path) -> None:
    """Read, validate, resolve the record status; what the feedback needs is written as Parquet."""
    from pipelines.harmonisation.stage import harmonise
    from pipelines.record_status import resolve_record_statuses
    from pipelines.validation import validate
    from sources.readers.result import SourceFile
    from sources.reading import read_delivery

    read = read_delivery("police", [SourceFile(name, folder / name) for name in ("rastet.csv", "personat.csv")])
    current = resolve_record_statuses(validate("police", {"2013-Q1": read}))
    canonical = harmonise("police", current.tables)
    frames = {name: getattr(current, name) for name in ("findings", "lineage", "accounting", "deliveries")}
    frames |= {name: canonical[name] for name in ("case_records", "person_records", "events")}
    for name, frame in frames.items():
        frame.to_parquet(folder / f"{name}.parquet")


def feed_back(folder: Path) -> None:
    """The feedback alone, timed."""
    import pandas as pd

    from harmonia.feedback.figures import find_affected_figures, find_most_affected_figures
    from harmonia.feedback.finding_states import determine_finding_states
    from harmonia.feedback.trend import SHOWN_AS, list_delivery_trends
    from harmonia.feedback.write import write_feedback

    frames = {path.stem: pd.read_parquet(path) for path in folder.glob("*.parquet")}
    begun, used = time.perf_counter(), time.process_time()
    found = determine_finding_states(frames["findings"], frames["deliveries"], frames["lineage"])
    figures = find_affected_figures(found, frames)
    files = frames["accounting"].assign(state="complete")
    trend = list_delivery_trends(found, frames["accounting"]).drop(columns=["institution", "delivery"]).rename(columns=SHOWN_AS)
    home = folder / "home"
    home.mkdir(exist_ok=True)
    written = write_feedback(
        home, "police", "2013-Q1", files, found, "sq", figures=figures, foremost=find_most_affected_figures(figures), trend=trend
    )
    results = {
        "rows": CASES + PERSONS,
        "findings": len(found),
        "worse than info": int((found["severity"] != "info").sum()),
        "seconds": round(time.perf_counter() - begun, 1),
        "cpu seconds": round(time.process_time() - used, 1),
        "peak MiB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "bytes": {path.name: path.stat().st_size for path in written if path.suffix in (".xlsx", ".json", ".html")},
    }
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    place = Path(sys.argv[1])
    if len(sys.argv) > 2:
        feed_back(place)
    else:
        deliver(place)
        prepare(place)
        subprocess.run([sys.executable, __file__, str(place), "feed-back"], check=True)
