"""What the portal shows to stewards about one run, kept in memory: the queue, single pairs, search results.

Belongs here: reading the tables of a run once for many pages; grouping the queue by case and person. Does not belong here: pages, texts,
entering a verdict (`deciding`), which pairs are doubtful (`queue`), what a verdict changes (`consequence`).
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from threading import Lock

import pandas as pd
from sqlalchemy import select

from harmonia.registry import Registry
from harmonia.registry.tables import Run
from harmonia.review.consequence import VerdictPreviews
from harmonia.review.describe import describe_records
from harmonia.review.following import read_current_verdicts
from harmonia.review.judgements import normalise_steward_names, read_judgements
from harmonia.review.naming import find_requested_pair
from harmonia.review.pairs import PAIR, order_pairs, parse_pair
from harmonia.review.published import RECORD, PublishedRun
from harmonia.review.queue import OPEN, QUEUE, list_doubtful_pairs
from pipelines.harmonisation.names import make_name_skeletons
from pipelines.linkage.cluster import find_connected_components
from schemas.canonical import remove_confidential_events

MAX_FOUND = 50
"""Maximum number of records that a search returns."""
HISTORY = ["verdict", "steward", "decided_at", "why", "blind"]


class ReviewDesk:
    """The doubtful pairs of a published run, with their records, judgements and previews. Several threads may share it.

    A `pair` is a frame of one row with the columns `PAIR`.
    """

    def __init__(self, published_run: PublishedRun, registry: Registry) -> None:
        self.published_run, self.registry = published_run, registry
        self._lock, self._loading = Lock(), Lock()
        self._previews: VerdictPreviews | None = None
        self._described: dict[tuple[str, bool], pd.DataFrame] = {}

    def load_previews(self) -> VerdictPreviews:
        """Return the object that computes previews of verdicts. It is created by the first call, which takes some seconds."""
        with self._loading:
            if self._previews is None:
                self._previews = VerdictPreviews(self.published_run, self.registry)
            return self._previews

    def close(self) -> None:
        """Free the memory and close the database that previews use."""
        if self._previews is not None:
            self._previews.close()

    @cached_property
    def decisions(self) -> pd.DataFrame:
        """The decisions of linkage on pairs (`PublishedRun.read_decisions`)."""
        return self.published_run.read_decisions()

    @cached_property
    def _decided_pairs(self) -> pd.DataFrame:
        """The pairs on which linkage decided (columns `PAIR`), indexed by the id of the pair."""
        return self.decisions.set_index("pair")[PAIR]

    @cached_property
    def canonical(self) -> dict[str, pd.DataFrame]:
        """The canonical tables of the run (`PublishedRun.read_canonical_tables`)."""
        return self.published_run.read_canonical_tables()

    @cached_property
    def ids(self) -> dict[str, pd.Series]:
        """Maps each entity (`case`, `person`) to the published ids of its records, indexed by institution and record key."""
        return {
            "case": self.published_run.read_lake_table("identities", "cases").set_index(RECORD)["case_id"],
            "person": self.published_run.read_lake_table("identities", "persons").set_index(RECORD)["person_id"],
        }

    @cached_property
    def _reassigned_positions(self) -> pd.DataFrame:
        """The list positions of persons, from which current record keys are derived (`pipelines.linkage.list_positions`)."""
        return self.published_run.read_lake_table("identities", "listed")

    @cached_property
    def _doubtful_pairs(self) -> pd.DataFrame:
        """All doubtful pairs, whether they were judged or not.

        The columns are those of the queue, and the ids of both records (id_a, id_b), which are empty if a record has no id.
        """
        pairs = list_doubtful_pairs(self.published_run, self.registry, include_judged_pairs=True)
        for side in "ab":
            pairs[f"id_{side}"] = ""
            for entity, ids in self.ids.items():
                of_entity = pairs["entity"] == entity
                keys = pd.MultiIndex.from_frame(pairs.loc[of_entity, [f"institution_{side}", f"key_{side}"]])
                pairs.loc[of_entity, f"id_{side}"] = ids.reindex(keys).fillna("").to_numpy()
        return pairs

    def list_queue(self, steward: str) -> pd.DataFrame:
        """Return the pairs that `steward` can judge now. The columns are `QUEUE`, id_a, id_b and group (number).

        Pairs that share a case or person, directly or through other pairs, form a group. Groups, and the pairs within a group, are sorted
        by the number of figures that they can change. A pair that the steward judged as `unsure`, or proposed to join, waits for another
        steward and is left out.
        """
        states = read_current_verdicts(self.registry, self._reassigned_positions)
        with self._lock:
            pairs = self._doubtful_pairs.drop(columns="state").merge(states.rename(columns={"verdict": "state"}), on=PAIR, how="left")
        pairs = pairs.fillna({"state": "open"})
        steward_verdicts = self._find_latest_verdicts_of(steward)
        waits = pairs["state"].isin(OPEN) & ~pd.MultiIndex.from_frame(pairs[PAIR]).isin(pd.MultiIndex.from_frame(steward_verdicts[PAIR]))
        return _group_pairs(pairs[waits].reset_index(drop=True))

    def _find_latest_verdicts_of(self, steward: str) -> pd.DataFrame:
        """Return the latest verdict of `steward` on each pair, with the columns `PAIR` and verdict. Withdrawn verdicts are left out."""
        judgements = order_pairs(read_judgements(self.registry))
        steward_judgements = judgements[
            normalise_steward_names(judgements["steward"]) == normalise_steward_names(pd.Series([steward])).iloc[0]
        ]
        steward_judgements = steward_judgements.drop_duplicates(PAIR, keep="last")
        return steward_judgements.loc[steward_judgements["verdict"] != "withdrawn", [*PAIR, "verdict"]]

    def find_pair(self, text: str) -> pd.DataFrame:
        """Find the pair that `text` names, in the same way as on the command line. Raises `HarmoniaError` if it is not found."""
        parsed = parse_pair(text)
        if isinstance(parsed, str) and parsed in self._decided_pairs.index:  # of this run, so both records are delivered
            return self._decided_pairs.loc[[parsed]].reset_index(drop=True)
        return find_requested_pair(self.published_run, self.registry, parsed).reset_index(drop=True)

    def find_decision(self, pair: pd.DataFrame) -> dict[str, object]:
        """Return the decision of linkage on a pair: weight (bits), decision and reasons. The result is empty if no decision is stored."""
        stored = self.decisions.merge(pair[PAIR], on=PAIR)
        return {str(name): stored[name].iloc[0] for name in ("weight", "decision", "reasons")} if len(stored) else {}

    def list_judgements(self, pair: pd.DataFrame) -> pd.DataFrame:
        """Return the judgements on a pair with the columns `HISTORY`. The oldest comes first."""
        return read_judgements(self.registry).merge(pair[PAIR], on=PAIR)[HISTORY]

    def count_judged_since_run(self) -> int:
        """Count the pairs that were judged since the run began."""
        with self.registry.read() as session:
            began = session.scalar(select(Run.started).where(Run.id == self.published_run.run))
        judgements = read_judgements(self.registry)
        later = judgements["decided_at"].map(lambda moment: began is None or moment > began)
        return len(judgements[later.astype(bool)].drop_duplicates(PAIR)) if len(judgements) else 0

    def find_state_of_pair(self, pair: pd.DataFrame) -> str:
        """Return the state of a pair: `open` if nobody judged it, otherwise `same`, `different`, `unsure`, `proposed` or `disputed`."""
        current = read_current_verdicts(self.registry, self._reassigned_positions).merge(pair[PAIR], on=PAIR)["verdict"]
        return str(current.iloc[0]) if len(current) else "open"

    def describe_all_records(self, entity: str, show_names: bool) -> pd.DataFrame:
        """Describe all records of `entity`, as `describe_records` does. The result is kept in memory unless it contains names."""
        with self._lock:
            if show_names or (entity, show_names) not in self._described:
                described = describe_records(self.published_run, entity, show_names)
                if show_names:
                    return described
                self._described[entity, show_names] = described
            return self._described[entity, show_names]

    def hash_shown_content(self, pair: pd.DataFrame) -> str:
        """Return a hash of what a page shows about a pair: both records, and how many judgements there are.

        If a form is submitted with another hash, its page was out of date.
        """
        rows = self.describe_all_records(str(pair["entity"].iloc[0]), False).reindex(_list_keys_of_pair(pair)).fillna("")
        content = [*rows.to_numpy().ravel().tolist(), str(len(self.list_judgements(pair)))]
        return hashlib.sha256("\0".join(content).encode()).hexdigest()[:16]

    def list_records_of_clusters(self, pair: pd.DataFrame) -> pd.DataFrame:
        """Return all records of the two cases or persons of a pair, with the columns institution, record_key and id.

        If a record has no id, it is returned alone, with an empty id.
        """
        entity = str(pair["entity"].iloc[0])
        ids, keys = self.ids[entity], _list_keys_of_pair(pair)
        ids_of_pair = ids.reindex(keys).dropna()
        members = ids[ids.isin(ids_of_pair)].rename("id").reset_index()
        alone = pd.DataFrame([(*key, "") for key in keys if key not in ids_of_pair.index], columns=[*RECORD, "id"])
        return pd.concat([members, alone], ignore_index=True)

    def list_decisions_within(self, member_records: pd.DataFrame, entity: str) -> pd.DataFrame:
        """Return the decisions of linkage on pairs of which both records are in `member_records`.

        `entity` says whether these are records of cases or persons. The columns are `PAIR`, weight and decision.
        """
        member_keys = pd.MultiIndex.from_frame(member_records[RECORD])
        decisions = self.decisions[self.decisions["entity"] == entity]
        inside = [pd.MultiIndex.from_frame(decisions[[f"institution_{side}", f"key_{side}"]]).isin(member_keys) for side in "ab"]
        return decisions.loc[inside[0] & inside[1], [*PAIR, "weight", "decision"]].reset_index(drop=True)

    def list_events(self, member_records: pd.DataFrame, entity: str) -> pd.DataFrame:
        """Return the dated events of `member_records` and of their case files, sorted by date. `member_records` are records of `entity`.

        The columns are institution, case_key, event and date. Confidential events are left out.
        """
        files = member_records[RECORD].rename(columns={"record_key": "case_key"})
        if entity == "person":
            persons = self.canonical["person_records"].drop_duplicates([*RECORD, "case_key"])
            files = member_records[RECORD].merge(persons[[*RECORD, "case_key"]], on=RECORD)[["institution", "case_key"]].drop_duplicates()
        events = remove_confidential_events(self.canonical["events"])
        dated = events[(events["status"] == "accepted") & events["date"].notna()].merge(files, on=["institution", "case_key"])
        if entity == "person":
            of_members = pd.MultiIndex.from_frame(dated[RECORD]).isin(pd.MultiIndex.from_frame(member_records[RECORD]))
            dated = dated[(dated["entity"] == "case") | of_members]
        dated = dated.sort_values("date", kind="stable").drop_duplicates(["institution", "case_key", "event", "date"])
        return dated[["institution", "case_key", "event", "date"]].reset_index(drop=True)

    def search_records(self, entity: str, number: str = "", name: str = "") -> pd.DataFrame:
        """Find at most `MAX_FOUND` records of `entity`. The columns of the result are institution and record_key.

        `number` is text within the record key or the number of the case file. `name` is a part of a person's name, in any language and
        script, or a personal number. If `name` is given, the caller first records the search in the audit log. If both are given, records
        must match both.
        """
        table = self.canonical["case_records" if entity == "case" else "person_records"]
        is_match = pd.Series(True, index=table.index)
        if number:
            column = "number" if entity == "case" else "case_key"
            parts = [table[one].astype("str").str.contains(number.strip(), case=False, regex=False) for one in ("record_key", column)]
            is_match &= parts[0] | parts[1]
        if name and entity == "person":
            is_match &= _find_persons_by_name(table, name)
        if not number and not name:
            is_match &= False
        return table.loc[is_match, RECORD].drop_duplicates().head(MAX_FOUND).reset_index(drop=True)


def _find_persons_by_name(persons: pd.DataFrame, name: str) -> pd.Series:
    """Return for each person whether the names of the person begin with the words of `name`.

    If `name` contains six digits or more, return whether the person has this personal number.
    """
    digits = "".join(letter for letter in name if letter.isdigit())
    if len(digits) >= 6:
        return persons["personal_number"].astype("str") == digits
    name_parts = str(make_name_skeletons(pd.Series([name], dtype="str")).fillna("").iloc[0]).split()
    tokens = " " + persons["name_tokens"].fillna("").astype("str")
    is_match = pd.Series(bool(name_parts), index=persons.index)
    for word in name_parts:
        is_match &= tokens.str.contains(f" {word}", regex=False)
    return is_match


def _list_keys_of_pair(pair: pd.DataFrame) -> pd.MultiIndex:
    """Return the institution and key of both records of a pair."""
    return pd.MultiIndex.from_tuples([(pair[f"institution_{s}"].iloc[0], pair[f"key_{s}"].iloc[0]) for s in "ab"], names=RECORD)


def _group_pairs(pairs: pd.DataFrame) -> pd.DataFrame:
    """Sort pairs by group, and number the groups in the new column `group`; the groups that can change most figures come first.

    `pairs` has the columns `QUEUE`, id_a and id_b.
    """
    if pairs.empty:
        return pairs.assign(group=pd.Series(dtype="int64"))
    code, names = pd.factorize(pd.concat([pairs["entity"] + pairs[f"id_{side}"] for side in "ab"]))
    a, b = code[: len(pairs)], code[len(pairs) :]
    pairs = pairs.assign(label=find_connected_components(len(names), a, b)[a])
    most = pairs.groupby("label")[["moves", "touched"]].transform("max").add_prefix("most_")
    pairs = pairs.join(most).assign(distance=pairs["weight"].abs())
    order = ["most_moves", "most_touched", "label", "moves", "touched", "distance", "pair"]
    pairs = pairs.sort_values(order, ascending=[False, False, True, False, False, True, True], kind="stable", ignore_index=True)
    return pairs.assign(group=pd.factorize(pairs["label"])[0])[[*QUEUE, "id_a", "id_b", "group"]]
