"""Under which offence and form does it count? Charges put right, principal offences per stage, the form of a case.

Belongs here: the group of a charge (as reported, harmonised), the most serious one per case and person at a stage, forms. Does not
belong here: reading an article or words (`pipelines/harmonise`).

Rules (STATISTICS.md): "Principal offence: a case, or a person in a case, counts under its most serious offence, as charged at that
stage (police: as registered; prosecution: charges; courts: charges of the judgment)." "For `trafficking` and
`withholding_identity_papers` the form is that of the case: from the prosecution's charges, else from the police's record.
`slavery` is always `slavery_servitude`, `facilitating_prostitution` always `sexual`; `prostitution` and `other` have none
(`unknown`)."
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import pandas as pd

from pipelines.harmonise import codes
from schemas.canonical import FORMS, OFFENCE_GROUPS
from sources import contract
from warehouse.count.inputs import Standing, rank, unrank

NEIGHBOURS = {
    "registration": ("prosecution", "courts", "corrections"),
    "prosecution": ("courts", "registration", "corrections"),
    "courts": ("prosecution", "registration", "corrections"),
    "corrections": ("courts", "prosecution", "registration"),
}
"""Which other stages tell the offence of a charge that cannot be read, nearest first."""
OF_THE_CASE = ("trafficking", "withholding_identity_papers")
"""Offences whose form is that of the case; only their charges and records state it."""
WITHOUT_FORM = ("prostitution", "other")
FIXED_FORM = {"slavery": "slavery_servitude", "facilitating_prostitution": "sexual"}
OTHER = float(OFFENCE_GROUPS.index("other"))


def form_of(group: pd.Series, case_form: pd.Series) -> pd.Series:
    """The form that goes with an offence group: that of the case, a fixed one, or `unknown`."""
    out = group.map(FIXED_FORM).astype("str")
    return out.mask(group.isin(OF_THE_CASE), case_form).fillna("unknown")


@cache
def _by_number() -> dict[str, str]:
    """The offence group of each article number that only one group has, whatever the code: 171 is trafficking, 4 prostitution.

    Codes that apply only where they are named (`laws.csv`) do not count.
    """
    rows = codes.table("offences").query("articles != '' and group != 'other'")
    listed = rows[["group", "articles"]].assign(entry=lambda f: f["articles"].str.split("|")).explode("entry")
    laws = codes.table("laws").query("unnamed_by != ''")["code"]
    listed[["law", "number"]] = listed["entry"].str.split(":", n=1, expand=True)
    listed = listed[listed["law"].isin(laws)]
    single = listed.groupby("number")["group"].agg(["nunique", "first"])
    return {str(number): str(group) for number, group in single.loc[single["nunique"] == 1, "first"].items()}


def charged(standing: Standing) -> pd.DataFrame:
    """Every charge at every stage, and every case record that names an offence.

    Columns out: institution, case_key, record_key, case_id, person_id (null: of the whole case), stage, form, reported (rank of
    the group as the institution's own record says), place (rank harmonised; NaN where the record itself does not tell).
    Rule: "where the article is unknown or was not in force, the offence in the institution's words if it has them"; then the number alone,
    where it can only mean one: a code named wrongly still names the offence.
    """
    columns = [
        "institution",
        "case_key",
        "record_key",
        "case_id",
        "form",
        "article_group",
        "words_group",
        "offence_group",
        "law",
        "article",
    ]
    registered = standing.cases.loc[standing.cases["institution"].isin(contract.at("registration")), columns]
    out = pd.concat([registered, standing.charges[[*columns, "person_id"]]], ignore_index=True)
    told = out["article_group"].fillna(out["words_group"]).fillna(out["article"].map(_by_number()))
    return out.assign(
        stage=out["institution"].map(contract.stage_of()),
        reported=rank(out["offence_group"], OFFENCE_GROUPS),
        place=rank(told, OFFENCE_GROUPS),
    )[["institution", "case_key", "record_key", "case_id", "person_id", "stage", "form", "reported", "place"]]


def _from_others(charges: pd.DataFrame, missing: pd.DataFrame, keys: list[str]) -> pd.Series:
    """For charges whose offence is not told: the principal offence of the nearest other stage, found by `keys`."""
    best = charges.dropna(subset=["place", *keys]).groupby([*keys, "stage"])["place"].min()
    found = pd.Series(float("nan"), index=missing.index)
    for stage, others in NEIGHBOURS.items():
        here = missing["stage"] == stage
        for other in others:
            wanted = pd.MultiIndex.from_frame(missing.loc[here, keys].assign(stage=other))
            found.loc[here] = found.loc[here].fillna(pd.Series(best.reindex(wanted).to_numpy(), index=missing.index[here]))
    return found


def put_right(charges: pd.DataFrame) -> pd.DataFrame:
    """Give every charge a place: its own, else that of the same person at another stage of the case, else of the case, else `other`."""
    missing = charges[charges["place"].isna()]
    if missing.empty:
        return charges
    found = _from_others(charges, missing, ["case_id", "person_id"]).fillna(_from_others(charges, missing, ["case_id"])).fillna(OTHER)
    return charges.assign(place=charges["place"].fillna(found))


@dataclass(frozen=True)
class Charges:
    """Charges put right, and what is asked of them again and again. rows: of `put_right`."""

    rows: pd.DataFrame

    def where(self, hit: pd.Series) -> Charges:
        """Some of them."""
        return Charges(self.rows[hit])

    @cached_property
    def _asked(self) -> dict[tuple[str, ...], pd.DataFrame]:
        return {}

    def principal(self, *keys: str) -> pd.DataFrame:
        """Rank of the most serious offence by `keys` (index) and stage (columns)."""
        if keys not in self._asked:
            told = self.rows.dropna(subset=list(keys))
            self._asked[keys] = told.groupby([*keys, "stage"], sort=False)["place"].min().unstack("stage")
        return self._asked[keys]

    def own(self, *keys: str) -> pd.DataFrame:
        """As the records themselves say: the most serious charge by `keys` (index), one that states a form before one that does not."""
        if (*keys, "reported") not in self._asked:
            said = self.rows.assign(silent=self.rows["form"].isna()).sort_values(["reported", "silent"], kind="stable")
            self._asked[*keys, "reported"] = said.drop_duplicates(list(keys)).set_index(list(keys))[["reported", "form"]]
        return self._asked[*keys, "reported"]


def principal(charges: Charges, units: pd.DataFrame, stage: str) -> pd.Series:
    """Most serious offence (rank) of each unit at `stage`.

    units  case_id, and person_id for persons. A person without a charge of the person's own counts under the case's, a case without one at
           this stage under that of the nearest other stage, else `other`.
    """
    stages = (stage, *NEIGHBOURS[stage])
    found = pd.Series(float("nan"), index=units.index)
    for keys in ([("case_id", "person_id")] if "person_id" in units else []) + [("case_id",)]:
        best = charges.principal(*keys)
        asked = pd.MultiIndex.from_frame(units[list(keys)]) if len(keys) > 1 else pd.Index(units[keys[0]])
        own = best.reindex(asked).reindex(columns=list(stages)).set_axis(units.index)
        for at in stages if keys == ("case_id",) else (stage,):
            found = found.fillna(own[at])
    return found.fillna(OTHER)


def stated_forms(charges: pd.DataFrame, *, of_trafficking: bool) -> pd.Series:
    """The form of each case by case_id: "from the prosecution's charges, else from the police's record"; absent where nobody states one.

    of_trafficking  charges of trafficking and withholding papers, also the police's, go before others: these state the form of another
                    offence. Otherwise it is the form of the case as a whole, for those who deliver none.
    Of several the one with the most serious offence counts, then the best supported, then the first in the list of forms.
    """
    said = charges[charges["form"].notna() & (charges["form"] != "unknown") & charges["stage"].isin(["registration", "prosecution"])]
    serious = [float(OFFENCE_GROUPS.index(group)) for group in OF_THE_CASE]
    said = said.assign(
        form_place=rank(said["form"], FORMS),
        lesser=~said["place"].isin(serious) & of_trafficking,
        later=said["stage"] == "registration",
    )
    tally = said.groupby(["case_id", "lesser", "later", "place", "form_place"]).size().rename("n").reset_index()
    order = ["lesser", "later", "place", "n", "form_place"]
    best = tally.sort_values(order, ascending=[True, True, True, False, True]).drop_duplicates("case_id")
    return pd.Series(unrank(best["form_place"], FORMS).to_numpy(), index=best["case_id"].to_numpy(), dtype="str")
