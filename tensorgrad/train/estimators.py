"""Classifier and Regressor: the Trainer as scikit-learn estimators. Needs scikit-learn."""

from __future__ import annotations

import copy
import itertools
import math
from typing import Any

import numpy as np

from .. import optim
from .._graph import wrap
from ..errors import missing
from ..nn import (
    GELU,
    CrossEntropyLoss,
    Flatten,
    Linear,
    Module,
    MSELoss,
    ReLU,
    Sequential,
    Sigmoid,
    Tanh,
)
from ..random import fork_rng, manual_seed
from ..serialization import load, save
from ..serialization.checkpoint import describe
from .batches import key
from .checks import evaluating
from .stopping import EarlyStopping
from .trainer import Trainer

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.model_selection import train_test_split
    from sklearn.utils import check_random_state, compute_class_weight
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError:
    raise missing("scikit-learn 1.6", "sklearn", "train.Classifier and train.Regressor") from None

__all__ = ["Classifier", "Regressor", "mlp"]

ACTIVATIONS = {"relu": ReLU, "tanh": Tanh, "sigmoid": Sigmoid, "gelu": GELU}
DTYPES = {None: [np.float64, np.float32], "float64": np.float64, "float32": np.float32}


def mlp(
    n_features: int | tuple[int, ...],
    n_outputs: int,
    hidden_sizes: tuple[int, ...] = (64,),
    activation: str = "relu",
) -> Sequential:
    """The network that an estimator without ``module`` trains: linear layers and activations.

    Args:
        n_features: size of a sample, or its shape, which is flattened.
        n_outputs: size of the output; no activation follows it.
        hidden_sizes: sizes of the layers between; none makes a linear model.
        activation: ``"relu"``, ``"tanh"``, ``"sigmoid"`` or ``"gelu"``.

    Raises:
        ValueError: a size is below 1, or there is no such activation.

    >>> mlp(4, 3, (8,), "tanh")
    Sequential(
      (0): Linear(in_features=4, out_features=8, bias=True)
      (1): Tanh()
      (2): Linear(in_features=8, out_features=3, bias=True)
    )
    """
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {sorted(ACTIVATIONS)}, got {activation!r}")
    layers: list[Module] = []
    if isinstance(n_features, tuple):
        layers, n_features = [Flatten()], math.prod(n_features)
    sizes = [n_features, *hidden_sizes, n_outputs]
    if min(sizes) < 1:
        raise ValueError(f"sizes of layers must be at least 1, got {sizes}")
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [Linear(inputs, outputs), ACTIVATIONS[activation]()]
    return Sequential(*layers[:-1])


def _keep(estimator: BaseEstimator, arguments: dict[str, Any]) -> None:
    """Hold the arguments of ``__init__`` as they are, which scikit-learn's ``clone`` asks for."""
    for name in type(estimator)._get_param_names():
        setattr(estimator, name, arguments[name])


