"""Op: one object per operation, holding its forward and its vjps; and the table of them.

An op is declared in one place::

    @op(domain=(-4.0, 4.0), types="float")
    def softplus(x):
        return np.logaddexp(x, 0.0)

    softplus.vjp(x=lambda g, x: g * sigmoid(x))

Positional parameters are the differentiable candidates, keyword-only ones attributes.
The forward sees plain arrays. A vjp *names what it reads* after ``g``: an input, ``out``,
``x_shape`` or ``x_dtype`` of an input, or a residual; exactly that is saved, and only when
that input needs a gradient. It may name attributes as keyword-only parameters.

Vjps are written with operators and registered ops only. Called without Tensors an op *is*
NumPy, so plain backward runs on bare arrays, and ``create_graph`` runs the same lambda on
Tensors. Declaring an op gives it the function, the method, its documentation entry, its line
in the type stub and its generated tests.
"""

from __future__ import annotations

import inspect
import threading
from weakref import ref as _weakref

import numpy as np

from . import _graph, dtypes, errors
from ._graph import LEAF, Tensor, computed, edge_of, ndarray, owner_of, record, wrap

asarray = np.asarray
_view_lock = threading.Lock()
REQUIRED = inspect.Parameter.empty  # the default of an attribute that has none
_VARIADIC = inspect.CO_VARARGS
OPS: dict[str, Op] = {}  # every primitive and fused op, by name
FUNCTIONS: dict[str, object] = {}  # every public function and method, ops and composed ones
METHODS: dict[str, object] = {}  # the subset that Tensor has as methods
UFUNCS: dict[np.ufunc, object] = {}  # NumPy function -> ours, for the NumPy protocols

# Other spellings of argument names that scripts use.
SYNONYMS = {"axis": "dim", "keepdims": "keepdim", "dims": "dim", "axes": "dim"}

cast = None  # bound by ops.elementwise: changes a tensor's dtype, recorded


class Plan:
    """What one gradient mask of one op saves and runs.

    Attributes:
        op: the op.
        slots: the names of what is saved, in order.
        reuses: whether the vjps may write into the gradient that they are given.
        frees: whether a walk has something to free: a value, not just shapes and dtypes.
        keep: takes (inputs..., out, residuals...) and returns what to save.
        run: takes (g, saved, attrs) and returns the gradients of the needed inputs.
        on_edges: takes (node, saved, parents) and returns the saved values as Tensors on their
            edges, for create_graph.
    """

    __slots__ = ("_needed", "_parts", "frees", "keep", "on_edges", "op", "reuses", "run", "slots")

    def __init__(self, op: Op, mask: int):
        self.op, self.reuses = op, op.reuses
        self._needed = needed = [i for i in range(mask.bit_length()) if mask >> i & 1]
        rules = [op.joint] if op.joint is not None else [op.rule(i) for i in needed]
        slots = list(dict.fromkeys(name for rule in rules for name in _reads(rule)[0]))
        for name in slots:  # what a residual's definition reads is needed under create_graph
            if name in op.residuals:
                slots += [r for r in _reads(op.residuals[name], skip=0)[0] if r not in slots]
        places = [op.locate(name) for name in slots]
        self.slots = tuple(slots)
        self.frees = any(fact is None for _, fact in places)
        self.keep = _keeper(places)
        self.on_edges = _hanger(op, needed, slots)
        self._parts: dict = {}
        self.run = self.part((True,) * len(needed))

    def part(self, wanted: tuple):
        """:attr:`run` cut to some of the needed inputs: None stands for the others."""
        run = self._parts.get(wanted)
        if run is None:
            run = self._parts[wanted] = self._compile(wanted)
        return run

    def _compile(self, wanted):
        """One lambda that calls each vjp with what it reads, so that no walk looks that up.

        For ``mul``: ``lambda g, saved, attrs: (f0(g, saved[0]), f1(g, saved[1]),)``.
        """
        op = self.op
        if op.joint is None:
            rules = [op.rule(i) for i in self._needed]
            calls = [self._call(f"f{k}", rule) for k, rule in enumerate(rules)]
            results = [call if want else "None" for call, want in zip(calls, wanted, strict=True)]
            body = f"({', '.join(results)},)"
            env = {f"f{k}": rule for k, rule in enumerate(rules)}
        else:
            pairs = list(zip(self._needed, wanted, strict=True))
            results = [f"r[{i}]" if want else "None" for i, want in pairs]
            body = f"(r := {self._call('f', op.joint)}) and ({', '.join(results)},)"
            env = {"f": op.joint, "needs": [i for i, want in pairs if want]}
        return eval(f"lambda g, saved, attrs: {body}", env)

    def _call(self, name, rule):
        """Source text of the call of ``rule``."""
        reads, names = _reads(rule)
        args = [f"saved[{self.slots.index(r)}]" for r in reads]
        args += [f"{n}=needs" if n == "needs" else f"{n}=attrs[{n!r}]" for n in names]
        return f"{name}({', '.join(['g', *args])})"


