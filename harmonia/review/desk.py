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
from harmonia.review.consequence import Consequences
from harmonia.review.describe import describe_records
from harmonia.review.following import current_verdicts
from harmonia.review.judgements import read_judgements, steward_key
from harmonia.review.naming import resolve_pair
from harmonia.review.pairs import PAIR, order_pairs, parse_pair
from harmonia.review.published import RECORD, PublishedRun
from harmonia.review.queue import OPEN, QUEUE, list_doubtful_pairs
from pipelines.harmonisation.names import name_skeletons
from pipelines.linkage.cluster import connected_components
from schemas.canonical import drop_confidential_events

MAX_FOUND = 50
"""Maximum number of records that a search returns."""
HISTORY = ["verdict", "steward", "decided_at", "why", "blind"]


class Desk:
    """The doubtful pairs of a published run, with their records, judgements and previews. Several threads may share it.

    A `pair` is a frame of one row with the columns `PAIR`.
    """

    def __init__(self, published_run: PublishedRun, registry: Registry) -> None:
        self.published_run, self.registry = published_run, registry
        self._lock, self._loading = Lock(), Lock()
        self._consequences: Consequences | None = None
        self._described: dict[tuple[str, bool], pd.DataFrame] = {}

    def consequences(self) -> Consequences:
        """Return the object that computes previews of verdicts. The first call takes some seconds."""
        with self._loading:
            if self._consequences is None:
                self._consequences = Consequences(self.published_run, self.registry)
            return self._consequences

    def close(self) -> None:
        """Free the memory and the database that previews use."""
        if self._consequences is not None:
            self._consequences.close()

    @cached_property
    def decisions(self) -> pd.DataFrame:
        """The decisions of linkage on pairs; see `PublishedRun.decisions`."""
        return self.published_run.decisions()

    @cached_property
    def _decided(self) -> pd.DataFrame:
        """The pairs on which linkage decided (columns `PAIR`), indexed by the id of the pair."""
        return self.decisions.set_index("pair")[PAIR]

    @cached_property
    def canonical(self) -> dict[str, pd.DataFrame]:
        """The canonical tables of the run; see `PublishedRun.canonical`."""
        return self.published_run.canonical()

    @cached_property
    def ids(self) -> dict[str, pd.Series]:
        """For each entity (`case`, `person`), the published id of each record, indexed by institution and record key."""
        return {
            "case": self.published_run.table("identities", "cases").set_index(RECORD)["case_id"],
            "person": self.published_run.table("identities", "persons").set_index(RECORD)["person_id"],
        }

    @cached_property
    def _reassigned_positions(self) -> pd.DataFrame:
        return self.published_run.table("identities", "listed")

    @cached_property
    def _doubtful(self) -> pd.DataFrame:
        """All doubtful pairs, judged or not: columns of the queue, and the ids of both records (id_a, id_b; empty if it has none)."""
        pairs = list_doubtful_pairs(self.published_run, self.registry, everything=True)
        for side in "ab":
            pairs[f"id_{side}"] = ""
            for entity, ids in self.ids.items():
                of_entity = pairs["entity"] == entity
                keys = pd.MultiIndex.from_frame(pairs.loc[of_entity, [f"institution_{side}", f"key_{side}"]])
                pairs.loc[of_entity, f"id_{side}"] = ids.reindex(keys).fillna("").to_numpy()
        return pairs

    def queue(self, steward: str) -> pd.DataFrame:
        """Return the open pairs that `steward` can judge. Columns out: `QUEUE`, id_a, id_b, group (number).

        Pairs that share a case or person, directly or through other pairs, form a group. Groups, and the pairs within a group, are sorted
        by the number of figures that they can change. Pairs that the steward judged `unsure`, or proposed to join, wait for another
        steward.
        """
        states = current_verdicts(self.registry, self._reassigned_positions)
        with self._lock:
            pairs = self._doubtful.drop(columns="state").merge(states.rename(columns={"verdict": "state"}), on=PAIR, how="left")
        pairs = pairs.fillna({"state": "open"})
        steward_verdicts = self._latest_verdicts_of(steward)
        waits = pairs["state"].isin(OPEN) & ~pd.MultiIndex.from_frame(pairs[PAIR]).isin(pd.MultiIndex.from_frame(steward_verdicts[PAIR]))
        return _group_pairs(pairs[waits].reset_index(drop=True))

    def _latest_verdicts_of(self, steward: str) -> pd.DataFrame:
        """Return the latest verdict of `steward` on each pair, without withdrawn ones. Columns out: `PAIR`, verdict."""
        judgements = order_pairs(read_judgements(self.registry))
        steward_judgements = judgements[steward_key(judgements["steward"]) == steward_key(pd.Series([steward])).iloc[0]]
        steward_judgements = steward_judgements.drop_duplicates(PAIR, keep="last")
        return steward_judgements.loc[steward_judgements["verdict"] != "withdrawn", [*PAIR, "verdict"]]

    def pair(self, text: str) -> pd.DataFrame:
        """Find the pair that `text` names, as on the command line. Raises `HarmoniaError` if it is not found."""
        parsed = parse_pair(text)
        if isinstance(parsed, str) and parsed in self._decided.index:  # of this run, so both records are delivered
            return self._decided.loc[[parsed]].reset_index(drop=True)
        return resolve_pair(self.published_run, self.registry, parsed).reset_index(drop=True)

    def decision(self, pair: pd.DataFrame) -> dict[str, object]:
        """Return what linkage decided on a pair: weight (bits), decision, reasons; empty if no decision is stored."""
        stored = self.decisions.merge(pair[PAIR], on=PAIR)
        return {str(name): stored[name].iloc[0] for name in ("weight", "decision", "reasons")} if len(stored) else {}

    def history(self, pair: pd.DataFrame) -> pd.DataFrame:
        """Return the judgements on a pair, oldest first. Columns out: `HISTORY`."""
        return read_judgements(self.registry).merge(pair[PAIR], on=PAIR)[HISTORY]

    def since_run(self) -> int:
        """Count the pairs that were judged since the run began."""
        with self.registry.read() as session:
            began = session.scalar(select(Run.started).where(Run.id == self.published_run.run))
        judgements = read_judgements(self.registry)
        later = judgements["decided_at"].map(lambda moment: began is None or moment > began)
        return len(judgements[later.astype(bool)].drop_duplicates(PAIR)) if len(judgements) else 0

    def state(self, pair: pd.DataFrame) -> str:
        """Return the state of a pair: `open` if nobody judged it, else `same`, `different`, `unsure`, `proposed` or `disputed`."""
        current = current_verdicts(self.registry, self._reassigned_positions).merge(pair[PAIR], on=PAIR)["verdict"]
        return str(current.iloc[0]) if len(current) else "open"

    def describe(self, entity: str, names: bool) -> pd.DataFrame:
        """Describe all records of `entity` (see `describe_records`). The result is kept in memory unless it contains names."""
        with self._lock:
            if names or (entity, names) not in self._described:
                described = describe_records(self.published_run, entity, names)
                if names:
                    return described
                self._described[entity, names] = described
            return self._described[entity, names]

    def seen(self, pair: pd.DataFrame) -> str:
        """Return a hash of what a page shows about a pair: both records and the judgements so far.

        If a form comes back with another hash, its page was out of date.
        """
        rows = self.describe(str(pair["entity"].iloc[0]), False).reindex(_keys_of_pair(pair)).fillna("")
        content = [*rows.to_numpy().ravel().tolist(), str(len(self.history(pair)))]
        return hashlib.sha256("\0".join(content).encode()).hexdigest()[:16]

    def members(self, pair: pd.DataFrame) -> pd.DataFrame:
        """Return all records of the two cases or persons of a pair. Columns out: institution, record_key, id.

        Of a record without an id, only that record is returned, with an empty id.
        """
        entity = str(pair["entity"].iloc[0])
        ids, keys = self.ids[entity], _keys_of_pair(pair)
        ids_of_pair = ids.reindex(keys).dropna()
        members = ids[ids.isin(ids_of_pair)].rename("id").reset_index()
        alone = pd.DataFrame([(*key, "") for key in keys if key not in ids_of_pair.index], columns=[*RECORD, "id"])
        return pd.concat([members, alone], ignore_index=True)

    def links(self, members: pd.DataFrame, entity: str) -> pd.DataFrame:
        """Return the decisions of linkage on pairs within `members`, records of `entity`. Columns out: `PAIR`, weight, decision."""
        member_keys = pd.MultiIndex.from_frame(members[RECORD])
        decisions = self.decisions[self.decisions["entity"] == entity]
        inside = [pd.MultiIndex.from_frame(decisions[[f"institution_{side}", f"key_{side}"]]).isin(member_keys) for side in "ab"]
        return decisions.loc[inside[0] & inside[1], [*PAIR, "weight", "decision"]].reset_index(drop=True)

    def events(self, members: pd.DataFrame, entity: str) -> pd.DataFrame:
        """Return the dated events of `members`, records of `entity`, and of their case files, by date.

        Columns out: institution, case_key, event, date. Confidential events are left out.
        """
        files = members[RECORD].rename(columns={"record_key": "case_key"})
        if entity == "person":
            persons = self.canonical["person_records"].drop_duplicates([*RECORD, "case_key"])
            files = members[RECORD].merge(persons[[*RECORD, "case_key"]], on=RECORD)[["institution", "case_key"]].drop_duplicates()
        events = drop_confidential_events(self.canonical["events"])
        dated = events[(events["status"] == "accepted") & events["date"].notna()].merge(files, on=["institution", "case_key"])
        if entity == "person":
            of_members = pd.MultiIndex.from_frame(dated[RECORD]).isin(pd.MultiIndex.from_frame(members[RECORD]))
            dated = dated[(dated["entity"] == "case") | of_members]
        dated = dated.sort_values("date", kind="stable").drop_duplicates(["institution", "case_key", "event", "date"])
        return dated[["institution", "case_key", "event", "date"]].reset_index(drop=True)

    def search(self, entity: str, number: str = "", name: str = "") -> pd.DataFrame:
        """Find at most `MAX_FOUND` records of `entity`. Columns out: institution, record_key.

        number: text within the record key or the number of the case file. name: words of a person's name, in any language and script, or a
        personal number; the caller records this search in the audit log first. Records must match both if both are given.
        """
        table = self.canonical["case_records" if entity == "case" else "person_records"]
        is_match = pd.Series(True, index=table.index)
        if number:
            column = "number" if entity == "case" else "case_key"
            parts = [table[one].astype("str").str.contains(number.strip(), case=False, regex=False) for one in ("record_key", column)]
            is_match &= parts[0] | parts[1]
        if name and entity == "person":
            is_match &= _matches_name(table, name)
        if not number and not name:
            is_match &= False
        return table.loc[is_match, RECORD].drop_duplicates().head(MAX_FOUND).reset_index(drop=True)


