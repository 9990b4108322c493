"""Embedding and EmbeddingBag: a table of vectors, looked up by index."""

from __future__ import annotations

import tensorgrad as tg
from tensorgrad.nn import functional as F
from tensorgrad.nn import init
from tensorgrad.nn.functional.sparse import _row
from tensorgrad.nn.modules.module import Module
from tensorgrad.nn.parameter import Parameter


class _Table(Module):
    """What Embedding and EmbeddingBag share: the table, and what holds for its rows."""

    def _make(self, padding_idx, weight, freeze, device, dtype):
        """Settle the padding row and make the table, drawn from the normal distribution."""
        n, d = self.num_embeddings, self.embedding_dim
        self.padding_idx = None if padding_idx is None else _row(padding_idx, n)
        if weight is None:
            table = tg.empty((n, d), device=device, dtype=dtype)
            self.weight = Parameter(table, requires_grad=not freeze)
            self.reset_parameters()
            return
        if tuple(weight.shape) != (n, d):
            raise AssertionError(
                "Shape of weight does not match num_embeddings and embedding_dim: got "
                f"{tuple(weight.shape)}, expected {(n, d)}"
            )
        self.weight = Parameter(weight, requires_grad=not freeze)

    def reset_parameters(self):
        """Draw the table anew; the padding row is 0."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with tg.no_grad():
                self.weight[self.padding_idx].fill_(0)


class Embedding(_Table):
    """A table of vectors, looked up by index.

    Args:
        num_embeddings: how many vectors.
        embedding_dim: the size of each.
        padding_idx: a row that begins at 0 and gets no gradient; negative ones count from the end.
        max_norm: rows looked up that are longer are scaled down to it, in place.
        norm_type: the p of that norm.
        scale_grad_by_freq: divide a row's gradient by how often it was looked up.
        sparse: kept, and without effect: the gradient is dense.
        device: the CPU.
        dtype: of the table; the default float.

    Shapes:
        input (*) of int64 or int32 -> (*, embedding_dim); weight (num_embeddings, embedding_dim).

    Raises:
        AssertionError: ``padding_idx`` is out of range.
        IndexError: an index of the input is.
        RuntimeError: the input does not hold integers.

    >>> import tensorgrad as torch
    >>> torch.nn.Embedding(10, 3)(torch.tensor([[1, 2], [4, 5]])).shape
    torch.Size([2, 2, 3])
    """

    def __init__(
        self, num_embeddings, embedding_dim, padding_idx=None, max_norm=None, norm_type=2.0,
        scale_grad_by_freq=False, sparse=False, _weight=None, _freeze=False, device=None,
        dtype=None,
    ):  # fmt: skip
        super().__init__()
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        self._make(padding_idx, _weight, _freeze, device, dtype)

    @classmethod
    def from_pretrained(
        cls, embeddings, freeze=True, padding_idx=None, max_norm=None, norm_type=2.0,
        scale_grad_by_freq=False, sparse=False,
    ):  # fmt: skip
        """An Embedding on the matrix ``embeddings``, whose memory it shares.

        Args:
            embeddings: the table (rows, features).
            freeze: whether the table stays as it is in training.
            padding_idx: as of the class; the row is not set to 0.
            max_norm: as of the class.
            norm_type: as of the class.
            scale_grad_by_freq: as of the class.
            sparse: as of the class.

        Raises:
            AssertionError: ``embeddings`` is not a matrix.

        >>> import tensorgrad as torch
        >>> layer = torch.nn.Embedding.from_pretrained(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
        >>> layer(torch.tensor([1]))
        tensor([[3., 4.]])
        """
        _need_matrix(embeddings)
        return cls(
            *embeddings.shape, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse,
            _weight=embeddings, _freeze=freeze,
        )  # fmt: skip

    def forward(self, input):
        """The vectors at the indices ``input``."""
        return F.embedding(
            input, self.weight, self.padding_idx, self.max_norm, self.norm_type,
            self.scale_grad_by_freq, self.sparse,
        )  # fmt: skip

    def extra_repr(self):
        """The sizes, and the settings that are not the defaults."""
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        if self.padding_idx is not None:
            text += f", padding_idx={self.padding_idx}"
        if self.max_norm is not None:
            text += f", max_norm={self.max_norm}"
        if self.norm_type != 2:
            text += f", norm_type={self.norm_type}"
        if self.scale_grad_by_freq is not False:
            text += f", scale_grad_by_freq={self.scale_grad_by_freq}"
        return text + ", sparse=True" if self.sparse is not False else text


def _need_matrix(embeddings):
    if embeddings.dim() != 2:
        raise AssertionError(
            "Embeddings parameter is expected to be 2-dimensional, got shape "
            f"{tuple(embeddings.shape)}"
        )


class EmbeddingBag(_Table):
    """Sums, means or maxima of bags of vectors from a table; no vector is made for each index.

    Args:
        num_embeddings: how many vectors.
        embedding_dim: the size of each.
        max_norm: rows looked up that are longer are scaled down to it, in place.
        norm_type: the p of that norm.
        scale_grad_by_freq: divide a row's gradient by how often it was looked up.
        mode: ``"mean"`` (default), ``"sum"`` or ``"max"``.
        sparse: kept, and without effect: the gradient is dense.
        include_last_offset: the last offset is where the last bag ends.
        padding_idx: a row that begins at 0 and counts for nothing; negative ones count from the
            end.
        device: the CPU.
        dtype: of the table; the default float.

    See :func:`tensorgrad.nn.functional.embedding_bag` for shapes and errors.

    >>> import tensorgrad as torch
    >>> bag = torch.nn.EmbeddingBag(10, 3, mode="sum")
    >>> bag(torch.tensor([1, 2, 4, 5, 4]), torch.tensor([0, 3])).shape
    torch.Size([2, 3])
    """

    def __init__(
        self, num_embeddings, embedding_dim, max_norm=None, norm_type=2.0,
        scale_grad_by_freq=False, mode="mean", sparse=False, _weight=None,
        include_last_offset=False, padding_idx=None, device=None, dtype=None,
    ):  # fmt: skip
        super().__init__()
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq, self.mode = scale_grad_by_freq, mode
        self.sparse, self.include_last_offset = sparse, include_last_offset
        self._make(padding_idx, _weight, False, device, dtype)

    @classmethod
    def from_pretrained(
        cls, embeddings, freeze=True, max_norm=None, norm_type=2.0, scale_grad_by_freq=False,
        mode="mean", sparse=False, include_last_offset=False, padding_idx=None,
    ):  # fmt: skip
        """An EmbeddingBag on the matrix ``embeddings``, whose memory it shares.

        Args:
            embeddings: the table (rows, features).
            freeze: whether the table stays as it is in training.
            max_norm: as of the class.
            norm_type: as of the class.
            scale_grad_by_freq: as of the class.
            mode: as of the class.
            sparse: as of the class.
            include_last_offset: as of the class.
            padding_idx: as of the class; the row is not set to 0.

        Raises:
            AssertionError: ``embeddings`` is not a matrix.
        """
        _need_matrix(embeddings)
        layer = cls(
            *embeddings.shape, max_norm, norm_type, scale_grad_by_freq, mode, sparse,
            embeddings, include_last_offset, padding_idx,
        )  # fmt: skip
        layer.weight.requires_grad = not freeze
        return layer

    def forward(self, input, offsets=None, per_sample_weights=None):
        """The sum, mean or maximum of each bag of indices."""
        return F.embedding_bag(
            input, self.weight, offsets, self.max_norm, self.norm_type, self.scale_grad_by_freq,
            self.mode, self.sparse, per_sample_weights, self.include_last_offset,
            self.padding_idx,
        )  # fmt: skip

    def extra_repr(self):
        """The sizes, and the settings that are not the defaults."""
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        if self.max_norm is not None:
            text += f", max_norm={self.max_norm}"
        if self.norm_type != 2:
            text += f", norm_type={self.norm_type}"
        if self.scale_grad_by_freq is not False:
            text += f", scale_grad_by_freq={self.scale_grad_by_freq}"
        text += f", mode={self.mode!r}"
        return text if self.padding_idx is None else text + f", padding_idx={self.padding_idx}"
