"""Freed memory stays with the process."""

import platform
import subprocess
import sys

import pytest

# Three times, 40 arrays of 1 MiB are written to and freed: 256 pages each.
PROGRAM = """
import resource
import tensorgrad as torch

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def work():
    before = faults()
    arrays = [torch.ones(512, 512) for _ in range(40)]
    return faults() - before

print(*[work() for _ in range(3)])
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="about glibc's malloc")
def test_arrays_of_a_second_round_take_no_new_pages():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    first, _, third = map(int, done.stdout.split())
    assert first > 5000  # of 10240; huge pages would be fewer
    assert third < first / 10
