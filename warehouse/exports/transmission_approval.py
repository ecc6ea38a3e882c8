"""The coordinator's approval of one full transmission: this export of this release, to this recipient.

Belongs here: signing and checking an approval file. Does not belong here: the transmitted data (`transmission`), the key
(`disclosure/signature`).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pipelines.errors import HarmoniaError
from pipelines.swap import write_whole
from warehouse.disclosure import signature

_ABOUT = "harmonia transmission"


@dataclass(frozen=True)
class Transmission:
    """The approved transmission. `manifest`: SHA-256 of the release's manifest, so that an approval is valid for one release only."""

    export: str
    release: str
    manifest: str
    recipient: str


@dataclass(frozen=True)
class Approval:
    """Who approved it, and when."""

    name: str
    day: str


def _message(sent: Transmission, name: str, day: str) -> bytes:
    differences = json.dumps(asdict(sent), ensure_ascii=False, sort_keys=True)
    return signature.message(_ABOUT, name, day, hashlib.sha256(differences.encode()).hexdigest())


def approve(home: Path, key_file: Path, sent: Transmission, name: str, day: str, target: Path) -> None:
    """Write the approval of `sent` to `target`, signed. Raises `HarmoniaError` if the key is not that of this home's coordinator."""
    fields = {**asdict(sent), "name": name, "day": day, "signature": signature.sign(home, key_file, _message(sent, name, day))}
    write_whole(target, (json.dumps(fields, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode())


def approved(home: Path, approval: Path | None, sent: Transmission) -> Approval:
    """The approval of `sent`. Raises `HarmoniaError` if there is none, it is for something else, or the coordinator did not sign it."""
    remedy = (
        f"the coordinator approves it with: harmonia export approve {sent.export} --release {sent.release} "
        f"--recipient {sent.recipient!r} --key KEYFILE --name NAME --day DATE --out FILE"
    )
    if approval is None:
        raise HarmoniaError(f"{sent.export} in full requires the coordinator's approval (--approval FILE): {remedy}")
    try:
        fields = json.loads(approval.read_text("utf-8"))
        name, day, signed = str(fields["name"]), str(fields["day"]), str(fields["signature"])
        other = {k: fields.get(k) for k, v in asdict(sent).items() if fields.get(k) != v}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise HarmoniaError(f"{approval}: not an approval ({type(error).__name__}): {remedy}") from None
    if other:
        differences = ", ".join(f"{k} {v!r}" for k, v in other.items())
        raise HarmoniaError(f"{approval}: approves something else ({differences}): {remedy}")
    if not signature.is_valid(home, _message(sent, name, day), signed):
        raise HarmoniaError(f"{approval}: is not signed by the key of {home / signature.PUBLIC_KEY}, or was changed since: {remedy}")
    return Approval(name, day)
