"""Telling the number of an epoch to what asks for it."""

from __future__ import annotations

from ..dataset import ConcatDataset, Subset

__all__ = ["announce", "announce_to_loader"]


def announce(epoch: int, *parts) -> None:
    """Call ``set_epoch`` of what has one, also of the datasets that a Subset or others are of."""
    for part in parts:
        if callable(getattr(part, "set_epoch", None)):
            part.set_epoch(epoch)
        elif isinstance(part, Subset):
            announce(epoch, part.dataset)
        elif isinstance(part, ConcatDataset):
            announce(epoch, *part.datasets)


def announce_to_loader(epoch: int, loader) -> None:
    """The same for a loader, its dataset and its samplers; PyTorch's DistributedSampler is one."""
    names = ("dataset", "sampler", "batch_sampler")
    announce(epoch, loader, *(getattr(loader, name, None) for name in names))
