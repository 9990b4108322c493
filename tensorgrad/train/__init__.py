"""Training: the Trainer, its history, callbacks and stop conditions, and crash-safe checkpoints.

>>> import tensorgrad as torch
>>> from tensorgrad.train import EarlyStopping, Trainer
>>> _ = torch.manual_seed(0)
>>> x = torch.linspace(-1, 1, 64).reshape(64, 1)
>>> y = 3 * x + 0.5
>>> model = torch.nn.Linear(1, 1)
>>> trainer = Trainer(model, torch.nn.MSELoss(), torch.optim.SGD(model.parameters(), lr=0.3))
>>> history = trainer.fit((x[::2], y[::2]), (x[1::2], y[1::2]), epochs=100, batch_size=8,
...                       stop=EarlyStopping(patience=5), progress=False)
>>> len(history) - history.best_epoch, round(model.weight.item(), 3)
(5, 3.0)
"""

from typing import TYPE_CHECKING, Any

from . import metrics
from .callbacks import Callback
from .curves import LearningCurve, learning_curve
from .decomposition import BiasVariance, bias_variance, plot_tradeoff
from .diagnosis import Diagnosis, diagnose
from .gan import GANTrainer, SampleSheets
from .history import History
from .logs import CSVLogger, TensorBoardLogger
from .stopping import EarlyStopping, StopCondition, StopDifference, StopLoss
from .trainer import Trainer

if TYPE_CHECKING:
    from .estimators import Classifier as Classifier
    from .estimators import Regressor as Regressor

__all__ = [
    "BiasVariance", "CSVLogger", "Callback", "Diagnosis", "EarlyStopping", "GANTrainer", "History",
    "LearningCurve", "SampleSheets", "StopCondition", "StopDifference", "StopLoss",
    "TensorBoardLogger", "Trainer", "bias_variance", "diagnose", "learning_curve", "metrics",
    "plot_tradeoff",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """The estimators, which need scikit-learn, when they are first asked for."""
    if name in ("Classifier", "Regressor"):
        from . import estimators

        return getattr(estimators, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
