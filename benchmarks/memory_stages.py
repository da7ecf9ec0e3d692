"""Fit once, from a fresh process, and tell the memory in use after each stage.

    python benchmarks/memory_stages.py SOURCE

`memory.py` runs it. Torch is imported before anything else, then whatever a user of the
estimator needs, in the order in which a user's script would come to it.
"""

import torch  # isort: skip  # the stages are counted from here

import json
import sys

import psutil


def resident() -> int:
    """Give the memory that the process occupies now, in bytes."""
    return int(psutil.Process().memory_info().rss)


def highest() -> int:
    """Give the most that it ever occupied, in bytes, exactly, as the system counted."""
    if sys.platform == "linux":
        # Not ru_maxrss: that may be the parent's, from before this program began.
        with open("/proc/self/status") as file:
            lines = dict(line.split(":", 1) for line in file)
        return int(lines["VmHWM"].split()[0]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main(source: str) -> None:
    stages = {"import torch": resident()}
    from caes import CAE, load

    stages["import caes, with the estimator"] = resident()
    images = load(source)
    stages["load"] = resident()
    CAE(recipe="example", epochs=1, random_state=0, device="cpu").fit(images)
    stages["fit, 1 epoch"] = resident()
    peak, threads = highest(), torch.get_num_threads()
    print(json.dumps({"stages": stages, "highest": peak, "threads": threads}))


if __name__ == "__main__":
    main(sys.argv[1])
