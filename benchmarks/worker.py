"""One contender in a process of its own: ``python -m benchmarks.worker CONTENDER [--smoke]``.

Each line on stdin is a command, each line on stdout its answer as JSON; the process ends with
its input. Between commands it sleeps, so that workers can take turns on the same cores.

    build CASE      make the step, warm it up, choose how many steps a block holds
    go              time some blocks: {"seconds": the best block's time per step}
    trace CASE K    results of K steps without dropout: {"values": K lists of floats}

An error is answered by {"error": "..."}, and the worker lives on.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable

import numpy as np

from . import contenders
from .cases import TIMED, Case

BLOCK_SECONDS = 0.02  # long against the clock's grain and a thread pool's waking up
BLOCKS = 8  # per round; the best counts, as other processes only ever add time

Step = Callable[[], tuple]


def run_block(step: Step, number: int) -> float:
    """Seconds per step over ``number`` steps."""
    start = time.perf_counter()
    for _ in range(number):
        result = step()
    for value in result:  # JAX computes while Python runs ahead
        if hasattr(value, "block_until_ready"):
            value.block_until_ready()
    return (time.perf_counter() - start) / number


def block_size(step: Step) -> int:
    """Warm up, and return how many steps fill ``BLOCK_SECONDS``."""
    number = 1
    while (elapsed := run_block(step, number) * number) < BLOCK_SECONDS / 2:
        number *= 2
    return max(1, round(number * BLOCK_SECONDS / elapsed))


def floats(result: tuple) -> list[float]:
    """Numbers from every array that a step returned, evenly spaced where there are many."""
    arrays = [np.asarray(v.detach() if hasattr(v, "detach") else v).ravel() for v in result]
    return [float(x) for array in arrays for x in array[:: array.size // 1000 + 1]]


class Worker:
    def __init__(self, contender: str, smoke: bool = False):
        self.contender = contender
        self.smoke = smoke
        self.step: Step | None = None
        self.number = 1

    def new_step(self, case: Case) -> Step:
        return contenders.builder(self.contender)(case)

    def build(self, name: str) -> dict:
        self.step = None  # the last case's memory goes before this one's comes
        self.step = self.new_step(TIMED[name])
        run_block(self.step, 1)
        self.number = 1 if self.smoke else block_size(self.step)
        return {"number": self.number}

    def go(self) -> dict:
        if self.step is None:
            raise RuntimeError("go: nothing is built yet; send 'build CASE' first")
        blocks = 1 if self.smoke else BLOCKS
        return {"seconds": min(run_block(self.step, self.number) for _ in range(blocks))}

    def trace(self, name: str, steps: str) -> dict:
        step = self.new_step(TIMED[name].without_noise())
        return {"values": [floats(step()) for _ in range(int(steps))]}

    def answer(self, line: str) -> dict:
        """Run one command; whatever goes wrong becomes the answer."""
        verb, *arguments = line.split()
        commands = {"build": self.build, "go": self.go, "trace": self.trace}
        try:
            return commands[verb](*arguments)
        except Exception as error:
            return {"error": f"{type(error).__name__}: {error}"}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.worker")
    parser.add_argument("contender", choices=contenders.IMPORTS)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--smoke", action="store_true")
    args = parser.parse_args(argv)
    contenders.set_threads(args.contender, args.threads)
    worker = Worker(args.contender, args.smoke)
    for line in sys.stdin:
        print(json.dumps(worker.answer(line)), flush=True)


if __name__ == "__main__":
    main()
