"""Does hostile XML stall the reader, fill memory, read other files or open connections? Goal: none.

    python -m benchmarks corpora_xml [DIR...]

Own attacks (below) and every XML file of the DIRs; the corpus is `xmltestdata` of github.com/tiran/defusedxml (commit c744588), which is
not part of this repository. Each text is read unchanged, and again as the document type of a good delivery of the courts, in a process
limited to 2 GiB and 30 s.
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import socket
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from reader_world import SMIL

from sources.readers.result import SourceFile, count_rows_by_file
from sources.reading import read_delivery

SECRET = "a secret of this machine 4711"  # noqa: S105 - what must not come out
MEMORY, SECONDS = 2 << 30, 30


def attacks(outside: str) -> dict[str, str]:
    """Document types and documents, by what they try."""
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return {
        "billion laughs": f'<!DOCTYPE x [<!ENTITY l0 "lol">{laughs}]><x>&l9;</x>',
        "quadratic": f'<!DOCTYPE x [<!ENTITY a "{"a" * 200_000}">]><x>{"&a;" * 20_000}</x>',
        "parameter entities": "<!DOCTYPE x [<!ENTITY % a \"<!ENTITY b '&#37;a;&#37;a;'>\"> %a; ]><x>&b;</x>",
        "recursive": '<!DOCTYPE x [<!ENTITY a "&b;"><!ENTITY b "&a;">]><x>&a;</x>',
        "external file": f'<!DOCTYPE x [<!ENTITY e SYSTEM "file://{outside}">]><x>&e;</x>',
        "external by parameter": f'<!DOCTYPE x [<!ENTITY % e SYSTEM "file://{outside}"> %e;]><x/>',
        "external type": f'<!DOCTYPE x SYSTEM "file://{outside}"><x/>',
        "external over the network": '<!DOCTYPE x [<!ENTITY e SYSTEM "http://127.0.0.1:9/e">]><x>&e;</x>',
        "type over the network": '<!DOCTYPE x PUBLIC "-//X//Y" "http://127.0.0.1:9/x.dtd"><x/>',
        "default attributes": '<!DOCTYPE x [<!ATTLIST x a CDATA "1">]><x/>',
        "include": f'<x xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="file://{outside}" parse="text"/></x>',
        "style sheet": f'<?xml-stylesheet type="text/xsl" href="file://{outside}"?><x/>',
        "schema": f'<x xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:schemaLocation="urn:a file://{outside}"/>',
        "deep": "<x>" * 200_000,
        "deep and closed": "<x>" * 100_000 + "</x>" * 100_000,
        "many attributes": "<x " + " ".join(f'a{n}="1"' for n in range(200_000)) + "/>",
        "many namespaces": "<x " + " ".join(f'xmlns:a{n}="u{n}"' for n in range(50_000)) + "/>",
        "long name": f"<{'x' * 5_000_000}/>",
        "long attribute": f'<x a="{"y" * 20_000_000}"/>',
        "long text": f"<x>{'z' * 20_000_000}</x>",
        "comments without end": "<!--" * 500_000,
        "sections without end": "<x>" + "<![CDATA[" * 500_000,
        "entities without end": "<x>" + "&a" * 2_000_000,
        "numbers of characters": "<x>" + "&#x41;" * 1_000_000 + "</x>",
        "instructions": "<?a b?>" * 500_000 + "<x/>",
        "declared in another encoding": '<?xml version="1.0" encoding="UTF-7"?>+ADw-x+AD4-',
        "empty document type": "<!DOCTYPE" + " " * 5_000_000 + "x>",
    }


def woven(text: str) -> str:
    """A good delivery with the document type of `text`, and its entities in a name."""
    start, end = text.find("<!DOCTYPE"), text.rfind("]>")
    doctype = text[start : end + 2] if 0 <= start < end else text if not text.lstrip().startswith("<?xml") else ""
    good = SMIL.replace("<eksporti", f"{doctype.replace('<!DOCTYPE x', '<!DOCTYPE eksporti')}\n<eksporti", 1)
    return good.replace("<emri>Ilir", "<emri>&l9;&a;&b;&e;Ilir", 1)


def verdict(text: bytes) -> str:
    """The outcome of one text."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    opened: list[str] = []
    sys.addaudithook(lambda event, arguments: opened.append(event) if event in ("socket.connect", "socket.getaddrinfo") else None)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "smil.xml"
        path.write_bytes(text)
        begun = time.monotonic()
        try:
            result = read_delivery("courts", [SourceFile("smil.xml", path)])
        except BaseException as error:  # noqa: BLE001 - the point of it
            return f"raised {type(error).__name__}"
        seconds = time.monotonic() - begun
    book = count_rows_by_file(result)
    if (book["rows_read"] != book["data"] + book["structural"] + book["unreadable"]).any():
        return "lost"
    if any(f["rule"] == "file-failed" for f in result.findings):
        return f"failed {[f['detail'] for f in result.findings if f['rule'] == 'file-failed']}"
    came = str([frame.to_dict("list") for frame in result.tables.values()]) + str(result.findings)
    if SECRET in came or opened:
        return "reached outside"
    if not result.findings:
        return "silent"
    return f"slow {seconds:.0f} s" if seconds > SECONDS else result.files["smil.xml"]


def main() -> int:
    """Judge every text; exit 1 where one is bad."""
    counted: Counter[str] = Counter()
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as secret, socket.socket() as listening:
        secret.write(SECRET)
        secret.flush()
        listening.bind(("127.0.0.1", 0))
        texts = {name: text.encode() for name, text in attacks(secret.name).items()}
        texts |= {f"{name}, in a delivery": woven(text.decode()).encode() for name, text in texts.items()}
        for path in (p for folder in sys.argv[1:] for p in sorted(Path(folder).rglob("*")) if p.suffix in (".xml", ".xsl", ".xsd")):
            texts[path.name] = path.read_bytes()
            texts[f"{path.name}, in a delivery"] = woven(path.read_text("utf-8", "replace")).encode()
        for name, text in texts.items():
            with multiprocessing.Pool(1) as pool:
                try:
                    said = pool.apply_async(verdict, (text,)).get(SECONDS * 3)
                except multiprocessing.TimeoutError:
                    said = "stalls"
            counted[said.split()[0]] += 1
            if said not in ("complete", "partial", "unreadable") or "-v" in sys.argv:
                print(f"{name}: {said}", flush=True)
    print(json.dumps(counted, indent=1, sort_keys=True))
    return int(not set(counted) <= {"complete", "partial", "unreadable"})


if __name__ == "__main__":
    sys.exit(main())
