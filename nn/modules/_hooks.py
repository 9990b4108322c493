"""What a call of a module with hooks does; modules without hooks never come here.

Hooks of every module (``register_module_*``) are in :data:`GLOBAL`, those of one module in its
own attributes, under the same names: :data:`TABLES`.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict

from tensorgrad import Tensor
from tensorgrad._graph import is_recording
from tensorgrad.autograd import Function

# Dictionaries by id of handle: the hooks, and what was asked for about some of them.
TABLES = (
    "_forward_pre_hooks", "_forward_pre_hooks_with_kwargs",
    "_forward_hooks", "_forward_hooks_with_kwargs", "_forward_hooks_always_called",
    "_backward_pre_hooks", "_backward_hooks",
    "_state_dict_pre_hooks", "_state_dict_hooks",
    "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks",
)  # fmt: skip
GLOBAL: dict = {name: OrderedDict() for name in TABLES}
global_is_full = None  # whether the global backward hooks are full ones; None while there are none


def hooks_of(module, table) -> list:
    """Pairs of id and hook: those of every module, then the module's own."""
    own = vars(module).get(table)
    return [*GLOBAL[table].items(), *(own.items() if own else ())]


def _asked(module, table, key) -> bool:
    return key in GLOBAL[table] or key in vars(module).get(table, ())


class Call:
    """One call of a module: arguments and result as the hooks have left them so far."""

    def __init__(self, module, args, kwargs):
        self.module, self.args, self.kwargs = module, args, kwargs
        self.result, self.done = None, set()

    def run(self):
        """The result, after all hooks."""
        try:
            return self._run()
        except Exception:
            self._run_always_called()
            raise

    def _run(self):
        module = self.module
        full = vars(module).get("_is_full_backward_hook")
        before = [h for _, h in hooks_of(module, "_backward_pre_hooks")]
        after, legacy = _backward_hooks(module, full)
        for key, hook in hooks_of(module, "_forward_pre_hooks"):
            self._run_pre_hook(key, hook)
        watch = Watch(module, before, after) if before or after else None
        if watch is not None:
            self.args = watch.inputs(self.args)
        self.result = module.forward(*self.args, **self.kwargs)
        for key, hook in hooks_of(module, "_forward_hooks"):
            self.done.add(key)
            self._run_hook(key, hook)
        if watch is not None:
            self.result = watch.outputs(self.result)
        if legacy:
            _hook_node(module, legacy, self.result)
        return self.result

    def _run_pre_hook(self, key, hook):
        if not _asked(self.module, "_forward_pre_hooks_with_kwargs", key):
            result = hook(self.module, self.args)
            if result is not None:
                self.args = result if isinstance(result, tuple) else (result,)
            return
        result = hook(self.module, self.args, self.kwargs)
        if result is None:
            return
        if not isinstance(result, tuple) or len(result) != 2:
            raise RuntimeError(
                "forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got "
                f"{result}."
            )
        self.args, self.kwargs = result

    def _run_hook(self, key, hook):
        if _asked(self.module, "_forward_hooks_with_kwargs", key):
            result = hook(self.module, self.args, self.kwargs, self.result)
        else:
            result = hook(self.module, self.args, self.result)
        if result is not None:
            self.result = result

    def _run_always_called(self):
        """Run, after an error, the hooks that asked for it and had not run; they may fail too."""
        for key, hook in hooks_of(self.module, "_forward_hooks"):
            if key in self.done or not _asked(self.module, "_forward_hooks_always_called", key):
                continue
            try:
                self._run_hook(key, hook)
            except Exception as error:
                warnings.warn(
                    "module forward hook with ``always_call=True`` raised an exception that was "
                    f"silenced as another error was raised in forward: {error}",
                    stacklevel=2,
                )


def _backward_hooks(module, full):
    """The full backward hooks that apply to a module, and the legacy ones."""
    everywhere = list(GLOBAL["_backward_hooks"].values())
    own = list(vars(module).get("_backward_hooks", {}).values())
    kinds: dict = {True: [], False: []}
    kinds[global_is_full is True] += everywhere
    kinds[full is True] += own
    return kinds[True], kinds[False]


def _hook_node(module, hooks, result):
    """Register legacy backward hooks on the node of the (first) result."""
    while not isinstance(result, Tensor):
        if isinstance(result, dict):
            result = next(v for v in result.values() if isinstance(v, Tensor))
        else:
            result = result[0]
    node = result.grad_fn
    for hook in hooks if node is not None else ():
        node.register_hook(lambda gi, go, hook=hook: hook(module, gi, go))


