"""Tables with dictionary-encoded texts: each distinct text is stored once and has a number, so that texts are compared as numbers.

Belongs here: reading a table of the lake in this form, concatenating such tables, numbering equal rows. Does not belong here: comparing
findings in this form (`harmonia.feedback.finding_states`).
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
_MAX_NUMBER = 2**62


def encode_texts_of_frame(frame: pd.DataFrame) -> pa.Table:
    """Convert a frame to an Arrow table in which texts are dictionary-encoded."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    return table.cast(pa.schema([(field.name, _TEXT if _is_text_type(field.type) else field.type) for field in table.schema]))


def read_encoded_table(path: Path, columns: Sequence[str]) -> pa.Table:
    """Read some columns of a table of the lake, with texts dictionary-encoded. Each distinct text is read once."""
    texts = [field.name for field in pq.read_schema(path) if field.name in columns and _is_text_type(field.type)]
    table = pq.read_table(path, columns=list(columns), read_dictionary=texts)
    return table.cast(pa.schema([(field.name, _TEXT if field.name in texts else field.type) for field in table.schema]))


def concatenate_encoded_tables(tables: Sequence[pa.Table]) -> pd.DataFrame:
    """Concatenate encoded tables to a frame. Texts become categories without an order; integers with missing values become floats."""
    return pa.concat_tables(tables).unify_dictionaries().to_pandas()


def decode_texts_of_frame(rows: pd.DataFrame) -> pd.DataFrame:
    """Convert the categories of a frame with encoded texts to texts, and its numbers to integers. Other columns stay unchanged."""
    return pd.DataFrame({name: _decode_column(column) for name, column in rows.items()}, index=rows.index)


def _decode_column(column: pd.Series) -> pd.Series:
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return column.astype("Int64") if pd.api.types.is_numeric_dtype(column) else column
    values = pa.array(column.cat.categories, pa.large_string())
    return pd.Series(values.take(pa.array(get_text_codes(column), mask=column.isna().to_numpy())), index=column.index, dtype="str")


def get_text_codes(column: pd.Series) -> np.ndarray:
    """Return the number of the text in each cell of an encoded column; -1 for an empty cell."""
    return column.cat.codes.to_numpy().astype("int32")


def find_codes_in_column(column: pd.Series, other: pd.Series) -> np.ndarray:
    """Return the number that the text of each cell has in another encoded column, `other`; -1 if `other` does not have the text."""
    numbers = other.cat.categories.get_indexer(column.cat.categories)
    return np.append(numbers, -1)[get_text_codes(column)]


def find_text_positions(texts: pd.Series, values: pd.Index) -> np.ndarray:
    """Return the position of each text in `values`; -1 if `values` does not have the text.

    This is faster than `get_indexer`, since it does not convert each text to a Python object.
    """
    result = pc.index_in(pa.array(texts.astype("str")), value_set=pa.array(values.astype("str").array))
    return result.fill_null(-1).to_numpy()


def are_texts_in(texts: pd.Series, others: pd.Series | pd.Index) -> pd.Series:
    """Return for each text whether `others` has it. This is faster than `isin`, since it does not convert each text to a Python object."""
    result = pc.is_in(pa.array(texts.astype("str")), value_set=pa.array(others.astype("str").array))
    return pd.Series(result.to_numpy(zero_copy_only=False), index=texts.index)


def number_equal_rows(*arrays: np.ndarray) -> np.ndarray:
    """Number the rows of several arrays of integers (-1 or more) in the order of their first occurrence. Equal rows get the same number."""
    out, groups = np.zeros(len(arrays[0]), dtype="int64"), 1
    for part in arrays:
        size = int(part.max(initial=-1)) + 2
        if groups * size > _MAX_NUMBER:
            out = pd.factorize(out)[0]
            groups = int(out.max(initial=-1)) + 1
        out, groups = out * size + part + 1, groups * size
    return pd.factorize(out)[0]


def _is_text_type(type_: pa.DataType) -> bool:
    return pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_dictionary(type_) or pa.types.is_null(type_)
