"""L-BFGS, with a line search that satisfies the strong Wolfe conditions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tensorgrad._graph import Tensor, mark_mutated, wrap

from .optimizer import Optimizer, check_options, fits, refuse_complex, with_grad

# What the state keeps from one step to the next.
_KEPT = ("d", "t", "old_dirs", "old_stps", "ro", "H_diag", "prev_flat_grad", "prev_loss")


class LBFGS(Optimizer):
    """L-BFGS: Newton steps with a Hessian estimated from the last ``history_size`` gradients.

    For smooth functions without noise. One ``step`` makes up to ``max_iter`` iterations and
    calls the closure for each. With gradient g and the estimate H of the inverse Hessian::

        d  = -H g
        p += t d        (t = lr, or found by the line search)

    H comes from the differences of steps s and gradients y by the two loops of Nocedal and
    Wright, "Numerical optimization" (2006), algorithm 7.4, and the line search is their
    algorithms 3.5 and 3.6 with cubic interpolation. In the very first iteration t is
    ``lr * min(1, 1 / |g|₁)``.

    Args:
        params: tensors, or one group; all share one history.
        lr: learning rate, at least 0; a number or a tensor with one element.
        max_iter: the most iterations of a step.
        max_eval: the most calls of the closure in a step; None is ``max_iter * 5 // 4``.
        tolerance_grad: a step ends when no element of g is larger.
        tolerance_change: a step ends when p or the loss changes by less.
        history_size: how many pairs (s, y) are kept.
        line_search_fn: "strong_wolfe", or None for none.

    State, of the first parameter: ``func_evals``, ``n_iter`` and the history.

    Raises:
        ValueError: ``lr`` is negative, or there are several groups.
        NotImplementedError: a parameter is complex.

    >>> import tensorgrad
    >>> w = tensorgrad.tensor([3.0, -2.0], requires_grad=True)
    >>> lbfgs = tensorgrad.optim.LBFGS([w], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     lbfgs.zero_grad()
    ...     loss = ((w - 1.0) ** 4 + w * w).sum()
    ...     loss.backward()
    ...     return loss
    >>> lbfgs.step(closure)
    tensor(110., grad_fn=<SumBackward0>)
    >>> w
    tensor([0.4102, 0.4102], requires_grad=True)
    """

    def __init__(
        self, params, lr=1, max_iter=20, max_eval=None, tolerance_grad=1e-7, tolerance_change=1e-9,
        history_size=100, line_search_fn=None,
    ):  # fmt: skip
        options = {
            "lr": lr, "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change,
            "history_size": history_size, "line_search_fn": line_search_fn,
        }  # fmt: skip
        check_options(options, "lr")
        super().__init__(params, options)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")

    def _check_param(self, p):
        super()._check_param(p)
        refuse_complex(self, p)

    # --- the parameters as one vector ------------------------------------------------

    @property
    def _params(self):
        return self.param_groups[0]["params"]

    def _flat_grad(self):
        """All gradients in one new vector, zeros for None."""
        for p in self._params:
            if p._grad is not None and not fits(p):
                raise self._mismatch(p, "gradient", p._grad._array)
        return np.concatenate([
            np.zeros_like(p._array).reshape(-1) if p._grad is None else p._grad._array.reshape(-1)
            for p in self._params
        ])  # fmt: skip

    def _move(self, t, d):
        """Add ``t * d`` to the parameters."""
        low = 0
        for p in self._params:
            array = p._array
            array += (t * d[low : low + array.size]).reshape(array.shape).astype(array.dtype)
            mark_mutated(array)
            low += array.size

    def _evaluate_at(self, closure, origin, t, d):
        """The point that lies ``t * d`` from ``origin``; the parameters are put back."""
        self._move(t, d)
        loss = float(closure())
        g = self._flat_grad()
        for p, array in zip(self._params, origin, strict=True):
            p._array[...] = array
            mark_mutated(p._array)
        return _Point(t, loss, g, g.dot(d))

    # --- a step -----------------------------------------------------------------------

    def step(self, closure):
        """Iterate until a tolerance or limit is reached.

        Args:
            closure: clears the gradients, computes the loss with its gradients, returns it.

        Returns:
            What the first call of ``closure`` returned.

        Raises:
            RuntimeError: ``line_search_fn`` is unknown, a gradient has another shape or
                dtype than its parameter, or a parameter is read-only.
        """
        group = self.param_groups[0]
        search, max_eval, small = (
            group["line_search_fn"], group["max_eval"], group["tolerance_change"],
        )  # fmt: skip
        if search not in (None, "strong_wolfe"):
            raise RuntimeError(f"only 'strong_wolfe' is supported, got line_search_fn={search!r}")
        for p in self._params:
            self._check(p, ())
        state = self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)

        def evaluate():
            return with_grad(closure)

        first_loss = evaluate()
        loss, g, evals = float(first_loss), self._flat_grad(), 1
        state["func_evals"] += 1
        if _largest(g) <= group["tolerance_grad"]:
            return first_loss
        h = _History(state, group["history_size"])
        for iteration in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            h.direct(g, loss, first=state["n_iter"] == 1)
            h.t = lr = float(group["lr"])
            if state["n_iter"] == 1:
                h.t = min(1.0, 1.0 / np.abs(g).sum()) * lr
            slope = g.dot(h.d)
            if slope > -small:
                break
            used = 0
            if search:
                origin = [p._array.copy() for p in self._params]
                start = _Point(0, loss, g, slope)
                found, used = _strong_wolfe(
                    lambda t, x=origin: self._evaluate_at(evaluate, x, t, h.d),
                    start, h.t, _largest(h.d), small, max_eval - evals,
                )  # fmt: skip
                h.t, loss, g = found.t, found.f, found.g
                self._move(h.t, h.d)
            else:
                self._move(h.t, h.d)
                if iteration != group["max_iter"]:
                    loss, g, used = float(evaluate()), self._flat_grad(), 1
            evals += used
            state["func_evals"] += used
            if (
                evals >= max_eval
                or _largest(g) <= group["tolerance_grad"]
                or _largest(h.d * h.t) <= small
                or abs(loss - h.loss) < small
            ):
                break
        h.save(state)
        return first_loss


def _largest(vector):
    """The largest absolute value, 0 of nothing."""
    return np.abs(vector).max(initial=0)


class _History:
    """The last steps and changes of the gradient, from which directions are made.

    Attributes:
        d: the direction.
        t: how far to go along it.
        g, loss: where the last direction began.
        y, s, ro: for each pair, the change of gradient, the step, and ``1 / (y · s)``.
        scale: of the first estimate of the inverse Hessian.
        weights: what the first of the two loops leaves for the second.
    """

    def __init__(self, state, size):
        kept = {name: _arrays(state.get(name)) for name in _KEPT}
        self.d, self.t, self.y, self.s, self.ro, self.scale, self.g, self.loss = kept.values()
        self.size, self.weights = size, None

    def save(self, state):
        values = (self.d, self.t, self.y, self.s, self.ro, self.scale, self.g, self.loss)
        for name, value in zip(_KEPT, values, strict=True):
            state[name] = _tensors(value)
        if self.weights is not None:
            state["al"] = _tensors(self.weights + [None] * (self.size - len(self.weights)))

    def direct(self, g, loss, first):
        """Find the direction at a point with this gradient and loss."""
        if first:
            self.y, self.s, self.ro, self.scale = [], [], [], 1
            self.d = -g
        else:
            self._remember(g)
            self.d = self._times_inverse_hessian(-g)
        self.g, self.loss = g.copy(), loss

    def _remember(self, g):
        y, s = g - self.g, self.d * self.t
        ys = y.dot(s)
        if ys > 1e-10:  # else the estimate would not stay positive definite
            if len(self.y) == self.size:
                for column in (self.y, self.s, self.ro):
                    del column[0]
            self.y.append(y)
            self.s.append(s)
            self.ro.append(1.0 / ys)
            self.scale = ys / y.dot(y)

    def _times_inverse_hessian(self, q):
        pairs = list(zip(self.y, self.s, self.ro, strict=True))
        self.weights = []
        for y, s, ro in reversed(pairs):
            self.weights.insert(0, s.dot(q) * ro)
            q -= self.weights[0] * y
        q *= self.scale
        for (y, s, ro), weight in zip(pairs, self.weights, strict=True):
            q += (weight - y.dot(q) * ro) * s
        return q


def _arrays(value):
    """What an entry of the state holds, tensors as arrays."""
    if isinstance(value, list):
        return [_arrays(v) for v in value]
    return value._array if isinstance(value, Tensor) else value


def _tensors(value):
    """Arrays as tensors, to be kept in the state."""
    if isinstance(value, list):
        return [_tensors(v) for v in value]
    return wrap(np.asarray(value)) if isinstance(value, np.ndarray | np.generic) else value


# --- line search -------------------------------------------------------------------------


class _Point(NamedTuple):
    """A point on the line: where, the loss, the gradient, and the slope along the line."""

    t: float
    f: float
    g: np.ndarray
    slope: float


def _strong_wolfe(at, start, t, length, tolerance, limit, c1=1e-4, c2=0.9):
    """A point with enough decrease and a slope that is flat enough.

    Args:
        at: function from ``t`` to the point there.
        start: the point at 0.
        t: what to try first.
        length: the largest element of the direction.
        tolerance: an interval shorter than this is not searched further.
        limit: the most points to try after the first.
        c1: the share of the first slope that the loss must fall by.
        c2: the share of the first slope that the slope may have.

    Returns:
        The point, and how many were evaluated.
    """

    def too_high(point):
        return point.f > start.f + c1 * point.t * start.slope

    def is_flat(point):
        return abs(point.slope) <= -c2 * start.slope

    # Go further and further, until the interval between two points must contain one.
    previous, point, tries = start, at(t), 0
    bracket, done = [start, point], False
    while tries < limit:
        bracket = [previous, point]
        if too_high(point) or (tries > 1 and point.f >= previous.f):
            break
        if is_flat(point):
            bracket, done = [point], True
            break
        if point.slope >= 0:
            break
        least = point.t + 0.01 * (point.t - previous.t)
        t = _cubic_minimum(previous, point, least, point.t * 10)
        previous, point = point, at(t)
        tries += 1
    else:
        bracket = [start, point]

    # Shrink it.
    low, high = _ordered(bracket)
    stalled = False
    while not done and tries < limit:
        ends = bracket[0].t, bracket[1].t
        left, right = min(ends), max(ends)
        if (right - left) * length < tolerance:
            break
        t = _cubic_minimum(*bracket, left, right)
        margin = 0.1 * (right - left)
        if min(right - t, t - left) < margin:
            # Close to an end for the second time: move away from it.
            if stalled or t >= right or t <= left:
                t = right - margin if abs(t - right) < abs(t - left) else left + margin
                stalled = False
            else:
                stalled = True
        else:
            stalled = False
        point = at(t)
        tries += 1
        if too_high(point) or point.f >= bracket[low].f:
            bracket[high] = point
            low, high = _ordered(bracket)
            continue
        if is_flat(point):
            done = True
        elif point.slope * (bracket[high].t - bracket[low].t) >= 0:
            bracket[high] = bracket[low]
        bracket[low] = point
    return bracket[low], tries + 1


def _ordered(bracket):
    """The positions of the lower and the higher end."""
    return (0, 1) if bracket[0].f <= bracket[-1].f else (1, 0)


def _cubic_minimum(a, b, least, most):
    """Where the cubic through two points has its minimum, kept within limits.

    Nocedal and Wright, equation (3.59).
    """
    d1 = a.slope + b.slope - 3.0 * (a.f - b.f) / (a.t - b.t)
    square = d1 * d1 - a.slope * b.slope
    if not square >= 0:
        return (least + most) / 2.0
    d2 = np.sqrt(square)
    if a.t > b.t:
        a, b = b, a
    t = b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2.0 * d2))
    return min(max(t, least), most)
