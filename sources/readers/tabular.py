"""Rows of cells to tables, for delimited text and workbooks.

Belongs here: finding headers; separating data from titles, blank, total and broken rows. Does not belong here: reading cells from a file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from sources.contract import TableSpec
from sources.readers import headers
from sources.readers.piece import Piece, key_part, nulls, record_key, text_frame

TOTAL = re.compile(r"(gjithsej|totali?|gjithsejt|shuma|ukupno|svega|sum[ae]?|grand total)\b")
_LOST = 0.1  # share of the records that a total line counts
_NUMBER = re.compile(r"(?<!\d)\d+(?!\d)")
_HEAD = 200  # rows searched for a header with other names
_NEARLY_ALL = 0.9  # share of rows that decides about the header above them
_FEW = 2  # a row with so few filled cells is not a record


@dataclass
class Grid:
    """Rows as delivered: `cells` by row (ragged if the format allows it), first physical line of each, bytes on demand."""

    cells: list[list[str]]
    lines: Sequence[int]
    raw: Callable[[int], bytes]
    part: str | None = None
    cut_at: int | None = None  # the row at which the file is truncated
    doubtful: frozenset[int] = frozenset()  # rows that can be split into cells in more than one way
    earlier: str | None = None  # text of the row above the table of an earlier period
    repair: Callable[[list[str], int], tuple[list[str], str] | None] = lambda row, width: None


@dataclass
class Block:
    """Rows under one header: the ranges of rows below each occurrence of it (None: there is no header)."""

    header: int | None
    table: TableSpec
    match: headers.Match
    width: int
    regular: tuple[int, ...] = ()  # accepted numbers of cells; cells past `width` are empty
    ranges: list[tuple[int, int]] = field(default_factory=list)
    data: int = 0
    broken: int = 0
    totals: list[int] = field(default_factory=list)


def is_blank(row: Sequence[str]) -> bool:
    """Whether all cells of the row are empty or whitespace."""
    return not any(c and not c.isspace() for c in row)


def find_headers(grid: Grid, tables: Sequence[TableSpec]) -> list[tuple[int, TableSpec]]:
    """Header rows in order, each with the table that it matches best."""
    names = {c.name for t in tables for c in t.columns}
    found = []
    for i, row in enumerate(grid.cells):
        if i >= _HEAD and (names.isdisjoint(row) or len(names.intersection(row)) < 2):
            continue
        best = max(tables, key=lambda t: headers.claims(row, t))
        if headers.is_header(row, best):
            found.append((i, best))
    if found:
        return found
    for i, row in enumerate(grid.cells[:_HEAD]):
        for table in tables:
            if headers.resembles(row, table):
                return [(j, table) for j in range(i, len(grid.cells)) if _same_names(grid.cells[j], row)]
    return []


def _same_names(row: Sequence[str], other: Sequence[str]) -> bool:
    return len(row) == len(other) and row[0].strip() == other[0].strip() and list(map(headers.fold, row)) == list(map(headers.fold, other))


def looks_like_data(row: Sequence[str], table: TableSpec) -> bool:
    """Whether a row without a header has the declared number of columns and a readable key in the declared position."""
    names = [c.name for c in table.columns]
    return len(row) == len(names) and record_key(table, dict(zip(names, row, strict=True))) is not None


def read_grid(grid: Grid, tables: Sequence[TableSpec], piece: Piece) -> bool:
    """Put all rows of a grid into `piece`; False, with nothing done, if there is neither a header nor a row of any table."""
    before, end = len(piece.structure), _end(grid)
    now = replace(grid, cells=grid.cells[:end]) if end < len(grid.cells) else grid
    blocks = _blocks(now, tables, piece)
    if not blocks:
        return False
    piece.rows += len(grid.cells)
    _before(now, blocks[0], piece)
    for block in blocks:
        places = sorted(block.match.columns.items())
        piece.layout += [{"file": piece.file, "part": grid.part, "field": name, "column": at + 1} for at, name in places]
        _read_block(now, block, piece)
    _totals(now, blocks, piece)
    _earlier(grid, end, tables, piece)
    piece.structure[before:] = sorted(piece.structure[before:], key=lambda row: row["line"])
    return True


def _end(grid: Grid) -> int:
    """The row at which the table of an earlier period begins, with the blank rows above it; else the row after the last."""
    says = headers.fold(grid.earlier) if grid.earlier else None
    here = (i for i, row in enumerate(grid.cells) if says and _filled(row) <= _FEW and says in map(headers.fold, row))
    end = next(here, len(grid.cells))
    while end < len(grid.cells) and end and is_blank(grid.cells[end - 1]):
        end -= 1
    return end


def _earlier(grid: Grid, end: int, tables: Sequence[TableSpec], piece: Piece) -> None:
    """Rows of an earlier period's table: not data of this delivery; its total is checked against its own rows."""
    rows = range(end, len(grid.cells))
    for i in rows:
        piece.structural(grid.lines[i], "earlier", grid.part)
    totals = [i for i in rows if _is_total(grid.cells[i])]
    heads = {i for i in rows if any(headers.is_header(grid.cells[i], table) for table in tables)}
    records = sum(_filled(grid.cells[i]) > _FEW for i in rows if i not in heads and i not in totals)
    for i in totals:
        _check_total(grid, i, {records}, records, piece)
    if rows:
        first = next(i for i in rows if not is_blank(grid.cells[i]))
        piece.find("sheet-earlier-period", part=grid.part, line=grid.lines[first], detail=str(records))


