"""Read, validate and harmonise deliveries in batches, in processes with limited time and memory.

Belongs here: the size of a batch, the work on a batch (it reads from the lake and writes to the lake), and the refusal of a delivery that
exceeds its limits. Does not belong here: which deliveries are new (`institution_stages`), the frames of the result (`delivery_frames`), the
processes (`pipelines.resources.bounded`).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import accumulate, count, groupby
from pathlib import Path
from typing import TYPE_CHECKING

from harmonia.errors import HarmoniaError
from harmonia.operations.erasure import reading
from pipelines.assets.delivery_frames import (
    RawDelivery,
    convert_deliveries_to_frames,
    convert_frames_to_deliveries,
    convert_validated_deliveries_to_frames,
    get_stage_folder,
    make_canonical_rows,
    make_refused_delivery,
)
from pipelines.failures import describe_error, is_disk_full, write_log
from pipelines.resources import bounded
from pipelines.resources.bounded import Bounds, LimitExceededError, Reason
from pipelines.resources.delivery_store import DeliveryStore
from pipelines.resources.workplace import Workplace
from pipelines.validation import ValidatedDeliveries, validate
from sources.readers.result import ReadResult, SourceFile
from sources.reading import read_delivery

if TYPE_CHECKING:  # only for type checks: the processes that read deliveries do not import landing
    from pipelines.landing import LandedDelivery

_MAX_BATCH_BYTES = 12_000_000  # bytes of files per batch: some 150,000 rows
_MIN_BATCH_BYTES = 3_000_000  # batches have at least this size, if there is so much to read
_MIN_PARALLEL_ROWS = 60_000  # with fewer rows, a second process costs more than it saves
_BYTES_PER_ROW = 80
_BATCH_SHARE = 2  # a batch gets half of a single delivery's CPU time; if that is too little, each delivery is tried alone
REFUSAL_RULES: Mapping[Reason, str] = {
    "seconds": "delivery-too-slow",
    "memory": "delivery-too-large",
    "size": "delivery-too-large",
    "ended": "delivery-failed",
    "failed": "delivery-failed",
}


@dataclass(frozen=True)
class DeliveryFiles:
    """What is needed to read a delivery.

    `incomplete` is true if a file was still being written when the delivery was received. `reading` is the path of the redacted reading,
    which replaces the files after an erasure; None if nothing was erased.
    """

    name: str
    files: tuple[SourceFile, ...]
    incomplete: bool
    reading: Path | None


@dataclass(frozen=True)
class DeliveryBatch:
    """Some deliveries of one institution that are processed together.

    `keys` has, for each delivery, the key under which its output is stored. `number` is the number of the folder for the output. If the
    deliveries are to be read, `files_by_delivery` has their files.
    """

    workplace: Workplace
    institution: str
    keys: Mapping[str, str]
    number: int
    files_by_delivery: tuple[DeliveryFiles, ...] = ()

    def open_stage_store(self, name: str) -> DeliveryStore:
        """Return the store with the output of the institution's stage `name`."""
        return DeliveryStore(get_stage_folder(self.workplace, self.institution, name))

    def split_into_single_deliveries(self, folder_numbers: Iterator[int]) -> list[DeliveryBatch]:
        """Split the batch into one batch per delivery."""
        return [
            replace(
                self,
                keys={name: key},
                number=next(folder_numbers),
                files_by_delivery=tuple(delivery for delivery in self.files_by_delivery if delivery.name == name),
            )
            for name, key in self.keys.items()
        ]


@dataclass(frozen=True)
class _BatchStep:
    """A step that is done on batches of deliveries, with its function, the stages whose output it writes, and the function that stores a
    refused delivery.
    """

    step: str
    work: Callable[[DeliveryBatch], None]
    output_stages: tuple[str, ...]
    refuse: Callable[[DeliveryBatch, LimitExceededError], None]


