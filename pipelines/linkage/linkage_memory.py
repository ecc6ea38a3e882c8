"""The linkage memory: results that are kept from run to run, so that only changes are decided again.

Belongs here: layout and files of the memory. Does not belong here: its content.

The memory is a cache. A run without it, or with the memory of another model, code or early history (`data_version`), has the same result
and takes longer. It contains hashes, weights, and tokens of names with their frequency; it is in the lake, and only its owner can read it.
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

    - persons: the hash of each person record whose candidate pairs were compared
    - refused: blocking keys that were too frequent, so that they were not used, or only together with a second key
    - pairs: the hashes of two person records, and their match weight; only pairs that can change a decision
    - files: a hash of two case files and their connections; their match weight in each round of linkage; the bits of it that come from
      the comparison `citation`
    - cross_reasons: a hash of two records of different components, and the reasons for their decision (see
      `pipelines.linkage.cross_component`)

    All other frames are by component (its key) and rank of the records in it:

    - records: component, person (whether it is a person), rank, cluster (within the component)
    - decisions: see `pipelines.linkage.decisions.build_decision_records`
    - against: pairs of persons that were joined against a rule
    - cited: a, b, weight of files that cite each other
    - alike: linked pairs of persons, and the levels that they reach
    - counts: counts of a run
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
    """Return the version that a linkage memory must have to be used.

    early_history_hash: the hash of the rows from which the common statistics are estimated.
    """
    return hashlib.sha256(f"{hash_code_and_libraries(_CODE, _LIBRARIES)} {model!r} {early_history_hash}".encode()).hexdigest()


def load_linkage_memory(folder: Path, version: str) -> tuple[CommonStatistics, LinkageMemory] | None:
    """Read the linkage memory in `folder`; None if `folder` has no memory of this `version`."""
    try:
        manifest = json.loads((folder / _MANIFEST).read_text())
        if manifest["data_version"] != version:
            return None
        frames = {
            field.name: pq.read_table(folder / f"{field.name}.parquet").to_pandas(use_threads=False) for field in fields(LinkageMemory)
        }
        return read_common_statistics(folder), LinkageMemory(**frames)
    except (OSError, KeyError, ValueError, pa.ArrowException):
        return None  # lost or damaged: everything is decided again


def save_linkage_memory(folder: Path, version: str, common_statistics: CommonStatistics, linkage_memory: LinkageMemory) -> None:
    """Replace the memory in `folder` atomically. The caller must hold the run lock. Raises `OSError`."""
    fresh, old = (folder.with_name(f".{folder.name}.{end}") for end in ("part", "old"))
    for leftover in (fresh, old):  # of a run that was killed
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
