"""Tables with dictionary-encoded text: each text is stored once and compared as a number.

Belongs here: reading a table from the lake in this form, the union of such tables, numbering equal rows. Does not belong here: what is
compared (`harmonia.feedback.life`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

_TEXT = pa.dictionary(pa.int32(), pa.string())
_LARGEST = 2**62


def of_frame(frame: pd.DataFrame) -> pa.Table:
    """The frame with its texts coded."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    return table.cast(pa.schema([(field.name, _TEXT if _textual(field.type) else field.type) for field in table.schema]))


def of_file(path: Path, columns: Sequence[str]) -> pa.Table:
    """Some columns of a table of the lake with its texts coded; no text is read twice."""
    texts = [field.name for field in pq.read_schema(path) if field.name in columns and _textual(field.type)]
    table = pq.read_table(path, columns=list(columns), read_dictionary=texts)
    return table.cast(pa.schema([(field.name, _TEXT if field.name in texts else field.type) for field in table.schema]))


def below(tables: Sequence[pa.Table]) -> pd.DataFrame:
    """Coded tables one below the other: texts are categories, in no order; whole numbers with gaps are floats."""
    return pa.concat_tables(tables).unify_dictionaries().to_pandas()


def plain(rows: pd.DataFrame) -> pd.DataFrame:
    """Coded rows with their texts as texts, their whole numbers as such; what is plain stays so."""
    return pd.DataFrame({name: _plain(column) for name, column in rows.items()}, index=rows.index)


def _plain(column: pd.Series) -> pd.Series:
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return column.astype("Int64") if pd.api.types.is_numeric_dtype(column) else column
    known = pa.array(column.cat.categories, pa.large_string())
    return pd.Series(known.take(pa.array(codes(column), mask=column.isna().to_numpy())), index=column.index, dtype="str")


def codes(column: pd.Series) -> np.ndarray:
    """Of each cell of a coded text its number, -1 where it is empty."""
    return column.cat.codes.to_numpy().astype("int32")


def as_in(column: pd.Series, other: pd.Series) -> np.ndarray:
    """Of each cell of a coded text the number that the text has in another column, -1 where that has none."""
    numbers = other.cat.categories.get_indexer(column.cat.categories)
    return np.append(numbers, -1)[codes(column)]


def places(texts: pd.Series, known: pd.Index) -> np.ndarray:
    """Of each text its place among those `known`, -1 where it is none: as `get_indexer` says, which makes a text of Python of each."""
    found = pc.index_in(pa.array(texts.astype("str")), value_set=pa.array(known.astype("str").array))
    return found.fill_null(-1).to_numpy()


def among(texts: pd.Series, others: pd.Series | pd.Index) -> pd.Series:
    """Whether each text is one of the `others`, where there are many: as `isin` says, which makes a text of Python of each of those."""
    found = pc.is_in(pa.array(texts.astype("str")), value_set=pa.array(others.astype("str").array))
    return pd.Series(found.to_numpy(zero_copy_only=False), index=texts.index)


def numbered(*parts: np.ndarray) -> np.ndarray:
    """One number for the rows that are alike in all `parts` (numbers from -1), in the order in which rows appear."""
    out, most = np.zeros(len(parts[0]), dtype="int64"), 1
    for part in parts:
        size = int(part.max(initial=-1)) + 2
        if most * size > _LARGEST:
            out = pd.factorize(out)[0]
            most = int(out.max(initial=-1)) + 1
        out, most = out * size + part + 1, most * size
    return pd.factorize(out)[0]


def _textual(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind) or pa.types.is_null(kind)
