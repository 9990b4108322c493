"""Connectionist temporal classification."""

from __future__ import annotations

import numpy as np

import tensorgrad as tg
from tensorgrad._graph import Tensor, wrap
from tensorgrad.nn.functional.loss import legacy_reduction

__all__ = ["ctc_loss"]


def ctc_loss(
    log_probs, targets, input_lengths, target_lengths, blank=0, reduction="mean",
    zero_infinity=False,
):  # fmt: skip
    """The negative log-likelihood of label sequences over all alignments: Graves et al., ICML 2006.

    The forward recursion over time, in logarithms; its gradient is autodiff's.

    Args:
        log_probs: (T, N, C) or (T, C), log-probabilities of the classes.
        targets: labels (N, S), or all of them in one row (sum of the lengths).
        input_lengths: (N,) how many of the T steps each sample has.
        target_lengths: (N,) how many labels each sample has.
        blank: the class of no label, 0.
        reduction: "mean" (each loss by its number of labels, then over the batch), "sum", "none".
        zero_infinity: set the loss of samples that cannot be aligned, and its gradient, to zero.

    Raises:
        RuntimeError: lengths or shapes that do not fit, or a blank that is no class.
    """
    legacy_reduction(None, None, reduction)
    batched = log_probs.ndim == 3
    if not batched:
        log_probs = log_probs.unsqueeze(1)
    steps, batch, classes = log_probs.shape
    lengths = _lengths("input_lengths", input_lengths, batch, steps)
    label_counts = _lengths("target_lengths", target_lengths, batch, None)
    if not 0 <= blank < classes:
        raise RuntimeError(f"blank must be in label range: got {blank} of {classes} classes")
    labels = _padded(targets._array, label_counts, batch, blank)
    loss = _forward(log_probs, labels, lengths, label_counts, blank)
    if zero_infinity:
        loss = tg.where(wrap(np.isinf(loss._array)), 0.0, loss)
    if reduction == "mean":
        return (loss / wrap(np.maximum(label_counts, 1).astype(loss._array.dtype))).mean()
    if reduction == "sum":
        return loss.sum()
    return loss if batched else loss.squeeze(0)


def _lengths(name, lengths, batch, limit):
    """Lengths as an array, checked."""
    array = lengths._array if isinstance(lengths, Tensor) else np.asarray(lengths)
    array = array.reshape(-1)
    if array.dtype.kind not in "iu":
        raise RuntimeError(f"{name} must be integral, got {array.dtype}")
    if len(array) != batch:
        raise RuntimeError(f"{name} must be of size batch_size {batch}, got {len(array)}")
    if len(array) and (array.min() < 0 or (limit is not None and array.max() > limit)):
        raise RuntimeError(
            f"Expected {name} to have value at most {limit} and no negative one, but got value "
            f"{array.max()} and {array.min()}"
        )
    return array.astype(np.int64)


def _padded(targets, counts, batch, blank):
    """Labels as one row per sample, filled up with blanks."""
    longest = int(counts.max(initial=0))
    labels = np.full((batch, longest), blank, np.int64)
    if targets.ndim == 1 and not (batch == 1 and len(targets) >= counts.sum()):
        if len(targets) != counts.sum():
            raise RuntimeError(
                f"Expected tensor to have size {counts.sum()} at dimension 0, but got size "
                f"{len(targets)} for argument #2 'targets'"
            )
    rows = targets.reshape(batch, -1) if targets.ndim > 1 else None
    if rows is not None and rows.shape[1] < longest:
        raise RuntimeError(
            f"Expected tensor to have size at least {longest} at dimension 1, but got size "
            f"{rows.shape[1]} for argument #2 'targets'"
        )
    starts = np.cumsum(counts) - counts
    for i, count in enumerate(counts):
        row = rows[i] if rows is not None else targets[starts[i] :]
        labels[i, :count] = row[:count]
    return labels


def _forward(log_probs, labels, lengths, counts, blank):
    """The loss of each sample, by the recursion over the labels with blanks between them."""
    steps, batch, _ = log_probs.shape
    places = np.full((batch, 2 * labels.shape[1] + 1), blank, np.int64)
    places[:, 1::2] = labels
    # From two places back only to a label that differs from the one there.
    skips = np.zeros(places.shape, bool)
    skips[:, 2:] = (places[:, 2:] != blank) & (places[:, 2:] != places[:, :-2])
    none = np.full(places.shape, -np.inf, log_probs._array.dtype)
    emitted = log_probs.gather(2, wrap(np.broadcast_to(places, (steps, *places.shape)).copy()))
    start = np.zeros(places.shape, bool)
    start[:, :2] = True
    start[counts == 0, 1:2] = False
    alpha = tg.where(wrap(start), emitted[0], wrap(none)) if steps else wrap(none)
    column = wrap(none[:, :1])
    for t in range(1, steps):
        one = tg.cat([column, alpha[:, :-1]], 1)
        ways = [alpha, one]
        if places.shape[1] > 2:
            two = tg.cat([column, column, alpha[:, :-2]], 1)
            ways.append(tg.where(wrap(skips), two, wrap(none)))
        moved = tg.stack(ways).logsumexp(0) + emitted[t]
        alpha = tg.where(wrap((t < lengths)[:, None]), moved, alpha)
    ends = np.arange(places.shape[1])
    last = wrap((ends >= 2 * counts[:, None] - 1) & (ends <= 2 * counts[:, None]))
    return -tg.where(last, alpha, wrap(none)).logsumexp(1)
