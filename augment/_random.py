"""Random numbers keyed by (seed, epoch, sample, position): Philox 4x32-10 over vectors."""

from __future__ import annotations

import functools
import math

import numpy as np

from tensorgrad.errors import ArgumentError

from ._checks import check_count
from ._threads import tile

__all__ = ["KeyedRng", "check_key", "philox"]

# Multipliers and Weyl constants of Philox 4x32 (Salmon et al., "Parallel Random Numbers: As Easy
# as 1, 2, 3", SC 2011, table 2).
_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_ROUNDS = 10
_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
# Blocks of four words made at once, for a tile of so many elements, but not fewer than: 64 KB an
# array. With half as many calls show; noise for 224x224x3 takes 0.7 of the time with the most.
_PER_BLOCK, _CHUNK = 8, 8192
# Words of each row that small draws take from before more are made: making 4 blocks for 256
# rows costs 77 us, one 60.
_AHEAD = 16
# Rows for which Python's integers are used, and only the blocks made that are read: each takes
# 5 us.
_FEW = 2


def philox(counter, key):
    """Philox 4x32-10: four random words from four words of counter and two of key.

    Args:
        counter: four uint64 arrays of one shape, with values below 2**32. Overwritten.
        key: two uint64 arrays that broadcast with them.

    Returns:
        Four uint64 arrays of values below 2**32.

    >>> zero = [np.zeros(1, np.uint64) for _ in range(4)]
    >>> [f"{int(word[0]):08x}" for word in philox(zero, (np.uint64(0), np.uint64(0)))]
    ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    p0, p1 = np.empty_like(c0), np.empty_like(c0)
    for _ in range(_ROUNDS):
        np.multiply(c0, _M0, out=p0)
        np.multiply(c2, _M1, out=p1)
        np.right_shift(p1, _HALF, out=c0)
        np.bitwise_xor(c0, c1, out=c0)
        np.bitwise_xor(c0, k0, out=c0)
        np.right_shift(p0, _HALF, out=c2)
        np.bitwise_xor(c2, c3, out=c2)
        np.bitwise_xor(c2, k1, out=c2)
        np.bitwise_and(p1, _LOW, out=c1)
        np.bitwise_and(p0, _LOW, out=c3)
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    return c0, c1, c2, c3


def _one(first, second, key):
    """The block of Python's integers for a counter of two numbers below 2**64."""
    c0, c1, c2, c3 = first & 0xFFFFFFFF, first >> 32, second & 0xFFFFFFFF, second >> 32
    k0, k1 = key
    for _ in range(_ROUNDS):
        p0, p1 = c0 * 0xD2511F53, c2 * 0xCD9E8D57
        c0, c1 = (p1 >> 32) ^ c1 ^ k0, p1 & 0xFFFFFFFF
        c2, c3 = (p0 >> 32) ^ c3 ^ k1, p0 & 0xFFFFFFFF
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c0, c1, c2, c3


@functools.lru_cache(1024)
def _hashed(key, value):
    """A key made of a key and a number below 2**64."""
    return _one(value, 1, key)[:2]


def check_key(value, name):
    """``value`` as a number that a key can hold."""
    return check_count(value, name, 0, 2**64 - 1)


def _floats(words):
    """What :meth:`KeyedRng.random` makes of the words of one row.

    One draw takes 3 us so, by arrays 11.
    """
    pairs = zip(words[::2], words[1::2], strict=True)
    return [((high >> 5) * 2.0**26 + (low >> 6)) * 2.0**-53 for high, low in pairs]