def _reads(fn, skip=1):
    """Names of the values and of the attributes that a vjp reads."""
    inputs, attrs, _ = _parameters(fn)
    return list(inputs[skip:]), tuple(attrs)


def _parameters(fn):
    """(positional names, keyword-only names with defaults, name of ``*args`` or None).

    Read off the code object: for all ops together, ``inspect.signature`` takes 20 ms.
    """
    code = fn.__code__
    names, positional = code.co_varnames, code.co_argcount
    after = positional + code.co_kwonlyargcount
    defaults = fn.__kwdefaults__ or {}
    attrs = {name: defaults.get(name, REQUIRED) for name in names[positional:after]}
    return names[:positional], attrs, names[after] if code.co_flags & _VARIADIC else None


def _keeper(places):
    """A function from (inputs..., out, residuals...) to the tuple of saved values."""
    facts = [_FACTS[fact].format(f"env[{at}]") for at, fact in places]
    return eval(f"lambda env: ({''.join(f + ', ' for f in facts)})")


# Source text of what a vjp may save of a value; the last two, of all inputs of a variadic op.
_FACTS = {
    None: "{}", "shape": "{}.shape", "dtype": "{}.dtype",
    "shapes": "tuple([v.shape for v in {}])", "dtypes": "tuple([v.dtype for v in {}])",
}  # fmt: skip


def _hanger(op, needed, slots):
    """A function from (node, saved, parents) to the saved values, each array back on its edge.

    Nodes store arrays alone, so they form no cycle; a value that came from a tracked input
    or is the node's output becomes a Tensor there again, and a residual is computed anew
    by its definition, which makes it differentiable.
    """
    edges = {} if op.variadic else {op.inputs[i]: f"parents[{k}]" for k, i in enumerate(needed)}
    edges["out"] = "node"

    def source(at, name):
        if name == op.variadic:
            return f"all_on_edges(saved[{at}], parents)"
        return f"wrap(saved[{at}], {edges[name]})" if name in edges else f"saved[{at}]"

    def all_on_edges(values, parents):
        edges = dict(zip(needed, parents, strict=True))
        return tuple(wrap(v, edges[i]) if i in edges else v for i, v in enumerate(values))

    values = "".join(source(at, name) + ", " for at, name in enumerate(slots))
    env = {"wrap": wrap, "all_on_edges": all_on_edges}
    on_edges = eval(f"lambda node, saved, parents: ({values})", env)
    residuals = {
        name: (op.residuals[name], *_reads(op.residuals[name], skip=0))
        for name in slots
        if name in op.residuals
    }
    if not residuals:
        return on_edges

    def with_residuals(node, saved, parents):
        values = dict(zip(slots, on_edges(node, saved, parents), strict=True))
        for name, (definition, reads, names) in residuals.items():
            attrs = {k: node.attrs[k] for k in names}
            values[name] = definition(*[values[r] for r in reads], **attrs)
        return tuple(values.values())

    return with_residuals


