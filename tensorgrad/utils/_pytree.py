"""Nests of lists, tuples and dictionaries as a flat list of leaves, and back.

A *pytree* is a leaf, or a container of pytrees of a type that is registered: list, tuple, named
tuple, dict, OrderedDict, defaultdict and deque are, and :func:`register_pytree_node` adds more.
Everything else, None included, is a leaf. Source of the names: ``torch.utils._pytree``.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict, defaultdict, deque, namedtuple

__all__ = [
    "LeafSpec", "PyTree", "TreeSpec", "arg_tree_leaves", "is_namedtuple", "is_namedtuple_class",
    "register_pytree_node", "tree_all", "tree_all_only", "tree_any", "tree_any_only",
    "tree_flatten", "tree_is_leaf", "tree_iter", "tree_leaves", "tree_map", "tree_map_",
    "tree_map_only", "tree_map_only_", "tree_structure", "tree_unflatten", "treespec_pprint",
]  # fmt: skip

PyTree = object
NodeDef = namedtuple("NodeDef", ["type", "flatten_fn", "unflatten_fn"])
SUPPORTED_NODES: dict = {}


def register_pytree_node(
    cls, flatten_fn, unflatten_fn, *, serialized_type_name=None, to_dumpable_context=None,
    from_dumpable_context=None, flatten_with_keys_fn=None,
):  # fmt: skip
    """Have the functions of this module look into objects of a type.

    Args:
        cls: the type; its subclasses stay leaves.
        flatten_fn: from an object to ``(children, context)``.
        unflatten_fn: from ``(children, context)`` to an object.
        serialized_type_name: without effect, as specs are not written to files here.
        to_dumpable_context: without effect, likewise.
        from_dumpable_context: without effect, likewise.
        flatten_with_keys_fn: without effect; there are no functions on paths here.

    Raises:
        ValueError: the type is registered already.

    >>> import tensorgrad.utils._pytree as pytree
    >>> class Pair:
    ...     def __init__(self, a, b):
    ...         self.a, self.b = a, b
    >>> pytree.register_pytree_node(Pair, lambda p: ([p.a, p.b], None), lambda c, _: Pair(*c))
    >>> pytree.tree_leaves([Pair(1, [2, 3])])
    [1, 2, 3]
    """
    if cls in SUPPORTED_NODES:
        raise ValueError(f"{cls} is already registered as pytree node.")
    SUPPORTED_NODES[cls] = NodeDef(cls, flatten_fn, unflatten_fn)


def _private_register_pytree_node(cls, flatten_fn, unflatten_fn, **kwargs):
    """As :func:`register_pytree_node`, but a type that is registered is replaced."""
    if SUPPORTED_NODES.pop(cls, None) is not None:
        warnings.warn(
            f"{cls} is already registered as pytree node. Overwriting the previous registration.",
            stacklevel=2,
        )
    register_pytree_node(cls, flatten_fn, unflatten_fn, **kwargs)


def _flatten_defaultdict(tree):
    return list(tree.values()), [tree.default_factory, list(tree)]


def _unflatten_defaultdict(children, context):
    factory, keys = context
    return defaultdict(factory, zip(keys, children, strict=True))


for _node in (
    (list, lambda t: (t, None), lambda c, _: list(c)),
    (tuple, lambda t: (list(t), None), lambda c, _: tuple(c)),
    (namedtuple, lambda t: (list(t), type(t)), lambda c, cls: cls(*c)),
    (dict, lambda t: (list(t.values()), list(t)), lambda c, k: dict(zip(k, c, strict=True))),
    (
        OrderedDict,
        lambda t: (list(t.values()), list(t)),
        lambda c, k: OrderedDict(zip(k, c, strict=True)),
    ),
    (defaultdict, _flatten_defaultdict, _unflatten_defaultdict),
    (deque, lambda t: (list(t), t.maxlen), lambda c, n: deque(c, maxlen=n)),
):
    register_pytree_node(*_node)
_DICTS = (dict, OrderedDict, defaultdict)
_BUILTIN = tuple(SUPPORTED_NODES)


def is_namedtuple_class(cls) -> bool:
    """Whether ``cls`` was made by ``namedtuple`` or derives from such a class."""
    fields = getattr(cls, "_fields", None)
    return (
        isinstance(cls, type)
        and issubclass(cls, tuple)
        and isinstance(fields, tuple)
        and callable(getattr(cls, "_make", None))
    )


def is_namedtuple(obj) -> bool:
    """Whether ``obj`` is a named tuple, or the class of one."""
    return is_namedtuple_class(obj if isinstance(obj, type) else type(obj))


def _node_type(tree):
    """Under which type the tree is registered; a leaf under none."""
    cls = type(tree)
    if cls in SUPPORTED_NODES or not is_namedtuple_class(cls):
        return cls
    return namedtuple


def tree_is_leaf(tree, is_leaf=None) -> bool:
    """Whether ``tree`` is a leaf: ``is_leaf`` says so, or its type is not registered."""
    if is_leaf is not None and is_leaf(tree):
        return True
    return _node_type(tree) not in SUPPORTED_NODES


class TreeSpec:
    """The structure of a pytree: what remains of it without its leaves.

    Args:
        type: of the container; None for a leaf.
        context: what, besides the children, makes the container: its keys, for example.
        children_specs: the structures of the children.

    Attributes:
        type, context: the arguments.
        num_nodes, num_leaves, num_children: of the whole tree; children are those on top.

    >>> import tensorgrad.utils._pytree as pytree
    >>> pytree.tree_structure({"a": 1, "b": (2, 3)}).num_leaves
    3
    """

    def __init__(self, type, context, children_specs):
        self.type, self.context, self._children = type, context, children_specs
        self.num_children = len(children_specs)
        self.num_nodes = 1 + sum(c.num_nodes for c in children_specs)
        self.num_leaves = sum(c.num_leaves for c in children_specs) if type is not None else 1

    @property
    def children_specs(self):
        """The structures of the children."""
        return self._children

    def children(self) -> list:
        """The structures of the children, in a new list."""
        return list(self._children)

    def child(self, index):
        """The structure of one child."""
        return self._children[index]

    def is_leaf(self) -> bool:
        """Whether this is the structure of a leaf."""
        return self.type is None

    def unflatten(self, leaves):
        """The tree of this structure with the given leaves.

        Raises:
            ValueError: there are not as many leaves as the structure has.
        """
        leaves = list(leaves)
        if len(leaves) != self.num_leaves:
            raise ValueError(
                f"treespec.unflatten(leaves): `leaves` has length {len(leaves)} but the spec "
                f"refers to a pytree that holds {self.num_leaves} items ({self})"
            )
        rest = iter(leaves)
        return self._built(rest)

    def _built(self, leaves):
        if self.type is None:
            return next(leaves)
        children = [child._built(leaves) for child in self._children]
        return SUPPORTED_NODES[self.type].unflatten_fn(children, self.context)

    def flatten_up_to(self, tree) -> list:
        """The parts of ``tree`` that stand where this structure has leaves.

        Raises:
            ValueError: the upper part of ``tree`` has another structure.
        """
        parts: list = []
        self._collect(tree, parts)
        return parts

    def _collect(self, tree, parts):
        if self.type is None:
            parts.append(tree)
            return
        cls = _node_type(tree)
        dicts = self.type in _DICTS and cls in _DICTS
        if cls != self.type and not dicts:
            raise ValueError(f"Node type mismatch; expected {self.type!r}, but got {cls!r}.")
        children, context = SUPPORTED_NODES[cls].flatten_fn(tree)
        if len(children) != self.num_children:
            raise ValueError(
                f"Node arity mismatch; expected {self.num_children}, but got {len(children)}."
            )
        if dicts:
            keys = self.context[1] if self.type is defaultdict else self.context
            if set(keys) != set(tree):
                raise ValueError(f"Node keys mismatch; expected {keys}, but got {list(tree)}.")
            children = [tree[key] for key in keys]
        elif context != self.context and self.type is not deque:
            raise ValueError(
                f"Node context mismatch for node type {self.type!r}; expected {self.context!r}, "
                f"but got {context!r}."
            )
        for spec, child in zip(self._children, children, strict=True):
            spec._collect(child, parts)

    def __eq__(self, other):
        if not isinstance(other, TreeSpec):
            return NotImplemented
        return (
            self.type is other.type
            and self.context == other.context
            and self._children == other._children
        )

    def __hash__(self):
        context = self.context
        if self.type in _DICTS:
            context = str(context)
        elif self.type not in _BUILTIN:
            context = None  # the user's; it may have no hash
        return hash((self.type, context, tuple(self._children)))

    def __repr__(self, indent=0):
        if self.type is None:
            return "*"
        indent += 2
        parts = (",\n" + " " * indent).join([c.__repr__(indent) for c in self._children])
        return f"TreeSpec({self.type.__name__}, {self.context}, [{parts}])"


class LeafSpec(TreeSpec):
    """The structure of a leaf."""

    def __init__(self):
        super().__init__(None, None, [])


_LEAF = LeafSpec()


def tree_flatten(tree, is_leaf=None):
    """The leaves of a tree, and its structure.

    Args:
        tree: the tree.
        is_leaf: a predicate; where it is true of a part, that part is a leaf.

    Returns:
        ``(leaves, spec)``.

    >>> import tensorgrad.utils._pytree as pytree
    >>> leaves, spec = pytree.tree_flatten({"a": 1, "b": [2, 3]})
    >>> leaves
    [1, 2, 3]
    >>> pytree.tree_unflatten([10, 20, 30], spec)
    {'a': 10, 'b': [20, 30]}
    """
    leaves: list = []
    return leaves, _flattened(tree, is_leaf, leaves)


def _flattened(tree, is_leaf, leaves):
    if tree_is_leaf(tree, is_leaf):
        leaves.append(tree)
        return _LEAF
    cls = _node_type(tree)
    children, context = SUPPORTED_NODES[cls].flatten_fn(tree)
    return TreeSpec(cls, context, [_flattened(child, is_leaf, leaves) for child in children])


def tree_unflatten(leaves, treespec):
    """The tree with these leaves and that structure; undoes :func:`tree_flatten`.

    Raises:
        TypeError: ``treespec`` is not a :class:`TreeSpec`.
        ValueError: the number of leaves does not fit.
    """
    if not isinstance(treespec, TreeSpec):
        raise TypeError(
            "tree_unflatten(leaves, treespec): Expected `treespec` to be instance of TreeSpec but "
            f"got item of type {type(treespec)}."
        )
    return treespec.unflatten(leaves)


def tree_iter(tree, is_leaf=None):
    """Yield the leaves of a tree."""
    if tree_is_leaf(tree, is_leaf):
        yield tree
        return
    for child in SUPPORTED_NODES[_node_type(tree)].flatten_fn(tree)[0]:
        yield from tree_iter(child, is_leaf)


def tree_leaves(tree, is_leaf=None) -> list:
    """The leaves of a tree."""
    return list(tree_iter(tree, is_leaf))


def arg_tree_leaves(*args, **kwargs) -> list:
    """The leaves of the arguments of a call."""
    return tree_leaves((args, kwargs))


def tree_structure(tree, is_leaf=None) -> TreeSpec:
    """The structure of a tree."""
    return tree_flatten(tree, is_leaf)[1]


def tree_map(func, tree, *rests, is_leaf=None):
    """The tree with ``func`` of each leaf.

    Args:
        func: takes a leaf of ``tree``, and of each further tree what stands in its place.
        tree: the tree.
        rests: further trees, whose upper parts have the structure of ``tree``.
        is_leaf: as for :func:`tree_flatten`.

    >>> import tensorgrad.utils._pytree as pytree
    >>> pytree.tree_map(lambda a, b: a + b, (1, {"x": 2}), (10, {"x": 20}))
    (11, {'x': 22})
    """
    leaves, spec = tree_flatten(tree, is_leaf)
    columns = [leaves, *[spec.flatten_up_to(rest) for rest in rests]]
    return spec.unflatten([func(*row) for row in zip(*columns, strict=True)])


def tree_map_(func, tree, *rests, is_leaf=None):
    """Call ``func`` on each leaf as :func:`tree_map`, for its effect; returns ``tree``."""
    tree_map(func, tree, *rests, is_leaf=is_leaf)
    return tree


def _predicate(type_or_types_or_pred):
    if isinstance(type_or_types_or_pred, type | tuple) or not callable(type_or_types_or_pred):
        return lambda leaf: isinstance(leaf, type_or_types_or_pred)
    return type_or_types_or_pred


def tree_map_only(type_or_types_or_pred, /, func, tree, is_leaf=None):
    """The tree with ``func`` of each leaf of a type, and the other leaves as they are.

    Args:
        type_or_types_or_pred: a type, a tuple or union of types, or a predicate on leaves.
        func: takes a leaf of the type.
        tree: the tree.
        is_leaf: as for :func:`tree_flatten`.

    >>> import tensorgrad.utils._pytree as pytree
    >>> pytree.tree_map_only(int, lambda n: n + 1, [1, "a", 2.0])
    [2, 'a', 2.0]
    """
    wanted = _predicate(type_or_types_or_pred)
    return tree_map(lambda leaf: func(leaf) if wanted(leaf) else leaf, tree, is_leaf=is_leaf)


def tree_map_only_(type_or_types_or_pred, /, func, tree, is_leaf=None):
    """Call ``func`` as :func:`tree_map_only`, for its effect; returns ``tree``."""
    tree_map_only(type_or_types_or_pred, func, tree, is_leaf)
    return tree


def tree_all(pred, tree, is_leaf=None) -> bool:
    """Whether ``pred`` is true of all leaves."""
    return all(map(pred, tree_iter(tree, is_leaf)))


def tree_any(pred, tree, is_leaf=None) -> bool:
    """Whether ``pred`` is true of a leaf."""
    return any(map(pred, tree_iter(tree, is_leaf)))


def tree_all_only(type_or_types, /, pred, tree, is_leaf=None) -> bool:
    """Whether ``pred`` is true of all leaves of a type."""
    return all(pred(x) for x in tree_iter(tree, is_leaf) if isinstance(x, type_or_types))


def tree_any_only(type_or_types, /, pred, tree, is_leaf=None) -> bool:
    """Whether ``pred`` is true of a leaf of a type."""
    return any(pred(x) for x in tree_iter(tree, is_leaf) if isinstance(x, type_or_types))


def treespec_pprint(treespec) -> str:
    """The structure as a readable line: the tree with ``*`` for each leaf."""
    return str(treespec.unflatten([_Asterisk() for _ in range(treespec.num_leaves)]))


class _Asterisk:
    def __repr__(self):
        return "*"


def _broadcast_to_and_flatten(tree, treespec, is_leaf=None):
    """The leaves of ``tree``, each repeated over the leaves that ``treespec`` has in its place.

    None where ``tree`` goes deeper than ``treespec``, or elsewhere.
    """
    if tree_is_leaf(tree, is_leaf):
        return [tree] * treespec.num_leaves
    cls = _node_type(tree)
    if cls != treespec.type:
        return None
    children, context = SUPPORTED_NODES[cls].flatten_fn(tree)
    if len(children) != treespec.num_children or context != treespec.context:
        return None
    result: list = []
    for child, spec in zip(children, treespec.children(), strict=True):
        part = _broadcast_to_and_flatten(child, spec, is_leaf)
        if part is None:
            return None
        result += part
    return result
