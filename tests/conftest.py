"""What tests of several files take."""

import pytest

import tensorgrad


@pytest.fixture(scope="module")
def one_thread():
    """Products too small to gain from two threads lose much where other tests run beside them."""
    before = tensorgrad.get_num_threads()
    tensorgrad.set_num_threads(1)
    yield
    tensorgrad.set_num_threads(before)
