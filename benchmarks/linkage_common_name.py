"""How much time and memory does linkage need if ten thousand persons have one name and nothing else is known of them?

    python -m benchmarks linkage_common_name [--persons N] [--one-case]

Blocking must refuse the name, report it, and stay small.
"""

from __future__ import annotations

import argparse
import resource
import time

import pandas as pd

from pipelines.linkage import link_records
from schemas.canonical import conform


def main() -> None:
    """Link the crowd, print what was refused."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--persons", type=int, default=10_000)
    parser.add_argument("--one-case", action="store_true", help="all in one file instead of a file each")
    args = parser.parse_args()
    state = {"institution": "police", "delivery": "2013-Q1", "status": "accepted", "role": "suspect"}
    name = {"given_skeleton": "arben", "surname_skeleton": "krasniqi", "name_tokens": "arben krasniqi"}
    numbers = range(args.persons)
    persons = pd.DataFrame({"record_key": [f"{n}/1" for n in numbers], "case_key": ["0" if args.one_case else str(n) for n in numbers]})
    begun = time.perf_counter()
    linked = link_records({"person_records": conform("person_records", persons.assign(**state, **name))})
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"{args.persons} records, {linked.persons['cluster'].nunique()} persons, {time.perf_counter() - begun:.1f} s, {memory} MiB at most"
    )
    print({key: value for key, value in linked.statistics.items() if "refused" in key and value})


if __name__ == "__main__":
    main()