class _Seam(Function):
    """The identity on tensors; their gradients pass through ``see``."""

    @staticmethod
    def forward(ctx, see, zeros, *tensors):
        """The tensors; ``zeros`` is whether ``see`` gets zeros for a gradient that is missing."""
        ctx.see = see
        ctx.set_materialize_grads(zeros)
        ctx.mark_non_differentiable(*[t for t in tensors if not t.requires_grad])
        return tensors

    @staticmethod
    def backward(ctx, *grads):
        """The gradients, as ``see`` leaves them."""
        return (None, None, *ctx.see(grads))


class Watch:
    """Full backward hooks around one call: a seam at the inputs, and one at the outputs.

    The gradients of the outputs are noted at the one; at the other the hooks see both.
    """

    def __init__(self, module, before, after):
        self.module, self.before, self.after = module, before, after
        self.grad_outputs = None

    def inputs(self, args):
        """The arguments behind the first seam."""
        self.n_inputs = len(args)
        args, self.input_places = _seamed(args, self._see_inputs, zeros=True)
        return args

    def outputs(self, result):
        """The result behind the second seam."""
        if not isinstance(result, Tensor | tuple):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of "
                f"Tensors but received {type(result)}",
                stacklevel=2,
            )
        values = result if isinstance(result, tuple) else (result,)
        self.n_outputs = len(values)
        values, self.output_places = _seamed(values, self._see_outputs, zeros=False)
        return values if isinstance(result, tuple) else values[0]

    def _see_inputs(self, grads):
        if self.grad_outputs is None:
            return grads  # they did not come through the outputs
        grad_input = _spread(grads, self.input_places, self.n_inputs)
        for hook in self.after:
            result = hook(self.module, grad_input, self.grad_outputs)
            if result is not None:
                grad_input = _checked(result, grad_input, "Backward hook", "grad_input")
        self.grad_outputs = None
        return [grad_input[i] for i in self.input_places]

    def _see_outputs(self, grads):
        grad_output = _spread(grads, self.output_places, self.n_outputs)
        for hook in self.before:
            result = hook(self.module, grad_output)
            if result is not None:
                grad_output = _checked(result, grad_output, "Backward pre hook", "grad_output")
        self.grad_outputs = grad_output
        if self.input_places is None:
            self._run_without_inputs()
        return [grad_output[i] for i in self.output_places]

    def _run_without_inputs(self):
        """No input requires grad, so no gradient will reach the first seam: the hooks run now."""
        warnings.warn(
            "Full backward hook is firing when gradients are computed with respect to module "
            "outputs since no inputs require gradients.",
            stacklevel=2,
        )
        for hook in self.after:
            result = hook(self.module, (None,) * self.n_inputs, self.grad_outputs)
            if result is not None and any(g is not None for g in result):
                raise RuntimeError(
                    "Backward hook for Modules where no input requires gradient should always "
                    "return None or None for all gradients."
                )
        self.grad_outputs = None


def _seamed(values, see, zeros):
    """The values with the tensors among them behind a seam, and their places.

    The places are None where there is nothing to record.
    """
    places = [i for i, v in enumerate(values) if isinstance(v, Tensor)]
    if not is_recording() or not any(values[i].requires_grad for i in places):
        return values, None
    values_after = list(values)
    tensors = _Seam.apply(see, zeros, *[values[i] for i in places])
    for i, t in zip(places, tensors, strict=True):
        values_after[i] = t
    make = getattr(type(values), "_make", type(values))
    return make(values_after), places


def _spread(grads, places, n):
    """The gradients at their places among ``n``, the others None."""
    spread = [None] * n
    for i, g in zip(places, grads, strict=True):
        spread[i] = g
    return tuple(spread)


def _checked(result, old, who, what):
    """The tuple of gradients that a hook returned."""
    if isinstance(result, Tensor):
        raise RuntimeError(f"{who} must return a tuple of {what}, got a Tensor; add a comma")
    result = tuple(result)
    if len(result) != len(old):
        raise RuntimeError(
            f"{who} returned an invalid number of {what}, got {len(result)}, but expected "
            f"{len(old)}"
        )
    for g in result:
        if g is not None and not isinstance(g, Tensor):
            raise TypeError(f"{who} must return Tensors or None, got {type(g).__name__}")
    return result
