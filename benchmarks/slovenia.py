"""What does Harmonia do with a real register? Criminal offences of the Slovenian police, 2001 and 2007, through the whole pipeline.

    python -m benchmarks slovenia --work DIR [--real ../shared/real/slovenia] [--years 2001 2007] [--cases N] [--codes-of-2001]

Run by hand: it needs `../shared/real`, whose rows may not enter the repository. It puts the Slovenian police
(`benchmarks/slovenia_police`) and their country's lists in the place of Kosovo's in a copy of this repository below DIR, cuts each year
into quarters by the month of the events (the register says no other day), each line as it was published (of a person with its place in
the list of the case behind it), runs `harmonia run` over the two years, and holds the warehouse against the files, decoded by Python's
own codecs:

right dates moved, and why; persons without a name that became one; persons whose sex the file says and Harmonia does not; cells read
otherwise; the largest process; findings by rule; cases a year. `--cases`: so many of each year only. `--codes-of-2001`: with a contract
that knows the roles of 2001 alone.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pandas as pd

from benchmarks.process_cost import family, processor
from sources import contract as contracts
from sources.readers.delivery import read_files
from sources.readers.result import SourceFile

REPOSITORY = Path(__file__).resolve().parents[1]
ENCODINGS = {2001: "windows-1250", 2007: "cp852"}
EVENTS, PERSONS, CODES = "KDINTKD.TXT", "KDINTKDO.TXT", "IFRANTI.TXT"
LAWS = {"KD95": ("", "2008-10-31"), "KD02": ("", ""), "KZ04": ("", ""), "KZ08": ("2008-11-01", "")}
LATER_ROLES = ", X: suspect, A: suspect"  # in the contract
SEXES = {"MOŠKI": "male", "ŽENSKI": "female"}
_LOOK = 0.2  # seconds between two looks at the processes


@dataclass
class Year:
    """One year of the register: lines of events and persons as published, without line ends."""

    year: int
    events: list[bytes]
    persons: list[bytes]

    def text(self, line: bytes) -> list[str]:
        """The cells of a line."""
        return line.decode(ENCODINGS[self.year]).split("$")


def read_year(archive: Path, year: int, cases: int | None) -> Year:
    """The lines of one archive; the persons of each event with their place in its list."""
    with zipfile.ZipFile(archive) as packed:
        parts = {Path(name).name.upper(): packed.read(name).split(b"\r\n") for name in packed.namelist()}
    events = [line for line in parts[EVENTS] if line][:cases]
    numbers, places, persons = {line[:9] for line in events}, Counter[bytes](), []
    for line in parts[PERSONS]:
        if line[:9] in numbers:
            places[line[:9]] += 1
            persons.append(line + b"$%d" % places[line[:9]])
    return Year(year, events, persons)


def deliver(year: Year, inbox: Path) -> None:
    """Four deliveries of a year, each event in the quarter of its month."""
    quarter = {line[:9]: (int(line[10:12]) + 2) // 3 for line in year.events}
    for name, lines in (("KDINTKD.txt", year.events), ("KDINTKDO.txt", year.persons)):
        for n in range(1, 5):
            folder = inbox / "police" / f"{year.year}-Q{n}"
            folder.mkdir(parents=True, exist_ok=True)
            folder.joinpath(name).write_bytes(b"".join(line + b"\r\n" for line in lines if quarter[line[:9]] == n))


def units(archive: Path) -> Iterator[tuple[str, str]]:
    """Code and name of each administrative unit, from the code list beside the register."""
    with zipfile.ZipFile(archive) as packed:
        text = next(packed.read(name) for name in packed.namelist() if name.upper().endswith(CODES)).decode("windows-1250")
    for line in text.split("ŠIFRANT")[2].splitlines():
        if found := re.match(r" *(\d{4}) {3,}(\S.*)", line):
            yield found[1], found[2].strip()


def institution(copy: Path, archive: Path, without: str) -> None:
    """The Slovenian police and their lists in a copy of the repository; `without` is left out of the contract."""
    tracked = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout.split()
    for name in tracked:
        if name.split("/")[0] in ("harmonia", "pipelines", "schemas", "sources", "warehouse", "pyproject.toml"):
            copy.joinpath(name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, copy / name)
    for name in ("contract.yaml", "reader.py", "mapping.py"):
        shutil.copy(Path(__file__).parent / "slovenia_police" / name, copy / "sources" / "police" / name)
    contract = copy / "sources" / "police" / "contract.yaml"
    contract.write_text(contract.read_text("utf-8").replace(without, ""), "utf-8")
    shutil.copy(Path(__file__).parent / "slovenia_police" / "exports.py", copy / "schemas" / "exports" / "police.py")
    _add(copy / "schemas/codes/municipalities.csv", [{"code": code, "label_sq": name} for code, name in units(archive)])
    laws = [{"code": code, "valid_from": since, "valid_to": until, "family": code} for code, (since, until) in LAWS.items()]
    _add(copy / "schemas/codes/laws.csv", laws)


def _add(path: Path, rows: list[dict[str, str]]) -> None:
    """Lines at the end of a code list; labels in all languages."""
    with path.open(encoding="utf-8", newline="") as file:
        columns = next(csv.reader(file))
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        for row in rows:
            label = row.get("label_sq", row["code"])
            writer.writerow({**row, "label_sq": label, "label_sr": label, "label_en": label})


@dataclass
class Cost:
    """Of a run: seconds by the clock and of processors; of each process the most memory that it ever held; of the first one, at the end of
    each step, the most until then and what it holds (MiB)."""

    wall: float = 0.0
    cpu: float = 0.0
    most: dict[int, int] = field(default_factory=dict)
    by_step: dict[str, tuple[int, int]] = field(default_factory=dict)


def run(copy: Path, inbox: Path, home: Path) -> Cost:
    """`harmonia run` of the copy, in a separate process."""
    command = [sys.executable, "-c", "from harmonia.cli.main import app; app()", "run", "--inbox", str(inbox), "--home", str(home)]
    cost, begun = Cost(), time.monotonic()
    child = subprocess.Popen(command, cwd=copy, env=os.environ | {"PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, text=True)
    steps = threading.Thread(target=_steps, args=(child, cost))
    steps.start()
    while child.poll() is None:
        cost.cpu = max(cost.cpu, processor(child.pid))
        for pid in family(child.pid):
            cost.most[pid] = max(cost.most.get(pid, 0), _memory(pid)[0])
        time.sleep(_LOOK)
    steps.join()
    cost.wall = time.monotonic() - begun
    if child.returncode:
        sys.exit(f"harmonia run ended with {child.returncode}")
    return cost


def _steps(child: subprocess.Popen[str], cost: Cost) -> None:
    """Print what the run says, and note its memory after each line that ends a step."""
    for line in child.stdout or ():
        print(line, end="", flush=True)
        if found := re.match(r"  (\w+) .*\d\.\d s$", line):
            cost.by_step[found[1]] = _memory(child.pid)


def _memory(pid: int) -> tuple[int, int]:
    """The most that a process ever held, and what it holds (MiB)."""
    try:
        said = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0, 0
    most, now = (re.search(rf"{name}:\s+(\d+)", said) for name in ("VmHWM", "VmRSS"))
    return (int(most[1]) // 1024, int(now[1]) // 1024) if most and now else (0, 0)


def truth(years: list[Year]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Events (number, year, month) and persons (record, year, role, sex, age) as the files say."""
    cases = [(row[0], y.year, row[1]) for y in years for row in map(y.text, y.events)]
    persons = [(f"{row[0]}/{row[-1]}", y.year, *(cell.strip() for cell in row[1:4])) for y in years for row in map(y.text, y.persons)]
    return (
        pd.DataFrame(cases, columns=["number", "year", "month"]),
        pd.DataFrame(persons, columns=["record", "year", "role", "age", "sex"]),
    )


