"""Generators: where random numbers come from, and how to make them repeatable.

Draws come from a :class:`Generator`, by default from :data:`default_generator`. It is the
Mersenne Twister that PyTorch uses on a CPU, seeded and stored the same way, so that a
seed gives the numbers it gives there, and a state saved by one can be loaded by the other.
"""

from __future__ import annotations

import contextlib
import os
import threading

import numpy as np

from . import _device
from ._graph import Tensor, wrap

__all__ = [
    "Generator", "default_generator", "fork_rng", "get_rng_state", "initial_seed", "manual_seed",
    "seed", "set_rng_state",
]  # fmt: skip

_DEFAULT_SEED = 67280421310721  # of a new Generator, as in PyTorch
_WORDS = 624  # of the twister's state

# The 5,056 bytes that torch.get_rng_state() returns.
_STATE = np.dtype(
    [
        ("seed", "<u8"),
        ("left", "<i4"),  # words until the next twist, counting that one's first
        ("seeded", "<i4"),
        ("next", "<u8"),  # position of the next word
        ("words", "<u8", _WORDS),
        ("unused_normal_x", "<f8"),
        ("normal", "<f8"),
        ("unused_rho", "<f8"),
        ("normal_is_valid", "<i4"),
        ("unused", "<i4", 3),  # a float32 normal that no CPU draw keeps, and padding
    ]
)


class Generator:
    """A source of random numbers with its own state.

    Safe to share between threads, which then share one stream in an unspecified order.
    A new one starts from the seed 67280421310721. Copies and pickles keep the state.

    Args:
        device: only ``"cpu"``.

    Raises:
        RuntimeError: another device.

    >>> import tensorgrad
    >>> g = tensorgrad.Generator().manual_seed(0)
    >>> g.initial_seed()
    0
    """

    # Seeding 624 words and loading numpy.random wait for the first draw: _ready says
    # whether _twister stands at the state of this generator, or has yet to be seeded.
    def __init__(self, device="cpu"):
        _device.check(device)
        self.lock = threading.RLock()
        self.next_normal: float | None = None
        self._seed: int | None = _DEFAULT_SEED
        self._twister = None
        self._ready = False

    @property
    def device(self) -> _device.device:
        """Where the numbers are made: the CPU."""
        return _device.CPU

    def manual_seed(self, seed: int) -> Generator:
        """Start again from ``seed``, an integer in [-2**63, 2**64); returns the generator.

        A negative seed stands for itself plus 2**64.

        Raises:
            RuntimeError: ``seed`` is not an integer.
            ValueError: it is out of range.
        """
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
            raise RuntimeError(f"manual_seed expected an int, but got {type(seed).__name__}")
        if not -(1 << 63) <= seed < 1 << 64:
            raise ValueError(f"manual_seed expected -2**63 <= seed < 2**64, but got {seed}")
        with self.lock:
            self._seed = int(seed) % (1 << 64)
            self._ready = False
            self.next_normal = None
        return self

    def seed(self) -> int:
        """Start again from a seed taken from the operating system; returns that seed."""
        seed = int.from_bytes(os.urandom(8), "little")
        self.manual_seed(seed)
        return seed

    def initial_seed(self) -> int:
        """The seed that this generator last started from."""
        with self.lock:
            return self.seed() if self._seed is None else self._seed

    def get_state(self) -> Tensor:
        """The state as a uint8 tensor of 5,056 elements, in PyTorch's layout."""
        return wrap(self._pack())

    def set_state(self, new_state: Tensor) -> Generator:
        """Continue from a state that :meth:`get_state`, here or in PyTorch, returned.

        Raises:
            TypeError: ``new_state`` is not a uint8 tensor.
            RuntimeError: it has another size, or holds no state.
        """
        if not isinstance(new_state, Tensor):
            raise TypeError(f"expected a torch.ByteTensor, but got {type(new_state).__name__}")
        array = new_state._array
        if array.dtype != np.uint8:
            raise TypeError(f"RNG state must be a torch.ByteTensor (uint8), but got {array.dtype}")
        return self._unpack(array)

    def clone_state(self) -> Generator:
        """A new generator with the state of this one."""
        return _restore(self._pack())

    def random32(self, count: int) -> np.ndarray:
        """The next ``count`` words of the twister, uint32."""
        with self.lock:
            if not self._ready:
                self._start()
            return self._twister.random_raw(count).astype(np.uint32)

    def random64(self, count: int) -> np.ndarray:
        """The next ``2 * count`` words in pairs, the first one high, uint64."""
        with self.lock:
            if not self._ready:
                self._start()
            words = self._twister.random_raw(2 * count).reshape(count, 2)
        return (words[:, 0] << np.uint64(32)) | words[:, 1]

    def _start(self):
        """Seed the twister, Matsumoto and Nishimura's init_genrand, from 32 bits of the seed."""
        if self._twister is None:
            self._twister = np.random.MT19937(0)
        low = self.initial_seed() & 0xFFFFFFFF
        np.random.RandomState(self._twister).seed(low)
        self._ready = True

    def _pack(self):
        with self.lock:
            if not self._ready:
                self._start()
            twister, seed, normal = self._twister.state["state"], self._seed, self.next_normal
        state = np.zeros((), _STATE)
        words, position = twister["key"], twister["pos"]
        state["seed"], state["words"], state["seeded"] = seed, words, 1
        if normal is not None:
            state["normal"], state["normal_is_valid"] = normal, 1
        # NumPy has one position for "seeded" and "all words used", PyTorch two.
        unused = position == _WORDS and words[0] == seed & 0xFFFFFFFF
        state["next"] = 0 if unused else position
        state["left"] = _WORDS + 1 - position
        return np.frombuffer(state.tobytes(), np.uint8).copy()

    def _unpack(self, array):
        if array.size != _STATE.itemsize:
            raise RuntimeError(
                f"expected a generator state of {_STATE.itemsize} bytes, but got {array.size}"
            )
        state = np.frombuffer(array.tobytes(), _STATE)[0]
        left, position = int(state["left"]), int(state["next"])
        used_up = left == 1 and position in (0, _WORDS)
        inside = 0 < position < _WORDS and left == _WORDS + 1 - position
        if not (state["seeded"] and (used_up or inside)):
            raise RuntimeError("invalid generator state: these bytes were not made by get_state()")
        with self.lock:
            if self._twister is None:
                self._twister = np.random.MT19937(0)
            self._twister.state = {
                "bit_generator": "MT19937",
                "state": {
                    "key": state["words"].astype(np.uint32),
                    "pos": _WORDS if used_up else position,
                },
            }
            self._seed, self._ready = int(state["seed"]), True
            self.next_normal = float(state["normal"]) if state["normal_is_valid"] else None
        return self

    def __reduce__(self):
        return _restore, (self._pack(),)


