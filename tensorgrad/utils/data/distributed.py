"""The sampler of one of several processes."""

from __future__ import annotations

import math

from ...kernels import sampling
from ...random import Generator
from .sampler import Sampler, T_co

__all__ = ["DistributedSampler"]


class DistributedSampler(Sampler[T_co]):
    """The indices of one of several processes, which together visit the whole dataset.

    Process ``rank`` gets every ``num_replicas``-th index. All of them get equally many: the
    first indices come again at the end, or with ``drop_last`` the last ones are left out.

    Args:
        dataset: anything with a length.
        num_replicas: how many processes there are.
        rank: which of them this one is. Both must be given: tensorgrad does not know of others.
        shuffle: whether to visit the samples in a random order, from ``seed`` and the epoch.
        seed: the same in all processes.
        drop_last: whether to leave out indices rather than to repeat some.

    Raises:
        RuntimeError: ``num_replicas`` or ``rank`` is not given.
        ValueError: ``rank`` is not in [0, ``num_replicas``).

    >>> from tensorgrad.utils.data.distributed import DistributedSampler
    >>> [list(DistributedSampler(range(5), 2, rank, shuffle=False)) for rank in (0, 1)]
    [[0, 2, 4], [1, 3, 0]]
    """

    def __init__(
        self, dataset, num_replicas=None, rank=None, shuffle=True, seed=0, drop_last=False
    ):
        if num_replicas is None or rank is None:
            raise RuntimeError(
                "DistributedSampler requires num_replicas= and rank=: there is no distributed "
                f"package to ask; got num_replicas={num_replicas} and rank={rank}"
            )
        if not 0 <= rank < num_replicas:
            raise ValueError(
                f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]"
            )
        self.dataset, self.num_replicas, self.rank = dataset, num_replicas, rank
        self.epoch, self.shuffle, self.seed, self.drop_last = 0, shuffle, seed, drop_last
        share = len(dataset) / num_replicas
        self.num_samples = math.floor(share) if drop_last else math.ceil(share)
        self.total_size = self.num_samples * num_replicas

    def __iter__(self):
        n = len(self.dataset)
        if self.shuffle:
            generator = Generator().manual_seed(self.seed + self.epoch)
            indices = sampling.randperm(generator, n).tolist()
        else:
            indices = list(range(n))
        if n and not self.drop_last:
            indices *= math.ceil(self.total_size / n)
        return iter(indices[self.rank : self.total_size : self.num_replicas])

    def __len__(self):
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Set what the random order depends on; call it before each epoch.

        Args:
            epoch: its number, the same in all processes.
        """
        self.epoch = epoch
