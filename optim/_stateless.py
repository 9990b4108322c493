"""Steps of an optimizer on other parameters than its own."""

from __future__ import annotations

from collections import defaultdict
from contextlib import contextmanager

from tensorgrad._graph import Tensor

__all__ = ["swap_in_optimizer_params_and_state"]

_NAME = "swap_in_optimizer_params_and_state"


@contextmanager
def swap_in_optimizer_params_and_state(optimizer, swapin_parameters, swapin_optim_state):
    """Within this context an optimizer has other parameters, state and options.

    Args:
        optimizer: one that has made a step.
        swapin_parameters: the other parameters by any name, in the order of the groups.
        swapin_optim_state: their state and options, in the form of
            :meth:`Optimizer.state_dict`.

    Raises:
        RuntimeError: the optimizer has no state, or what is given does not match its groups.

    >>> import tensorgrad
    >>> w, v = (tensorgrad.ones(1, requires_grad=True) for _ in range(2))
    >>> sgd = tensorgrad.optim.SGD([w], lr=0.5, momentum=0.9)
    >>> w.grad = v.grad = tensorgrad.ones(1)
    >>> sgd.step()
    >>> with swap_in_optimizer_params_and_state(sgd, {"v": v}, sgd.state_dict()):
    ...     sgd.step()
    >>> w.item(), round(v.item(), 3)
    (0.5, 0.05)
    """
    groups = optimizer.param_groups
    params, saved = list(swapin_parameters.values()), _checked(optimizer, swapin_optim_state)
    if len(params) < sum(len(group["params"]) for group in groups):
        raise RuntimeError(
            f"{_NAME}: the optimizer has more than the {len(params)} parameters given"
        )
    own_state, own_groups = optimizer.state, [dict(group) for group in groups]
    optimizer.state = defaultdict(dict)
    try:
        for group, other in zip(groups, saved["param_groups"], strict=True):
            n = len(group["params"])
            group.update(other, params=params[:n])
            for p, position in zip(params[:n], other["params"], strict=True):
                optimizer.state[p] = dict(saved["state"].get(position, {}))
            params = params[n:]
        yield
    finally:
        for group, own in zip(groups, own_groups, strict=True):
            group.clear()
            group.update(own)
        optimizer.state = own_state


def _checked(optimizer, saved):
    """The saved form, if it matches the groups of the optimizer."""
    groups = optimizer.param_groups

    def demand(holds, what):
        if not holds:
            raise RuntimeError(f"{_NAME}: {what}")

    demand(optimizer.state, "the optimizer has no state yet; make a step first")
    demand(isinstance(saved, dict), f"expected a state_dict, got {type(saved).__name__}")
    state, others = saved.get("state"), saved.get("param_groups")
    demand(isinstance(state, dict), "'state' must be a dict, by position of the parameter")
    demand(isinstance(others, list), "'param_groups' must be a list of dicts")
    demand(not any(isinstance(k, Tensor) for k in state), "'state' must be by position")
    demand(all(isinstance(v, dict) for v in state.values()), "each state must be a dict")
    demand(
        len(others) == len(groups),
        f"'param_groups' has {len(others)} groups, the optimizer {len(groups)}",
    )
    known = set()
    for i, (group, other) in enumerate(zip(groups, others, strict=True)):
        demand(isinstance(other, dict), f"group {i} must be a dict")
        positions = other.get("params")
        demand(
            isinstance(positions, list) and all(isinstance(k, int) for k in positions),
            f"'params' of group {i} must be a list of positions",
        )
        demand(
            len(positions) == len(group["params"]),
            f"group {i} has {len(positions)} parameters instead of {len(group['params'])}",
        )
        demand(
            other.keys() == group.keys(),
            f"the options of group {i} differ: {sorted(other.keys() ^ group.keys())}",
        )
        known.update(positions)
    demand(state.keys() <= known, f"state of no parameter: {sorted(state.keys() - known)}")
    return saved
