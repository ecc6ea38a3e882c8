"""Reading, validating and harmonising deliveries in batches, in bounded processes.

Belongs here: the size of a batch, the work on it from the lake to the lake, and the refusal of a delivery that exceeds its bounds. Does not
belong here: which deliveries are new (`institution`), the layout of the result (`by_delivery`), the processes
(`pipelines.resources.bounded`).
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
from pipelines.assets.by_delivery import RawDelivery, by_delivery, canonical_rows, packed, refused, stage_folder, unpacked
from pipelines.failures import describe, disk_full, write_log
from pipelines.resources import bounded
from pipelines.resources.bounded import Bounds, ExceededError, Reason
from pipelines.resources.delivery_store import DeliveryStore
from pipelines.resources.workplace import Workplace
from pipelines.validation import Validated, validate
from sources.readers.result import ReadResult, SourceFile
from sources.reading import read_delivery

if TYPE_CHECKING:  # who works on a piece needs nothing of landing
    from pipelines.landing import LandedDelivery

_AT_A_TIME = 12_000_000  # bytes of files that are read, judged and kept at a time: some 150,000 rows
_LEAST = 3_000_000  # bytes below which deliveries are not divided among processes
_WORTH = 60_000  # rows below which a second process costs more than it saves
_BYTES_A_ROW = 80
_SHARE = 2  # what several deliveries together may take is half of what one may: then each is tried by itself
RULES: Mapping[Reason, str] = {
    "seconds": "delivery-too-slow",
    "memory": "delivery-too-large",
    "size": "delivery-too-large",
    "ended": "delivery-failed",
    "failed": "delivery-failed",
}


@dataclass(frozen=True)
class Delivered:
    """What is read of a delivery: its files, or in their place what was read before a person in it was erased."""

    name: str
    files: tuple[SourceFile, ...]
    incomplete: bool
    reading: Path | None


@dataclass(frozen=True)
class Piece:
    """Some deliveries of an institution (delivery -> key) and the folder that they are kept in. delivered: their files, for reading."""

    workplace: Workplace
    institution: str
    keys: Mapping[str, str]
    number: int
    delivered: tuple[Delivered, ...] = ()

    def stage(self, name: str) -> DeliveryStore:
        """What a stage of the institution keeps."""
        return DeliveryStore(stage_folder(self.workplace, self.institution, name))

    def each(self, numbers: Iterator[int]) -> list[Piece]:
        """A piece for each of its deliveries."""
        return [
            replace(self, keys={name: key}, number=next(numbers), delivered=tuple(one for one in self.delivered if one.name == name))
            for name, key in self.keys.items()
        ]


@dataclass(frozen=True)
class _Stage:
    """What is done with a piece, where it is kept, and what is kept of a delivery that took too much."""

    doing: str
    work: Callable[[Piece], None]
    kept: tuple[str, ...]
    instead: Callable[[Piece, ExceededError], None]


def read_all(
    workplace: Workplace, institution: str, new: Sequence[LandedDelivery], wanted: Mapping[str, str], into: DeliveryStore
) -> dict[str, str]:
    """Read the deliveries `new` and keep them; wanted: delivery -> key. Gives the keys under which those lie that were refused."""
    sizes = [sum(file.size or 0 for file in one.files) for one in new]
    most = max(_LEAST, min(_AT_A_TIME, sum(sizes) // 2))
    begins = zip(new, accumulate(sizes, initial=0), strict=False)  # each delivery, and how much lies before it
    portions = [tuple(one for one, _ in some) for _, some in groupby(begins, key=lambda begun: begun[1] // most)]
    numbers = count(into.next_number())
    pieces = []
    for some in portions:
        delivered = tuple(Delivered(str(one.name), tuple(one.files), one.incomplete, one.reading) for one in some)
        pieces.append(Piece(workplace, institution, {one.name: wanted[one.name] for one in delivered}, next(numbers), delivered))
    return _each(_READING, pieces, sum(sizes) // _BYTES_A_ROW, numbers)


def judge_all(workplace: Workplace, institution: str, new: Sequence[str], raw: DeliveryStore) -> dict[str, str]:
    """Judge what was read of the deliveries `new`, harmonise it, and keep both. Gives the keys under which those lie that were refused."""
    found = raw.keys_by_folder(new)
    numbers = count(max(DeliveryStore(stage_folder(workplace, institution, stage)).next_number() for stage in _JUDGING.kept))
    pieces = [Piece(workplace, institution, keys, next(numbers)) for keys, _ in found]
    return _each(_JUDGING, pieces, sum(rows for _, rows in found), numbers)


def as_refused(wanted: Mapping[str, str], kept: Sequence[DeliveryStore]) -> dict[str, str]:
    """`wanted` (delivery -> key), with the key of a refusal in place of that of a delivery that was refused and would be again."""
    bounds = Bounds.of()
    there = {name: _refusal(key, bounds) for name, key in wanted.items()}
    new = {name for portions in kept for name in portions.missing(wanted)}
    again = {name for portions in kept for name in portions.missing(there)}
    return {name: there[name] if name in new - again else key for name, key in wanted.items()}


def _refusal(key: str, bounds: Bounds) -> str:
    return hashlib.sha256(f"{key} refused {bounds}".encode()).hexdigest()


def _each(stage: _Stage, pieces: Sequence[Piece], rows: int, numbers: Iterator[int]) -> dict[str, str]:
    """Work on every piece; where one takes too much, on each of its deliveries by itself. Gives the keys of those that were refused."""
    bounds = Bounds.of()
    processes = min(len(os.sched_getaffinity(0)), len(pieces)) if rows >= _WORTH else 1
    single = [piece for piece in pieces if len(piece.keys) < 2]
    several = [piece for piece in pieces if len(piece.keys) > 1]
    for done in bounded.run_each(stage.work, several, replace(bounds, seconds=-(-bounds.seconds // _SHARE)), processes):
        if done.ended:
            _drop(stage, done.task)
            single += done.task.each(numbers)
    kept: dict[str, str] = {}
    ended = list[ExceededError]()
    for done in bounded.run_each(stage.work, single, bounds, processes):
        if done.ended:
            _drop(stage, done.task)
            (name, key) = next(iter(done.task.keys.items()))
            kept[name] = _refusal(key, bounds) if done.ended.permanent else f"{key} once"
            ended.append(done.ended)
            stage.instead(replace(done.task, keys={name: kept[name]}), done.ended)
    if len(single) > 1 and len(ended) == len(single) and all(one.reason in ("ended", "failed") for one in ended):
        doing = f"{single[0].institution}: {stage.doing}"
        raise HarmoniaError(
            f"{doing} failed with every delivery ({ended[0].detail or 'the process was ended'}): that is no delivery's fault"
        )
    return kept


def _drop(stage: _Stage, piece: Piece) -> None:
    """What a process that was ended may have kept before."""
    for name in stage.kept:
        piece.stage(name).drop(piece.number)


@contextmanager
def _logged(piece: Piece, doing: str) -> Iterator[None]:
    """Let what nobody foresaw end the work on the piece, with its place in a log of its own."""
    try:
        yield
    except (HarmoniaError, ExceededError, MemoryError):
        raise
    except Exception as error:
        if disk_full(error):
            raise
        doing = f"{piece.institution} {', '.join(piece.keys)}: {doing}"
        write_log(error, piece.workplace.logs, doing)
        raise ExceededError("failed", describe(error)) from None


def _read(piece: Piece) -> None:
    with _logged(piece, "reading"):
        read = [
            RawDelivery(**vars(_as_read(piece.institution, one)), delivery=one.name, incomplete=one.incomplete) for one in piece.delivered
        ]
        for one in read:
            _bounded(sum(map(len, one.tables.values())) + len(one.structure) + len(one.unreadable), Bounds.of().rows, "rows")
            _bounded(len(one.findings), Bounds.of().findings, "findings")
        piece.stage("raw").add(piece.keys, packed(read), piece.number)


def _bounded(number: int, most: int, what: str) -> None:
    """Raise `ExceededError` where a delivery has more than the rest of a run can bear."""
    if number > most:
        raise ExceededError("size", f"> {most:,} {what}")


def _as_read(institution: str, one: Delivered) -> ReadResult:
    """A delivery as its reader sees it, or as it was seen before a person in it was erased."""
    return reading.load(one.reading) if one.reading else read_delivery(institution, list(one.files))


def _unread(piece: Piece, ended: ExceededError) -> None:
    read = [
        refused(piece.institution, one.name, [file.name for file in one.files], RULES[ended.reason], ended.detail)
        for one in piece.delivered
    ]
    piece.stage("raw").add(piece.keys, packed(read), piece.number)


def _judge(piece: Piece) -> None:
    """Both at a time: a delivery that cannot be harmonised is refused as a whole."""
    with _logged(piece, "validating and harmonising"):
        for keys, frames in piece.stage("raw").batches(piece.keys):
            _keep_judged(piece, keys, {one.delivery: one for one in unpacked(frames)})


def _keep_judged(piece: Piece, keys: Mapping[str, str], read: Mapping[str, RawDelivery]) -> None:
    partial = {name for name, one in read.items() if one.incomplete}
    found = validate(piece.institution, read, partial=partial)
    _bounded(int(found.findings["delivery"].value_counts().max()) if len(found.findings) else 0, Bounds.of().findings, _commonest(found))
    judged = by_delivery(found)
    harmonised = canonical_rows(piece.institution, judged)
    piece.stage("validated").add(keys, judged, piece.number)
    piece.stage("harmonised").add(keys, harmonised, piece.number)


def _commonest(found: Validated) -> str:
    """What most findings say, as their institution will not see them one by one."""
    rules = found.findings["rule"].value_counts().head(3)
    return f"findings: {', '.join(f'{rule} {number:,}' for rule, number in rules.items())}"


def _unjudged(piece: Piece, ended: ExceededError) -> None:
    (name,) = piece.keys
    _, frames = next(piece.stage("raw").batches([name]))
    files = next(iter(unpacked(frames))).files
    _keep_judged(piece, piece.keys, {name: refused(piece.institution, name, files, RULES[ended.reason], ended.detail)})


_READING = _Stage("reading", _read, ("raw",), _unread)
_JUDGING = _Stage("validating and harmonising", _judge, ("validated", "harmonised"), _unjudged)
