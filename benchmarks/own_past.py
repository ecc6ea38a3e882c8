"""Which wrong quarters are found before they are published, and how often is a right one called unusual?

    python -m benchmarks own_past INBOX [INBOX …] [--real ../shared/real/slovenia] [--plant 200]

INBOX: simulated sets (`harmonia simulate`, several years). Clean quarters: every delivery with a past, as delivered. Planted: in a delivery
drawn at random its rows are halved (every second record lost, or all after the middle of the quarter), doubled (each record a second time
under another key), shifted (all days a quarter or a month earlier) or relabelled (the commonest value of a column of codes delivered as
another of the list). What is planted is chosen by the number of new records alone; the outcome is shown by that number.
`--real`: each month of a year of the Slovenian police's register as one delivery, as published.
Runs `pipelines.own_past` on deliveries that were read and validated as in a run.
"""

from __future__ import annotations

import argparse
import pickle
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import yaml

from benchmarks import slovenia
from benchmarks.slovenia import read_year
from pipelines import own_past
from pipelines.validation import validate
from sources import contract, periods
from sources.contract import ColumnSpec, Contract, TableSpec
from sources.readers.result import SourceFile
from sources.reading import read_delivery

Tables = dict[str, pd.DataFrame]
SIZES = (0, 20, 40, 80, 160, 10**9)  # new records of cases (or persons) in a delivery


@dataclass
class History:
    """The validated deliveries of one institution of one set."""

    name: str
    contract: Contract
    tables: Tables
    deliveries: pd.DataFrame

    @property
    def main(self) -> str:
        """The table of cases."""
        return next(name for name, spec in self.contract.tables.items() if spec.entity in ("case", "both"))

    def judged(self) -> list[str]:
        """The first complete version of each period with a past."""
        complete = self.deliveries[self.deliveries["state"] == "complete"].drop_duplicates("period")
        return complete["delivery"].tolist()[own_past.read_own_past_settings().enough :]

    def new_records(self, delivery: str) -> pd.Series:
        """Keys of the table of cases that no earlier delivery has."""
        frame = self.tables[self.main]
        mine = frame.loc[frame["_delivery"] == delivery, "_key"].drop_duplicates()
        end = periods.last_day(delivery[:7])
        earlier = frame.loc[frame["_period"].map(periods.last_day) < end, "_key"]
        return mine[~mine.isin(earlier)]

    def until(self, delivery: str) -> tuple[Tables, pd.DataFrame]:
        """What had been delivered when this delivery came: all earlier periods, and of its own period only itself."""
        end = periods.last_day(delivery[:7])
        kept = self.deliveries[(self.deliveries["period"].map(periods.last_day) < end) | (self.deliveries["delivery"] == delivery)]
        names = set(kept["delivery"])
        return {name: frame[frame["_delivery"].isin(names)] for name, frame in self.tables.items()}, kept


def histories(inbox: Path, keep: Path | None) -> Iterator[History]:
    """Every institution of an inbox."""
    for name in contract.institutions():
        folders = sorted(path for path in (inbox / name).glob("*") if path.is_dir())
        if not folders:
            continue
        kept = keep / f"{inbox.parent.name}-{name}.pickle" if keep else None
        if kept and kept.is_file():
            found = pickle.loads(kept.read_bytes())  # noqa: S301 - written by this benchmark
        else:
            read = {path.name: read_delivery(name, [SourceFile(one.name, one) for one in sorted(path.iterdir())]) for path in folders}
            found = validate(name, read)
            if kept:
                kept.write_bytes(pickle.dumps(found))
        yield History(f"{inbox.parent.name} {name}", contract.load(name), found.tables, found.deliveries)


def register(folder: Path, year: int) -> Iterator[History]:
    """The real register: each police directorate's events of each month as a delivery of new records. Every column is a list of values."""
    found = read_year(folder / f"kd{year}.zip", year, None)
    names = list(
        yaml.safe_load((Path(slovenia.__file__).parent / "slovenia_police/contract.yaml").read_text("utf-8"))["tables"]["events"]["columns"]
    )
    every = pd.DataFrame([found.text(line)[: len(names)] for line in found.events], columns=names, dtype="str")
    columns = [name for name in names if name not in ("number", "month", "closing_year")]
    specs = (ColumnSpec("number", required=True, key=True), *(ColumnSpec(name, type="code", codes={"-": "-"}) for name in columns))
    table = TableSpec("events", specs, entity="case", key=("number",))
    declared = replace(contract.load("police"), tables={"events": table}, units=None, cadence="monthly")
    month = every["month"].str[-2:].where(every["month"].str.len() < 6, every["month"].str[:2])
    every = every.assign(_delivery=f"{year}-" + month, _key=every["number"], _case=every["number"], _file="events")
    every = every.assign(_period=every["_delivery"])[every["_delivery"].str.fullmatch(rf"{year}-(0[1-9]|1[0-2])")]
    for name in columns:
        text = every[name].str.strip()
        every[f"{name}:given"], every[name] = text.ne(""), text.where(text.ne(""), None)
    for directorate, rows in every.groupby("directorate"):
        months = sorted(rows["_period"].unique())
        deliveries = pd.DataFrame({"delivery": months, "period": months, "version": 1, "state": "complete"})
        yield History(f"register {year}, directorate {directorate}", declared, {"events": rows}, deliveries)


def told(history: History, delivery: str, tables: Tables, deliveries: pd.DataFrame) -> set[str]:
    """The rules that find something in this delivery."""
    return {str(row["rule"]) for row in own_past.find_deviations_from_past(history.contract, tables, deliveries, delivery)}


