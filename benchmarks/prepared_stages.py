"""Fit once on a prepared set, from a fresh process, and tell the memory it took.

    python benchmarks/prepared_stages.py FOLDER

`prepared.py` runs it.
"""

import json
import sys
from pathlib import Path

from caes import CAE, load


def main(source: str) -> None:
    images = load(source, prepare=True)
    CAE("4C5-MP8", epochs=1, batch_size=16, random_state=0, device="cpu").fit(images)
    answer = {
        "pictures": len(images),
        "bytes": images.pixels.nbytes,
        "highest": part("VmHWM"),
        "anonymous": part("RssAnon"),
        "file": part("RssFile"),
    }
    print(json.dumps(answer))


def part(name: str) -> int:
    """Give what Linux counts of the process under a name, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    kilobytes = dict(line.split(":", 1) for line in lines)[name]
    return int(kilobytes.split()[0]) * 1024


if __name__ == "__main__":
    main(sys.argv[1])
