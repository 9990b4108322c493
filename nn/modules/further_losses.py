"""Losses beyond PyTorch's as modules: each is the function of that name, its settings kept."""

from __future__ import annotations

from tensorgrad.nn import functional as F
from tensorgrad.nn.modules.loss import _Loss, _WeightedLoss


class SquaredErrorLoss(_Loss):
    """Squared error in a textbook's convention; see F.squared_error_loss."""

    def __init__(self, convention="half_sum", reduction="mean"):
        super().__init__(reduction=reduction)
        self.convention = convention

    def forward(self, input, target):
        """The loss between ``input`` and ``target`` of one shape."""
        return F.squared_error_loss(input, target, self.convention, self.reduction)


class LogCoshLoss(_Loss):
    """The logarithm of the residual's cosh; see F.log_cosh_loss."""

    def __init__(self, reduction="mean"):
        super().__init__(reduction=reduction)

    def forward(self, input, target):
        """The loss between ``input`` and ``target`` of one shape."""
        return F.log_cosh_loss(input, target, self.reduction)


class QuantileLoss(_Loss):
    """The pinball loss, least at the ``quantile`` of the targets; see F.quantile_loss."""

    def __init__(self, quantile=0.5, reduction="mean"):
        super().__init__(reduction=reduction)
        self.quantile = quantile

    def forward(self, input, target):
        """The loss between ``input`` and ``target`` of one shape."""
        return F.quantile_loss(input, target, self.quantile, self.reduction)


class ZeroOneLoss(_Loss):
    """The share of samples that are misclassified, a metric; see F.zero_one_loss."""

    def __init__(self, reduction="mean"):
        super().__init__(reduction=reduction)

    def forward(self, input, target):
        """The share of scores (N, C, ...) whose largest is not at ``target``."""
        return F.zero_one_loss(input, target, self.reduction)


class CrossEntropyOnProbabilitiesLoss(_WeightedLoss):
    """Cross-entropy of what is a softmax already; see F.cross_entropy_on_probabilities."""

    def __init__(self, weight=None, reduction="mean"):
        super().__init__(weight, reduction=reduction)

    def forward(self, input, target):
        """The loss of probabilities (N, C, ...) against classes or probabilities."""
        return F.cross_entropy_on_probabilities(input, target, self.weight, self.reduction)


class FocalLoss(_WeightedLoss):
    """Cross-entropy in which easy samples count less; see F.focal_loss."""

    def __init__(self, gamma=2.0, weight=None, reduction="mean"):
        super().__init__(weight, reduction=reduction)
        self.gamma = gamma

    def forward(self, input, target):
        """The loss of logits (N, C, ...) against classes or probabilities."""
        return F.focal_loss(input, target, self.gamma, self.weight, self.reduction)


class BinaryFocalLoss(_Loss):
    """Focal loss of one logit per class; see F.binary_focal_loss."""

    def __init__(self, gamma=2.0, alpha=None, reduction="mean"):
        super().__init__(reduction=reduction)
        self.gamma, self.alpha = gamma, alpha

    def forward(self, input, target):
        """The loss of logits against targets in [0, 1] of one shape."""
        return F.binary_focal_loss(input, target, self.gamma, self.alpha, self.reduction)


class HingeLoss(_Loss):
    """The loss of support vector machines for two classes; see F.hinge_loss."""

    def __init__(self, margin=1.0, p=1, reduction="mean"):
        super().__init__(reduction=reduction)
        self.margin, self.p = margin, p

    def forward(self, input, target):
        """The loss of scores against -1 and 1, or 0 and 1, of one shape."""
        return F.hinge_loss(input, target, self.margin, self.p, self.reduction)


class WestonWatkinsLoss(_WeightedLoss):
    """The multi-class hinge, summed over the other classes; see F.weston_watkins_loss."""

    def __init__(self, margin=1.0, weight=None, reduction="mean"):
        super().__init__(weight, reduction=reduction)
        self.margin = margin

    def forward(self, input, target):
        """The loss of scores (N, C, ...) against classes or probabilities."""
        return F.weston_watkins_loss(input, target, self.margin, self.weight, self.reduction)