class Op:
    """A differentiable function of arrays; see the module's description.

    Args:
        forward: computes the result from plain arrays.
        domain: bounds of the values that the generated tests draw.
        types: ``"promote"`` casts tensor inputs to their common dtype, ``"float"`` also
            turns integers into the default float, ``"same"`` demands equal dtypes,
            None leaves them alone.
        view: the result shares memory with the first input.
        direct: the forward is nothing but ``ufunc``, which dispatch may call in its place.
        inplace: also gives Tensor the method ``name_``.
        method: whether Tensor has it as a method, or the list of method names.
        order: the public order of arguments, where it is not inputs before attributes.
        grad_name: the name of its node, PyTorch's; or a function from the node to its name, for
            an op that is several in PyTorch.
        ufunc: the NumPy function that ``np.name(tensor)`` maps here.
        definition: for a fused op, its composition from other ops; tested equal.
        residuals: names of further values that the forward returns as a tuple after the
            result, each with its definition in terms of the inputs.
        public: False keeps it out of the public names.
        check: called with the inputs before they are promoted; raises what PyTorch would.
        complex: what a walk does where the gradient is complex. ``"holomorphic"``: the vjps run
            on its conjugate, and what they give is conjugated. ``"as is"``: they are right as they
            stand, being linear with real factors or written for complex numbers. None: they were
            not checked for complex numbers, so the walk raises.

    Attributes:
        variants: keyword -> function that takes over a call with that keyword, composed from
            other ops (``alpha`` of ``add``), so that the op itself stays as fast as without.
        reuses: whether its vjp reads the attribute ``own``, in which the walk says that the
            gradient is a fresh array that nothing else refers to, which it may then overwrite.
    """

    def __init__(
        self, forward, *, domain=(-3.0, 3.0), types=None, view=False, inplace=False, method=True,
        order=None, grad_name=None, ufunc=None, definition=None, residuals=None, public=True,
        differentiable=True, name=None, check=None, direct=False, complex=None,
    ):  # fmt: skip
        self.forward, self.domain, self.types, self.view = forward, domain, types, view
        self.kernel = ufunc if direct else forward  # a call less: 0.06 us
        self.inplace, self.ufunc, self.definition = inplace, ufunc, definition
        self.residuals, self.public, self.method = residuals or {}, public, method
        self.differentiable, self.check, self.complex = differentiable, check, complex
        self.variants: dict = {}
        self.reuses = False
        self.name = name or forward.__name__.rstrip("_")
        self.__doc__ = forward.__doc__
        self.inputs, self.attrs, self.variadic = _parameters(forward)
        given = forward.__defaults__ or ()
        self.optional = dict(zip(self.inputs[len(self.inputs) - len(given) :], given, strict=True))
        self.optional |= {k: v for k, v in self.attrs.items() if v is not REQUIRED}
        self.order = tuple(order.split()) if order else self.inputs + tuple(self.attrs)
        self.simple = not self.attrs and not self.variadic and not self.residuals
        self.grad_name = grad_name or _camel(self.name) + "Backward0"
        self.vjps: dict = {}
        self.joint = None
        self.plans: dict[int, Plan] = {}

    def __repr__(self):
        return f"<op {self.name}>"

    def __reduce__(self):
        return _op_by_name, (self.name,)

    def vjp(self, *joint, **by_input):
        """Register one vjp per input, or a single joint one that returns all gradients."""
        unknown = by_input.keys() - set(self.inputs)
        if unknown:
            raise TypeError(f"{self.name}: vjp for unknown input {sorted(unknown)}")
        if joint:
            (self.joint,) = joint
        for fn in (*joint, *by_input.values()):
            for name in _reads(fn)[0]:
                self.locate(name)
        self.vjps.update(by_input)

    def locate(self, name):
        """Where a vjp finds the value ``name``: (position in env, attribute to read or None)."""
        extra = list(self.residuals)
        stem, _, fact = name.rpartition("_")
        if name in self.inputs:
            return self.inputs.index(name), None
        if name == "out":
            return -1 - len(extra), None
        if name in extra:
            return extra.index(name) - len(extra), None
        if name == self.variadic:
            return 0, None
        if fact in ("shape", "dtype") and (stem in self.inputs or stem == "out"):
            return self.locate(stem)[0], fact
        if fact in ("shapes", "dtypes") and stem == self.variadic:
            return 0, fact
        raise TypeError(
            f"{self.name}: a vjp reads {name!r}, which is not an input "
            f"{self.inputs}, its _shape or _dtype, 'out' or a residual {extra}"
        )

    def rule(self, i):
        """The vjp of input ``i``."""
        fn = self.vjps.get(self.inputs[i])
        if fn is None:
            raise NotImplementedError(
                f"the derivative of {self.name} with respect to {self.inputs[i]!r} is not defined"
            )
        return fn

    def compile(self, mask: int) -> Plan:
        """Make and keep the plan for one gradient mask."""
        plan = self.plans[mask] = Plan(self, mask)
        return plan

    def bind(self, args, kwargs):
        """Sort call arguments into (inputs, attrs), with PyTorch's synonyms and defaults."""
        values = {}
        order = self.order
        if self.variadic:
            return args, {**self.attrs, **self._known(kwargs)}
        if len(args) > len(order):
            raise TypeError(f"{self.name}() takes {len(order)} arguments, got {len(args)}")
        values = dict(zip(order, args, strict=False))
        for key, value in self._known(kwargs).items():
            if key in values:
                raise TypeError(f"{self.name}() got multiple values for argument {key!r}")
            values[key] = value
        inputs, attrs = [], {}
        for name in self.inputs:
            if name not in values and name not in self.optional:
                raise TypeError(f"{self.name}() missing required argument {name!r}")
            inputs.append(values[name] if name in values else self.optional[name])
        for name, default in self.attrs.items():
            value = values.get(name, default)
            if value is REQUIRED:
                raise TypeError(f"{self.name}() missing required argument {name!r}")
            attrs[name] = value
        return tuple(inputs), attrs

    def _known(self, kwargs):
        known = {}
        for key, value in kwargs.items():
            name = self._translate(key)
            if name is None:
                raise TypeError(
                    f"{self.name}() got an unexpected keyword argument {key!r}; "
                    f"it takes {', '.join(self.order)}"
                )
            known[name] = value
        return known

    def _translate(self, key):
        if key in self.order or key in self.attrs:
            return key
        if key in SYNONYMS and SYNONYMS[key] in self.order:
            return SYNONYMS[key]
        if key in ("input", "self") and self.inputs:
            return self.inputs[0]
        if key in ("other", "exponent", "mat2", "vec2") and len(self.inputs) > 1:
            return self.inputs[1]
        return None

    def general(self, args, kwargs):
        """Call with any arguments: binds names, honours ``out=``, then :meth:`apply`."""
        out = kwargs.pop("out", None) if kwargs else None
        for keyword, variant in self.variants.items():
            if keyword in kwargs:
                result = variant(*args, **kwargs)
                break
        else:
            result = self.apply(*self.bind(args, kwargs))
        if out is None:
            return result
        from ._inplace import write_out

        return write_out(out, result)

    def apply(self, inputs, attrs):
        """Run on bound inputs; records a node when one of them is tracked."""
        if self.check is not None:
            self.check(*inputs)
        if self.types is not None:
            inputs = coerce(self, inputs)
        arrays, parents, mask, boxed = [], (), 0, False
        for i, value in enumerate(inputs):
            if isinstance(value, Tensor):
                boxed = True
                arrays.append(value._array)
                edge = value._edge
                if edge is not None:
                    mask |= 1 << i
                    parents += (value if edge is LEAF else edge,)
            else:
                arrays.append(value)
        try:
            out = self.forward(*arrays, **attrs)
        except (ValueError, IndexError, TypeError) as error:
            raise self.explain(arrays, attrs, error) from error
        residuals = ()
        if self.residuals:
            out, residuals = out
        if not boxed:
            self.demand_arrays(arrays)
            return out
        if type(out) is not ndarray:
            out = asarray(out)
        if not mask or not self.differentiable:
            result = wrap(out)
        else:
            env = (arrays, out) if self.variadic else (*arrays, out, *residuals)
            result = record(self, mask, parents, env, attrs or None, out)
        if self.view:
            attach_view(result, inputs[0], self, attrs)
        return result

    def trace(self, inputs, attrs, out):
        """The node that :meth:`apply` would record for result ``out``, without computing it."""
        mask, parents, arrays = 0, (), []
        for i, value in enumerate(inputs):
            boxed = isinstance(value, Tensor)
            arrays.append(value._array if boxed else value)
            if boxed and value._edge is not None:
                mask |= 1 << i
                parents += (edge_of(value),)
        if not mask:
            return None
        return record(self, mask, parents, (*arrays, out), attrs or None, out)._edge

    def demand_arrays(self, arrays):
        """Refuse a call on lists or numbers alone, as PyTorch does; vjps pass plain arrays."""
        if arrays and not any(isinstance(a, ndarray | np.generic) for a in arrays):
            raise TypeError(
                f"{self.name}(): argument {(self.inputs or (self.variadic,))[0]!r} must be Tensor, "
                f"not {type(arrays[0]).__name__}"
            )

    def explain(self, arrays, attrs, error):
        """``error`` as the exception that PyTorch would raise, with shapes and dtypes."""
        names = self.inputs or tuple(f"{self.variadic}[{i}]" for i in range(len(arrays)))
        return errors.explain(self.name, dict(zip(names, arrays, strict=False)), attrs, error)


