"""Sign and verify the coordinator's approval of one full transmission. An approval is valid for one export of one release to one recipient.

Belongs here: signing and checking an approval file. Does not belong here: the transmitted data (`transmission`), the key
(`disclosure/signature`).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from harmonia.atomic_files import write_small_file
from harmonia.errors import HarmoniaError
from warehouse.disclosure import signature

_DOCUMENT_KIND = "harmonia transmission"


@dataclass(frozen=True)
class Transmission:
    """A full export of one release to one recipient, which needs approval.

    manifest: the SHA-256 hash of the release's manifest, by which an approval is valid for this release only.
    """

    export: str
    release: str
    manifest: str
    recipient: str


@dataclass(frozen=True)
class Approval:
    """Who approved a transmission, and when."""

    name: str
    day: str


def _make_approval_message_to_sign(transmission: Transmission, name: str, day: str) -> bytes:
    content = json.dumps(asdict(transmission), ensure_ascii=False, sort_keys=True)
    return signature.make_message_to_sign(_DOCUMENT_KIND, name, day, hashlib.sha256(content.encode()).hexdigest())


def write_approval(home: Path, key_file: Path, transmission: Transmission, name: str, day: str, target: Path) -> None:
    """Write a signed approval to `target`. Raises `HarmoniaError` if the key is not that of this home's coordinator."""
    fields = {
        **asdict(transmission),
        "name": name,
        "day": day,
        "signature": signature.sign_content(home, key_file, _make_approval_message_to_sign(transmission, name, day)),
    }
    write_small_file(target, (json.dumps(fields, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode())


def verify_approval(home: Path, approval: Path | None, transmission: Transmission) -> Approval:
    """Verify an approval file and return the approval.

    Raises `HarmoniaError` if the file does not exist, if it approves another transmission, or if the coordinator did not sign it.
    """
    remedy = (
        f"the coordinator approves it with: harmonia export approve {transmission.export} --release {transmission.release} "
        f"--recipient {transmission.recipient!r} --key KEYFILE --name NAME --day DATE --out FILE"
    )
    if approval is None:
        raise HarmoniaError(f"{transmission.export} in full requires the coordinator's approval (--approval FILE): {remedy}")
    try:
        fields = json.loads(approval.read_text("utf-8"))
        name, day, signature_text = str(fields["name"]), str(fields["day"]), str(fields["signature"])
        different = {k: fields.get(k) for k, v in asdict(transmission).items() if fields.get(k) != v}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise HarmoniaError(f"{approval}: not an approval ({type(error).__name__}): {remedy}") from None
    if different:
        differences = ", ".join(f"{k} {v!r}" for k, v in different.items())
        raise HarmoniaError(f"{approval}: approves something else ({differences}): {remedy}")
    if not signature.is_valid_signature(home, _make_approval_message_to_sign(transmission, name, day), signature_text):
        raise HarmoniaError(f"{approval}: is not signed by the key of {home / signature.PUBLIC_KEY}, or was changed since: {remedy}")
    return Approval(name, day)
