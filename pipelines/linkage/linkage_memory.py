"""The linkage memory: the results of the last run, kept so that the next run decides only what changed.

Belongs here: the layout and the files of the memory. Does not belong here: computing its content.

The memory is a cache: a run without it has the same result, but takes longer. It is not used if it was made with another model, other code,
or another early history (see `common_statistics`). It contains hashes, weights, and parts of names with their frequency. It is stored in
the lake, and only its owner can read it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.linkage.common_statistics import CommonStatistics
from pipelines.linkage.evidence import EvidenceShares
from pipelines.linkage.model import LinkageModel
from pipelines.linkage.score import TokenFrequencies
from pipelines.resources.code_digest import hash_code_and_libraries

_CODE = ("pipelines/linkage/*.py", "pipelines/resources/integer_arrays.py")
_LIBRARIES = ("numpy", "pandas", "pyarrow", "duckdb", "rapidfuzz")
_MANIFEST, _COMMON = "manifest.json", "common.json"


@dataclass
class LinkageMemory:
    """The frames of the memory.

    - `persons`: the hash of each person record whose candidate pairs were compared
    - `refused`: the hashes of blocking values that too many records share (see `blocking`)
    - `pairs`: pairs of person records that can change a decision: the hashes of the two records and their match weight
    - `files`: pairs of case files: a hash of the two files and their connections, their match weight in each round of linkage, and how many
      bits of it come from a citation
    - `cross_reasons`: pairs of records in different components: a hash of the pair, and the text with the reasons for keeping the two
      records apart (see `pipelines.linkage.cross_component`)

    In all other frames, a record is identified by the key of its component and its rank within the component, since row numbers change:

    - `records`: the cluster of each record, with the columns component, person (whether it is a person record and not a case file), rank
      and cluster (its number within the component)
    - `decisions`: the decision records, see `pipelines.linkage.decisions.build_decision_records`
    - `against`: the pairs of persons that were joined although a hard rule forbids it
    - `cited`: the pairs of case files in which one cites the other or was merged into it, with their weight
    - `alike`: the pairs of linked persons of two institutions, and the comparison levels that they reach
    - `counts`: for each component, the number of compared pairs and of pairs in doubt
    """

    persons: pd.DataFrame
    refused: pd.DataFrame
    pairs: pd.DataFrame
    files: pd.DataFrame
    cross_reasons: pd.DataFrame
    records: pd.DataFrame
    decisions: pd.DataFrame
    against: pd.DataFrame
    cited: pd.DataFrame
    alike: pd.DataFrame
    counts: pd.DataFrame


def compute_linkage_memory_version(model: LinkageModel, early_history_hash: str) -> str:
    """Return a hash of the model, the code and the early history. A linkage memory is used only if it was made with the same version.

    early_history_hash: the hash of the rows from which the common statistics are estimated.
    """
    return hashlib.sha256(f"{hash_code_and_libraries(_CODE, _LIBRARIES)} {model!r} {early_history_hash}".encode()).hexdigest()


def load_linkage_memory(folder: Path, version: str) -> tuple[CommonStatistics, LinkageMemory] | None:
    """Read the linkage memory in `folder`, and the common statistics. Return None if `folder` has no readable memory of this `version`."""
    try:
        manifest = json.loads((folder / _MANIFEST).read_text())
        if manifest["data_version"] != version:
            return None
        frames = {
            field.name: pq.read_table(folder / f"{field.name}.parquet").to_pandas(use_threads=False) for field in fields(LinkageMemory)
        }
        return read_common_statistics(folder), LinkageMemory(**frames)
    except (OSError, KeyError, ValueError, pa.ArrowException):
        return None  # if the memory is lost or damaged, everything is decided again


def save_linkage_memory(folder: Path, version: str, common_statistics: CommonStatistics, linkage_memory: LinkageMemory) -> None:
    """Replace the memory in `folder`, so that a run that is killed leaves no partly written memory there.

    The caller must hold the run lock. Raises `OSError` if the memory cannot be written.
    """
    fresh, old = (folder.with_name(f".{folder.name}.{end}") for end in ("part", "old"))
    for leftover in (fresh, old):  # a run that was killed may have left these folders
        shutil.rmtree(leftover, ignore_errors=True)
    fresh.mkdir(parents=True, mode=0o700)
    for field in fields(LinkageMemory):
        _write_frame_as_parquet(fresh / f"{field.name}.parquet", getattr(linkage_memory, field.name))
    write_common_statistics(fresh, common_statistics)
    (fresh / _MANIFEST).write_text(json.dumps({"data_version": version}))
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def write_common_statistics(folder: Path, common_statistics: CommonStatistics) -> None:
    """Write the common statistics into `folder`."""
    _write_frame_as_parquet(folder / "frequencies.parquet", _convert_frequencies_to_table(common_statistics.frequencies))
    (folder / _COMMON).write_text(json.dumps(_convert_statistics_to_json(common_statistics)))


def read_common_statistics(folder: Path) -> CommonStatistics:
    """Read the common statistics that `write_common_statistics` wrote into `folder`."""
    return _convert_json_to_statistics(
        json.loads((folder / _COMMON).read_text()), pq.read_table(folder / "frequencies.parquet").to_pandas()
    )


def _write_frame_as_parquet(path: Path, frame: pd.DataFrame) -> None:
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False, nthreads=1), path, compression="zstd", compression_level=1)


def _convert_frequencies_to_table(token_frequencies: TokenFrequencies) -> pd.DataFrame:
    """Return token frequencies as a frame with the columns field, token, group (citizenship) and share."""
    words = [word for table in token_frequencies.shares.values() for word in table]
    return pd.DataFrame(
        {
            "field": np.repeat(
                np.array(list(token_frequencies.shares), dtype=object), [len(table) for table in token_frequencies.shares.values()]
            ),
            "token": [token for token, _ in words],
            "group": [group for _, group in words],
            "share": np.fromiter((share for table in token_frequencies.shares.values() for share in table.values()), dtype="float64"),
        }
    )


def _convert_statistics_to_json(common_statistics: CommonStatistics) -> dict[str, Any]:
    shares = [
        {
            "levels": {e: {s: list(v) for s, v in found.items()} for e, found in shares_of_round.levels.items()},
            "observed": shares_of_round.observed,
        }
        for shares_of_round in common_statistics.shares
    ]
    known = common_statistics.frequencies
    return {
        "counts": common_statistics.counts,
        "again": list(common_statistics.again),
        "shares": shares,
        "usual": known.usual,
        "rare": known.rare,
    }


def _convert_json_to_statistics(content: dict[str, Any], frequencies: pd.DataFrame) -> CommonStatistics:
    """Return the common statistics from `content`, which `_convert_statistics_to_json` made, and from the frame of token frequencies."""
    shares: dict[str, dict[tuple[str, str], float]] = {field: {} for field in content["usual"]}
    for field, word, group, share in zip(*(frequencies[name].tolist() for name in ("field", "token", "group", "share")), strict=True):
        shares[field][word, group] = share
    rounds = tuple(
        EvidenceShares(
            {e: {s: np.array(v) for s, v in found.items()} for e, found in shares_of_round["levels"].items()}, shares_of_round["observed"]
        )
        for shares_of_round in content["shares"]
    )
    return CommonStatistics(TokenFrequencies(shares, content["usual"], content["rare"]), content["counts"], rounds, tuple(content["again"]))