def _blocks(grid: Grid, tables: Sequence[TableSpec], piece: Piece) -> list[Block]:
    """The headers of a grid, each with its rows; a repeated header adds to the block of the first."""
    found = find_headers(grid, tables)
    if not found:
        return _headless(grid, tables, piece)
    blocks: dict[tuple[str, ...], Block] = {}
    for n, (i, table) in enumerate(found):
        last = found[n + 1][0] if n + 1 < len(found) else len(grid.cells)
        cells = [c.strip() for c in grid.cells[i]]
        while cells and not cells[-1]:
            cells.pop()
        piece.structural(grid.lines[i], "repeated_header" if n else "header", grid.part)
        block = blocks.get(tuple(cells))
        if block is not None:
            piece.find("file-header-repeated", part=grid.part, line=grid.lines[i])
        else:
            block = blocks[tuple(cells)] = _matched(grid, i, last, cells, table)
            for finding in block.match.findings:
                piece.find(part=grid.part, line=grid.lines[i], **finding)
        block.ranges.append((i + 1, last))
    return list(blocks.values())


def _matched(grid: Grid, i: int, last: int, cells: list[str], table: TableSpec) -> Block:
    """The block under a header row.

    If nearly all rows are wider or narrower than the header, their cells show which name is missing or surplus; if they do not, rows and
    header do not match, and the rows cannot be read.
    """
    below = [r for r in grid.cells[i + 1 : last] if not is_blank(r)]
    widths = pd.Series([len(r) for r in below], dtype="int64")
    usual = int(widths.mode().iloc[-1]) if len(widths) else len(cells)
    common = (widths == usual).mean()

    def values(position: int) -> list[str]:
        return [r[position] for r in below[:_HEAD] if position < len(r) == usual]

    def contradicts(position: int, column: str) -> bool | None:
        return headers.contradicts(values(position), table.column(column))

    def fits(position: int, column: str) -> bool:
        return not contradicts(position, column)

    def shown(match: headers.Match) -> bool:
        """Whether the cells confirm these names: none contradicts, and one of the last two agrees."""
        said = {k: contradicts(k, name) for k, name in match.columns.items()}
        return not match.missing and True not in said.values() and any(said[k] is False for k in sorted(said)[-2:])

    match = headers.match(cells, table, fits)
    alike = len(grid.cells[i]) == usual  # with the empty cells at its end the header is as wide as the rows
    if usual > len(cells):
        if all(is_blank(r[len(cells) :]) for r in below if len(r) == usual):
            both = (len(cells), usual) if common > 0.5 and not match.missing else (len(cells),)
            return Block(i, table, match, len(cells), (usual,) if alike else both)
        wider = headers.match(cells + [""] * (usual - len(cells)), table, fits)
        if alike or (common > _NEARLY_ALL and shown(wider)):
            return Block(i, table, wider, usual, (usual,))
    elif 1 < usual < len(cells) and len(widths) > 2 and common > _NEARLY_ALL:
        shorter = [cells[:usual]] if usual < len(cells) - 1 else [cells[:k] + cells[k + 1 :] for k in reversed(range(len(cells)))]
        matches = [headers.match(names, table, fits) for names in shorter]
        nameless = not cells[-1] or "" in cells
        best = next((m for m in matches if (nameless and not m.missing and not m.extra) or shown(m)), None)
        if best is not None:
            best.findings.append({"rule": "file-header-longer", "detail": f"{len(cells)} ≠ {usual}"})
            return Block(i, table, best, usual, (usual,))
    return Block(i, table, match, len(cells), (len(cells),))