def read_deliveries(
    workplace: Workplace,
    institution: str,
    new_deliveries: Sequence[LandedDelivery],
    key_by_delivery: Mapping[str, str],
    store: DeliveryStore,
) -> dict[str, str]:
    """Read the new deliveries into `store`. Return the keys under which refused deliveries are stored, by delivery.

    `key_by_delivery` has the key of each delivery's output (`pipelines.resources.delivery_store.make_stage_key`).
    """
    sizes = [sum(file.size or 0 for file in delivery.files) for delivery in new_deliveries]
    max_bytes = max(_MIN_BATCH_BYTES, min(_MAX_BATCH_BYTES, sum(sizes) // 2))
    begins = zip(new_deliveries, accumulate(sizes, initial=0), strict=False)  # each delivery, and the bytes of all before it
    groups = [tuple(delivery for delivery, _ in group) for _, group in groupby(begins, key=lambda with_offset: with_offset[1] // max_bytes)]
    numbers = count(store.find_next_folder_number())
    batches = []
    for group in groups:
        files_by_delivery = tuple(
            DeliveryFiles(str(delivery.name), tuple(delivery.files), delivery.incomplete, delivery.reading) for delivery in group
        )
        batches.append(
            DeliveryBatch(
                workplace,
                institution,
                {delivery.name: key_by_delivery[delivery.name] for delivery in files_by_delivery},
                next(numbers),
                files_by_delivery,
            )
        )
    return _run_step_on_batches(_READ, batches, sum(sizes) // _BYTES_PER_ROW, numbers)


def validate_deliveries(workplace: Workplace, institution: str, new_deliveries: Sequence[str], raw_store: DeliveryStore) -> dict[str, str]:
    """Validate and harmonise the new deliveries, whose rows as read are in `raw_store`.

    Return the keys under which refused deliveries are stored, by delivery.
    """
    result = raw_store.list_keys_by_folder(new_deliveries)
    numbers = count(
        max(DeliveryStore(get_stage_folder(workplace, institution, stage)).find_next_folder_number() for stage in _VALIDATE.output_stages)
    )
    batches = [DeliveryBatch(workplace, institution, keys, next(numbers)) for keys, _ in result]
    return _run_step_on_batches(_VALIDATE, batches, sum(rows for _, rows in result), numbers)


def replace_keys_of_refused_deliveries(key_by_delivery: Mapping[str, str], stores: Sequence[DeliveryStore]) -> dict[str, str]:
    """Return `key_by_delivery`, with the refusal key for each delivery that an earlier run refused under the same limits."""
    bounds = Bounds.from_environment()
    refusal_keys = {name: _make_refusal_key(key, bounds) for name, key in key_by_delivery.items()}
    new = {name for store in stores for name in store.find_missing_outputs(key_by_delivery)}
    not_refused_before = {name for store in stores for name in store.find_missing_outputs(refusal_keys)}
    return {name: refusal_keys[name] if name in new - not_refused_before else key for name, key in key_by_delivery.items()}


def _make_refusal_key(key: str, bounds: Bounds) -> str:
    """Return the key under which a delivery that exceeds the limits `bounds` is stored. `key` is its usual key.

    The refusal key depends on the limits, so that the delivery is tried again after the limits have changed.
    """
    return hashlib.sha256(f"{key} refused {bounds}".encode()).hexdigest()


def _run_step_on_batches(
    step: _BatchStep, batches: Sequence[DeliveryBatch], estimated_rows: int, folder_numbers: Iterator[int]
) -> dict[str, str]:
    """Run a step on every batch. If a batch exceeds its limits, run the step on each of its deliveries alone.

    `estimated_rows` is the estimated number of rows in all batches. Return the keys under which refused deliveries are stored, by delivery.
    """
    bounds = Bounds.from_environment()
    processes = min(len(os.sched_getaffinity(0)), len(batches)) if estimated_rows >= _MIN_PARALLEL_ROWS else 1
    single = [batch for batch in batches if len(batch.keys) < 2]
    multiple = [batch for batch in batches if len(batch.keys) > 1]
    for outcome in bounded.run_bounded_tasks(step.work, multiple, replace(bounds, seconds=-(-bounds.seconds // _BATCH_SHARE)), processes):
        if outcome.ended:
            _remove_partial_output_of_batch(step, outcome.task)
            single += outcome.task.split_into_single_deliveries(folder_numbers)
    refused: dict[str, str] = {}
    failures = list[LimitExceededError]()
    for outcome in bounded.run_bounded_tasks(step.work, single, bounds, processes):
        if outcome.ended:
            _remove_partial_output_of_batch(step, outcome.task)
            (name, key) = next(iter(outcome.task.keys.items()))
            refused[name] = _make_refusal_key(key, bounds) if outcome.ended.permanent else f"{key} once"
            failures.append(outcome.ended)
            step.refuse(replace(outcome.task, keys={name: refused[name]}), outcome.ended)
    if len(single) > 1 and len(failures) == len(single) and all(failure.reason in ("ended", "failed") for failure in failures):
        activity = f"{single[0].institution}: {step.step}"
        raise HarmoniaError(
            f"{activity} failed with every delivery ({failures[0].detail or 'the process was ended'}): that is no delivery's fault"
        )
    return refused


def _remove_partial_output_of_batch(step: _BatchStep, batch: DeliveryBatch) -> None:
    """Remove what a process wrote for `batch` before it ended."""
    for name in step.output_stages:
        batch.open_stage_store(name).remove_folder_with_number(batch.number)


@contextmanager
def _log_unexpected_errors(batch: DeliveryBatch, step: str) -> Iterator[None]:
    """If the block raises an unexpected error, write it to a log file, and raise `LimitExceededError` with the reason `failed` instead."""
    try:
        yield
    except (HarmoniaError, LimitExceededError, MemoryError):
        raise
    except Exception as error:
        if is_disk_full(error):
            raise
        step = f"{batch.institution} {', '.join(batch.keys)}: {step}"
        write_log(error, batch.workplace.logs, step)
        raise LimitExceededError("failed", describe_error(error)) from None


def _read_batch(batch: DeliveryBatch) -> None:
    """Read the deliveries of a batch, and store their rows. This runs in a process with limited time and memory."""
    with _log_unexpected_errors(batch, "reading"):
        read = [
            RawDelivery(
                **vars(_read_delivery_or_redacted_reading(batch.institution, delivery)),
                delivery=delivery.name,
                incomplete=delivery.incomplete,
            )
            for delivery in batch.files_by_delivery
        ]
        for delivery in read:
            _require_within_limit(
                sum(map(len, delivery.tables.values())) + len(delivery.structure) + len(delivery.unreadable),
                Bounds.from_environment().rows,
                "rows",
            )
            _require_within_limit(len(delivery.findings), Bounds.from_environment().findings, "findings")
        batch.open_stage_store("raw").add_outputs(batch.keys, convert_deliveries_to_frames(read), batch.number)


def _require_within_limit(number: int, limit: int, unit: str) -> None:
    """Raise `LimitExceededError` if `number` exceeds `limit`, since later stages cannot process so many rows or findings of a delivery."""
    if number > limit:
        raise LimitExceededError("size", f"> {limit:,} {unit}")


def _read_delivery_or_redacted_reading(institution: str, delivery: DeliveryFiles) -> ReadResult:
    """Read a delivery from its files. If a person in it was erased, load its redacted reading instead."""
    return reading.load_redacted_reading(delivery.reading) if delivery.reading else read_delivery(institution, list(delivery.files))


def _store_refused_raw_delivery(batch: DeliveryBatch, error: LimitExceededError) -> None:
    """Store a delivery that exceeded its limits while it was read. All its files are stored as unreadable."""
    read = [
        make_refused_delivery(
            batch.institution, delivery.name, [file.name for file in delivery.files], REFUSAL_RULES[error.reason], error.detail
        )
        for delivery in batch.files_by_delivery
    ]
    batch.open_stage_store("raw").add_outputs(batch.keys, convert_deliveries_to_frames(read), batch.number)


def _validate_batch(batch: DeliveryBatch) -> None:
    """Validate and harmonise the deliveries of a batch together. This runs in a process with limited time and memory.

    A delivery that cannot be harmonised is refused completely.
    """
    with _log_unexpected_errors(batch, "validating and harmonising"):
        for keys, frames in batch.open_stage_store("raw").iterate_outputs_by_folder(batch.keys):
            _validate_and_store_deliveries(batch, keys, {delivery.delivery: delivery for delivery in convert_frames_to_deliveries(frames)})


def _validate_and_store_deliveries(
    batch: DeliveryBatch, key_by_delivery: Mapping[str, str], raw_deliveries: Mapping[str, RawDelivery]
) -> None:
    """Validate and harmonise deliveries that were read. Store the validated rows and the harmonised rows."""
    partial = {name for name, delivery in raw_deliveries.items() if delivery.incomplete}
    result = validate(batch.institution, raw_deliveries, incomplete_deliveries=partial)
    _require_within_limit(
        int(result.findings["delivery"].value_counts().max()) if len(result.findings) else 0,
        Bounds.from_environment().findings,
        _describe_most_frequent_rules(result),
    )
    validated = convert_validated_deliveries_to_frames(result)
    harmonised = make_canonical_rows(batch.institution, validated)
    batch.open_stage_store("validated").add_outputs(key_by_delivery, validated, batch.number)
    batch.open_stage_store("harmonised").add_outputs(key_by_delivery, harmonised, batch.number)


def _describe_most_frequent_rules(result: ValidatedDeliveries) -> str:
    """Describe in words the three rules that are broken most often, since the findings of a refused delivery are not shown one by one."""
    rules = result.findings["rule"].value_counts().head(3)
    return f"findings: {', '.join(f'{rule} {number:,}' for rule, number in rules.items())}"


def _store_refused_validated_delivery(batch: DeliveryBatch, error: LimitExceededError) -> None:
    """Store a delivery that exceeded its limits while it was validated. All its files are stored as unreadable."""
    (name,) = batch.keys
    _, frames = next(batch.open_stage_store("raw").iterate_outputs_by_folder([name]))
    files = next(iter(convert_frames_to_deliveries(frames))).files
    _validate_and_store_deliveries(
        batch, batch.keys, {name: make_refused_delivery(batch.institution, name, files, REFUSAL_RULES[error.reason], error.detail)}
    )


_READ = _BatchStep("reading", _read_batch, ("raw",), _store_refused_raw_delivery)
_VALIDATE = _BatchStep("validating and harmonising", _validate_batch, ("validated", "harmonised"), _store_refused_validated_delivery)