def _children(history: History, tables: Tables, delivery: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Tables:
    """Every table with the delivery's rows changed."""
    out = {}
    for name, frame in tables.items():
        mine = frame["_delivery"] == delivery
        out[name] = pd.concat([frame[~mine], change(frame[mine])], ignore_index=True)
    return out


def half(history: History, tables: Tables, delivery: str, rng: random.Random) -> Tables | None:
    """Every second case lost, with all that belongs to it; or all cases after the middle of the period."""
    frame = tables[history.main]
    mine = frame[frame["_delivery"] == delivery]
    cases = sorted(mine["_case"].dropna().unique())
    if rng.random() < 0.5:
        lost = set(rng.sample(cases, len(cases) // 2))
    else:
        column = next(c.name for c in history.contract.tables[history.main].columns if c.type == "date" and c.event)
        lost = set(mine.sort_values(column)["_case"].dropna().drop_duplicates().iloc[len(cases) // 2 :])
    return _children(history, tables, delivery, lambda rows: rows[~rows["_case"].isin(lost)])


def double(history: History, tables: Tables, delivery: str, rng: random.Random) -> Tables | None:
    """Each record a second time, under another key."""
    again = lambda rows: rows.assign(_key=rows["_key"] + "*", _case=rows["_case"] + "*")  # noqa: E731
    return _children(history, tables, delivery, lambda rows: pd.concat([rows, again(rows)]))


def shifted(history: History, tables: Tables, delivery: str, rng: random.Random) -> Tables | None:
    """All days a quarter or a month earlier."""
    months = rng.choice((1, 3))
    out = dict(tables)
    for name, spec in history.contract.tables.items():
        dates = [c.name for c in spec.columns if c.type == "date" and c.event and c.name in tables[name]]
        frame = tables[name].copy()
        mine = frame["_delivery"] == delivery
        for column in dates:
            frame.loc[mine, column] = frame.loc[mine, column] - pd.DateOffset(months=months)
        out[name] = frame
    return out


def relabelled(history: History, tables: Tables, delivery: str, rng: random.Random) -> Tables | None:
    """The commonest value of a column of codes delivered as another one of its list."""
    columns = [
        (name, column)
        for name, spec in history.contract.tables.items()
        if spec.key and not spec.crosswalk
        for column in spec.columns
        if column.type == "code" and len(set(column.codes.values())) > 1 and not column.key
    ]
    rng.shuffle(columns)
    for name, column in columns:
        frame = tables[name]
        rows = frame.loc[frame["_delivery"] == delivery, column.name].dropna()
        if len(rows) < 10:
            continue
        common = rows.value_counts().index[0]
        other = rng.choice(sorted({value for value in column.codes.values() if value and value != common}))
        frame = frame.copy()
        frame.loc[(frame["_delivery"] == delivery) & (frame[column.name] == common), column.name] = other
        return {**tables, name: frame}
    return None


PLANTS = {"half": half, "double": double, "shifted": shifted, "relabelled": relabelled}


def _band(number: int) -> str:
    low = max(n for n in SIZES if n <= number)
    high = SIZES[SIZES.index(low) + 1]
    return f"{low}–{high - 1}" if high < 10**9 else f"{low} and more"


def clean(every: list[History], a_year: int) -> None:
    """Print false alarms by set and institution, which delivers so often a year."""
    quarters = alarms = 0
    for history in every:
        found = own_past.find_deviations_from_past(history.contract, history.tables, history.deliveries)
        by = {delivery: {str(row["rule"]) for row in found if row["delivery"] == delivery} for delivery in history.judged()}
        rules = list(by.values())
        hit = sum(bool(found) for found in rules)
        quarters, alarms = quarters + len(rules), alarms + hit
        names = Counter(rule for found in rules for rule in found)
        print(f"clean {history.name:40} {len(rules):4} deliveries {hit:3} told {dict(names) or ''}")
    print(f"clean in all: {quarters} deliveries, {alarms} told: {a_year * alarms / max(quarters, 1):.2f} an institution and year")


def planted(every: list[History], number: int, seed: int) -> None:
    """Print the share found by kind and by number of new records of the quarter."""
    rng = random.Random(seed)
    places = [(history, delivery, len(history.new_records(delivery))) for history in every for delivery in history.judged()]
    result: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for n in range(number):
        kind = list(PLANTS)[n % len(PLANTS)]
        while True:
            history, delivery, size = rng.choice(places)
            tables, deliveries = history.until(delivery)
            changed = PLANTS[kind](history, tables, delivery, rng) if size else None
            if changed is not None:
                break
        found = bool(told(history, delivery, changed, deliveries))
        result[kind, _band(size)].append(found)
        if not found and size >= SIZES[3]:
            print(f"not found: {kind} {history.name} {delivery}, {size} new records")
    for (kind, band), hits in sorted(result.items(), key=lambda one: (one[0][0], int(one[0][1].split("–")[0].split()[0]))):
        print(f"planted {kind:11} {band:>14} new records: {sum(hits):3} of {len(hits):3} found")
    for at, low in enumerate(SIZES[:-1]):
        of = [hit for (_, band), hits in result.items() if int(band.split("–")[0].split()[0]) >= low for hit in hits]
        print(f"planted, {low} new records and more: {sum(of)} of {len(of)} found" if of else f"{at}")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("inbox", type=Path, nargs="*")
    parser.add_argument("--keep", type=Path, help="folder in which validated deliveries are kept for another start")
    parser.add_argument("--real", type=Path, help="folder of the Slovenian register")
    parser.add_argument("--plant", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    every = [history for inbox in asked.inbox for history in histories(inbox, asked.keep)]
    clean(every, 4)
    if asked.real:
        clean([history for year in (2001, 2007) for history in register(asked.real, year)], 12)
    planted(every, asked.plant, asked.seed)


if __name__ == "__main__":
    main()