def _op_by_name(name):
    return OPS[name]


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


# --- dtypes of inputs -------------------------------------------------------------------


def coerce(op, inputs):
    """Apply ``op.types`` to the inputs: check, promote, or turn integers into floats."""
    dtype = None
    for x in inputs:  # the everyday case: tensors of one dtype, 2 us less than the rules below
        if not isinstance(x, Tensor):
            break
        if dtype is None:
            dtype = x._array.dtype
        elif x._array.dtype is not dtype:
            break
    else:
        if op.types != "float" or dtype.kind in "fc":
            return inputs
    tensors = [x for x in inputs if isinstance(x, Tensor | ndarray)]
    kinds = {_np_dtype(x) for x in tensors}
    if op.types == "same":
        if len(kinds) > 1:
            got = ", ".join(
                f"{n} {errors.describe(x)}" for n, x in zip(op.inputs, inputs, strict=False)
            )
            raise errors.DtypeError(
                f"{op.name}: expected all tensors to have the same dtype, got {got}; "
                "convert with .to(dtype)"
            )
        return inputs
    scalars = [_plain(x) for x in inputs if _is_number(x)]
    if not tensors or (len(kinds) == 1 and not scalars):
        target = kinds.pop() if kinds else None
    else:
        target = dtypes.result_type(*[getattr(x, "_array", x) for x in tensors], *scalars)
    if target is None:
        return inputs
    if op.types == "float" and target.kind in "biu":
        target = dtypes.default_float()
    return tuple(
        _to(x, target)
        if isinstance(x, Tensor | ndarray)
        else _weak(_plain(x), target)
        if _is_number(x)
        else x
        for x in inputs
    )


