"""How fast, and in how much memory, are a large file over SFTP and a large table from PostgreSQL pulled, beside scp and COPY … TO?

python -m benchmarks pull_volume [--megabytes 1000] [--rows 10000000]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import psycopg

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from postgres_world import running
from pull_world import sshd

from pipelines.pull.configuration import SOURCE_CLASSES
from pipelines.pull.source import DeliveryOffer, Source, SourceRequest
from schemas.yaml_declarations import convert_declaration
from sources import contract

DAYS = (date(2013, 4, 1), date(2013, 6, 30))
LENDA = """
CREATE TABLE psh.lenda AS SELECT n AS lenda_id, 'PP.I.nr.' || n || '/2013' AS nr_lendes, date '2013-04-01' + (n % 90)::int AS data_pranimit,
  'PK' AS burimi, NULL::text AS nr_burimit, 'Prishtine' AS prokuroria, 'HET' AS statusi, NULL::date AS data_statusit
FROM generate_series(1, {rows}) AS n
"""


def fetched(source: Source, request: SourceRequest, folder: str, pipe: Any) -> None:
    """Look and fetch; send seconds, seconds of the processor and the most memory in MiB."""
    begin = time.monotonic()
    secrets = source.read_secrets()
    (offer,) = source.look_for_deliveries(secrets, request).offers or [DeliveryOffer("", None)]
    source.fetch_delivery(secrets, request, offer, Path(folder))
    used = resource.getrusage(resource.RUSAGE_SELF)
    pipe.send((round(time.monotonic() - begin, 1), round(used.ru_utime + used.ru_stime, 1), used.ru_maxrss >> 10))


def measured(institution: str, declaration: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A pull in a separate process."""
    source = convert_declaration(SOURCE_CLASSES[declaration["kind"]], declaration, Path("benchmark"))
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    request = SourceRequest(contract.load(institution), "2013-Q2", DAYS)
    process = multiprocessing.get_context("spawn").Process(target=fetched, args=(source, request, str(folder), theirs))
    process.start()
    theirs.close()
    seconds, cpu, memory = ours.recv()
    process.join()
    return {"s": seconds, "s CPU": cpu, "MiB": memory, "MB": round(sum(path.stat().st_size for path in folder.iterdir()) / 1e6)}


def main() -> None:
    """Pull both; then copy the same with scp and COPY."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--megabytes", type=int, default=1000)
    ask.add_argument("--rows", type=int, default=10_000_000)
    said = ask.parse_args()
    root = Path(tempfile.mkdtemp(prefix="pull-volume-"))
    out: dict[str, Any] = {}
    try:
        with sshd() as server:
            there = root / "there" / "2013-Q2"
            there.mkdir(parents=True)
            with (there / "rastet.csv").open("wb") as file:
                for _ in range(said.megabytes):
                    file.write(os.urandom(1_000_000))
            (there / "personat.csv").touch()
            (root / "sftp").mkdir()
            out["SFTP"] = measured("police", server.source(root / "there", settle=0), root / "sftp")
            login = [f"-P{server.port}", "-i", server.key["file"], "-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null", "-q"]
            begin, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(["scp", *login, f"{os.environ.get('USER', 'root')}@127.0.0.1:{there}/rastet.csv", root / "scp"], check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            out["scp"] = {"s": round(time.monotonic() - begin, 1), "s CPU": round(cpu, 1)}
            shutil.rmtree(root / "there")
            (root / "scp").unlink()
        with running(18) as database, psycopg.connect(database.url(), autocommit=True) as db:
            db.execute("CREATE SCHEMA psh")
            for name, table in contract.load("prosecution").tables.items():
                columns = ", ".join(f"{column.name} text" for column in table.columns)
                db.execute(LENDA.format(rows=said.rows) if name == "lenda" else f"CREATE TABLE psh.{name} ({columns})")
            db.execute("ANALYZE")
            (root / "database").mkdir()
            declaration = {"kind": "postgresql", "host": str(database.folder), "database": "postgres", "user": "postgres", "schema": "psh"}
            out["PostgreSQL"] = measured("prosecution", declaration, root / "database")
            begin, cpu = time.monotonic(), time.process_time()
            with db.cursor().copy("COPY (SELECT * FROM psh.lenda ORDER BY lenda_id) TO STDOUT") as rows, (root / "copy").open("wb") as file:
                for block in rows:
                    file.write(block)
            out["COPY … TO"] = {"s": round(time.monotonic() - begin, 1), "s CPU": round(time.process_time() - cpu, 1)}
    finally:
        shutil.rmtree(root)
    sys.stdout.write(json.dumps(out, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
