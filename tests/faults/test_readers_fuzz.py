"""Any bytes under any agreed name: a result with every row accounted for, never an exception, never a stall."""

from __future__ import annotations

import io
import os
import tempfile
import time
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reader_world import GOOD_INSTITUTIONS, deliver, read
from volume import examples

QUICK = settings(max_examples=examples(15), deadline=None, suppress_health_check=list(HealthCheck))
PIECES = [
    b"\x00",
    b'"',
    b"<",
    b"&",
    b";",
    b"\r",
    b"\n",
    b"\xff",
    b"\xeb",
    b"\xc3\xab",
    b"]]>",
    b"\xff" * 64,
    b"9" * 40,
    b"-1",
    b"A1",
    b"/>",
]
STALLED = 20  # CPU seconds; a slow machine needs a tenth of one
Mutation = Callable[[str, st.DataObject], bytes]
NAMES = {
    "police": "rastet.csv",
    "inspectorate": "raporti.xlsx",
    "prosecution": "psh.sqlite",
    "courts": "smil.xml",
    "corrections": "shkk.xlsx",
    "victim_protection": "zmnv.json",
    "social_work": "persona.csv",
}


@cache
def _good(institution: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        deliver(institution, Path(folder))
        return (Path(folder) / NAMES[institution]).read_bytes()


def _read(institution: str, data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / NAMES[institution]).write_bytes(data)
        begun = time.process_time()
        result = read(institution, Path(folder))
        assert result.files[NAMES[institution]] in ("complete", "partial", "unreadable")
        assert time.process_time() - begun < STALLED
        assert "file-failed" not in {f["rule"] for f in result.findings}


def _random(institution: str, data: st.DataObject) -> bytes:
    return data.draw(st.binary(max_size=400))


def _changed(good: bytes, data: st.DataObject) -> bytes:
    out = bytearray(good)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(out) - 1))
        out[at : at + data.draw(st.integers(0, 3))] = data.draw(st.sampled_from(PIECES))
    return bytes(out)


def _bytes_changed(institution: str, data: st.DataObject) -> bytes:
    return _changed(_good(institution), data)


def _cut_off(institution: str, data: st.DataObject) -> bytes:
    good = _good(institution)
    return good[: int(len(good) * data.draw(st.floats(0, 1)))] + data.draw(st.sampled_from([b"", b"\x00" * 512, b"\r\n", b"PK"]))


def _pieces_repeated_and_left_out(institution: str, data: st.DataObject) -> bytes:
    good = _good(institution)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(good)), min_size=2, max_size=6)))
    pieces = [good[a:b] for a, b in zip([0, *cuts], [*cuts, len(good)], strict=True)]
    return b"".join(data.draw(st.lists(st.sampled_from(pieces), min_size=1, max_size=8)))


def _inside_changed(institution: str, data: st.DataObject) -> bytes:
    """A workbook whose zip is sound and one part of which is not; of any other form, two changes far apart."""
    good = _good(institution)
    if not good.startswith(b"PK"):
        return _changed(_changed(good, data), data)
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(good)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        victim = data.draw(st.sampled_from(old.namelist()))
        for name in old.namelist():
            if name != victim or data.draw(st.integers(0, 9)):
                new.writestr(name, _changed(old.read(name), data) if name == victim else old.read(name))
    return out.getvalue()


MUTATIONS = (_random, _bytes_changed, _cut_off, _pieces_repeated_and_left_out, _inside_changed)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.__name__.strip("_"))
@pytest.mark.parametrize("institution", GOOD_INSTITUTIONS)
@QUICK
@given(data=st.data())
def test_any_bytes(institution: str, mutation: Mutation, data: st.DataObject) -> None:
    _read(institution, mutation(institution, data))


@pytest.mark.slow  # 1,000 examples a reader; HARMONIA_EXAMPLES for more
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.__name__.strip("_"))
@pytest.mark.parametrize("institution", GOOD_INSTITUTIONS)
@settings(QUICK, max_examples=int(os.environ.get("HARMONIA_EXAMPLES", "200")))
@given(data=st.data())
def test_any_bytes_at_length(institution: str, mutation: Mutation, data: st.DataObject) -> None:
    _read(institution, mutation(institution, data))


@pytest.mark.parametrize(
    ("institution", "old", "new"),
    [
        ("courts", b"<emri>Ilir", b"<emri>&<" + b'<i_pandehur id="1">' * 5_000),
        ("courts", b"<emri>Ilir", b"<emri>" + b"<![CDATA[" * 100_000),
        ("courts", b"<lenda ", b"<!--" * 200_000 + b"<lenda "),
        ("courts", b"<eksporti", b"<!DOCTYPE x [ " + b"<!--\"'" * 100_000 + b"<eksporti"),
        ("courts", b'nr="P.nr.14/2013"', b'nr="' + b"1" * 100_000 + b'"><'),
        ("courts", b"<emri>Ilir", b"".join(b"<k%d/>" % i for i in range(5_000)) + b"<emri>Ilir"),
        ("police", b"Nr_rastit", b"k;" * 20_000 + b"Nr_rastit"),
        ("police", b"2013-PZ", b'"' * 200_000),
        ("police", b"2013-PZ", b"a" * 1_000_000 + b"\xeb"),
    ],
)
def test_what_could_stall_a_reader_does_not(institution: str, old: bytes, new: bytes) -> None:
    start = time.monotonic()
    _read(institution, _good(institution).replace(old, new, 1))
    assert time.monotonic() - start < 15  # seconds; a slow machine needs one