def _np_dtype(x):
    return x._array.dtype if isinstance(x, Tensor) else x.dtype


def _is_number(x):
    return isinstance(x, bool | int | float | complex | np.generic)


def _plain(x):
    """A Python number for a number: NumPy's are as weak as Python's, as in PyTorch."""
    return x.item() if isinstance(x, np.generic) else x


def _weak(x, dtype):
    """A Python number next to arrays of ``dtype``: an integer too large for it wraps around."""
    if dtype.kind in "iu" and type(x) is int and not dtypes.holds(dtype, x):
        return asarray(x).astype(dtype)
    return x


def _to(x, dtype):
    if isinstance(x, ndarray):
        return x if x.dtype == dtype else x.astype(dtype)
    return x if x._array.dtype == dtype else cast(x, dtype=dtype)


# --- views ------------------------------------------------------------------------------


def attach_view(result, source, op, attrs):
    """Make ``result`` known as a view of ``source``, if it does share its memory."""
    if isinstance(source, Tensor) and owner_of(result._array) is owner_of(source._array):
        link_view(result, source, op, attrs)


def link_view(result, source, op, attrs):
    """Make ``result`` known as the view of ``source`` that ``op`` made with ``attrs``.

    Views made while recording is off have a base and no chain: as in PyTorch, they see the
    memory and stay out of its history.
    """
    base, chain = source._base, source._chain
    if base is None:
        base = source
    result._base = base
    if chain is None or (_graph.special and not _graph.mode.recording):
        result._chain = None
        return
    result._chain = (*chain, (op, attrs))
    note_view(base, result)


