"""The policy and its signature: nothing is published under a policy that the coordinator has not signed as it stands.

Belongs here: finding, signing and verifying `disclosure_policy.yaml`. Does not belong here: what it says (`programme`).

In a home lie `disclosure_policy.yaml`, `disclosure_policy.sig.json` (who signed, when, the Ed25519 signature over both and the policy's
bytes) and `coordinator.pub`, the key that signatures are held against. The private key is the coordinator's and lies elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipelines.errors import HarmoniaError, storage
from warehouse.disclosure.programme import Programme, programme

SHIPPED = Path(__file__).with_name("disclosure_policy.yaml")
POLICY, SIGNATURE, PUBLIC_KEY = "disclosure_policy.yaml", "disclosure_policy.sig.json", "coordinator.pub"


@dataclass(frozen=True)
class Policy:
    """A signed policy: its programme, and what a manifest says of it."""

    programme: Programme
    sha256: str
    signed_by: str
    signed_on: str


def _message(content: bytes, name: str, day: str) -> bytes:
    return b"\n".join([b"harmonia disclosure policy", name.encode(), day.encode(), hashlib.sha256(content).hexdigest().encode()])


def sign(home: Path, key_file: Path, name: str, day: str, policy: Path | None = None) -> None:
    """Sign `policy` (default: the one in the home, else the one shipped) as `name` and put it in force in `home`.

    key_file: the coordinator's private key (PEM, Ed25519); made when it does not exist. The first signature lays down the home's
    `coordinator.pub`; later ones must be by the same key. Raises `HarmoniaError` for another key or a policy that cannot be applied.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    source = policy or (home / POLICY if (home / POLICY).is_file() else SHIPPED)
    content = _read(source)
    programme(_parsed(content, source))
    private = _private(key_file)
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    kept = home / PUBLIC_KEY
    if kept.is_file() and kept.read_bytes() != public:
        raise HarmoniaError(f"{key_file} is not the key of {kept}: sign with the coordinator's key, or remove that file to hand over")
    said = {"name": name, "day": day, "signature": base64.b64encode(private.sign(_message(content, name, day))).decode()}
    with storage(home):
        home.mkdir(parents=True, exist_ok=True)
        if source.absolute() != (home / POLICY).absolute():
            shutil.copyfile(source, home / POLICY)
        kept.write_bytes(public)
        (home / SIGNATURE).write_text(json.dumps(said, ensure_ascii=False, indent=1, sort_keys=True) + "\n", "utf-8")


def load(home: Path) -> Policy:
    """The policy in force in `home`. Raises `HarmoniaError` where there is none, it is unsigned, or it was changed after it was signed."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    way_out = f"the coordinator signs it with: harmonia release sign --home {home} --key KEYFILE --name NAME --day DATE"
    for name in (POLICY, SIGNATURE, PUBLIC_KEY):
        if not (home / name).is_file():
            raise HarmoniaError(f"the disclosure policy of {home} is not signed ({name} is missing), and nothing is published: {way_out}")
    content = _read(home / POLICY)
    try:
        said = json.loads(_read(home / SIGNATURE))
        key: Any = load_pem_public_key(_read(home / PUBLIC_KEY))
        key.verify(base64.b64decode(said["signature"]), _message(content, said["name"], said["day"]))
    except (InvalidSignature, ValueError, KeyError, TypeError, AttributeError):
        raise HarmoniaError(f"{home / POLICY} is not what was signed, or not signed by the key of {PUBLIC_KEY}: {way_out}") from None
    return Policy(programme(_parsed(content, home / POLICY)), hashlib.sha256(content).hexdigest(), said["name"], said["day"])


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise HarmoniaError(f"{path}: cannot be read: {error.strerror}") from None


def _parsed(content: bytes, path: Path) -> dict[str, Any]:
    try:
        raw = yaml.safe_load(content)
    except yaml.YAMLError as error:
        raise HarmoniaError(f"{path}: is not YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(raw, dict):
        raise HarmoniaError(f"{path}: is not a policy; see docs/releases.md")
    return raw


def _private(path: Path) -> Any:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

    if not path.is_file():
        made = Ed25519PrivateKey.generate()
        with storage(path):
            path.touch(0o600)
            path.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return made
    try:
        found = load_pem_private_key(_read(path), None)
    except (ValueError, TypeError):
        raise HarmoniaError(f"{path}: is not a private key in PEM without a password") from None
    if not isinstance(found, Ed25519PrivateKey):
        raise HarmoniaError(f"{path}: is not an Ed25519 key")
    return found