def measure(years: list[Year], warehouse: Path) -> dict[str, object]:
    """The figures of the row."""
    cases, persons = truth(years)
    with duckdb.connect(str(warehouse), read_only=True) as store:
        events = store.sql("FROM fact_event WHERE institution = 'police' AND event = 'reported'").df()
        found = store.sql("SELECT rule, severity, count(*) AS n FROM findings GROUP BY ALL ORDER BY n DESC").df()
        totals = store.sql(
            "SELECT indicator, period, as_reported, harmonised FROM statistics WHERE length(period) = 4 AND offence_group = 'total' "
            "AND form = 'total' AND sex = 'total' AND age_group = 'total' AND citizenship_group = 'total' AND as_reported > 0"
        ).df()
        lineage = store.sql("SELECT record_key, delivery, person_id FROM lineage WHERE entity = 'person' AND status = 'accepted'").df()
    return {
        "dates": _dates(cases, events[events["subject"] == "case"]),
        "persons": _persons(persons, lineage),
        "sex": _sex(persons, events[(events["subject"] == "person") & (events["role"] == "victim")]),
        "findings": {"all": int(found["n"].sum()), **{f"{r.rule} ({r.severity})": int(r.n) for r in found.itertuples()}},
        "totals": {f"{r.indicator} {r.period}": [int(r.as_reported), int(r.harmonised)] for r in totals.itertuples()},
        "cases": {str(year): int(n) for year, n in cases.groupby(cases["month"].str[3:]).size().items() if n > 1000},
    }


