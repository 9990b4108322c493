"""Datasets, samplers and the DataLoader, under PyTorch's names.

>>> import tensorgrad
>>> from tensorgrad.utils.data import DataLoader, TensorDataset, random_split
>>> _ = tensorgrad.manual_seed(0)
>>> x = tensorgrad.arange(10.0).reshape(10, 1)
>>> train, test = random_split(TensorDataset(x, x * x), [8, 2])
>>> for inputs, targets in DataLoader(train, batch_size=3, shuffle=True):
...     print(inputs.shape, targets.shape)
torch.Size([3, 1]) torch.Size([3, 1])
torch.Size([3, 1]) torch.Size([3, 1])
torch.Size([2, 1]) torch.Size([2, 1])
"""

from . import _utils, dataloader, dataset, distributed, sampler
from .dataloader import (
    DataLoader,
    _DatasetKind,
    default_collate,
    default_convert,
    get_worker_info,
)
from .dataset import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)
from .distributed import DistributedSampler
from .sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

__all__ = [
    "BatchSampler", "ChainDataset", "ConcatDataset", "DataLoader", "Dataset",
    "DistributedSampler", "IterableDataset", "RandomSampler", "Sampler", "SequentialSampler",
    "StackDataset", "Subset", "SubsetRandomSampler", "TensorDataset", "WeightedRandomSampler",
    "default_collate", "default_convert", "get_worker_info", "random_split",
]  # fmt: skip
