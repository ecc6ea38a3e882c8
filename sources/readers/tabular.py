"""Turns the rows of cells of delimited text and workbooks into tables.

Belongs here: finding headers; separating records from titles, blank rows, totals and broken rows. Does not belong here: reading cells from
a file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from sources.contract import TableSpec
from sources.readers import headers
from sources.readers.file_reading import FileReading, build_record_key, make_null_column, make_text_frame, read_key_part

TOTAL = re.compile(r"(gjithsej|totali?|gjithsejt|shuma|ukupno|svega|sum[ae]?|grand total)\b")
_MISSING_SHARE = 0.1  # share of the stated records from which missing ones make a file partial
_NUMBER = re.compile(r"(?<!\d)\d+(?!\d)")
_HEADER_SEARCH_ROWS = 200  # rows searched for a header with other names
_NEARLY_ALL = 0.9  # share of rows that decides about the header above them
_MOST_FILLED_IN_NO_RECORD = 2  # a row with so few filled cells is not a record


@dataclass
class CellGrid:
    """The rows of one file or sheet as delivered.

    `cells` has the cells of each row (rows may differ in length), and `lines` the physical line on which each row begins. `raw(i)` returns
    the bytes of row i. `part` is the name of the sheet. `repair(row, width)` returns None, or the cells of a row that had to be split by
    another delimiter and the rule of the finding.
    """

    cells: list[list[str]]
    lines: Sequence[int]
    raw: Callable[[int], bytes]
    part: str | None = None
    cut_at: int | None = None  # the row at which the file is truncated
    doubtful: frozenset[int] = frozenset()  # rows that can be split into cells in more than one way
    earlier: str | None = None  # text of the row above the table of an earlier period
    repair: Callable[[list[str], int], tuple[list[str], str] | None] = lambda row, width: None


@dataclass
class TableBlock:
    """The rows under one header. `header` is the position of the header row, or None if the rows have no header. `ranges` has, for each
    occurrence of the header, the first row below it and the row after the last. The counts `data` and `broken`, and the rows `totals`, are
    filled while the rows are read."""

    header: int | None
    table: TableSpec
    match: headers.HeaderMatch
    width: int
    regular: tuple[int, ...] = ()  # accepted numbers of cells; cells after `width` are empty
    ranges: list[tuple[int, int]] = field(default_factory=list)
    data: int = 0
    broken: int = 0
    totals: list[int] = field(default_factory=list)


def is_blank(row: Sequence[str]) -> bool:
    """Whether all cells of the row are empty or whitespace."""
    return not any(c and not c.isspace() for c in row)


def find_header_rows(grid: CellGrid, tables: Sequence[TableSpec]) -> list[tuple[int, TableSpec]]:
    """Return the rows that are headers, in order. Each comes with the table of whose columns it names most."""
    names = {c.name for t in tables for c in t.columns}
    found = []
    for i, row in enumerate(grid.cells):
        if i >= _HEADER_SEARCH_ROWS and (names.isdisjoint(row) or len(names.intersection(row)) < 2):
            continue
        best = max(tables, key=lambda t: headers.count_named_columns(row, t))
        if headers.is_header(row, best):
            found.append((i, best))
    if found:
        return found
    for i, row in enumerate(grid.cells[:_HEADER_SEARCH_ROWS]):
        for table in tables:
            if headers.resembles_header(row, table):
                return [(j, table) for j in range(i, len(grid.cells)) if _do_rows_name_same_columns(grid.cells[j], row)]
    return []


def _do_rows_name_same_columns(row: Sequence[str], other: Sequence[str]) -> bool:
    """Return whether two header rows name the same columns."""
    return (
        len(row) == len(other)
        and row[0].strip() == other[0].strip()
        and list(map(headers.normalise_name, row)) == list(map(headers.normalise_name, other))
    )


def looks_like_data_row(row: Sequence[str], table: TableSpec) -> bool:
    """Whether a row without a header has the declared number of columns and a readable key in the declared position."""
    names = [c.name for c in table.columns]
    return len(row) == len(names) and build_record_key(table, dict(zip(names, row, strict=True))) is not None


def read_grid(grid: CellGrid, tables: Sequence[TableSpec], reading: FileReading) -> bool:
    """Read all rows of a grid into `reading`. If the grid has neither a header nor a row of any table, read nothing and return False."""
    before, end = len(reading.structure), find_start_of_earlier_period(grid)
    now = replace(grid, cells=grid.cells[:end]) if end < len(grid.cells) else grid
    blocks = _divide_grid_into_blocks(now, tables, reading)
    if not blocks:
        return False
    reading.rows += len(grid.cells)
    _read_rows_above_header(now, blocks[0], reading)
    for block in blocks:
        places = sorted(block.match.columns.items())
        reading.layout += [{"file": reading.file, "part": grid.part, "field": name, "column": at + 1} for at, name in places]
        _read_block(now, block, reading)
    _check_total_lines(now, blocks, reading)
    _record_earlier_rows_as_structure(grid, end, tables, reading)
    reading.structure[before:] = sorted(reading.structure[before:], key=lambda row: row["line"])
    return True


def find_start_of_earlier_period(grid: CellGrid) -> int:
    """Return the row at which the table of an earlier period begins (`CellGrid.earlier`). Blank rows above that table belong to it. Return
    the number of rows if there is no such table."""
    says = headers.normalise_name(grid.earlier) if grid.earlier else None
    here = (
        i
        for i, row in enumerate(grid.cells)
        if says and _count_filled_cells(row) <= _MOST_FILLED_IN_NO_RECORD and says in map(headers.normalise_name, row)
    )
    end = next(here, len(grid.cells))
    while end < len(grid.cells) and end and is_blank(grid.cells[end - 1]):
        end -= 1
    return end


def _record_earlier_rows_as_structure(grid: CellGrid, end: int, tables: Sequence[TableSpec], reading: FileReading) -> None:
    """Record the rows from `end` on as structural, since they are the table of an earlier period and no data of this delivery. The total of
    that table is compared with the number of its own rows."""
    rows = range(end, len(grid.cells))
    for i in rows:
        reading.record_structural_row(grid.lines[i], "earlier", grid.part)
    totals = [i for i in rows if _is_total_line(grid.cells[i])]
    heads = {i for i in rows if any(headers.is_header(grid.cells[i], table) for table in tables)}
    records = sum(_count_filled_cells(grid.cells[i]) > _MOST_FILLED_IN_NO_RECORD for i in rows if i not in heads and i not in totals)
    for i in totals:
        _check_total_line(grid, i, {records}, records, reading)
    if rows:
        first = next(i for i in rows if not is_blank(grid.cells[i]))
        reading.add_finding("sheet-earlier-period", part=grid.part, line=grid.lines[first], detail=str(records))


def _divide_grid_into_blocks(grid: CellGrid, tables: Sequence[TableSpec], reading: FileReading) -> list[TableBlock]:
    """Return a block for each distinct header of a grid. The rows below a repeated header are added to the block of the first one."""
    found = find_header_rows(grid, tables)
    if not found:
        return _make_block_without_header(grid, tables, reading)
    blocks: dict[tuple[str, ...], TableBlock] = {}
    for n, (i, table) in enumerate(found):
        last = found[n + 1][0] if n + 1 < len(found) else len(grid.cells)
        cells = [c.strip() for c in grid.cells[i]]
        while cells and not cells[-1]:
            cells.pop()
        reading.record_structural_row(grid.lines[i], "repeated_header" if n else "header", grid.part)
        block = blocks.get(tuple(cells))
        if block is not None:
            reading.add_finding("file-header-repeated", part=grid.part, line=grid.lines[i])
        else:
            block = blocks[tuple(cells)] = _match_header(grid, i, last, cells, table)
            for finding in block.match.findings:
                reading.add_finding(part=grid.part, line=grid.lines[i], **finding)
        block.ranges.append((i + 1, last))
    return list(blocks.values())


def _match_header(grid: CellGrid, i: int, last: int, cells: list[str], table: TableSpec) -> TableBlock:
    """Return the block of the header in row `i`, with the rows up to `last`.

    If nearly all rows are wider or narrower than the header, the cells of the rows show which column name is missing or surplus. If the
    cells do not show that, header and rows do not match, and the rows cannot be read.
    """
    below = [r for r in grid.cells[i + 1 : last] if not is_blank(r)]
    widths = pd.Series([len(r) for r in below], dtype="int64")
    usual = int(widths.mode().iloc[-1]) if len(widths) else len(cells)
    common = (widths == usual).mean()

    def list_values_below(position: int) -> list[str]:
        return [r[position] for r in below[:_HEADER_SEARCH_ROWS] if position < len(r) == usual]

    def do_values_contradict(position: int, column: str) -> bool | None:
        return headers.do_values_contradict_column(list_values_below(position), table.column(column))

    def do_values_fit(position: int, column: str) -> bool:
        return not do_values_contradict(position, column)

    def is_confirmed_by_cells(match: headers.HeaderMatch) -> bool:
        """Return whether the cells confirm the matched names: no column contradicts its cells, and the cells of one of the last two columns
        can be checked and fit."""
        contradictions = {k: do_values_contradict(k, name) for k, name in match.columns.items()}
        return (
            not match.missing
            and True not in contradictions.values()
            and any(contradictions[k] is False for k in sorted(contradictions)[-2:])
        )

    match = headers.match_header_to_columns(cells, table, do_values_fit)
    alike = len(grid.cells[i]) == usual  # with the empty cells at its end the header is as wide as the rows
    if usual > len(cells):
        if all(is_blank(r[len(cells) :]) for r in below if len(r) == usual):
            both = (len(cells), usual) if common > 0.5 and not match.missing else (len(cells),)
            return TableBlock(i, table, match, len(cells), (usual,) if alike else both)
        wider = headers.match_header_to_columns(cells + [""] * (usual - len(cells)), table, do_values_fit)
        if alike or (common > _NEARLY_ALL and is_confirmed_by_cells(wider)):
            return TableBlock(i, table, wider, usual, (usual,))
    elif 1 < usual < len(cells) and len(widths) > 2 and common > _NEARLY_ALL:
        shorter = [cells[:usual]] if usual < len(cells) - 1 else [cells[:k] + cells[k + 1 :] for k in reversed(range(len(cells)))]
        matches = [headers.match_header_to_columns(names, table, do_values_fit) for names in shorter]
        nameless = not cells[-1] or "" in cells
        best = next((m for m in matches if (nameless and not m.missing and not m.extra) or is_confirmed_by_cells(m)), None)
        if best is not None:
            best.findings.append({"rule": "file-header-longer", "detail": f"{len(cells)} ≠ {usual}"})
            return TableBlock(i, table, best, usual, (usual,))
    return TableBlock(i, table, match, len(cells), (len(cells),))


def _make_block_without_header(grid: CellGrid, tables: Sequence[TableSpec], reading: FileReading) -> list[TableBlock]:
    """Return a block with all rows of a grid that has no header, if at least half of the first rows look like rows of one table. The
    columns are then identified by position."""
    rows = [(i, r) for i, r in enumerate(grid.cells[:_HEADER_SEARCH_ROWS]) if not is_blank(r)]
    for table in tables:
        like = [i for i, r in rows if looks_like_data_row(r, table)]
        if like and len(like) * 2 >= len(rows):
            if table.header:
                reading.add_finding("file-header-missing", part=grid.part, line=grid.lines[like[0]])
            names = [c.name for c in table.columns]
            return [
                TableBlock(None, table, headers.match_header_to_columns(names, table), len(names), (len(names),), [(0, len(grid.cells))])
            ]
    return []


def _read_rows_above_header(grid: CellGrid, block: TableBlock, reading: FileReading) -> None:
    """Read the rows above the first header. They are titles, blank rows, or records that sorting moved there."""
    if block.header is None:
        return
    above = TableBlock(None, block.table, block.match, block.width, block.regular)
    names = block.match.columns
    titles, rows = 0, []
    for i in range(block.header):
        row = grid.cells[i]
        cells = {name: row[k] for k, name in names.items() if k < len(row)}
        if (
            _has_regular_width(row, block)
            and _count_filled_cells(row) > _MOST_FILLED_IN_NO_RECORD
            and build_record_key(block.table, cells) is not None
        ):
            rows.append(i)
        else:
            reading.record_structural_row(grid.lines[i], "blank" if is_blank(row) else "title", grid.part)
            titles += not is_blank(row)
    if rows:
        reading.add_finding("file-header-late", part=grid.part, line=grid.lines[block.header])
        _add_rows(grid, above, rows, [grid.cells[i][: block.width] for i in rows], reading)
        block.data += above.data
        block.totals += above.totals


def _read_block(grid: CellGrid, block: TableBlock, reading: FileReading) -> None:
    """Read the rows of a block. A row with an irregular number of cells is repaired, or recorded as something other than a record."""
    index: list[int] = []
    rows: list[list[str]] = []
    for first, last in block.ranges:
        for i in range(first, last):
            row: list[str] | None = grid.cells[i]
            if not _has_regular_width(grid.cells[i], block) or i in grid.doubtful:
                row = _repair_irregular_row(grid, block, i, reading)
            if row is not None:
                index.append(i)
                rows.append(row[: block.width])
    _add_rows(grid, block, index, rows, reading)


def _add_rows(grid: CellGrid, block: TableBlock, index: list[int], rows: list[list[str]], reading: FileReading) -> None:
    """Add rows with the right number of cells to the table of the block. Rows that are no records are left out. `index` has the number of
    each row in the grid."""
    if not rows:
        return
    columns = list(zip(*rows, strict=True))
    frame = make_text_frame({name: columns[k] for k, name in sorted(block.match.names.items())})
    for name in block.match.missing:
        frame[name] = make_null_column(len(frame))
    odd = _set_aside_rows_that_are_no_records(grid, block, index, rows, frame, reading)
    keep = [n for n in range(len(rows)) if n not in odd]
    frame = frame.iloc[keep] if len(keep) < len(frame) else frame
    frame = frame.assign(_part=pd.array([grid.part] * len(frame), dtype="str"))
    frame["_line"] = pd.array([grid.lines[index[n]] for n in keep], dtype="Int64")
    block.data += len(frame)
    if len(frame):
        reading.add_rows(block.table.name, frame)


def _set_aside_rows_that_are_no_records(
    grid: CellGrid, block: TableBlock, index: list[int], rows: list[list[str]], frame: pd.DataFrame, reading: FileReading
) -> set[int]:
    """Find the rows that are no records: blank rows, totals, and rows with too few cells. Record or quarantine these rows, and return their
    positions in `rows`. Only rows without a readable key are examined."""
    readable = pd.Series(True, index=frame.index)
    for name in block.table.key:
        pattern = block.table.column(name).pattern
        cells = frame[name].str.strip()
        readable &= cells.str.contains(pattern, regex=True, na=False) if pattern else cells.notna() & (cells != "")
    odd = set()
    for n in (~readable).to_numpy().nonzero()[0]:
        row, line = rows[n], grid.lines[index[n]]
        if is_blank(row):
            reading.record_structural_row(line, "blank", grid.part)
        elif _is_total_line(row):
            block.totals.append(index[n])
        elif _count_filled_cells(row) <= _MOST_FILLED_IN_NO_RECORD:
            block.broken += 1
            reading.quarantine_row("row-garbage", grid.raw(index[n]), line, grid.part)
        else:
            continue
        odd.add(int(n))
    return odd


def _count_filled_cells(row: Sequence[str]) -> int:
    """Return the number of cells that are not blank."""
    return sum(1 for c in row if c and not c.isspace())


def _is_total_line(row: Sequence[str]) -> bool:
    """Return whether a row is a total line: at most three filled cells, of which one of the first two begins with a word for a total."""
    filled = [c for c in row if c and not c.isspace()]
    return bool(filled) and len(filled) <= 3 and any(TOTAL.match(headers.normalise_name(c)) for c in filled[:2])


def _repair_irregular_row(grid: CellGrid, block: TableBlock, i: int, reading: FileReading) -> list[str] | None:
    """Repair row `i`, which has an irregular number of cells, and return its cells. Return None if the row is blank, a total line, or
    cannot be repaired and was quarantined."""
    row, line, width = grid.cells[i], grid.lines[i], block.width
    if is_blank(row):
        reading.record_structural_row(line, "blank", grid.part)
        return None
    if _is_total_line(row):
        block.totals.append(i)
        return None
    if i not in grid.doubtful:
        if len(row) > width and is_blank(row[width:]) and _has_surplus_at_end(row, block):
            return row
        mended = grid.repair(row, width)
        if mended is not None:
            reading.add_finding(mended[1], part=grid.part, line=line)
            return mended[0]
    _quarantine_row(grid, block, i, reading)
    return None


def _has_regular_width(row: Sequence[str], block: TableBlock) -> bool:
    """Return whether a row has one of the accepted numbers of cells, and all its cells to the right of the table are blank."""
    return len(row) in block.regular and (len(row) == block.width or is_blank(row[block.width :]))


def _has_surplus_at_end(row: list[str], block: TableBlock) -> bool:
    """Return whether the surplus cells of a row are the empty cells at its end. This is so if, in every other alignment of the row, some
    cell would not fit its column."""
    width, more = block.width, len(row) - block.width
    own = row[:width]
    others = [row[:k] + row[k + more :] for k in range(width) if is_blank(row[k : k + more])]
    others += [[*row[:k], "".join(row[k : k + more + 1]), *row[k + more + 1 :]] for k in range(width)]
    return not _has_misfitting_cell(own, block) and all(_has_misfitting_cell(other, block) for other in others if other != own)


def _has_misfitting_cell(cells: list[str], block: TableBlock) -> bool:
    """Return whether some cell of a row does not fit its column: the cell has another format, or is empty where a value is required."""
    columns = ((cells[k], block.table.column(name)) for k, name in block.match.columns.items())
    return any(
        headers.do_values_contradict_column([v], c) or (c.key and read_key_part(c, v) is None) or (c.required and not v.strip())
        for v, c in columns
    )


def _quarantine_row(grid: CellGrid, block: TableBlock, i: int, reading: FileReading) -> None:
    """Quarantine row `i` under the rule that says what is wrong with it. Its record key is kept if it can be read."""
    row, width = grid.cells[i], max(block.regular)
    names = block.match.columns
    cells = {name: row[k] for k, name in names.items() if k < len(row)}
    cut = names.get(len(row) - 1) if len(row) < width else None
    key = build_record_key(block.table, cells, truncated_column=cut)
    keys_lost = all(read_key_part(block.table.column(c), cells.get(c)) is None for c in block.table.key)
    truncated = i == grid.cut_at
    rule = (
        "row-truncated" if truncated else "row-too-long" if len(row) > width else "row-cut" if len(row) < width else "row-quotes-doubtful"
    )
    if keys_lost and not truncated:
        rule = "row-garbage"
    block.broken += 1
    detail = f"{len(row)} ≠ {width}" if len(row) != width else None
    reading.quarantine_row(rule, grid.raw(i), grid.lines[i], grid.part, block.table.name if rule != "row-garbage" else None, key, detail)


def shows_missing_records(stated_total: int, found_records: int) -> bool:
    """Return whether a stated total shows that records are missing. A difference of one is considered a counting error."""
    return stated_total - found_records > max(1, _MISSING_SHARE * stated_total)


def _check_total_lines(grid: CellGrid, blocks: list[TableBlock], reading: FileReading) -> None:
    """Check each total line. It may state the number of rows of its block or of all blocks, with or without broken rows."""
    data, broken = sum(b.data for b in blocks), sum(b.broken for b in blocks)
    for block in blocks:
        right = {data, data + broken, block.data, block.data + block.broken}
        for i in sorted(block.totals):
            reading.record_structural_row(grid.lines[i], "total", grid.part)
            wrong = _check_total_line(grid, i, right, data + broken, reading)
            if wrong is not None and shows_missing_records(wrong, max(right)):
                reading.state = "partial"


def _check_total_line(grid: CellGrid, i: int, right: set[int], rows: int, reading: FileReading) -> int | None:
    """Check the total line in row `i`. If none of the numbers in it is in `right`, return the number that it states, otherwise return None.
    `rows`: the number of rows that the finding shows beside it."""
    stated = [int(n) for n in _NUMBER.findall(" ".join(grid.cells[i]))]
    if not stated:
        reading.add_finding("file-total-unreadable", part=grid.part, line=grid.lines[i])
    elif right.isdisjoint(stated):
        reading.add_finding("file-total-wrong", part=grid.part, line=grid.lines[i], detail=f"{stated[-1]} ≠ {rows}")
        return stated[-1]
    return None
