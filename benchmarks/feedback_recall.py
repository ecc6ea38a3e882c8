"""How many of the defects in deliveries does the feedback report, by kind?

    python -m benchmarks feedback_recall TRUTH HOME [TRUTH HOME …]

A defect of `truth/defects.csv` is reported if a finding on the same delivery, record and field has one of the rules that
`defect_classes.yaml` names for its kind; for rules that report once a column, the same delivery and field. Which defects can be seen in one
delivery alone is declared with reasons (same file); if it depends on the value, a condition below decides it from the delivered data,
never from findings. Files that cannot be read at all have no cells: column `unread`. Sound records: those without any defect in this or
an earlier delivery.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pandas as pd
import yaml

from pipelines.harmonisation import case_numbers, personal_numbers
from pipelines.resources import lake
from schemas import findings as form
from sources.periods import last_day

CLASSES = yaml.safe_load((Path(__file__).parent / "defect_classes.yaml").read_text("utf-8"))
_FIELDS = (
    (r"akuza\.forma.*", ("forma",)),
    (r"akuza\.kryesore.*", ("kryesore",)),
    (r"akuza.*", ("neni", "ligji")),
    (r"aktgjykimi.*forme_prere", ("forme_prere",)),
    (r"aktgjykimi.*", ("data",)),
    (r"bash_ref", ("nr_burimit",)),
    (r"referenca", ("numri", "referenca")),
)  # a field of `defects.csv` that is no column's name: the columns that it covers
ORDER = {
    "police": ("Data_e_vepres", "Data_raportimit", "Data_dergimit_PSH"),
    "inspectorate": ("Data e pranimit", "Data e dërgimit"),
    "prosecution": ("data_pranimit", "data"),
    "courts": ("pranuar", "data", "forme_prere"),
}
AFTER_REPORT = {"Data_arrestimit": "Data_raportimit"}


class Set:
    """One set: its truth, what the home's lake holds of it, and its findings."""

    def __init__(self, truth: Path, home: Path) -> None:
        self.name, self.truth, self.home = truth.parent.name, truth, home
        read = lambda name: pd.read_csv(truth / name, dtype="str", keep_default_na=False)  # noqa: E731
        self.defects, self.records = read("defects.csv"), read("records.csv")
        standing = lake.read_tables(home / "lake" / "record_status")
        self.findings, self.lineage = standing["findings"], standing["lineage"]
        told = home / "lake" / "comparison"
        if told.is_dir():
            self.findings = pd.concat([self.findings, lake.read_tables(told)["findings"]], ignore_index=True)
        self.canonical = lake.read_tables(home / "lake" / "canonical")

    @cache  # noqa: B019 - one set lives as long as the run
    def people(self, institution: str) -> pd.DataFrame:
        """Person records of an institution, all states that were read."""
        frame = self.canonical["person_records"]
        return frame[(frame["institution"] == institution) & (frame["status"] != "quarantined")]

    @cache  # noqa: B019
    def days(self, institution: str) -> pd.DataFrame:
        """Every delivered day: delivery, record_key, case_key, field, date."""
        events = self.canonical["events"]
        named = {
            "reported": {"police": "Data_raportimit", "inspectorate": "Data e pranimit"},
            "offence": {"police": "Data_e_vepres"},
            "sent": {"police": "Data_dergimit_PSH", "inspectorate": "Data e dërgimit"},
            "arrested": {"police": "Data_arrestimit"},
            "received": {"prosecution": "data_pranimit", "courts": "pranuar"},
            "judged": {"courts": "data"},
            "final": {"courts": "forme_prere"},
        }
        mine = events[events["institution"] == institution]
        field = mine["event"].map(lambda event: named.get(event, {}).get(institution, "data"))
        return mine.assign(field=field)[["delivery", "record_key", "case_key", "field", "date"]].dropna(subset=["date"])


def _period(delivery: str) -> str:
    return delivery.split("_v")[0]


def _year(text: str) -> int | None:
    found = re.search(r"(?:19|20)\d{2}", text)
    return int(found[0]) if found else None