def _headless(grid: Grid, tables: Sequence[TableSpec], piece: Piece) -> list[Block]:
    """Rows without a header: columns by position, if the first rows are clearly rows of a table."""
    rows = [(i, r) for i, r in enumerate(grid.cells[:_HEAD]) if not is_blank(r)]
    for table in tables:
        like = [i for i, r in rows if looks_like_data(r, table)]
        if like and len(like) * 2 >= len(rows):
            if table.header:
                piece.find("file-header-missing", part=grid.part, line=grid.lines[like[0]])
            names = [c.name for c in table.columns]
            return [Block(None, table, headers.match(names, table), len(names), (len(names),), [(0, len(grid.cells))])]
    return []


def _before(grid: Grid, block: Block, piece: Piece) -> None:
    """Rows above the first header: titles and blanks, or data moved there by sorting."""
    if block.header is None:
        return
    above = Block(None, block.table, block.match, block.width, block.regular)
    names = block.match.columns
    titles, rows = 0, []
    for i in range(block.header):
        row = grid.cells[i]
        cells = {name: row[k] for k, name in names.items() if k < len(row)}
        if _is_regular(row, block) and _filled(row) > _FEW and record_key(block.table, cells) is not None:
            rows.append(i)
        else:
            piece.structural(grid.lines[i], "blank" if is_blank(row) else "title", grid.part)
            titles += not is_blank(row)
    if rows:
        piece.find("file-header-late", part=grid.part, line=grid.lines[block.header])
        _add_rows(grid, above, rows, [grid.cells[i][: block.width] for i in rows], piece)
        block.data += above.data
        block.totals += above.totals


def _read_block(grid: Grid, block: Block, piece: Piece) -> None:
    index: list[int] = []
    rows: list[list[str]] = []
    for first, last in block.ranges:
        for i in range(first, last):
            row: list[str] | None = grid.cells[i]
            if not _is_regular(grid.cells[i], block) or i in grid.doubtful:
                row = _irregular(grid, block, i, piece)
            if row is not None:
                index.append(i)
                rows.append(row[: block.width])
    _add_rows(grid, block, index, rows, piece)


def _add_rows(grid: Grid, block: Block, index: list[int], rows: list[list[str]], piece: Piece) -> None:
    """Rows of the right width: take out structural rows, add the rest to the table."""
    if not rows:
        return
    columns = list(zip(*rows, strict=True))
    frame = text_frame({name: columns[k] for k, name in sorted(block.match.names.items())})
    for name in block.match.missing:
        frame[name] = nulls(len(frame))
    odd = _odd_rows(grid, block, index, rows, frame, piece)
    keep = [n for n in range(len(rows)) if n not in odd]
    frame = frame.iloc[keep] if len(keep) < len(frame) else frame
    frame = frame.assign(_part=pd.array([grid.part] * len(frame), dtype="str"))
    frame["_line"] = pd.array([grid.lines[index[n]] for n in keep], dtype="Int64")
    block.data += len(frame)
    if len(frame):
        piece.add(block.table.name, frame)


def _odd_rows(grid: Grid, block: Block, index: list[int], rows: list[list[str]], frame: pd.DataFrame, piece: Piece) -> set[int]:
    """Positions of rows that are blank, a total, or too sparse for a record; only rows without a readable key are checked."""
    readable = pd.Series(True, index=frame.index)
    for name in block.table.key:
        pattern = block.table.column(name).pattern
        cells = frame[name].str.strip()
        readable &= cells.str.contains(pattern, regex=True, na=False) if pattern else cells.notna() & (cells != "")
    odd = set()
    for n in (~readable).to_numpy().nonzero()[0]:
        row, line = rows[n], grid.lines[index[n]]
        if is_blank(row):
            piece.structural(line, "blank", grid.part)
        elif _is_total(row):
            block.totals.append(index[n])
        elif _filled(row) <= _FEW:
            block.broken += 1
            piece.quarantine("row-garbage", grid.raw(index[n]), line, grid.part)
        else:
            continue
        odd.add(int(n))
    return odd