def _restore(array):
    return Generator()._unpack(array)


default_generator = Generator()
default_generator._seed = None  # taken from the operating system when first needed


def resolve(generator: Generator | None) -> Generator:
    """The generator that a ``generator=`` argument names: None is the default one.

    Raises:
        TypeError: ``generator`` is something else.
    """
    if generator is None:
        return default_generator
    if not isinstance(generator, Generator):
        raise TypeError(
            f"argument 'generator' must be a Generator or None, not {type(generator).__name__}"
        )
    return generator


def manual_seed(seed) -> Generator:
    """Start the default generator from ``int(seed)``; returns the generator.

    Without it, each run starts from another seed.

    >>> import tensorgrad
    >>> tensorgrad.manual_seed(0).initial_seed()
    0
    """
    return default_generator.manual_seed(int(seed))


def seed() -> int:
    """Start the default generator from a seed of the operating system's; returns it."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed that the default generator last started from."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The state of the default generator, see :meth:`Generator.get_state`."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Continue the default generator from ``new_state``, see :meth:`Generator.set_state`."""
    default_generator.set_state(new_state)


@contextlib.contextmanager
def fork_rng(devices=None, enabled=True):
    """Run a block, or a decorated function, then put the default generator back.

    Args:
        devices: accepted for PyTorch's sake; there is only the CPU.
        enabled: False does nothing.

    >>> import tensorgrad
    >>> before = tensorgrad.manual_seed(0).get_state()
    >>> with tensorgrad.random.fork_rng():
    ...     _ = tensorgrad.manual_seed(1)
    >>> tensorgrad.initial_seed()
    0
    """
    if not enabled:
        yield
        return
    state = default_generator._pack()
    try:
        yield
    finally:
        default_generator._unpack(state)