def number_is_malformed(_: Set, row: pd.Series) -> bool:
    """No ten digits, or the check digit fails."""
    text = row["delivered_value"]
    return not re.fullmatch(r"\d{10}", text) or not personal_numbers.has_valid_check_digit(text)


def text_differs_from_ten_digits(_: Set, row: pd.Series) -> bool:
    """As text it is not ten digits."""
    in_cell = row["institution"] in ("inspectorate", "corrections")  # a number in a workbook's cell has no point
    return not re.fullmatch(r"\d{10}", row["delivered_value"].removesuffix(".0" if in_cell else ""))


def birth_is_implausible(_: Set, row: pd.Series) -> bool:
    """No year, a year to come, or more than 110 years ago."""
    year, quarter = _year(row["delivered_value"]), int(row["delivery"][:4])
    return year is None or year > quarter or year < quarter - 110


def code_began_later_or_day_is_known(one: Set, row: pd.Series) -> bool:
    """The row states the day of the offence, or the code began after the case was opened."""
    days = one.days(row["institution"])
    here = days[days["delivery"] == row["delivery"]]
    if row["field"] == "Neni":
        return bool(((here["record_key"] == row["record_key"]) & (here["field"] == "Data_e_vepres")).any())
    people = one.people(row["institution"])
    case = people.loc[people["record_key"] == row["record_key"], "case_key"]
    opened = here.loc[here["case_key"].isin(case) & here["field"].isin(["data_pranimit", "pranuar"]), "date"].min()
    began = {"KPRK2012": "2013-01-01", "KPRK2019": "2019-04-14"}.get(row["delivered_value"].split(" ")[0])
    return began is not None and pd.notna(opened) and opened < pd.Timestamp(began)


def reference_says_other_source(one: Set, row: pd.Series) -> bool:
    """The row states the sender's own number beside the source."""
    cited = one.canonical["references"]
    mine = cited[(cited["institution"] == "prosecution") & (cited["record_key"] == row["record_key"])]
    return bool(((mine["delivery"] == row["delivery"]) & mine["kind"].isin(["police", "inspectorate"])).any())


def day_contradicts_own_record(one: Set, row: pd.Series) -> bool:
    """After the quarter, or out of order with the other days of its case in the same delivery."""
    text = row["delivered_value"]
    day = pd.to_datetime(text, format="ISO8601" if text[4:5] == "-" else "%d.%m.%Y", errors="coerce")
    if pd.isna(day):
        return False
    if day > pd.Timestamp(last_day(_period(row["delivery"]))):
        return True
    days = one.days(row["institution"])
    field = next((cols[0] for pattern, cols in _FIELDS if re.fullmatch(pattern, row["field"])), row["field"])
    mine = days[(days["delivery"] == row["delivery"])]
    case = mine.loc[mine["record_key"] == row["record_key"], "case_key"]
    mine = mine[(mine["record_key"] == row["record_key"]) | ((mine["record_key"] == mine["case_key"]) & mine["case_key"].isin(case))]
    chain = ORDER[row["institution"]]
    if field in AFTER_REPORT:
        return bool((mine.loc[mine["field"] == AFTER_REPORT[field], "date"] > day + pd.Timedelta(days=30)).any())
    if field not in chain:
        return False
    place = mine["field"].map({name: n for n, name in enumerate(chain)})
    at = chain.index(field)
    return bool(((place < at) & (mine["date"] > day)).any() or ((place > at) & (mine["date"] < day)).any())


def reference_cannot_be(_: Set, row: pd.Series) -> bool:
    """No number, a year to come or before 1999, or a register that is not there."""
    found = case_numbers.parse_case_numbers(pd.Series([row["delivered_value"]], dtype="str"))
    if found.empty or found["kind"].iloc[0] == "other":
        return True
    year, register = found["year"].iloc[0], found["register"].iloc[0]
    typed = re.search(r"(?i)pp\W*[04-9]\W+(?:nr\W*)?\d+\W", row["delivered_value"])
    return bool(pd.isna(year) or year > int(row["delivery"][:4]) or year < 1999 or (register == "PP.?" and typed))