def _filled(row: Sequence[str]) -> int:
    return sum(1 for c in row if c and not c.isspace())


def _is_total(row: Sequence[str]) -> bool:
    filled = [c for c in row if c and not c.isspace()]
    return bool(filled) and len(filled) <= 3 and any(TOTAL.match(headers.fold(c)) for c in filled[:2])


def _irregular(grid: Grid, block: Block, i: int, piece: Piece) -> list[str] | None:
    """A row of another width: its cells after repair, or None if it was handled here."""
    row, line, width = grid.cells[i], grid.lines[i], block.width
    if is_blank(row):
        piece.structural(line, "blank", grid.part)
        return None
    if _is_total(row):
        block.totals.append(i)
        return None
    if i not in grid.doubtful:
        if len(row) > width and is_blank(row[width:]) and _ends_surplus(row, block):
            return row
        mended = grid.repair(row, width)
        if mended is not None:
            piece.find(mended[1], part=grid.part, line=line)
            return mended[0]
    _quarantine(grid, block, i, piece)
    return None


def _is_regular(row: Sequence[str], block: Block) -> bool:
    return len(row) in block.regular and (len(row) == block.width or is_blank(row[block.width :]))


def _ends_surplus(row: list[str], block: Block) -> bool:
    """Whether the surplus cells of a row are the empty ones at its end: in any other alignment some cell would not fit its column."""
    width, more = block.width, len(row) - block.width
    own = row[:width]
    others = [row[:k] + row[k + more :] for k in range(width) if is_blank(row[k : k + more])]
    others += [[*row[:k], "".join(row[k : k + more + 1]), *row[k + more + 1 :]] for k in range(width)]
    return not _misfits(own, block) and all(_misfits(other, block) for other in others if other != own)


def _misfits(cells: list[str], block: Block) -> bool:
    """Whether some cell of a row does not fit its column: another format, or empty where a value is required."""
    columns = ((cells[k], block.table.column(name)) for k, name in block.match.columns.items())
    return any(headers.contradicts([v], c) or (c.key and key_part(c, v) is None) or (c.required and not v.strip()) for v, c in columns)


def _quarantine(grid: Grid, block: Block, i: int, piece: Piece) -> None:
    row, width = grid.cells[i], max(block.regular)
    names = block.match.columns
    cells = {name: row[k] for k, name in names.items() if k < len(row)}
    cut = names.get(len(row) - 1) if len(row) < width else None
    key = record_key(block.table, cells, cut_after=cut)
    keys_lost = all(key_part(block.table.column(c), cells.get(c)) is None for c in block.table.key)
    truncated = i == grid.cut_at
    rule = (
        "row-truncated" if truncated else "row-too-long" if len(row) > width else "row-cut" if len(row) < width else "row-quotes-doubtful"
    )
    if keys_lost and not truncated:
        rule = "row-garbage"
    block.broken += 1
    detail = f"{len(row)} ≠ {width}" if len(row) != width else None
    piece.quarantine(rule, grid.raw(i), grid.lines[i], grid.part, block.table.name if rule != "row-garbage" else None, key, detail)


def _lack(stated: int, found: int) -> bool:
    """Whether a total line shows that records are missing; a difference of one is a counting error."""
    return stated - found > max(1, _LOST * stated)


def _totals(grid: Grid, blocks: list[Block], piece: Piece) -> None:
    """Check each total line against the rows of its block and of the whole part, with and without the broken ones."""
    data, broken = sum(b.data for b in blocks), sum(b.broken for b in blocks)
    for block in blocks:
        right = {data, data + broken, block.data, block.data + block.broken}
        for i in sorted(block.totals):
            piece.structural(grid.lines[i], "total", grid.part)
            wrong = _check_total(grid, i, right, data + broken, piece)
            if wrong is not None and _lack(wrong, max(right)):
                piece.state = "partial"


def _check_total(grid: Grid, i: int, right: set[int], rows: int, piece: Piece) -> int | None:
    """The number that a total line states, if it is not one of the right ones."""
    stated = [int(n) for n in _NUMBER.findall(" ".join(grid.cells[i]))]
    if not stated:
        piece.find("file-total-unreadable", part=grid.part, line=grid.lines[i])
    elif right.isdisjoint(stated):
        piece.find("file-total-wrong", part=grid.part, line=grid.lines[i], detail=f"{stated[-1]} ≠ {rows}")
        return stated[-1]
    return None
