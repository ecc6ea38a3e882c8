"""Some deliveries of an institution from one stage to the next: what reading, validation and harmonising do at a time.

Belongs here: how many deliveries go together, and each stage's work on them, from the lake to the lake, so that several processes can
share it. Does not belong here: which deliveries are new (`institution`), the shape of what is kept (`by_delivery`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby

from pipelines.assets.by_delivery import RawDelivery, by_delivery, canonical_rows, packed, stage_folder, unpacked
from pipelines.assets.describing import careful
from pipelines.erasure import reading
from pipelines.landing import LandedDelivery
from pipelines.resources.portions import Portions
from pipelines.resources.processes import each
from pipelines.resources.workplace import Workplace
from pipelines.validate import validate
from sources.readers.result import ReadResult
from sources.reading import read_delivery

_AT_A_TIME = 12_000_000  # bytes of files that are read, judged and kept at a time: some 150,000 rows
_LEAST = 3_000_000  # bytes below which deliveries are not divided among processes
_BYTES_A_ROW = 80


@dataclass(frozen=True)
class Piece:
    """Some deliveries of an institution (delivery -> key) and the folder that they are kept in. landed: their files, for reading."""

    workplace: Workplace
    institution: str
    keys: Mapping[str, str]
    number: int
    landed: tuple[LandedDelivery, ...] = ()

    def stage(self, name: str) -> Portions:
        """What a stage of the institution keeps."""
        return Portions(stage_folder(self.workplace, self.institution, name))


def read_all(workplace: Workplace, institution: str, new: Sequence[LandedDelivery], wanted: Mapping[str, str], into: Portions) -> None:
    """Read the deliveries `new` and keep them; wanted: delivery -> key."""
    sizes = [sum(file.size or 0 for file in one.files) for one in new]
    most = max(_LEAST, min(_AT_A_TIME, sum(sizes) // 2))
    begins = zip(new, accumulate(sizes, initial=0), strict=False)  # each delivery, and how much lies before it
    portions = [tuple(one for one, _ in some) for _, some in groupby(begins, key=lambda begun: begun[1] // most)]
    pieces = [
        Piece(workplace, institution, {str(one.name): wanted[str(one.name)] for one in some}, number, some)
        for number, some in enumerate(portions, start=into.free())
    ]
    each(_read, pieces, sum(sizes) // _BYTES_A_ROW)


def validate_all(workplace: Workplace, institution: str, new: Sequence[str], raw: Portions, into: Portions) -> None:
    """Judge what was read of the deliveries `new` and keep it."""
    pieces, rows = _pieces(workplace, institution, new, raw, into)
    each(_validate, pieces, rows)


def harmonise_all(workplace: Workplace, institution: str, new: Sequence[str], validated: Portions, into: Portions) -> None:
    """Harmonise what was judged of the deliveries `new` and keep it."""
    pieces, rows = _pieces(workplace, institution, new, validated, into)
    each(_harmonise, pieces, rows)


def _pieces(workplace: Workplace, institution: str, new: Sequence[str], of: Portions, into: Portions) -> tuple[list[Piece], int]:
    found = of.together(new)
    return [Piece(workplace, institution, keys, n) for n, (keys, _) in enumerate(found, start=into.free())], sum(rows for _, rows in found)


def _read(piece: Piece) -> None:
    with careful(piece.workplace, f"{piece.institution}: reading"):
        read = [
            RawDelivery(**vars(_as_read(piece.institution, one)), delivery=str(one.name), incomplete=one.incomplete) for one in piece.landed
        ]
        piece.stage("raw").add(piece.keys, packed(read), piece.number)


def _as_read(institution: str, one: LandedDelivery) -> ReadResult:
    """A delivery as its reader sees it, or as it was seen before a person in it was erased."""
    return reading.load(one.reading) if one.reading else read_delivery(institution, one.files)


def _validate(piece: Piece) -> None:
    with careful(piece.workplace, f"{piece.institution}: validating"):
        for keys, frames in piece.stage("raw").batches(piece.keys):
            read = {one.delivery: one for one in unpacked(frames)}
            partial = {name for name, one in read.items() if one.incomplete}
            piece.stage("validated").add(keys, by_delivery(validate(piece.institution, read, partial=partial)), piece.number)


def _harmonise(piece: Piece) -> None:
    with careful(piece.workplace, f"{piece.institution}: harmonising"):
        for keys, frames in piece.stage("validated").batches(piece.keys):
            piece.stage("harmonised").add(keys, canonical_rows(piece.institution, frames), piece.number)