def own_register_holds_same_people(one: Set, row: pd.Series) -> bool:
    """Both files of the register name a person with the same number, or the same name and birth date."""
    people = one.people(row["institution"])
    sides = [people[people["case_key"] == key] for key in (row["record_key"], row["true_value"])]
    if row["institution"] == "prosecution" or any(side.empty for side in sides):
        return False
    first, second = (
        set(s["personal_number"].dropna()) | set(zip(s["name_tokens"], s["birth_date"].astype("str"), strict=True)) for s in sides
    )
    return bool(first & second)


def blank_rows_are_there(one: Set, row: pd.Series) -> bool:
    """A sheet holds a blank row between its header and its last row: some of these files have one record and no place for one."""
    if row["institution"] != "inspectorate":
        return True
    folder = one.truth.parent / "inbox" / row["institution"] / row["delivery"]
    sheets = [s for path in folder.glob("*.xlsx") for s in pd.read_excel(path, sheet_name=None, header=None, engine="calamine").values()]
    filled = [sheet.notna().sum(axis=1) for sheet in sheets if len(sheet)]
    return any(bool((count.iloc[int(count.argmax()) :] == 0).any()) for count in filled)


def delivery_holds_records(one: Set, row: pd.Series) -> bool:
    """The delivery holds a record at all: a quarter without cases has no dates to write as text."""
    here = (one.records["institution"] == row["institution"]) & (one.records["delivery"] == row["delivery"])
    return bool(here.any())


def column_was_delivered(one: Set, row: pd.Series) -> bool:
    """Another fault of the same delivery did not leave the column out altogether."""
    here = (one.defects["institution"] == row["institution"]) & (one.defects["delivery"] == row["delivery"])
    return not bool((here & (one.defects["kind"] == "file_missing_column")).any())


WHEN: dict[str, Callable[[Set, pd.Series], bool]] = {
    f.__name__: f
    for f in (
        *(number_is_malformed, text_differs_from_ten_digits, birth_is_implausible, code_began_later_or_day_is_known),
        *(reference_says_other_source, day_contradicts_own_record, reference_cannot_be, own_register_holds_same_people),
        *(blank_rows_are_there, delivery_holds_records, column_was_delivered),
    )
}


def classified(one: Set) -> pd.DataFrame:
    """The defects with `shows` (itself, another, permitted, nobody, unread, overlaid by another defect of the same cell) and `told`."""
    out = one.defects.copy()
    kinds = out["kind"].map(CLASSES)
    if unknown := sorted(set(out.loc[kinds.isna(), "kind"])):
        raise SystemExit(f"defect_classes.yaml does not know {', '.join(unknown)}")
    out["shows"] = [spec["shows"] for spec in kinds]
    for i, spec in kinds[kinds.map(lambda spec: "when" in spec)].items():
        if not WHEN[spec["when"]](one, out.loc[i]):
            out.loc[i, "shows"] = spec.get("otherwise", "another")
    one_field = (out["kind"] == "name_swapped") & ~out["institution"].isin(["police", "courts", "corrections"])
    out.loc[one_field, "shows"] = "permitted"
    out.loc[(out["true_value"] == out["delivered_value"]) & (out["true_value"] != "") & ~kinds.map(_renumbered), "shows"] = "permitted"
    slot = ["institution", "delivery", "record_key", "field"]
    over = (out["record_key"] != "") & (out["field"] != "") & out.duplicated(slot, keep="last") & ~out["field"].str.startswith("akuza")
    out.loc[over, "shows"] = "overlaid"
    lost = ["unparseable", "quarantined"]
    read = one.records[~one.records["expected_status"].isin(lost) & ~one.records["alt_status"].isin(lost)]
    key = ["institution", "delivery", "record_key"]
    away = ~pd.MultiIndex.from_frame(out[key]).isin(pd.MultiIndex.from_frame(read[key])) & (out["record_key"] != "")
    cells = ~out["kind"].isin(["row_cut", "row_lost", "record_withdrawn_later"])
    out.loc[away & cells, "shows"] = "unread"
    out["told"] = [_told(one, row, CLASSES[row["kind"]]) for _, row in out.iterrows()]
    return out


