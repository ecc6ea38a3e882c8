"""The coordinator's signature: Ed25519, over what is said with the name and the day.

Belongs here: the private key's file, signing, verifying against a home's `coordinator.pub`. Does not belong here: what is signed (`policy`,
`warehouse/exports/approval`).
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from pipelines.errors import HarmoniaError, storage

PUBLIC_KEY = "coordinator.pub"


def message(about: str, name: str, day: str, sha256: str) -> bytes:
    """What is signed: of what kind (so that a signature of one thing is none of another), by whom, when, over which hash."""
    return "\n".join([about, name, day, sha256]).encode()


def signed(home: Path, key_file: Path, said: bytes) -> str:
    """The signature of `said`, as text. key_file: the coordinator's private key (PEM); made when it does not exist.

    The first signature lays down the home's `coordinator.pub`; later ones must be by the same key. Raises `HarmoniaError` for another.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    private = _private(key_file)
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    kept = home / PUBLIC_KEY
    if kept.is_file() and kept.read_bytes() != public:
        raise HarmoniaError(f"{key_file} is not the key of {kept}: sign with the coordinator's key, or remove that file to hand over")
    with storage(home):
        home.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(public)
    return base64.b64encode(private.sign(said)).decode()


def holds(home: Path, said: bytes, signature: str) -> bool:
    """Whether `signature` is of `said` and by the key of the home's `coordinator.pub`."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key: Any = load_pem_public_key((home / PUBLIC_KEY).read_bytes())
        key.verify(base64.b64decode(signature), said)
    except (InvalidSignature, ValueError, TypeError, AttributeError, OSError):
        return False
    return True


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
        found = load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise HarmoniaError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, TypeError):
        raise HarmoniaError(f"{path}: is not a private key in PEM without a password") from None
    if not isinstance(found, Ed25519PrivateKey):
        raise HarmoniaError(f"{path}: is not an Ed25519 key")
    return found
