"""The parts of an explanation by themselves: which links carry, how a waterfall is drawn, numbers in words."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from harmonia.explain.chart import WIDTH, lay_out_waterfall
from harmonia.explain.console import print_explanation
from harmonia.explain.document import Column, Explanation, MatchWeight, Section, Step, Table, Text, Waterfall
from harmonia.explain.labels import format_odds, make_letter_label
from harmonia.explain.links import select_spanning_links
from harmonia.explain.page import render_page

A, B, C, D = (("police", key) for key in "abcd")


def test_the_heaviest_links_that_join_carry_the_group() -> None:
    pairs = [(A, B, 9.0), (B, C, 1.0), (A, C, 5.0), (C, D, -2.0)]
    assert select_spanning_links(pairs) == [(A, B, 9.0), (A, C, 5.0), (C, D, -2.0)]


@given(st.lists(st.floats(-30, 30), min_size=1, max_size=12), st.floats(-20, 5))
def test_a_waterfall_stays_inside_its_picture_and_ends_at_its_sum(amounts: list[float], start: float) -> None:
    chart = Waterfall("t", Step("start", start), [Step(f"s{n}", a) for n, a in enumerate(amounts)], "sum")
    drawing = lay_out_waterfall(chart)
    assert len(drawing.bars) == len(amounts) + 2
    assert all(bar.x >= drawing.labels and bar.x + bar.width <= WIDTH for bar in drawing.bars)
    assert drawing.bars[-1].amount == f"{start + sum(amounts):+.1f}" == chart.format_amount(chart.total)


@pytest.mark.parametrize(("bits", "said"), [(0.0, "1.0 : 1"), (3.0, "8.0 : 1"), (-5.0, "1 : 32"), (99.0, "more than 1,000,000 : 1")])
def test_weights_are_reported_as_odds(bits: float, said: str) -> None:
    assert format_odds(bits) == said


def test_records_are_called_by_letters() -> None:
    assert [make_letter_label(n) for n in (0, 25, 26, 51, 52, 701, 702)] == ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]


def test_what_was_delivered_is_shown_and_never_run() -> None:
    evil = "<script>alert(1)</script>\u202e"
    table = Table(evil, [Column(evil)], [[evil], [(evil, evil)], [MatchWeight(1.0, evil)]], note=evil)
    chart = Waterfall(evil, Step(evil, 1, evil), [], evil, verdict=evil)
    page = render_page(Explanation(evil, [(evil, evil)], [Text(evil)], [Section(evil, [table], evil, [chart])], sources=evil))
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_text_holds_no_colour_and_no_box_lines_where_it_is_piped() -> None:
    out = io.StringIO()
    table = Table(
        "t", [Column("a"), Column("b", number=True)], [["x", MatchWeight(-3.0)], [("one", "two"), None]], highlighted=frozenset({0})
    )
    print_explanation(Console(file=out, width=100), Explanation("Title", [("a", "b")], [Text("lead", "good")], [Section("s", [table])]))
    assert "\x1b" not in out.getvalue()
    assert out.getvalue().isascii()


def test_the_command_line_starts_without_anything_heavy() -> None:
    code = "import sys, harmonia.explain.commands; print(*(n for n in ('pandas', 'duckdb', 'jinja2', 'sqlalchemy') if n in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == []
