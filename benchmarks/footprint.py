"""What a contender costs before it computes: import time, memory, disk.

``python -m benchmarks.footprint CONTENDER`` is the child process of ``peak_memory``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

MB = 1e6
STATUS = Path("/proc/self/status")

# Runs with nothing loaded but the interpreter, so it is passed as text.
_IMPORT = """
import time
start = time.perf_counter()
import {modules}
seconds = time.perf_counter() - start
rss = None
try:
    with open("/proc/self/status") as status:
        rss = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
except FileNotFoundError:
    pass
import json
print(json.dumps({{"milliseconds": seconds * 1e3, "rss": rss and rss * 1024 / 1e6}}))
"""


def import_cost(contender: str, env: dict[str, str]) -> dict:
    """``{"milliseconds": ..., "rss": MB after the import, None where there is no /proc}``."""
    from .contenders import IMPORTS

    code = _IMPORT.format(modules=", ".join(IMPORTS[contender]))
    return _child(["-c", code], env)


def peak_memory(contender: str, env: dict[str, str]) -> dict:
    """Twenty training steps: ``{"peak": MB, "growth": MB of the peak over the import}``."""
    return _child(["-m", __name__, contender], env)


def _child(arguments: list[str], env: dict[str, str]) -> dict:
    done = subprocess.run(
        [sys.executable, *arguments], env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        return {"error": last[0]}
    return json.loads(done.stdout)


def _memory(field: str) -> float:
    """``VmRSS`` or ``VmHWM`` (the highest so far) of this process, in MB."""
    for line in STATUS.read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024 / MB
    raise OSError(f"{STATUS} has no field {field}")


def _train(contender: str) -> dict:
    from . import contenders
    from .cases import MEMORY_NET, MEMORY_STEPS

    build = contenders.builder(contender)
    imported, highest = _memory("VmRSS"), _memory("VmHWM")
    Path("/proc/self/clear_refs").write_text("5")  # start VmHWM anew: imports have peaks too
    step = build(MEMORY_NET)
    for _ in range(MEMORY_STEPS):
        step()
    trained = _memory("VmHWM")
    return {"peak": max(highest, trained), "growth": trained - imported}


def installed_size(contender: str) -> float:
    """MB on disk of the contender's distribution and of all that it requires."""
    return sum(map(_bytes_of, _required(contender))) / MB


def _required(name: str) -> set[str]:
    """``name`` and, recursively, what it requires here, extras left out."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    seen, waiting = set(), [name]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in seen:
            continue
        seen.add(name)
        for line in metadata.requires(name) or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return seen


def _bytes_of(distribution: str) -> int:
    return sum(path.stat().st_size for path in _files(distribution) if path.is_file())


def _files(distribution: str) -> Iterator[Path]:
    """The installed files; an editable install of tensorgrad lists none, so look in its folders."""
    if distribution != "tensorgrad":
        for file in metadata.files(distribution) or ():
            yield Path(file.locate())
        return
    for package in ("tensorgrad", "tensorgrad.nn", "tensorgrad.optim", "tensorgrad.augment"):
        spec = find_spec(package)
        for folder in spec.submodule_search_locations if spec else ():
            yield from Path(folder).rglob("*")


if __name__ == "__main__":
    print(json.dumps(_train(sys.argv[1])))
