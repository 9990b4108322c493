"""What tests of several files take."""

import contextlib
import tracemalloc

import pytest

import tensorgrad


@contextlib.contextmanager
def _on_one_thread():
    before = tensorgrad.get_num_threads()
    tensorgrad.set_num_threads(1)
    try:
        yield
    finally:
        tensorgrad.set_num_threads(before)


@pytest.fixture
def one_thread():
    """A test on one thread."""
    with _on_one_thread():
        yield


@pytest.fixture(scope="module")
def on_one_thread():
    """All tests of a file on one thread, and what they share.

    Products too small to gain from two threads lose much where other tests run beside them.
    """
    with _on_one_thread():
        yield


@pytest.fixture
def traced(one_thread):
    """A function that calls another: the bytes that it left, and the most that it took.

    On one thread: several hold a block each, at the same time or not.
    """

    def measure(call):
        tracemalloc.start()
        try:
            call()
            return tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    return measure
