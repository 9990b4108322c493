"""One loop for the optimizers that take one parameter after the other.

Those that are used rarely, or whose update is not elementwise: it costs the calls of each
parameter, but is written on whole arrays.
"""

from __future__ import annotations

import numpy as np

from tensorgrad._graph import Tensor, mark_mutated, wrap

from .optimizer import Optimizer, count_dtype, fits, refuse_complex, with_grad


class Single(Optimizer):
    """An optimizer that updates one parameter after the other.

    A subclass says what the state begins with (:meth:`_start`) and writes the formula
    (:meth:`_update`). A step checks everything first, so that one that fails has changed no
    parameter.
    """

    # Entries of the state that have the shape of the parameter.
    _alike: tuple = ()
    # Entries that are one number; old files have Python numbers there.
    _numbers: tuple = ("step",)

    def _start(self, group, array) -> dict:
        """New entries of the state, as arrays or numbers."""
        raise NotImplementedError

    def _update(self, group, p, array, g, state):
        """Write the new value into ``array``, and the new state into ``state``.

        Args:
            group: the options.
            p: the parameter.
            array: its memory.
            g: the gradient; not to be written to.
            state: the entries of its state, tensors as arrays.
        """
        raise NotImplementedError

    def _check_param(self, p):
        super()._check_param(p)
        refuse_complex(self, p)

    def step(self, closure=None):
        """Update every parameter that has a gradient.

        Args:
            closure: computes the loss anew, with its gradients, and returns it.

        Returns:
            What ``closure`` returned, None without it.

        Raises:
            RuntimeError: a gradient or an entry of the state has another shape or dtype than
                its parameter, or a parameter is read-only. No parameter was changed then.
        """
        loss = None if closure is None else with_grad(closure)
        work = [(g, p) for g in self.param_groups for p in g["params"] if p._grad is not None]
        for _, p in work:
            if not fits(p):
                raise self._mismatch(p, "gradient", p._grad._array)
            self._check(p, self._alike)
        for group, p in work:
            array, state = p._array, self._entries(group, p)
            self._update(group, p, array, p._grad._array, state)
            for value in (array, *state.values()):
                if isinstance(value, np.ndarray):
                    mark_mutated(value)
        return loss

    def _entries(self, group, p):
        """The state of ``p``, begun where there is none, with the memory of its tensors."""
        state = self.state[p]
        if not state:
            for name, value in self._start(group, p._array).items():
                state[name] = wrap(value) if isinstance(value, np.ndarray) else value
        for name in self._numbers:
            if not isinstance(state[name], Tensor):
                state[name] = wrap(number(state[name]))
        return {k: v._array if isinstance(v, Tensor) else v for k, v in state.items()}


def number(value) -> np.ndarray:
    """An entry of the state that is one number, such as the count of steps."""
    return np.array(value, count_dtype())


def direction(group, array, g):
    """The gradient to follow: turned round to maximize, with the weight decay added.

    A decoupled weight decay is taken from ``array`` at once.
    """
    if group["maximize"]:
        g = -g
    weight_decay = float(group["weight_decay"])
    if weight_decay:
        if group.get("decoupled_weight_decay"):
            array *= 1.0 - float(group["lr"]) * weight_decay
        else:
            g = g + weight_decay * array
    return g


def shift_mean(mean, x, taken):
    """Move a running mean towards ``x`` by ``taken`` of the way."""
    mean *= 1.0 - taken
    mean += taken * x