class _Estimator(BaseEstimator):
    """What both estimators share: data in, a module trained, files."""

    _shape: tuple[int, ...]  # of a sample

    # --- parameters ---------------------------------------------------------------------

    def set_params(self, **params: Any) -> _Estimator:
        """Set parameters; ``module__x`` and ``optimizer__x`` set one of their dicts."""
        for name in list(params):
            part, _, inner = name.partition("__")
            if inner and part in ("module", "optimizer"):
                held = f"{part}_params"
                given = params.get(held, getattr(self, held)) or {}
                params[held] = {**given, inner: params.pop(name)}
        return super().set_params(**params)

    def _make_module(self, n_outputs: int) -> Module:
        """The module to train: a copy of the one given, or what the factory makes."""
        options = dict(self.module_params or {})
        shape = self._shape
        n_features = shape[0] if len(shape) == 1 else shape
        if isinstance(self.module, Module):
            if options:
                raise ValueError("module_params are for a class or factory; module is an instance")
            return copy.deepcopy(self.module)
        if self.module is None:
            return mlp(n_features, n_outputs, self.hidden_sizes, self.activation, **options)
        if not callable(self.module):
            raise TypeError(
                "module must be a Module, a class or function of (n_features, n_outputs), or "
                f"None, got {type(self.module).__name__}"
            )
        module = self.module(n_features, n_outputs, **options)
        if not isinstance(module, Module):
            raise TypeError(f"module must make a Module, it made a {type(module).__name__}")
        return module

    def _make_optimizer(self, module: Module) -> optim.Optimizer:
        make = self.optimizer
        if isinstance(make, str):
            kinds = {name.lower(): getattr(optim, name) for name in dir(optim) if name[0].isupper()}
            if make.lower() not in kinds:
                raise ValueError(f"there is no optimizer {make!r} in tensorgrad.optim")
            make = kinds[make.lower()]
        options = {"lr": self.lr, **(self.optimizer_params or {})}
        if self.weight_decay:
            options["weight_decay"] = self.weight_decay
        return make(module.parameters(), **options)

    def _make_loss(self) -> Any:
        return self.loss() if isinstance(self.loss, type) else self.loss

    def _scheduler(self, optimizer: optim.Optimizer) -> Any:
        return self.scheduler if self.scheduler is None else self.scheduler(optimizer)

    # --- training -----------------------------------------------------------------------

    def _build(self, dtype: np.dtype, n_outputs: int, seed: int) -> None:
        """A fresh module and its Trainer; weights come from the default generator."""
        module = self._make_module(n_outputs)
        one = wrap(np.zeros((1, *self._shape), dtype))
        module.to(one.dtype)
        with evaluating(module):  # which also gives lazy modules their sizes
            output = module(one)
        if tuple(output.shape) != (1, n_outputs):
            raise ValueError(
                f"module gives an output of shape {tuple(output.shape)} for an input of shape "
                f"{tuple(one.shape)}, expected (1, {n_outputs})"
            )
        optimizer = self._make_optimizer(module)
        self.module_, self._dtype = module, dtype
        self.trainer_ = Trainer(
            module, self._make_loss(), optimizer, metrics=self.metrics,
            scheduler=self._scheduler(optimizer), scheduler_step=self.scheduler_step,
            callbacks=self.callbacks, clip_norm=self.clip_norm, clip_value=self.clip_value,
            accumulate=self.accumulate, seed=seed, check_finite=self.check_finite,
        )  # fmt: skip
        self.history_ = self.trainer_.history
        self._seed = seed

    def _read(self, X: Any, y: Any, reset: bool, **options: Any) -> tuple[np.ndarray, np.ndarray]:
        """Both checked by scikit-learn's rules, X in the dtype to train in."""
        if self.dtype not in DTYPES:
            raise ValueError(f"dtype must be 'float32', 'float64' or None, got {self.dtype!r}")
        dtype = DTYPES[self.dtype] if reset else self._dtype
        X, y = validate_data(self, X, y, reset=reset, dtype=dtype, allow_nd=True, **options)
        if reset:
            self._shape = X.shape[1:]
        return X, y

    def _start(self, dtype: np.dtype, n_outputs: int) -> None:
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        manual_seed(seed)
        self._build(dtype, n_outputs, seed)

    def _fit(self, X: np.ndarray, y: np.ndarray, n_outputs: int, strata: Any = None) -> None:
        """Train a new module on all of it, the default generator put back afterwards."""
        with fork_rng():
            self._start(X.dtype, n_outputs)
            train, valid = self._split(X, y, strata)
            stop, more = self._conditions(valid), self.fit_options or {}
            self._train(train, valid, self.epochs, stop=stop, **more)

    def _train(self, train: Any, valid: Any, epochs: int, **options: Any) -> None:
        progress = self.verbose if isinstance(self.verbose, str) else None
        self.trainer_.fit(
            train, valid, epochs, batch_size=self.batch_size, shuffle=self.shuffle,
            progress=progress if self.verbose else False, num_workers=self.num_workers, **options,
        )  # fmt: skip
        self.n_iter_ = len(self.history_)

    def _more(self, X: np.ndarray, y: np.ndarray) -> None:
        """One more epoch, on these samples."""
        with fork_rng():
            manual_seed(key(self._seed, self.n_iter_ + 1))
            self._train((wrap(X), wrap(y)), None, 1)

    def _split(self, X: np.ndarray, y: np.ndarray, strata: Any) -> tuple[Any, Any]:
        """The pairs to train and to validate on; None without ``valid_fraction``."""
        if not self.valid_fraction:
            return (wrap(X), wrap(y)), None
        parts = train_test_split(
            X, y, test_size=self.valid_fraction, random_state=self._seed, stratify=strata
        )
        x_train, x_valid, y_train, y_valid = map(wrap, parts)
        return (x_train, y_train), (x_valid, y_valid)

    def _conditions(self, valid: Any) -> list:
        stop = self.stop if isinstance(self.stop, list | tuple) else [self.stop]
        if self.patience is None:
            return list(stop)
        monitor = "train_loss" if valid is None else "valid_loss"
        return [*stop, EarlyStopping(monitor, self.patience)]

    def _outputs(self, X: Any) -> np.ndarray:
        """The module's outputs, in evaluation mode."""
        check_is_fitted(self, "module_")
        X = validate_data(self, X, reset=False, dtype=self._dtype, allow_nd=True)
        return self.trainer_.predict(wrap(X), batch_size=max(self.batch_size, 256)).numpy()

    # --- files --------------------------------------------------------------------------

    def save(self, path: Any) -> None:
        """Write the fitted estimator as one safetensors file; nothing is pickled.

        The file holds the module's and the optimizer's state, the history, what ``fit`` learnt,
        and the parameters that are plain values. Of modules, functions, classes and callbacks
        among the parameters it notes the names: :meth:`load` asks for them.

        Args:
            path: of the file, which is replaced in one step.

        Raises:
            NotFittedError: there is nothing to save yet.
            TypeError: the class labels are neither numbers nor texts.
        """
        check_is_fitted(self, "module_")
        params, absent = _storable(self.get_params(deep=False))
        state = {
            "estimator": type(self).__name__, "params": params, "absent": absent,
            "module": self.module_.state_dict(), "fitted": self._fitted(),
            "optimizer": self.trainer_.optimizer.state_dict(),
            "scheduler": self.scheduler and self.trainer_.scheduler.state_dict(),
            "history": self.history_.state_dict(),
        }  # fmt: skip
        save(state, path)

    def _fitted(self) -> dict[str, Any]:
        """What ``fit`` learnt beside the module."""
        names = getattr(self, "feature_names_in_", None)
        return {
            "shape": list(self._shape), "dtype": np.dtype(self._dtype).name, "seed": self._seed,
            "n_features_in": self.n_features_in_, "n_outputs": self.n_outputs_,
            "feature_names_in": None if names is None else [str(name) for name in names],
        }  # fmt: skip

    @classmethod
    def load(cls, path: Any, **params: Any) -> _Estimator:
        """An estimator as :meth:`save` wrote it, ready to predict and for ``partial_fit``.

        Args:
            path: of the file.
            **params: parameters that the file cannot hold (``module`` if one was given, ``loss``,
                ``callbacks`` and so on), and others to be changed.

        Raises:
            ValueError: the file is of something else, or parameters are missing.
            RuntimeError: the module's parameters are not those of the file, or the file is damaged.
        """
        state = load(path)
        kind = state.get("estimator") if isinstance(state, dict) else None
        if kind != cls.__name__:
            held = kind or "something else"
            raise ValueError(f"{path} does not hold a {cls.__name__} but {held}")
        lacking = sorted(set(state["absent"]) - set(params))
        if lacking:
            raise ValueError(
                f"{path} cannot hold the parameters {lacking}; give them to load, as in "
                f"load(path, {lacking[0]}=...)"
            )
        estimator = cls(**{**state["params"], **params})
        estimator._restore(state)
        return estimator

    def _restore(self, state: dict[str, Any]) -> None:
        fitted = state["fitted"]
        self._shape = tuple(fitted["shape"])
        self.n_features_in_, self.n_outputs_ = fitted["n_features_in"], fitted["n_outputs"]
        if fitted["feature_names_in"] is not None:
            self.feature_names_in_ = np.array(fitted["feature_names_in"], object)
        self._take(fitted)
        with fork_rng():
            self._build(np.dtype(fitted["dtype"]), self.n_outputs_, fitted["seed"])
        self.module_.load_state_dict(state["module"])
        self.trainer_.optimizer.load_state_dict(state["optimizer"])
        if state["scheduler"] is not None:
            self.trainer_.scheduler.load_state_dict(state["scheduler"])
        self.history_.load_state_dict(state["history"])
        self.n_iter_ = len(self.history_)
        # partial_fit goes on as it would have: the order of an epoch depends on its number.
        self.trainer_._done = self.trainer_.epoch = self.n_iter_
        self.trainer_.iteration = len(self.history_.losses)

    def _take(self, fitted: dict[str, Any]) -> None:
        """What a subclass added to :meth:`_fitted`."""