def note_view(base, view):
    """Add ``view`` to the weak references to the views of ``base``."""
    with _view_lock:  # two threads may look into one tensor
        views = base._views
        if views is None:
            base._views = [_weakref(view)]
        elif len(views) == 1 and views[0]() is None:
            views[0] = _weakref(view)
        else:
            if len(views) & (len(views) - 1) == 0:  # at each power of two, forget the dead ones
                views[:] = [ref for ref in views if ref() is not None]
            views.append(_weakref(view))


# --- the callables that users see -------------------------------------------------------


def unary(op):
    """The public function of an op with one input and no attributes."""
    forward, plans, to_float = op.kernel, op.plans, op.types == "float"

    def call(input, **kwargs):
        if kwargs or not isinstance(input, Tensor):
            if not kwargs and isinstance(input, _ARRAYS) and input.dtype.kind == "f":
                return forward(input)  # a vjp in a plain walk
            return op.general((input,), kwargs)
        x = input._array
        if to_float and x.dtype.kind not in "fc":
            return op.general((input,), {})
        try:
            out = forward(x)
        except (ValueError, TypeError) as error:
            raise op.explain((x,), {}, error) from error
        if type(out) is not ndarray:
            out = asarray(out)  # ufuncs turn 0-d arrays into scalars
        edge = input._edge
        if edge is None:
            return wrap(out)
        if _graph.special:
            return record(op, 1, (edge_of(input),), (x, out), None, out)
        plan = plans.get(1) or op.compile(1)
        parents = (input if edge is LEAF else edge,)
        return computed(out, plan, parents, plan.keep((x, out)))

    return call


_WEAK = frozenset((float, int))
_ARRAYS = (ndarray, np.generic)
_MISSING = object()


def binary(op, unsupported=None):
    """The public function of an op with two inputs and no attributes.

    Args:
        op: the op.
        unsupported: what to return for an operand of a foreign type (``NotImplemented`` for
            operators); None raises TypeError.
    """
    forward, plans = op.kernel, op.plans
    float_only, untyped = op.types == "float", op.types is None

    def slow(input, other, kwargs):
        if type(other) is int and not (kwargs or float_only) and isinstance(input, Tensor):
            # Integers and a number that each of their dtypes holds: 2 us for 14 below.
            if input._array.dtype.kind in "iu" and 0 <= other < 128:
                try:
                    return wrap(asarray(forward(input._array, other)))
                except (OverflowError, ValueError, TypeError):
                    pass  # a number that the dtype does not hold, or an error to be explained
        if other is _MISSING:  # it may be in kwargs, under the op's own name for it
            return op.general((input,), kwargs)
        for x in (input, other):
            if not isinstance(x, Tensor | ndarray) and not _is_number(x):
                if unsupported is not None:
                    return unsupported
                raise TypeError(
                    f"{op.name}(): an operand must be Tensor or Number, got {type(x).__name__}"
                )
        return op.general((input, other), kwargs)

    def untracked(input, other=_MISSING, **kwargs):
        """For comparisons: like ``call``, and records nothing."""
        if kwargs or not isinstance(input, Tensor):
            return slow(input, other, kwargs)
        x = input._array
        y = other._array if isinstance(other, Tensor) else other
        if type(y) in _WEAK:
            if x.dtype.kind != "f":
                return slow(input, other, kwargs)
        elif y is other or x.dtype is not y.dtype:
            return slow(input, other, kwargs)
        try:
            return wrap(asarray(forward(x, y)))
        except (ValueError, TypeError) as error:
            raise op.explain((x, y), {}, error) from error

    def call(input, other=_MISSING, **kwargs):
        if kwargs or not isinstance(input, Tensor):
            if not kwargs and isinstance(input, _ARRAYS):  # a vjp in a plain walk
                if isinstance(other, _ARRAYS):
                    if untyped or (input.dtype is other.dtype and input.dtype.kind == "f"):
                        return forward(input, other)
                elif type(other) in _WEAK and input.dtype.kind == "f":
                    return forward(input, other)
            return slow(input, other, kwargs)
        x = input._array
        dtype = x.dtype
        if isinstance(other, Tensor):
            y = other._array
            if dtype is not y.dtype or (float_only and dtype.kind not in "fc"):
                return slow(input, other, kwargs)
            other_edge = other._edge
        elif type(other) in _WEAK and dtype.kind == "f":
            y = other
            other_edge = None
        else:
            return slow(input, other, kwargs)
        try:
            out = forward(x, y)
        except (ValueError, TypeError) as error:
            raise op.explain((x, y), {}, error) from error
        if type(out) is not ndarray:
            out = asarray(out)
        edge = input._edge
        if edge is None:
            if other_edge is None:
                return wrap(out)
            mask, parents = 2, (other if other_edge is LEAF else other_edge,)
        elif other_edge is None:
            mask, parents = 1, (input if edge is LEAF else edge,)
        else:
            mask = 3
            parents = (
                input if edge is LEAF else edge,
                other if other_edge is LEAF else other_edge,
            )
        if _graph.special:
            return record(op, mask, parents, (x, y, out), None, out)
        plan = plans.get(mask) or op.compile(mask)
        return computed(out, plan, parents, plan.keep((x, y, out)))

    return call if op.differentiable else untracked


