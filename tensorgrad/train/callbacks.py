"""What a Trainer calls at each stage of a fit."""

from __future__ import annotations

__all__ = ["Callback", "EpochTeller"]


class Callback:
    """Base class of what is called during :meth:`Trainer.fit`; subclasses write what they need.

    A method may look at ``trainer.model``, ``trainer.optimizer``, ``trainer.history``,
    ``trainer.epoch`` (the number of the present epoch, from 1), ``trainer.batch`` (batches done in
    it) and ``trainer.iteration`` (batches done in all), and end the fit by
    ``trainer.stop("reason")``.

    >>> import tensorgrad as torch
    >>> from tensorgrad.train import Callback, Trainer
    >>> class Report(Callback):
    ...     def on_epoch_end(self, trainer):
    ...         print("epoch", trainer.epoch, "after", trainer.iteration, "batches")
    >>> model = torch.nn.Linear(1, 1)
    >>> sgd = torch.optim.SGD(model.parameters())
    >>> trainer = Trainer(model, torch.nn.MSELoss(), sgd, callbacks=[Report()])
    >>> x = torch.ones(6, 1)
    >>> _ = trainer.fit((x, x), epochs=2, batch_size=2, progress=False)
    epoch 1 after 3 batches
    epoch 2 after 6 batches
    """

    def on_fit_start(self, trainer) -> None:
        """Before the first epoch; what a checkpoint held has been loaded."""

    def on_epoch_start(self, trainer) -> None:
        """Before the first batch of an epoch; not again where a checkpoint was in its midst."""

    def on_batch_end(self, trainer) -> None:
        """After each batch; ``trainer.history.losses[-1]`` is its loss."""

    def on_epoch_end(self, trainer) -> None:
        """After an epoch; ``trainer.history.epochs[-1]`` is its row."""

    def on_fit_end(self, trainer) -> None:
        """At the end, however the fit ended: ``trainer.history.stopped`` says how."""

    def state_dict(self) -> dict:
        """What a checkpoint must hold of this callback, by name; nothing by default."""
        return {}

    def load_state_dict(self, state_dict: dict) -> None:
        """Take over what :meth:`state_dict` returned."""


class EpochTeller(Callback):
    """What a Trainer makes of a callback that has ``set_epoch`` alone, as mixers and samplers have.

    Args:
        listener: its ``set_epoch`` is called before each epoch with 0, 1, ..., and where a fit goes
            on from a checkpoint in the midst of an epoch with the number of that one.
    """

    def __init__(self, listener):
        self.listener = listener

    def on_fit_start(self, trainer) -> None:
        """Tell the epoch that a checkpoint was in."""
        if trainer.batch:
            self.on_epoch_start(trainer)

    def on_epoch_start(self, trainer) -> None:
        """Tell the epoch."""
        self.listener.set_epoch(trainer.epoch - 1)