def _matches_name(persons: pd.DataFrame, name: str) -> pd.Series:
    """Return which persons have names that begin with the words of `name`; if it contains six digits or more, who has that number."""
    digits = "".join(letter for letter in name if letter.isdigit())
    if len(digits) >= 6:
        return persons["personal_number"].astype("str") == digits
    name_parts = str(name_skeletons(pd.Series([name], dtype="str")).fillna("").iloc[0]).split()
    tokens = " " + persons["name_tokens"].fillna("").astype("str")
    is_match = pd.Series(bool(name_parts), index=persons.index)
    for word in name_parts:
        is_match &= tokens.str.contains(f" {word}", regex=False)
    return is_match


def _keys_of_pair(pair: pd.DataFrame) -> pd.MultiIndex:
    """Return the institution and key of both records of a pair."""
    return pd.MultiIndex.from_tuples([(pair[f"institution_{s}"].iloc[0], pair[f"key_{s}"].iloc[0]) for s in "ab"], names=RECORD)


def _group_pairs(pairs: pd.DataFrame) -> pd.DataFrame:
    """Sort pairs by group, and number the groups in the new column `group`. pairs: `QUEUE`, id_a, id_b.

    The groups that can change most figures come first.
    """
    if pairs.empty:
        return pairs.assign(group=pd.Series(dtype="int64"))
    code, names = pd.factorize(pd.concat([pairs["entity"] + pairs[f"id_{side}"] for side in "ab"]))
    a, b = code[: len(pairs)], code[len(pairs) :]
    pairs = pairs.assign(label=connected_components(len(names), a, b)[a])
    most = pairs.groupby("label")[["moves", "touched"]].transform("max").add_prefix("most_")
    pairs = pairs.join(most).assign(distance=pairs["weight"].abs())
    order = ["most_moves", "most_touched", "label", "moves", "touched", "distance", "pair"]
    pairs = pairs.sort_values(order, ascending=[False, False, True, False, False, True, True], kind="stable", ignore_index=True)
    return pairs.assign(group=pd.factorize(pairs["label"])[0])[[*QUEUE, "id_a", "id_b", "group"]]