def cells(years: list[Year], inbox: Path, declared: Path) -> dict[str, int]:
    """Cells of all deliveries as Harmonia reads them, and those of them that Python's own codec and a split at `$` give otherwise."""
    contract, found = contracts.read_contract(declared), Counter[str]()
    for year in years:
        for folder in sorted((inbox / "police").glob(f"{year.year}-*")):
            read = read_files([SourceFile(path.name, path) for path in sorted(folder.iterdir())], contract)
            for name, table in (("KDINTKD.txt", "events"), ("KDINTKDO.txt", "persons")):
                own = [year.text(line) for line in (folder / name).read_bytes().split(b"\r\n") if line]
                ours = read.tables[table][[column.name for column in contract.tables[table].columns]].fillna("")
                found["cells"] += sum(map(len, own))
                found["otherwise"] += sum(map(len, own)) if len(own) != len(ours) else int((ours.to_numpy() != own).sum())
    return dict(found)


def _dates(cases: pd.DataFrame, events: pd.DataFrame) -> dict[str, object]:
    """Events whose month is possible and that count in another, by the reason told; and those that have no right month."""
    of_record = events.drop_duplicates("record_key").set_index("record_key")
    last = cases.drop_duplicates("number", keep="last")
    month = last["month"].str[3:] + "-" + last["month"].str[:2]
    possible = last["month"].str[3:].astype(int).between(last["year"] - 80, last["year"])
    day = pd.to_datetime(of_record["day"].reindex(last["number"]))
    moved = (day.dt.strftime("%Y-%m").to_numpy() != month.to_numpy()) & possible.to_numpy()
    told = of_record["date_problem"].reindex(last["number"]).fillna("none").to_numpy()
    by_year = pd.Series(told[moved]).groupby(last["year"].to_numpy()[moved]).value_counts()
    return {
        "events": len(last),
        "right": int(possible.sum()),
        "right and moved": int(moved.sum()),
        "by year and reason": {f"{year} {reason}": int(n) for (year, reason), n in by_year.items()},
        "not right": Counter(told[~possible.to_numpy()].tolist()),
    }


def _persons(persons: pd.DataFrame, lineage: pd.DataFrame) -> dict[str, int]:
    ids = lineage["person_id"].dropna()
    return {
        "persons": len(persons),
        "records": len(lineage),
        "natural, delivered": int((persons["age"] != "PRAVNA OSEBA").sum()),
        "with an id": len(ids),
        "joined": len(ids) - ids.nunique(),
    }


def _sex(persons: pd.DataFrame, events: pd.DataFrame) -> dict[str, int]:
    """Victims whose sex the file says, and those of them of whom Harmonia says it otherwise or not."""
    victims = persons[(persons["role"] == "Z") & persons["sex"].isin(list(SEXES))].drop_duplicates("record", keep="last")
    said = events.drop_duplicates("record_key").set_index("record_key")["sex_reported"].reindex(victims["record"])
    wrong = said.to_numpy() != victims["sex"].map(SEXES).to_numpy()
    return {"victims of known sex": len(victims), "unknown or other": int(wrong.sum())}


def main() -> None:
    """The years in turn, then the run and what it made."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--real", type=Path, default=REPOSITORY.parent / "shared" / "real" / "slovenia")
    parser.add_argument("--years", type=int, nargs="+", default=[2001, 2007])
    parser.add_argument("--cases", type=int)
    parser.add_argument("--codes-of-2001", action="store_true")
    args = parser.parse_args()
    copy, inbox, home = (args.work.resolve() / name for name in ("repository", "inbox", "home"))
    for folder in (copy, inbox, home):
        shutil.rmtree(folder, ignore_errors=True)
    years = [read_year(args.real / f"kd{year}.zip", year, args.cases) for year in args.years]
    for year in years:
        deliver(year, inbox)
    institution(copy, args.real / f"kd{args.years[0]}.zip", LATER_ROLES if args.codes_of_2001 else "")
    cost = run(copy, inbox, home)
    most = sorted(cost.most.values(), reverse=True)
    figures = {"wall": round(cost.wall), "processor": round(cost.cpu), "largest processes, MiB": most[:4], "first process": cost.by_step}
    figures |= measure(years, home / "warehouse.duckdb")
    figures["cells"] = cells(years, inbox, copy / "sources" / "police" / "contract.yaml")
    text = json.dumps(figures, indent=1, ensure_ascii=False)
    (args.work / "figures.json").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