class KeyedRng:
    """An independent stream of random numbers for each of n samples.

    Row i of what a method returns depends on ``seed``, ``epoch``, ``index[i]``, the position
    that :meth:`child` was given, and on which numbers were drawn before: not on n, on the other
    samples, or on their order. The streams are those of Philox 4x32-10, so a row is found
    without making the rows before it.

    Args:
        seed: a number in [0, 2**64).
        epoch: a number in [0, 2**64).
        index: of the samples, integers of shape (n,) from 0 on.

    Raises:
        ValueError: a number out of range.

    >>> few, many = KeyedRng(0, 0, [7]), KeyedRng(0, 0, [3, 7, 5])
    >>> bool(few.random()[0] == many.random()[1])
    True
    """

    def __init__(self, seed: int, epoch: int, index):
        key = _hashed(_hashed((0, 0), check_key(seed, "seed")), check_key(epoch, "epoch"))
        index = np.asarray(index)
        whole = index.dtype.kind in "iu" or not index.size
        if index.ndim != 1 or not whole or (len(index) and index.min() < 0):
            raise ArgumentError(f"index must hold integers from 0 on, shape (n,), got {index!r}")
        self._begin(key, index.astype(np.uint64))

    def _begin(self, key, index):
        self._key, self._index = key, index
        # The words of small draws: the block that they begin with, how many are used, those made.
        self._block, self._start, self._used = 0, 0, _AHEAD + 1
        self._few, self._made = len(index) <= _FEW, None

    def __len__(self) -> int:
        return len(self._index)

    def child(self, position: int) -> KeyedRng:
        """The streams of the same samples at a position within this one, from their start."""
        key = self._key
        if not isinstance(key[0], int):
            raise ValueError("a KeyedRng made by restore() has no children: draw from it")
        new = object.__new__(KeyedRng)
        new._begin(_hashed(key, position), self._index)
        return new

    def key(self) -> np.ndarray:
        """A key for each sample, (n, 2) uint32, from which :meth:`restore` makes streams.

        What needs a field of noise for each image draws keys in ``sample`` and the field, in
        blocks, in ``apply``: parameters stay small and ``apply`` stays a pure function.
        """
        return self._words(2)

    @classmethod
    def restore(cls, key) -> KeyedRng:
        """The streams that begin at ``key``, (n, 2), as drawn by :meth:`key`."""
        key = np.asarray(key).astype(np.uint64)
        new = object.__new__(cls)
        new._begin((key[:, 0], key[:, 1]), np.zeros(len(key), np.uint64))
        return new

    def _words(self, count):
        """The next ``count`` words of each stream, (n, count) uint32."""
        if count > _AHEAD:
            return self._blocks(-(-count // 4))[:, :count]
        rows = self._next_words(count)
        return np.array(rows, np.uint32).reshape(len(self), count) if self._few else rows

    def _next_words(self, count):
        """The next words of a small draw: an array, or a list for each of few rows."""
        if self._used + count > _AHEAD:
            self._start, self._used = self._block, 0
            self._block += _AHEAD // 4
            self._made = self._lists() if self._few else self._made_of(self._start, _AHEAD // 4)
        begin, self._used = self._used, self._used + count
        if not self._few:
            return self._made[:, begin : self._used]
        for words, index, key in self._made:
            while len(words) < self._used:
                words += _one(self._start + len(words) // 4, index, key)
        return [words[begin : self._used] for words, _, _ in self._made]

    def _lists(self):
        """For each row, a list for its words, its index and its key."""
        return [([], *row) for row in zip(self._index.tolist(), self._keys(), strict=True)]

    def _keys(self):
        """The key of each row as two of Python's integers."""
        if isinstance(self._key[0], int):
            return [self._key] * len(self)
        return zip(*(half.tolist() for half in self._key), strict=True)

    def _blocks(self, count):
        """The next ``count`` blocks of four words of each stream, (n, 4 * count)."""
        start = self._block
        self._block += count
        return self._made_of(start, count)

    def _made_of(self, start, count):
        """The blocks from ``start`` on."""
        n = len(self)
        out = np.empty((n, count, 4), np.uint32)
        chunk = max(_CHUNK, tile(4 * n * count) // _PER_BLOCK)
        rows, columns = max(1, chunk // count), min(count, chunk)
        for i in range(0, n, rows):
            for j in range(0, count, columns):
                self._fill(out[i : i + rows, j : j + columns], slice(i, i + rows), start + j)
        return out.reshape(n, 4 * count)

    def _fill(self, out, rows, first):
        shape = out.shape[:2]
        index = self._index[rows, None]
        number = np.arange(first, first + shape[1], dtype=np.uint64)
        counter = [np.empty(shape, np.uint64) for _ in range(4)]
        counter[0][...], counter[1][...] = number & _LOW, number >> _HALF
        counter[2][...], counter[3][...] = index & _LOW, index >> _HALF
        key = [k[rows, None] if np.ndim(k) else np.uint64(k) for k in self._key]
        for word, values in enumerate(philox(counter, key)):
            out[:, :, word] = values

    def random(self, size=(), dtype=np.float64) -> np.ndarray:
        """Uniform in [0, 1), shape (n, *size): 53 random bits, or 24 as float32."""
        size = (size,) if isinstance(size, int) else tuple(size)
        shape, count = (len(self), *size), math.prod(size)
        if np.dtype(dtype) == np.float32:
            words = self._words(count) >> np.uint32(8)
            return np.multiply(words, np.float32(2.0**-24), dtype=np.float32).reshape(shape)
        if self._few and 2 * count <= _AHEAD:
            return np.array([_floats(row) for row in self._next_words(2 * count)]).reshape(shape)
        words = self._words(2 * count)
        high = (words[:, 0::2] >> np.uint32(5)).astype(np.float64)
        low = (words[:, 1::2] >> np.uint32(6)).astype(np.float64)
        return ((high * 2.0**26 + low) * 2.0**-53).reshape(shape)

    def uniform(self, low=0.0, high=1.0, size=()) -> np.ndarray:
        """Uniform in [low, high), shape (n, *size); the bounds may be arrays that broadcast."""
        return low + (high - low) * self.random(size)

    def integers(self, low, high, size=()) -> np.ndarray:
        """Integers from low up to high - 1, shape (n, *size); at most 2**32 of them."""
        return np.asarray(low + np.floor((high - low) * self.random(size)), np.int64)

    def normal(self, mean=0.0, std=1.0, size=(), dtype=np.float64) -> np.ndarray:
        """Normal numbers, shape (n, *size), by Box and Muller's transformation."""
        size = (size,) if isinstance(size, int) else tuple(size)
        count = math.prod(size)
        half = -(-count // 2)
        u = self.random((2, half), dtype)
        one, turn = u.dtype.type(1), u.dtype.type(2 * np.pi)
        radius = np.sqrt(u.dtype.type(-2) * np.log(one - u[:, 0]))
        angle = turn * u[:, 1]
        out = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
        out = out[:, :count].reshape(len(self), *size)
        return (mean + std * out).astype(out.dtype, copy=False)

    def bernoulli(self, p=0.5) -> np.ndarray:
        """True with probability p, shape (n,)."""
        return self.random() < p

    def choice(self, k: int, p=None) -> np.ndarray:
        """One of 0..k-1, with probabilities p or equally likely, shape (n,)."""
        if p is None:
            return self.integers(0, k)
        edges = np.cumsum(p, dtype=np.float64)
        found = np.searchsorted(edges, self.random() * edges[-1], side="right")
        return np.minimum(found, k - 1)

    def permutation(self, k: int) -> np.ndarray:
        """An order of 0..k-1, shape (n, k)."""
        return np.argsort(self.random(k), axis=1, kind="stable")

    def beta(self, a, b, size=()) -> np.ndarray:
        """Beta(a, b) numbers, shape (n, *size), by inversion: each takes one uniform number."""
        from scipy.special import betaincinv

        return betaincinv(a, b, self.random(size))

    def gamma(self, a, size=()) -> np.ndarray:
        """Gamma(a) numbers of scale 1, shape (n, *size), by inversion."""
        from scipy.special import gammaincinv

        return gammaincinv(a, self.random(size))

    def dirichlet(self, a, k: int) -> np.ndarray:
        """Dirichlet(a, ..., a) weights, shape (n, k); each row sums up to 1."""
        from scipy.special import gammaincinv, gammaln

        uniform, least = self.random(k), np.finfo(np.float64).tiny
        parts = gammaincinv(a, uniform)
        # Gammas near 0, where u = x^a / gamma(a + 1), are smaller than floats go for a of 0.001.
        lost = parts.max(axis=1) < least
        logs = (np.log(np.maximum(uniform[lost], least)) + gammaln(a + 1)) / a
        parts[lost] = np.exp(logs - logs.max(axis=1, keepdims=True))
        return parts / parts.sum(axis=1, keepdims=True)
