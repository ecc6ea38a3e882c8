"""What a steward at work reads of one run, held in memory: the queue by cluster, one pair, a search.

Belongs here: reading the tables of a run once for many pages; grouping the queue. Does not belong here: pages, texts, entering a verdict
(`deciding`), which pairs are in doubt (`queue`), what a verdict changes (`consequence`).
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
from harmonia.review.judgements import read, steward_key
from harmonia.review.naming import resolve_pair
from harmonia.review.pairs import PAIR, order_pairs, parse_pair
from harmonia.review.published import RECORD, PublishedRun
from harmonia.review.queue import OPEN, QUEUE, queue
from pipelines.harmonisation.names import name_skeletons
from pipelines.linkage.cluster import connected_components
from schemas.canonical import without_confidential

MOST_FOUND = 50
"""Records that a search lists."""
HISTORY = ["verdict", "steward", "decided_at", "why", "blind"]


class Desk:
    """The review of one published run: doubtful pairs, their records, judgements and consequences. Safe to share among threads."""

    def __init__(self, found: PublishedRun, registry: Registry) -> None:
        self.found, self.registry = found, registry
        self._lock, self._loading = Lock(), Lock()
        self._consequences: Consequences | None = None
        self._described: dict[tuple[str, bool], pd.DataFrame] = {}

    def consequences(self) -> Consequences:
        """The previews of what verdicts change; loaded once, in some seconds."""
        with self._loading:
            if self._consequences is None:
                self._consequences = Consequences(self.found, self.registry)
            return self._consequences

    def close(self) -> None:
        """Free the memory and the database of the previews."""
        if self._consequences is not None:
            self._consequences.close()

    @cached_property
    def decisions(self) -> pd.DataFrame:
        """The stored decisions, as `PublishedRun.decisions`."""
        return self.found.decisions()

    @cached_property
    def _decided(self) -> pd.DataFrame:
        """`PAIR` of the stored decisions, indexed by the id of the pair."""
        return self.decisions.set_index("pair")[PAIR]

    @cached_property
    def canonical(self) -> dict[str, pd.DataFrame]:
        """The canonical tables of all states."""
        return self.found.canonical()

    @cached_property
    def ids(self) -> dict[str, pd.Series]:
        """By entity the published id of each record, indexed by institution and record key."""
        return {
            "case": self.found.table("identities", "cases").set_index(RECORD)["case_id"],
            "person": self.found.table("identities", "persons").set_index(RECORD)["person_id"],
        }

    @cached_property
    def _listed(self) -> pd.DataFrame:
        return self.found.table("identities", "listed")

    @cached_property
    def _doubtful(self) -> pd.DataFrame:
        """All doubtful pairs with what they move, judged or not, with the ids of both records and the number of their group."""
        pairs = queue(self.found, self.registry, everything=True)
        for side in "ab":
            pairs[f"id_{side}"] = ""
            for entity, ids in self.ids.items():
                own = pairs["entity"] == entity
                keys = pd.MultiIndex.from_frame(pairs.loc[own, [f"institution_{side}", f"key_{side}"]])
                pairs.loc[own, f"id_{side}"] = ids.reindex(keys).fillna("").to_numpy()
        return pairs

    def queue(self, steward: str) -> pd.DataFrame:
        """The open pairs that wait for `steward`, by group: `QUEUE`, id_a, id_b, group.

        A group is the pairs that share a case or person, directly or through others; groups, and pairs in a group, by the figures that
        they move. What the steward proposed, or is unsure about, waits for another.
        """
        states = current_verdicts(self.registry, self._listed)
        with self._lock:
            pairs = self._doubtful.drop(columns="state").merge(states.rename(columns={"verdict": "state"}), on=PAIR, how="left")
        pairs = pairs.fillna({"state": "open"})
        own = self._own(steward)
        waits = pairs["state"].isin(OPEN) & ~pd.MultiIndex.from_frame(pairs[PAIR]).isin(pd.MultiIndex.from_frame(own[PAIR]))
        return _group_pairs(pairs[waits].reset_index(drop=True))

    def _own(self, steward: str) -> pd.DataFrame:
        """`PAIR` and verdict of the latest judgement of `steward` on each pair, without withdrawn ones."""
        judgements = order_pairs(read(self.registry))
        own = judgements[steward_key(judgements["steward"]) == steward_key(pd.Series([steward])).iloc[0]]
        own = own.drop_duplicates(PAIR, keep="last")
        return own.loc[own["verdict"] != "withdrawn", [*PAIR, "verdict"]]

    def pair(self, text: str) -> pd.DataFrame:
        """The pair (one row of `PAIR`) named as on the command line. Raises `HarmoniaError` where it is not found."""
        wanted = parse_pair(text)
        if isinstance(wanted, str) and wanted in self._decided.index:  # of this run, so both records are delivered
            return self._decided.loc[[wanted]].reset_index(drop=True)
        return resolve_pair(self.found, self.registry, wanted).reset_index(drop=True)

    def decision(self, pair: pd.DataFrame) -> dict[str, object]:
        """weight, decision, reasons of the last run; empty where none is stored."""
        known = self.decisions.merge(pair[PAIR], on=PAIR)
        return {str(name): known[name].iloc[0] for name in ("weight", "decision", "reasons")} if len(known) else {}

    def history(self, pair: pd.DataFrame) -> pd.DataFrame:
        """`HISTORY`: the judgements on the pair, oldest first."""
        return read(self.registry).merge(pair[PAIR], on=PAIR)[HISTORY]

    def since_run(self) -> int:
        """Number of pairs judged since the run began."""
        with self.registry.read() as session:
            began = session.scalar(select(Run.started).where(Run.id == self.found.run))
        judgements = read(self.registry)
        later = judgements["decided_at"].map(lambda moment: began is None or moment > began)
        return len(judgements[later.astype(bool)].drop_duplicates(PAIR)) if len(judgements) else 0

    def state(self, pair: pd.DataFrame) -> str:
        """open, same, different, unsure, proposed or disputed."""
        found = current_verdicts(self.registry, self._listed).merge(pair[PAIR], on=PAIR)["verdict"]
        return str(found.iloc[0]) if len(found) else "open"

    def describe(self, entity: str, names: bool) -> pd.DataFrame:
        """`describe.describe_records`; without names kept in memory."""
        with self._lock:
            if names or (entity, names) not in self._described:
                found = describe_records(self.found, entity, names)
                if names:
                    return found
                self._described[entity, names] = found
            return self._described[entity, names]

    def seen(self, pair: pd.DataFrame) -> str:
        """A mark of what a page of the pair shows: both records and the judgements so far. Another mark: the page is out of date."""
        rows = self.describe(str(pair["entity"].iloc[0]), False).reindex(_keys_of_pair(pair)).fillna("")
        content = [*rows.to_numpy().ravel().tolist(), str(len(self.history(pair)))]
        return hashlib.sha256("\0".join(content).encode()).hexdigest()[:16]

    def members(self, pair: pd.DataFrame) -> pd.DataFrame:
        """The records of both cases or persons of the pair: institution, record_key, id; of a record without id itself alone."""
        entity = str(pair["entity"].iloc[0])
        ids, keys = self.ids[entity], _keys_of_pair(pair)
        own = ids.reindex(keys).dropna()
        found = ids[ids.isin(own)].rename("id").reset_index()
        alone = pd.DataFrame([(*key, "") for key in keys if key not in own.index], columns=[*RECORD, "id"])
        return pd.concat([found, alone], ignore_index=True)

    def links(self, members: pd.DataFrame, entity: str) -> pd.DataFrame:
        """The stored decisions between `members`: `PAIR`, weight, decision."""
        known = pd.MultiIndex.from_frame(members[RECORD])
        own = self.decisions[self.decisions["entity"] == entity]
        inside = [pd.MultiIndex.from_frame(own[[f"institution_{side}", f"key_{side}"]]).isin(known) for side in "ab"]
        return own.loc[inside[0] & inside[1], [*PAIR, "weight", "decision"]].reset_index(drop=True)

    def events(self, members: pd.DataFrame, entity: str) -> pd.DataFrame:
        """The dated events of the files of `members`: institution, case_key, event, date, by date."""
        files = members[RECORD].rename(columns={"record_key": "case_key"})
        if entity == "person":
            persons = self.canonical["person_records"].drop_duplicates([*RECORD, "case_key"])
            files = members[RECORD].merge(persons[[*RECORD, "case_key"]], on=RECORD)[["institution", "case_key"]].drop_duplicates()
        events = without_confidential(self.canonical["events"])
        own = events[(events["status"] == "accepted") & events["date"].notna()].merge(files, on=["institution", "case_key"])
        if entity == "person":
            of_members = pd.MultiIndex.from_frame(own[RECORD]).isin(pd.MultiIndex.from_frame(members[RECORD]))
            own = own[(own["entity"] == "case") | of_members]
        own = own.sort_values("date", kind="stable").drop_duplicates(["institution", "case_key", "event", "date"])
        return own[["institution", "case_key", "event", "date"]].reset_index(drop=True)

    def search(self, entity: str, number: str = "", name: str = "") -> pd.DataFrame:
        """Records of `entity` whose key or number contains `number`, or (persons) whose names match `name`: institution, record_key.

        name: words of a name in any of the languages and scripts, or a personal number; audit it before the call. At most `MOST_FOUND`.
        """
        table = self.canonical["case_records" if entity == "case" else "person_records"]
        wanted = pd.Series(True, index=table.index)
        if number:
            column = "number" if entity == "case" else "case_key"
            parts = [table[one].astype("str").str.contains(number.strip(), case=False, regex=False) for one in ("record_key", column)]
            wanted &= parts[0] | parts[1]
        if name and entity == "person":
            wanted &= _persons_named(table, name)
        if not number and not name:
            wanted &= False
        return table.loc[wanted, RECORD].drop_duplicates().head(MOST_FOUND).reset_index(drop=True)


def _persons_named(persons: pd.DataFrame, name: str) -> pd.Series:
    """Persons with all words of `name` at the beginning of a token, or with the number."""
    digits = "".join(letter for letter in name if letter.isdigit())
    if len(digits) >= 6:
        return persons["personal_number"].astype("str") == digits
    wanted = str(name_skeletons(pd.Series([name], dtype="str")).fillna("").iloc[0]).split()
    tokens = " " + persons["name_tokens"].fillna("").astype("str")
    found = pd.Series(bool(wanted), index=persons.index)
    for word in wanted:
        found &= tokens.str.contains(f" {word}", regex=False)
    return found


def _keys_of_pair(pair: pd.DataFrame) -> pd.MultiIndex:
    """Return the institution and key of both records of a pair."""
    return pd.MultiIndex.from_tuples([(pair[f"institution_{s}"].iloc[0], pair[f"key_{s}"].iloc[0]) for s in "ab"], names=RECORD)


def _group_pairs(pairs: pd.DataFrame) -> pd.DataFrame:
    """Add `group` to `pairs`, and sort the groups by the figures that they move, most first."""
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