def _storable(params: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The parameters that a file can hold, and the names of the others."""
    kept: dict[str, Any] = {}
    for name, value in params.items():
        try:
            describe(value)
        except TypeError:
            continue
        kept[name] = value
    return kept, [name for name in params if name not in kept]


class Classifier(ClassifierMixin, _Estimator):
    """A network as a scikit-learn classifier.

    It works in a ``Pipeline``, ``GridSearchCV`` and ``cross_val_score``, and passes scikit-learn's
    ``check_estimator``. What it trains has an output for each class, and its probabilities are the
    softmax of these. Inputs are standardised neither here nor in the network: put a
    ``StandardScaler`` before it.

    Args:
        module: a Module (each fit trains a copy), or a class or function that makes one when called
            as ``module(n_features, n_outputs, **module_params)``; ``n_features`` is a number, or
            for samples of several dimensions their shape. None makes :func:`mlp`.
        module_params: keyword arguments for ``module``; ``set_params(module__width=8)``, and so a
            grid of ``module__width``, sets one of them.
        hidden_sizes: sizes of the hidden layers of :func:`mlp`.
        activation: activation of :func:`mlp`.
        class_weight: None, ``"balanced"`` (inversely as the frequency of each class) or a dict
            from class to weight, for the loss's ``weight``.
        loss: a function or module of logits (N, C) and class indices (N,), or a class of such
            modules. None is ``CrossEntropyLoss``.
        optimizer: name of one in ``tensorgrad.optim``, in any case, or a class or function called
            as ``optimizer(parameters, lr=lr, **optimizer_params)``.
        optimizer_params: keyword arguments for it; ``set_params(optimizer__momentum=0.9)``.
        lr: learning rate.
        weight_decay: weight decay of the optimizer; 0 leaves that argument away.
        scheduler: a function of the optimizer that makes a schedule, such as
            ``functools.partial(StepLR, step_size=10)``.
        scheduler_step: ``"epoch"`` or ``"batch"``.
        epochs: the most epochs of a fit. :meth:`partial_fit` runs one.
        batch_size: samples in a batch.
        shuffle: whether each epoch has an order of its own.
        valid_fraction: share of the samples, 0 to 1, to measure ``valid_loss`` on and not to train
            on; for a classifier stratified where there are enough of each class.
        patience: stop once ``valid_loss`` (``train_loss`` without ``valid_fraction``) has not
            been lower for so many epochs, and return to the best weights. None never does.
        stop: stop conditions of :mod:`tensorgrad.train`, one or several.
        callbacks: callbacks, one or several.
        metrics: metrics or their names, recorded in ``history_``.
        clip_norm: bound of the norm of all gradients.
        clip_value: bound of each gradient.
        accumulate: batches to a step.
        check_finite: stop where the loss is not finite.
        num_workers: processes that make batches.
        fit_options: further keyword arguments of :meth:`Trainer.fit` for :meth:`fit`, such as
            ``dict(checkpoint_dir="run", resume="auto")``.
        dtype: ``"float32"``, ``"float64"``, or None: float32 for X of float32 and float64 for all
            else, as scikit-learn's own estimators do.
        verbose: whether to show progress; ``"bar"`` or ``"lines"`` chooses how.
        random_state: None, an int or a ``RandomState``: seed of weights, dropout, order and split.
            The default generator is as before after each fit.

    There is no ``sample_weight``: scikit-learn's rule, that a weight of 2 equals the same sample
    twice, does not hold for batches in random order.

    Attributes:
        classes_: the class labels, sorted.
        module_: the trained module.
        trainer_: its Trainer.
        history_: the :class:`History`; ``n_iter_`` is its number of epochs.
        n_features_in_: size of dimension 1 of X, and ``feature_names_in_`` the names of the
            columns of a DataFrame.

    >>> import numpy as np
    >>> from tensorgrad.train import Classifier
    >>> X = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    >>> model = Classifier(hidden_sizes=(), lr=0.1, epochs=50, random_state=0)
    >>> model.fit(X, ["no", "no", "yes", "yes"]).predict([[-3.0], [4.0]])
    array(['no', 'yes'], dtype='<U3')
    """

    def __init__(
        self, module=None, *, module_params=None, hidden_sizes=(64,), activation="relu",
        class_weight=None, loss=None, optimizer="adam", optimizer_params=None, lr=1e-3,
        weight_decay=0.0, scheduler=None, scheduler_step="epoch", epochs=100, batch_size=32,
        shuffle=True, valid_fraction=0.0, patience=None, stop=(), callbacks=(), metrics=None,
        clip_norm=None, clip_value=None, accumulate=1, check_finite=True, num_workers=0,
        fit_options=None, dtype=None, verbose=False, random_state=None,
    ) -> None:  # fmt: skip
        _keep(self, locals())

    def fit(self, X: Any, y: Any) -> Classifier:
        """Train a new module.

        Args:
            X: samples, shape (N, n_features) or (N, ...).
            y: class labels of any kind, shape (N,).

        Returns:
            The estimator.

        Raises:
            ValueError: X or y is not such an array, holds NaN or infinity, or the module's output
                has not one column for each class.
        """
        X, y = self._read(X, y, reset=True)
        check_classification_targets(y)
        self.classes_, index = np.unique(y, return_inverse=True)
        self._weigh(index)
        self._fit(X, index.astype(np.int64), self.n_outputs_, self._strata(index))
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Classifier:
        """Train for one more epoch, on these samples alone.

        Args:
            X: samples, as for :meth:`fit`.
            y: class labels.
            classes: all labels that there will be; the first call needs them.

        Returns:
            The estimator.

        Raises:
            ValueError: the first call has no ``classes``, or y holds another class.
        """
        first = not hasattr(self, "module_")
        if first and classes is None:
            raise ValueError("the first call of partial_fit needs classes: all that there will be")
        X, y = self._read(X, y, reset=first)
        check_classification_targets(y)
        known = np.unique(classes) if first else self.classes_
        if classes is not None and not np.array_equal(np.unique(classes), known):
            raise ValueError(f"classes {classes!r} are not those of the first call, {known}")
        strange = np.setdiff1d(y, known)
        if strange.size:
            raise ValueError(f"y holds classes {strange} that are not among {known}")
        if first:
            self.classes_ = known
            self._weigh(np.searchsorted(known, y))
            with fork_rng():
                self._start(X.dtype, self.n_outputs_)
            self.n_iter_ = 0
        self._more(X, np.searchsorted(known, y))
        return self

    def _weigh(self, index: np.ndarray) -> None:
        """Fix the number of outputs, and the weights of the classes for the loss."""
        self.n_outputs_ = len(self.classes_)
        if self.class_weight is None:
            self._weights = None
            return
        if self.loss is not None:
            raise ValueError("class_weight is for the default loss; give your loss its weights")
        labels = self.classes_[index]
        self._weights = compute_class_weight(self.class_weight, classes=self.classes_, y=labels)

    def _make_loss(self) -> Any:
        if self.loss is not None:
            return super()._make_loss()
        if self._weights is None:
            return CrossEntropyLoss()
        return CrossEntropyLoss(wrap(np.asarray(self._weights, self._dtype)))

    def _strata(self, index: np.ndarray) -> np.ndarray | None:
        """The labels to stratify by; None where a part would lack a class."""
        held = round(self.valid_fraction * len(index))
        few = min(held, len(index) - held) < len(self.classes_)
        return None if few or np.bincount(index).min() < 2 else index

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probability of each class, in the order of ``classes_``, shape (N, C)."""
        logits = self._outputs(X)
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)

    def predict(self, X: Any) -> np.ndarray:
        """The label with the highest output for each sample, shape (N,)."""
        best = self._outputs(X).argmax(axis=1)
        return self.classes_[best]

    def _fitted(self) -> dict[str, Any]:
        kind = self.classes_.dtype
        if kind.kind == "O" and not all(isinstance(label, str) for label in self.classes_):
            raise TypeError("save: class labels must be numbers or texts")
        weights = None if self._weights is None else [float(w) for w in self._weights]
        return {**super()._fitted(), "classes": self.classes_.tolist(), "labels": kind.str,
                "weights": weights}  # fmt: skip

    def _take(self, fitted: dict[str, Any]) -> None:
        self.classes_ = np.array(fitted["classes"], np.dtype(fitted["labels"]))
        self._weights = fitted["weights"]


