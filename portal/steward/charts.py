"""Pictures of a pair as inline SVG: waterfall, timeline, cluster. Belongs here: geometry. Colours are the style sheet's.

Does not belong here: reading anything, texts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from math import cos, pi, sin

import pandas as pd

from harmonia.explain.chart import Drawing, draw
from harmonia.explain.document import Step, Waterfall
from sources import contract

MOST_NODES, MOST_LANES = 24, 14
WIDTH = 720
_LABELS, _LANE, _TOP = 168, 26, 26
_SIDE, _RADIUS = 360, 128


def waterfall(title: str, start: Step, steps: list[Step], end: str, verdict: str) -> Drawing:
    """The weights of a pair from prior odds to their sum."""
    return draw(Waterfall(title, start, steps, end, threshold=0.0, verdict=verdict))


@dataclass(frozen=True)
class Point:
    """An event on a lane: place, and what it is (`event`, `day`)."""

    x: float
    y: float
    event: str
    day: date


@dataclass(frozen=True)
class Lane:
    """A file and its events, from its first to its last; mark: `a`, `b` for the files of the pair, else empty."""

    institution: str
    key: str
    mark: str
    y: float
    first: float
    last: float
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Timeline:
    """Lanes in the order of the stages, with `years` (x, text)."""

    lanes: tuple[Lane, ...]
    years: tuple[tuple[float, str], ...]
    height: int
    width: int = WIDTH
    labels: int = _LABELS


def timeline(events: pd.DataFrame, marks: dict[tuple[str, str], str]) -> Timeline | None:
    """events: institution, case_key, event, date; marks: the files of the pair. None where there are none."""
    if events.empty:
        return None
    first, last = events["date"].min(), events["date"].max()
    span = max((last - first).days, 30)

    def x(day: pd.Timestamp) -> float:
        return round(_LABELS + 14 + (day - first).days / span * (WIDTH - _LABELS - 34), 1)

    order = {name: n for n, name in enumerate(contract.institutions())}
    files = [((str(i), str(key)), own) for (i, key), own in events.groupby(["institution", "case_key"], sort=False)]
    files.sort(key=lambda one: (one[0] not in marks, order.get(one[0][0], len(order)), one[1]["date"].min()))
    files = sorted(files[:MOST_LANES], key=lambda one: (order.get(one[0][0], len(order)), one[1]["date"].min()))
    lanes = []
    for n, ((institution, key), own) in enumerate(files):
        y = _TOP + n * _LANE + _LANE / 2
        points = tuple(Point(x(day), y, event, day.date()) for event, day in zip(own["event"], own["date"], strict=True))
        lanes.append(Lane(institution, key, marks.get((institution, key), ""), y, points[0].x, points[-1].x, points))
    starts = [pd.Timestamp(year, 1, 1) for year in range(first.year, last.year + 2)]
    years = tuple((x(day), str(day.year)) for day in starts if first <= day <= last)
    return Timeline(tuple(lanes), years or ((x(first), str(first.year)),), _TOP + len(lanes) * _LANE + 8)


@dataclass(frozen=True)
class Node:
    """A record of the cluster: place, label (A and B are the pair), number of its case or person."""

    x: float
    y: float
    label: str
    institution: str
    key: str
    id: str
    group: int


@dataclass(frozen=True)
class Edge:
    """A link between two nodes; of the pair itself `own`."""

    x1: float
    y1: float
    x2: float
    y2: float
    weight: float
    joined: bool
    own: bool


@dataclass(frozen=True)
class Graph:
    """Nodes on a circle, those of one case or person side by side."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    left_out: int
    side: int = _SIDE


def graph(members: pd.DataFrame, links: pd.DataFrame, pair: pd.DataFrame) -> Graph:
    """members: institution, record_key, id; links: as `Desk.links`; pair: one row of `PAIR`."""
    a, b = ((str(pair[f"institution_{s}"].iloc[0]), str(pair[f"key_{s}"].iloc[0])) for s in "ab")
    rows = [((str(i), str(k)), str(entity)) for i, k, entity in members[["institution", "record_key", "id"]].itertuples(index=False)]
    known = dict(rows)
    ids = list(dict.fromkeys([*(known[key] for key in (a, b) if key in known), *known.values()]))  # A and B have the colours of their marks
    rows.sort(key=lambda row: (row[0] not in (a, b), ids.index(row[1])))
    left_out = max(len(rows) - MOST_NODES, 0)
    rows = sorted(rows[:MOST_NODES], key=lambda row: (ids.index(row[1]), row[0] not in (a, b)))
    middle, nodes, number = _SIDE / 2, dict[tuple[str, str], Node](), 0
    for n, (key, entity) in enumerate(rows):
        label = "A" if key == a else "B" if key == b else str(number := number + 1)
        angle = 2 * pi * n / len(rows) - pi / 2
        x, y = round(middle + _RADIUS * cos(angle), 1), round(middle + _RADIUS * sin(angle), 1)
        nodes[key] = Node(x, y, label, *key, entity, ids.index(entity) % 6)
    edges = []
    columns = ["institution_a", "key_a", "institution_b", "key_b", "weight", "decision"]
    for ia, ka, ib, kb, weight, decision in links[columns].itertuples(index=False, name=None):
        one, other = nodes.get((ia, ka)), nodes.get((ib, kb))
        if one and other:
            edges.append(Edge(one.x, one.y, other.x, other.y, float(weight), decision == "joined", {(ia, ka), (ib, kb)} == {a, b}))
    if a in nodes and b in nodes and not any(edge.own for edge in edges):
        edges.append(Edge(nodes[a].x, nodes[a].y, nodes[b].x, nodes[b].y, 0.0, False, True))
    return Graph(tuple(nodes.values()), tuple(sorted(edges, key=lambda edge: (edge.own, edge.joined))), left_out)
