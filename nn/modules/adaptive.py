"""The softmax over many classes of which few are frequent."""

from __future__ import annotations

import itertools
from collections import namedtuple

import tensorgrad as tg
from tensorgrad.nn import functional as F
from tensorgrad.nn.modules.container import ModuleList, Sequential
from tensorgrad.nn.modules.linear import Linear
from tensorgrad.nn.modules.module import Module

__all__ = ["AdaptiveLogSoftmaxWithLoss"]

_ASMoutput = namedtuple("_ASMoutput", ["output", "loss"])


class AdaptiveLogSoftmaxWithLoss(Module):
    """Log-probabilities of classes sorted by frequency, and their mean as a loss.

    The first classes, up to ``cutoffs[0]``, are computed for each sample, the head; each later
    cluster only for the samples whose target is in it, from fewer features the rarer it is.
    After Grave et al., arXiv:1609.04309.

    Args:
        in_features: features of the input.
        n_classes: classes.
        cutoffs: where the clusters begin, ascending, each within 1 to ``n_classes - 1``.
        div_value: cluster i has ``in_features / div_value ** i`` features.
        head_bias: whether the head has a bias.
        device: the CPU.
        dtype: of the parameters; the default float.

    Shapes:
        input (N, in_features) or (in_features,), target (N,) or () -> output as target, loss ().

    Raises:
        ValueError: ``cutoffs`` is empty, not ascending, or out of range.

    >>> import tensorgrad as torch
    >>> m = torch.nn.AdaptiveLogSoftmaxWithLoss(4, 10, cutoffs=[2, 5])
    >>> output, loss = m(torch.ones(3, 4), torch.tensor([0, 4, 9]))
    >>> output.shape, m.log_prob(torch.ones(3, 4)).shape
    (torch.Size([3]), torch.Size([3, 10]))
    """

    def __init__(
        self, in_features, n_classes, cutoffs, div_value=4.0, head_bias=False, device=None,
        dtype=None,
    ):  # fmt: skip
        super().__init__()
        cutoffs = list(cutoffs)
        if not cutoffs:
            raise ValueError("cutoffs should be a sequence of length larger than 0")
        ascending = all(a < b for a, b in itertools.pairwise(cutoffs))
        whole = all(int(c) == c for c in cutoffs)
        if not ascending or not whole or cutoffs[0] <= 0 or cutoffs[-1] > n_classes - 1:
            raise ValueError(
                "cutoffs should be unique, positive integers in increasing order, each between 1 "
                f"and n_classes - 1 = {n_classes - 1}, got {cutoffs}"
            )
        self.in_features, self.n_classes = in_features, n_classes
        self.cutoffs = [*cutoffs, n_classes]
        self.div_value, self.head_bias = div_value, head_bias
        self.shortlist_size = cutoffs[0]
        self.n_clusters = len(cutoffs)
        self.head_size = self.shortlist_size + self.n_clusters

        made = {"device": device, "dtype": dtype}
        self.head = Linear(in_features, self.head_size, bias=head_bias, **made)
        self.tail = ModuleList()
        for i in range(self.n_clusters):
            features = int(in_features // div_value ** (i + 1))
            classes = self.cutoffs[i + 1] - self.cutoffs[i]
            self.tail.append(
                Sequential(
                    Linear(in_features, features, bias=False, **made),
                    Linear(features, classes, bias=False, **made),
                )
            )

    def reset_parameters(self):
        """Draw the initial values anew."""
        self.head.reset_parameters()
        for narrow, wide in self.tail:
            narrow.reset_parameters()
            wide.reset_parameters()

    def forward(self, input_, target_):
        """(output, loss): the log-probability of each target, and minus their mean.

        Raises:
            RuntimeError: the shapes do not fit, or a target is no class.
        """
        self._check(input_, target_)
        batched = target_.dim() == 1
        input = input_ if batched else input_.unsqueeze(0)
        target = target_ if batched else target_.unsqueeze(0)
        head = F.log_softmax(self.head(input), 1)
        in_head, parts, rows = target.clone(), [], []
        for i, layers in enumerate(self.tail):
            low, high = self.cutoffs[i], self.cutoffs[i + 1]
            mine = ((target >= low) & (target < high)).nonzero().squeeze(1)
            if not mine.numel():
                continue
            in_head[mine] = self.shortlist_size + i
            log_probs = F.log_softmax(layers(input.index_select(0, mine)), 1)
            parts.append(log_probs.gather(1, (target[mine] - low).unsqueeze(1)).squeeze(1))
            rows.append(mine)
        output = head.gather(1, in_head.unsqueeze(1)).squeeze(1)
        if parts:
            output = output.index_add(0, tg.cat(rows), tg.cat(parts))
        loss = (-output).mean()
        return _ASMoutput(output if batched else output.squeeze(0), loss)

    def _check(self, input, target):
        """Demand a target for each input, and classes that there are."""
        if target.dim() > 1:
            raise RuntimeError(
                "0D or 1D target tensor expected, multi-target not supported; got shape "
                f"{tuple(target.shape)}"
            )
        if target.dim() == 1 and input.size(0) != target.size(0):
            raise RuntimeError(
                "Input and target should have the same size in the batch dimension, got "
                f"{tuple(input.shape)} and {tuple(target.shape)}"
            )
        if input.dim() != target.dim() + 1:
            raise RuntimeError(
                f"{target.dim()}D target tensor expects {target.dim() + 1}D input tensors, but "
                f"found inputs with size {tuple(input.shape)}"
            )
        if target.numel() and not 0 <= target.min() <= target.max() < self.n_classes:
            raise RuntimeError(
                f"Target values should be in [0, {self.n_classes - 1}], but values in range "
                f"[{target.min().item()}, {target.max().item()}] were found"
            )

    def _whole(self, input, head):
        """The log-probabilities of all classes from what the head gives."""
        head, size = F.log_softmax(head, 1), self.shortlist_size
        parts = [
            F.log_softmax(layers(input), 1) + head[:, size + i : size + i + 1]
            for i, layers in enumerate(self.tail)
        ]
        return tg.cat([head[:, :size], *parts], 1)

    def log_prob(self, input):
        """The log-probabilities (N, n_classes) of all classes for ``input`` (N, in_features)."""
        return self._whole(input, self.head(input))

    def predict(self, input):
        """The most probable class of each sample.

        Clusters are computed for the samples only for which the head prefers one of them.
        """
        head = self.head(input)
        best = head.argmax(1)
        rare = (best >= self.shortlist_size).nonzero().squeeze(1)
        if rare.numel():
            best[rare] = self._whole(input[rare], head[rare]).argmax(1)
        return best
