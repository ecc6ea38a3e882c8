"""Any bytes under any agreed name: a result with every row accounted for, never an exception, never a stall."""

from __future__ import annotations

import tempfile
import time
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reader_world import GOOD_INSTITUTIONS, deliver, read

QUICK = settings(max_examples=25, deadline=5000, suppress_health_check=list(HealthCheck))
NAMES = {
    "police": "rastet.csv",
    "inspectorate": "raporti.xlsx",
    "prosecution": "psh.sqlite",
    "courts": "smil.xml",
    "corrections": "shkk.xlsx",
}


@cache
def _good(institution: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        deliver(institution, Path(folder))
        return (Path(folder) / NAMES[institution]).read_bytes()


def _read(institution: str, data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / NAMES[institution]).write_bytes(data)
        result = read(institution, Path(folder))
        assert result.files[NAMES[institution]] in ("complete", "partial", "unreadable")
        assert "file-failed" not in {f["rule"] for f in result.findings}


@pytest.mark.parametrize("institution", GOOD_INSTITUTIONS)
@QUICK
@given(data=st.binary(max_size=400))
def test_random_bytes(institution: str, data: bytes) -> None:
    _read(institution, data)


@pytest.mark.parametrize("institution", GOOD_INSTITUTIONS)
@QUICK
@given(data=st.data())
def test_a_good_file_with_bytes_changed(institution: str, data: st.DataObject) -> None:
    good = bytearray(_good(institution))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(good) - 1))
        piece = data.draw(
            st.sampled_from([b"\x00", b'"', b"<", b"&", b";", b"\r", b"\n", b"\xff", b"\xeb", b"\xc3\xab", b"]]>", b"\xff" * 64])
        )
        good[at : at + data.draw(st.integers(0, 3))] = piece
    _read(institution, bytes(good))


@pytest.mark.parametrize("institution", GOOD_INSTITUTIONS)
@QUICK
@given(share=st.floats(0, 1), tail=st.sampled_from([b"", b"\x00" * 512, b"\r\n", b"PK"]))
def test_a_good_file_cut_off(institution: str, share: float, tail: bytes) -> None:
    good = _good(institution)
    _read(institution, good[: int(len(good) * share)] + tail)


@pytest.mark.parametrize("institution", GOOD_INSTITUTIONS)
@QUICK
@given(data=st.data())
def test_pieces_of_a_good_file_repeated_and_left_out(institution: str, data: st.DataObject) -> None:
    good = _good(institution)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(good)), min_size=2, max_size=6)))
    pieces = [good[a:b] for a, b in zip([0, *cuts], [*cuts, len(good)], strict=True)]
    _read(institution, b"".join(data.draw(st.lists(st.sampled_from(pieces), min_size=1, max_size=8))))


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