class Regressor(RegressorMixin, _Estimator):
    """A network as a scikit-learn regressor, of one or several targets.

    As :class:`Classifier`, whose parameters it has except ``class_weight``. ``loss`` takes outputs
    and targets of shape (N, n_targets), and None is ``MSELoss``. Targets are trained on as they
    are: ``sklearn.compose.TransformedTargetRegressor`` standardises them.

    Attributes:
        module_: the trained module.
        trainer_: its Trainer.
        history_: the :class:`History`; ``n_iter_`` is its number of epochs.
        n_outputs_: number of targets.
        n_features_in_: size of dimension 1 of X, and ``feature_names_in_`` the names of the
            columns of a DataFrame.

    >>> import numpy as np
    >>> from tensorgrad.train import Regressor
    >>> X = np.linspace(-1, 1, 40)[:, None]
    >>> model = Regressor(hidden_sizes=(), lr=0.1, epochs=60, random_state=0).fit(X, 2 * X[:, 0])
    >>> model.predict([[0.25]]).round(2)
    array([0.5])
    """

    def __init__(
        self, module=None, *, module_params=None, hidden_sizes=(64,), activation="relu",
        loss=None, optimizer="adam", optimizer_params=None, lr=1e-3,
        weight_decay=0.0, scheduler=None, scheduler_step="epoch", epochs=100, batch_size=32,
        shuffle=True, valid_fraction=0.0, patience=None, stop=(), callbacks=(), metrics=None,
        clip_norm=None, clip_value=None, accumulate=1, check_finite=True, num_workers=0,
        fit_options=None, dtype=None, verbose=False, random_state=None,
    ) -> None:  # fmt: skip
        _keep(self, locals())

    def fit(self, X: Any, y: Any) -> Regressor:
        """Train a new module.

        Args:
            X: samples, shape (N, n_features) or (N, ...).
            y: targets, shape (N,) or (N, n_targets).

        Returns:
            The estimator.

        Raises:
            ValueError: X or y is not such an array, holds NaN or infinity, or the module's output
                has not one column for each target.
        """
        X, y = self._read(X, y, reset=True, multi_output=True, y_numeric=True)
        self._fit(X, self._columns(X, y, reset=True), self.n_outputs_)
        return self

    def partial_fit(self, X: Any, y: Any) -> Regressor:
        """Train for one more epoch, on these samples alone.

        Args:
            X: samples, as for :meth:`fit`.
            y: targets, as many as in the first call.

        Returns:
            The estimator.

        Raises:
            ValueError: the number of features or targets is not that of the first call.
        """
        first = not hasattr(self, "module_")
        X, y = self._read(X, y, reset=first, multi_output=True, y_numeric=True)
        targets = self._columns(X, y, reset=first)
        if first:
            with fork_rng():
                self._start(X.dtype, self.n_outputs_)
            self.n_iter_ = 0
        self._more(X, targets)
        return self

    def _columns(self, X: np.ndarray, y: np.ndarray, reset: bool) -> np.ndarray:
        """The targets as (N, n_targets) in the dtype of X."""
        columns = y.reshape(len(y), -1).astype(X.dtype)
        if reset:
            self.n_outputs_, self._flat = columns.shape[1], y.ndim == 1
        if columns.shape[1] != self.n_outputs_:
            raise ValueError(f"y has {columns.shape[1]} targets, expected {self.n_outputs_}")
        return columns

    def _make_loss(self) -> Any:
        return MSELoss() if self.loss is None else super()._make_loss()

    def predict(self, X: Any) -> np.ndarray:
        """The outputs, shape (N,) if y was such in ``fit`` and else (N, n_targets)."""
        outputs = self._outputs(X)
        return outputs[:, 0] if self._flat else outputs

    def _fitted(self) -> dict[str, Any]:
        return {**super()._fitted(), "flat": self._flat}

    def _take(self, fitted: dict[str, Any]) -> None:
        self._flat = fitted["flat"]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