class CrammerSingerLoss(_WeightedLoss):
    """The multi-class hinge against the strongest other class; see F.crammer_singer_loss."""

    def __init__(self, margin=1.0, weight=None, reduction="mean"):
        super().__init__(weight, reduction=reduction)
        self.margin = margin

    def forward(self, input, target):
        """The loss of scores (N, C, ...) against classes or probabilities."""
        return F.crammer_singer_loss(input, target, self.margin, self.weight, self.reduction)


class ContrastiveLoss(_Loss):
    """Similar pairs (0) drawn together, others (1) pushed apart; see F.contrastive_loss."""

    def __init__(self, margin=1.0, reduction="mean"):
        super().__init__(reduction=reduction)
        self.margin = margin

    def forward(self, input1, input2, target):
        """The loss of two inputs (N, D) against 0 for similar and 1 for dissimilar."""
        return F.contrastive_loss(input1, input2, target, self.margin, self.reduction)


class _BiTempered(_Loss):
    def __init__(self, t1, t2, label_smoothing=0.0, num_iters=None, reduction="mean"):
        super().__init__(reduction=reduction)
        self.t1, self.t2 = t1, t2
        self.label_smoothing, self.num_iters = label_smoothing, num_iters

    def _settings(self):
        return self.t1, self.t2, self.label_smoothing, self.num_iters, self.reduction


class BiTemperedLogisticLoss(_BiTempered):
    """Cross-entropy that survives wrong labels; see F.bi_tempered_logistic_loss.

    >>> import tensorgrad as torch
    >>> loss = torch.nn.BiTemperedLogisticLoss(0.5, 1.5)
    >>> loss(torch.tensor([[-0.5, 0.1, 2.0]]), torch.tensor([[0.2, 0.3, 0.5]]))
    tensor(0.0230)
    """

    def forward(self, input, target):
        """The loss of activations (N, C, ...) against classes or probabilities."""
        return F.bi_tempered_logistic_loss(input, target, *self._settings())


class BiTemperedBinaryLogisticLoss(_BiTempered):
    """The bi-tempered loss of one activation; see F.bi_tempered_binary_logistic_loss."""

    def forward(self, input, target):
        """The loss of activations against targets in [0, 1] of one shape."""
        return F.bi_tempered_binary_logistic_loss(input, target, *self._settings())


class GeneratorLoss(_Loss):
    """What made samples cost the network that made them; see F.generator_loss."""

    def __init__(self, kind="non_saturating", reduction="mean"):
        super().__init__(reduction=reduction)
        self.kind = kind

    def forward(self, fake):
        """The loss of the scores of made samples."""
        return F.generator_loss(fake, self.kind, self.reduction)


class DiscriminatorLoss(_Loss):
    """What scores cost the network that tells real from made; see F.discriminator_loss."""

    def __init__(self, kind="non_saturating", reduction="mean", label_smoothing=0.0):
        super().__init__(reduction=reduction)
        self.kind, self.label_smoothing = kind, label_smoothing

    def forward(self, real, fake):
        """The loss of the scores of real and of made samples."""
        return F.discriminator_loss(real, fake, self.kind, self.reduction, self.label_smoothing)


class GradientPenalty(_Loss):
    """Holds the slope of a critic near 1; see F.gradient_penalty."""

    def __init__(self, weight=10.0, center=1.0, reduction="mean"):
        super().__init__(reduction=reduction)
        self.weight, self.center = weight, center

    def forward(self, discriminator, real, fake, generator=None):
        """The penalty of ``discriminator`` at points between ``real`` and ``fake``."""
        return F.gradient_penalty(
            discriminator, real, fake, self.weight, self.center, generator, self.reduction
        )