def _renumbered(spec: dict[str, object]) -> bool:
    return spec.get("when") == "own_register_holds_same_people"


@cache
def _index(one: Set) -> dict[tuple[str, str], pd.DataFrame]:
    return {(str(i), str(r)): f for (i, r), f in one.findings.groupby(["institution", "rule"])}


def _told(one: Set, row: pd.Series, spec: dict[str, object]) -> bool:
    rules = spec.get("rules", [])
    fields = next((cols for pattern, cols in _FIELDS if re.fullmatch(pattern, row["field"])), (row["field"],))
    for rule in rules:  # type: ignore[attr-defined]
        found = _index(one).get((row["institution"], rule))
        if found is None:
            continue
        hit = found["delivery"] > row["delivery"] if spec.get("delivery") == "later" else found["delivery"] == row["delivery"]
        if form.rules()[str(rule)].by_column:
            hit &= found["field"].isin(fields)
        elif row["record_key"]:
            hit &= found["record_key"] == row["record_key"]
            if spec.get("field") != "any" and form.rules()[str(rule)].level not in ("file", "delivery"):
                hit &= found["field"].isin(fields)
        if hit.any():
            return True
    blank = [_index(one).get((row["institution"], rule)) for rule in ("cross-column-blank", "file-column-missing")]
    return any(bool(((f["delivery"] == row["delivery"]) & f["field"].isin(fields)).any()) for f in blank if f is not None)


def sound(one: Set) -> pd.DataFrame:
    """Delivered records without a defect so far: institution, delivery, record_key, and whether a warning or worse speaks of them."""
    key = ["institution", "record_key"]
    there = one.lineage.loc[one.lineage["status"] != "quarantined", [*key, "delivery"]].drop_duplicates()
    faulty = one.defects[(one.defects["record_key"] != "") & one.defects["kind"].map(lambda k: CLASSES[k]["shows"] != "permitted")]
    first = faulty.groupby(key)["delivery"].min().rename("first").reset_index()
    there = there.merge(first, on=key, how="left")
    there = there[there["first"].isna() | (there["delivery"] < there["first"])]
    told = one.findings[one.findings["severity"].isin(["reject", "error", "warning"]) & (one.findings["origin"] == "cause")]
    told = told.dropna(subset=["record_key"])
    rules = told.groupby([*key, "delivery"])["rule"].agg(lambda r: ",".join(sorted(set(r)))).rename("rules").reset_index()
    return there.drop(columns="first").merge(rules, on=[*key, "delivery"], how="left")


def report(sets: list[Set], verbose: bool) -> None:
    """Prints the measure of each set."""
    for one in sets:
        told = classified(one)
        whole = told[(told["record_key"] == "") & (told["shows"] == "itself")]
        own = told[(told["record_key"] != "") & (told["shows"] == "itself")]
        print(f"\n== {one.name}: {len(told)} defects; {told['shows'].value_counts().to_dict()}")
        print(f"shown by the delivery alone, reported: {own['told'].sum()} of {len(own)} = {own['told'].mean():.2%}")
        print(f"whole files, told: {whole['told'].sum()} of {len(whole)}")
        other = told[(told["shows"] == "another")]
        print(f"only another's record shows, told: {other['told'].sum()} of {len(other)} = {other['told'].mean():.2%}")
        records = sound(one)
        warned = records["rules"].notna()
        print(f"sound records with a warning or worse: {warned.sum()} of {len(records)} = {warned.mean():.2%}")
        if verbose:
            by = told[told["shows"].isin(["itself", "another"])].groupby(["shows", "kind"])["told"].agg(["sum", "size"])
            print(by[by["sum"] < by["size"]].to_string())
            missed = told[(told["shows"] == "itself") & ~told["told"]].groupby("kind").head(4)
            print(
                missed[["institution", "delivery", "record_key", "kind", "field", "delivered_value"]].to_string(index=False, header=False)
            )
            print(records["rules"].dropna().value_counts().to_string())


if __name__ == "__main__":
    places = [Path(p) for p in sys.argv[1:] if p != "-v"]
    report([Set(t, h) for t, h in zip(places[::2], places[1::2], strict=True)], "-v" in sys.argv)
