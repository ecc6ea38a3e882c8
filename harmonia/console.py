"""Console output of the command line: one console, one style of tables.

Belongs here: the look of lines and tables. Does not belong here: their content. Importing this module loads neither pandas nor Dagster.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    import pandas as pd

_WIDTH_OF_LOGS = 200  # characters of a line if output is not a terminal, so that few lines are broken


def make_console(*, markup: bool = True) -> Console:
    """Return a console that writes to standard output. markup: whether to interpret rich's markup, such as [bold]."""
    return Console(width=None if sys.stdout.isatty() else _WIDTH_OF_LOGS, highlight=False, markup=markup)


def make_table(*headers: str, title: str | None = None, right: Collection[str] = ()) -> Table:
    """Make a table without rows. right: headers of the columns that are aligned right, because they contain numbers."""
    out = Table(box=SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    for header in headers:
        out.add_column(Text(header), justify="right" if header in right else "left", overflow="fold")
    return out


def format_count(n: int, one: str, many: str | None = None) -> str:
    """Format a number with its noun: `1 record`, `2 records`. many: the plural, if it is not `one` with an s."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def print_frame(frame: pd.DataFrame, empty: str, title: str | None = None) -> None:
    """Print a frame as a table; if it has no rows, print the line `empty` instead. Nulls are blank, floats have two decimals."""
    import pandas as pd

    if frame.empty:
        make_console(markup=False).print(empty, soft_wrap=True)
        return
    out = make_table(*map(str, frame.columns), title=title, right=[str(name) for name in frame.columns if frame[name].dtype.kind in "iuf"])
    for row in frame.itertuples(index=False, name=None):
        out.add_row(*(Text("" if pd.isna(v) else f"{v:.2f}" if isinstance(v, float) else str(v)) for v in row))
    make_console().print(out)
