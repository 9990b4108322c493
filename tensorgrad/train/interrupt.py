"""Ctrl-C during a fit: the first one asks for the end, the second one is Python's own."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading

INTERRUPTED = "interrupted"


@contextlib.contextmanager
def ending_softly(trainer):
    """Turn the first SIGINT into ``trainer.stop("interrupted")``.

    Only where Python's own handler is in place, and in the main thread, where alone signals are
    handled. One that comes too late to be heeded is raised at the end of the block.
    """
    own = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not own or threading.current_thread() is not threading.main_thread():
        yield
        return
    caught = False

    def handler(number, frame):
        nonlocal caught
        if caught:
            raise KeyboardInterrupt
        caught = True
        trainer.stop(INTERRUPTED)
        with contextlib.suppress(OSError, RuntimeError):  # of a stream that is being written to
            print("\ninterrupted: ending after this step; again to end at once", file=sys.stderr)

    signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if caught and trainer.history.stopped != INTERRUPTED:
        raise KeyboardInterrupt
