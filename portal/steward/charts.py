"""Charts of a pair as inline SVG: its match weight as a waterfall, its case files as a timeline, and its cluster as a graph.

Belongs here: positions and sizes. Does not belong here: reading data, texts, and colours, which are in the style sheet.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from math import cos, pi, sin

import pandas as pd

from harmonia.explain.chart import Drawing, lay_out_waterfall
from harmonia.explain.document import Step, Waterfall
from sources import contract

MAX_NODES, MAX_LANES = 24, 14
WIDTH = 720
_LABELS, _LANE, _TOP = 232, 34, 26
_SIDE, _RADIUS = 360, 128


def draw_waterfall(title: str, start: Step, steps: list[Step], end: str, verdict: str) -> Drawing:
    """Draw how the match weight of a pair adds up, from the prior odds to the sum."""
    return lay_out_waterfall(Waterfall(title, start, steps, end, threshold=0.0, verdict=verdict))


@dataclass(frozen=True)
class Point:
    """An event on a lane: its position, kind and day."""

    x: float
    y: float
    event: str
    day: date


@dataclass(frozen=True)
class Lane:
    """A line of the timeline: a case file with its events in order. `mark` is `a` or `b` if the file belongs to the pair, otherwise it is
    empty."""

    institution: str
    key: str
    mark: str
    y: float
    first: float
    last: float
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Timeline:
    """The lanes, in the order of the stages of a criminal case, and the years with their positions."""

    lanes: tuple[Lane, ...]
    years: tuple[tuple[float, str], ...]
    height: int
    width: int = WIDTH
    labels: int = _LABELS


def make_timeline(events: pd.DataFrame, marks: dict[tuple[str, str], str]) -> Timeline | None:
    """Return the timeline of case files, or None if there are no events.

    `events` has the columns institution, case_key, event and date. `marks` has the mark (`a` or `b`) of each case file of the pair, by
    institution and case key.
    """
    if events.empty:
        return None
    first, last = events["date"].min(), events["date"].max()
    span = max((last - first).days, 30)

    def x(day: pd.Timestamp) -> float:
        return round(_LABELS + 14 + (day - first).days / span * (WIDTH - _LABELS - 34), 1)

    order = {name: n for n, name in enumerate(contract.institutions())}
    files = [((str(i), str(key)), file_events) for (i, key), file_events in events.groupby(["institution", "case_key"], sort=False)]
    files.sort(key=lambda file: (file[0] not in marks, order.get(file[0][0], len(order)), file[1]["date"].min()))
    files = sorted(files[:MAX_LANES], key=lambda file: (order.get(file[0][0], len(order)), file[1]["date"].min()))
    lanes = []
    for n, ((institution, key), file_events) in enumerate(files):
        y = _TOP + n * _LANE + _LANE / 2
        points = tuple(Point(x(day), y, event, day.date()) for event, day in zip(file_events["event"], file_events["date"], strict=True))
        lanes.append(Lane(institution, key, marks.get((institution, key), ""), y, points[0].x, points[-1].x, points))
    starts = [pd.Timestamp(year, 1, 1) for year in range(first.year, last.year + 2)]
    years = tuple((x(day), str(day.year)) for day in starts if first <= day <= last)
    return Timeline(tuple(lanes), years or ((x(first), str(first.year)),), _TOP + len(lanes) * _LANE + 8)


@dataclass(frozen=True)
class Node:
    """A record of the cluster: its position, its label, and the `id` of its case or person. The records of the pair have the labels A and
    B, the others have numbers."""

    x: float
    y: float
    label: str
    institution: str
    key: str
    id: str
    group: int


@dataclass(frozen=True)
class Edge:
    """A link between two nodes. `own` says whether it is the link of the pair itself."""

    x1: float
    y1: float
    x2: float
    y2: float
    weight: float
    joined: bool
    own: bool


@dataclass(frozen=True)
class Graph:
    """The links between the records of a cluster. The nodes are on a circle; nodes of the same case or person are side by side. `left_out`
    counts the records that are not shown."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    left_out: int
    side: int = _SIDE


def make_graph(members: pd.DataFrame, links: pd.DataFrame, pair: pd.DataFrame) -> Graph:
    """Return the graph of a cluster. `members` has the columns institution, record_key and id. `links` has the columns of
    `ReviewDesk.list_decisions_within`. `pair` is a frame of one row with the columns `PAIR`."""
    a, b = ((str(pair[f"institution_{s}"].iloc[0]), str(pair[f"key_{s}"].iloc[0])) for s in "ab")
    rows = [((str(i), str(k)), str(entity)) for i, k, entity in members[["institution", "record_key", "id"]].itertuples(index=False)]
    id_by_record = dict(rows)
    ids = list(
        dict.fromkeys([*(id_by_record[key] for key in (a, b) if key in id_by_record), *id_by_record.values()])
    )  # so that A and B have the colours of their marks
    rows.sort(key=lambda row: (row[0] not in (a, b), ids.index(row[1])))
    left_out = max(len(rows) - MAX_NODES, 0)
    rows = sorted(rows[:MAX_NODES], key=lambda row: (ids.index(row[1]), row[0] not in (a, b)))
    middle, nodes, number = _SIDE / 2, dict[tuple[str, str], Node](), 0
    for n, (key, entity) in enumerate(rows):
        label = "A" if key == a else "B" if key == b else str(number := number + 1)
        angle = 2 * pi * n / len(rows) - pi / 2
        x, y = round(middle + _RADIUS * cos(angle), 1), round(middle + _RADIUS * sin(angle), 1)
        nodes[key] = Node(x, y, label, *key, entity, ids.index(entity) % 6)
    edges = []
    columns = ["institution_a", "key_a", "institution_b", "key_b", "weight", "decision"]
    for ia, ka, ib, kb, weight, decision in links[columns].itertuples(index=False, name=None):
        from_node, to_node = nodes.get((ia, ka)), nodes.get((ib, kb))
        if from_node and to_node:
            edges.append(
                Edge(from_node.x, from_node.y, to_node.x, to_node.y, float(weight), decision == "joined", {(ia, ka), (ib, kb)} == {a, b})
            )
    if a in nodes and b in nodes and not any(edge.own for edge in edges):
        edges.append(Edge(nodes[a].x, nodes[a].y, nodes[b].x, nodes[b].y, 0.0, False, True))
    return Graph(tuple(nodes.values()), tuple(sorted(edges, key=lambda edge: (edge.own, edge.joined))), left_out)
