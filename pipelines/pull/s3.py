"""S3, and stores with the same protocol (MinIO, Ceph), as a source. The connection uses the library s3fs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from pipelines.pull.file_source import CHUNK_BYTES, FileSource
from pipelines.pull.fsspec_folder import FileSystem
from pipelines.pull.source import ANSWER_SECONDS, SecretLocation, Secrets


@dataclass(frozen=True, kw_only=True)
class S3(FileSource):
    """The declaration of an S3 store as a source.

    `path` is the bucket and prefix. `endpoint` is the address of a store that is not Amazon's. `ca` is a file with certificates, by which
    the store is verified.
    """

    secret: ClassVar = ("access_key", "secret_key")

    kind: Literal["s3"]
    path: Annotated[str, Field(pattern="^[^/]+(/.*)?$")]
    access_key: SecretLocation
    secret_key: SecretLocation
    endpoint: Annotated[str, Field(pattern=r"^https?://[^@]+$")] | None = None
    region: str | None = None
    ca: Path | None = None

    @contextmanager
    def connect(self, secrets: Secrets) -> Iterator[FileSystem]:
        """Open a connection that uses only the declared keys, and no profile or role of this machine."""
        from s3fs import S3FileSystem

        system = S3FileSystem(
            key=secrets["access_key"],
            secret=secrets["secret_key"],
            endpoint_url=self.endpoint,
            client_kwargs={"region_name": self.region or "us-east-1", "verify": str(self.ca) if self.ca else True},
            config_kwargs={"connect_timeout": ANSWER_SECONDS, "read_timeout": ANSWER_SECONDS, "retries": {"total_max_attempts": 1}},
            default_cache_type="none",
            use_listings_cache=False,
            skip_instance_cache=True,
        )
        system.retries = 1
        yield FileSystem(system, self.path, block_size=CHUNK_BYTES)