def reflected(op):
    """The reflected operator of a binary op, ``2.0 - tensor``: its left operand is no tensor."""
    forward = op.forward

    def call(self, other):
        y = self._array
        if type(other) not in _WEAK or y.dtype.kind != "f" or not op.simple:
            if not isinstance(other, Tensor | ndarray) and not _is_number(other):
                return NotImplemented
            return op.general((other, self), {})
        try:
            out = forward(other, y)
        except (ValueError, TypeError) as error:
            raise op.explain((other, y), {}, error) from error
        if type(out) is not ndarray:
            out = asarray(out)
        edge = self._edge
        if edge is None or not op.differentiable:
            return wrap(out)
        parents = (self if edge is LEAF else edge,)
        return record(op, 2, parents, (other, y, out), None, out)

    return call


def general(op):
    """The public function of any other op.

    Called with exactly the inputs, and attributes that all have defaults, it skips the binding.
    """
    count = -1 if op.variadic or REQUIRED in op.attrs.values() else len(op.inputs)
    defaults = op.attrs

    def call(*args, **kwargs):
        if len(args) == count and not kwargs:
            return op.apply(args, defaults)
        return op.general(args, kwargs)

    return call


def op(forward=None, **options):
    """Declare an op; see the module's description and :class:`Op` for the options.

    Returns the public function, which carries ``.op`` (the descriptor) and ``.vjp``.

    Raises:
        ValueError: the name is taken.
    """
    if forward is None:
        return lambda forward: op(forward, **options)
    self = Op(forward, **options)
    if self.name in OPS:
        raise ValueError(f"op {self.name!r} registered twice")
    OPS[self.name] = self
    if self.simple and self.differentiable and len(self.inputs) == 1 and not self.view:
        call = unary(self)
    elif self.simple and len(self.inputs) == 2 and not self.optional:
        call = binary(self)
    else:
        call = general(self)
    call.op, call.vjp = self, self.vjp
    if self.ufunc is not None:
        UFUNCS[self.ufunc] = call
    publish(call, self.name, forward, method=self.method, public=self.public)
    return call


def function(definition=None, *, method=False, name=None):
    """Publish a function composed from ops, and as a method where ``method`` says so.

    Args:
        definition: the function itself.
        method: True for a method of the same name, or a tuple of method names.
        name: the public name, if not the function's own.
    """
    if definition is None:
        return lambda definition: function(definition, method=method, name=name)
    publish(definition, name or definition.__name__, definition, method=method)
    return definition


def publish(call, name, described, *, method, public=True):
    """Enter ``call`` into the tables of public names."""
    if call is not described:
        call.__doc__, call.__module__ = described.__doc__, described.__module__
        call.__name__ = call.__qualname__ = name
        call.__wrapped__ = described
    if public:
        FUNCTIONS[name] = call
        for m in (name,) if method is True else method or ():
            METHODS[m] = call


def alias(existing, *names, method=True):
    """Publish ``existing`` under further names."""
    for name in names:
        FUNCTIONS[name] = existing
        if method:
            METHODS[name] = existing


__all__ = ["FUNCTIONS", "METHODS", "OPS", "UFUNCS", "Op", "Plan", "alias", "function", "op"]
