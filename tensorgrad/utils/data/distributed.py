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

    When a process dies and the others go on (see docs/distributed.md), what it had drawn since the
    last finished step, and all that nobody has drawn yet, is dealt anew among those that live, so
    that the epoch still visits every sample. With worker processes of the DataLoader, which draw
    ahead, what the dead process had drawn ahead is lost.

    Args:
        dataset: anything with a length.
        num_replicas: how many processes there are; None asks ``torch.distributed``.
        rank: which of them this one is; None asks likewise.
        shuffle: whether to visit the samples in a random order, from ``seed`` and the epoch.
        seed: the same in all processes.
        drop_last: whether to leave out indices rather than to repeat some.

    Raises:
        ValueError: ``rank`` is not in [0, ``num_replicas``), or one of them is None and
            ``init_process_group`` was not called.

    >>> from tensorgrad.utils.data.distributed import DistributedSampler
    >>> [list(DistributedSampler(range(5), 2, rank, shuffle=False)) for rank in (0, 1)]
    [[0, 2, 4], [1, 3, 0]]
    """

    def __init__(
        self, dataset, num_replicas=None, rank=None, shuffle=True, seed=0, drop_last=False
    ):
        self._group = None  # whose shrinking to follow
        if num_replicas is None or rank is None:
            from ...distributed import group_of

            group = group_of(None)
            if num_replicas is None and rank is None:
                self._group = group
            num_replicas = group.size() if num_replicas is None else num_replicas
            rank = group.rank() if rank is None else rank
        if not 0 <= rank < num_replicas:
            raise ValueError(
                f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]"
            )
        self.dataset, self.num_replicas, self.rank = dataset, num_replicas, rank
        self.epoch, self.shuffle, self.seed, self.drop_last = 0, shuffle, seed, drop_last
        self._share_out()

    def _share_out(self):
        """The number of samples of each process, and of all with the repeated ones."""
        share = len(self.dataset) / self.num_replicas
        self.num_samples = math.floor(share) if self.drop_last else math.ceil(share)
        self.total_size = self.num_samples * self.num_replicas

    def __iter__(self):
        n = len(self.dataset)
        if self.shuffle:
            generator = Generator().manual_seed(self.seed + self.epoch)
            indices = sampling.randperm(generator, n).tolist()
        else:
            indices = list(range(n))
        if self._group is not None:
            self.num_replicas, self.rank = self._group.size(), self._group.rank()
            self._share_out()
        return Dealing(indices, self.num_replicas, self.rank, self.drop_last, self._group)

    def __len__(self):
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Set what the random order depends on; call it before each epoch.

        Args:
            epoch: its number, the same in all processes.
        """
        self.epoch = epoch


class Dealing:
    """One pass over indices: the share of one process, dealt anew when another one dies.

    Args:
        indices: those of all processes, in order.
        size: the number of processes.
        rank: which of them this one is.
        drop_last: whether to leave out indices rather than to repeat some.
        group: whose members the processes are, to hear of their deaths.
    """

    def __init__(self, indices, size, rank, drop_last=False, group=None):
        self.drop_last = drop_last
        self._lay(indices, size, rank)
        if group is not None:
            self.members = list(group.members)
            group.watchers.add(self)

    def _lay(self, indices, size, rank):
        """Make a new pile that gives each process equally many."""
        if self.drop_last:
            indices = indices[: len(indices) // size * size]
        else:
            whole = -(-len(indices) // size) * size
            indices = (indices * -(-whole // max(1, len(indices))))[:whole]
        self.pile, self.size, self.rank = indices, size, rank
        self.drawn = self.used = 0  # by this process; when the last step was finished

    def skip(self, count) -> None:
        """Go past what an earlier run has used."""
        self.drawn = self.used = count

    def on_step(self, group) -> None:
        """All processes have finished a step with what they had drawn."""
        self.used = self.drawn

    def on_shrink(self, group) -> None:
        """Deal what nobody has drawn, and what the dead had drawn but not used, to the others."""
        begins = [self.drawn if m in group.members else self.used for m in self.members]
        left = [index for place, index in enumerate(self.pile)
                if place // self.size >= begins[place % self.size]]  # fmt: skip
        self.members = list(group.members)
        self._lay(left, group.size(), group.rank())

    def __iter__(self):
        return self

    def __next__(self):
        place = self.drawn * self.size + self.rank
        if place >= len(self.pile):
            raise StopIteration
        self.drawn += 1
        return self.pile[place]
