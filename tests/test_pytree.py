"""torch.utils._pytree beside PyTorch's."""

from collections import OrderedDict, defaultdict, deque, namedtuple

import pytest
from both import agree
from hypothesis import given, settings
from hypothesis import strategies as st

import tensorgrad.utils._pytree as pytree

Point = namedtuple("Point", "x y")
LEAVES = st.integers() | st.none() | st.text(max_size=2)
TREES = st.recursive(
    LEAVES,
    lambda t: (
        st.lists(t, max_size=3)
        | st.tuples(t, t)
        | st.dictionaries(st.text(max_size=2), t, max_size=3)
        | st.dictionaries(st.text(max_size=2), t, max_size=3).map(OrderedDict)
        | st.dictionaries(st.integers(), t, max_size=3).map(lambda d: defaultdict(int, d))
        | st.lists(t, max_size=3).map(lambda d: deque(d, maxlen=5))
        | st.builds(Point, t, t)
    ),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None)
@given(TREES)
def test_drawn_trees(tree):
    def program(lib):
        p = lib.utils._pytree
        leaves, spec = p.tree_flatten(tree)
        double = p.tree_map(lambda a, b: (a, b), tree, tree)
        only = p.tree_map_only(int, lambda n: n + 1, tree)
        counts = spec.num_leaves, spec.num_nodes, spec.num_children, spec.is_leaf()
        return leaves, repr(spec), counts, repr(double), repr(only), repr(p.tree_leaves(tree))

    agree(program)
    leaves, spec = pytree.tree_flatten(tree)
    again = pytree.tree_unflatten(leaves, spec)
    assert again == tree and type(again) is type(tree)
    assert pytree.tree_structure(again) == spec
    assert hash(pytree.tree_structure(again)) == hash(spec)


def test_predicates_and_types():
    tree = {"a": [1, 2.0], "b": (3, "x", None)}

    def program(lib):
        p = lib.utils._pytree
        is_pair = lambda t: isinstance(t, list)  # noqa: E731
        return [
            p.tree_leaves(tree, is_leaf=is_pair),
            p.tree_map(str, tree, is_leaf=is_pair),
            p.tree_map_only((int, float), lambda n: n * 2, tree),
            p.tree_map_only(int | str, str, tree),
            p.tree_map_only(lambda x: x is None, lambda _: 0, tree),
            p.tree_any(lambda x: x == 3, tree),
            p.tree_all(lambda x: x == 3, tree),
            p.tree_any_only(int, lambda x: x > 2, tree),
            p.tree_all_only(int, lambda x: x > 2, tree),
            [p.tree_is_leaf(t) for t in (1, None, [], (), {}, "ab", Point(1, 2), {1})],
            p.treespec_pprint(p.tree_structure(tree)),
            p.tree_structure([1]) == p.tree_structure([2]),
            p.tree_structure([1]) == p.tree_structure((2,)),
            p.tree_structure({"a": 1, "b": 2}) == p.tree_structure({"b": 1, "a": 2}),
            p.tree_structure(tree).flatten_up_to({"b": (1, [2], 3), "a": [{}, 0]}),
            p.arg_tree_leaves(1, [2], a=(3,)),
            [c.num_leaves for c in p.tree_structure(tree).children()],
        ]

    agree(program)


@pytest.mark.parametrize(
    "program",
    [
        lambda p: p.tree_unflatten([1], p.tree_structure([1, 2])),
        lambda p: p.tree_unflatten([1, 2], [1, 2]),
        lambda p: p.tree_map(max, [1, 2], [1]),
        lambda p: p.tree_map(max, [1, 2], (1, 2)),
        lambda p: p.tree_map(max, {"a": 1}, {"b": 1}),
        lambda p: p.tree_map(max, Point(1, 2), namedtuple("Other", "x y")(1, 2)),
        lambda p: p.register_pytree_node(list, list, list),
    ],
)
def test_bad_input(program):
    assert agree(lambda lib: program(lib.utils._pytree)) is not None


def test_own_types():
    def program(lib):
        class Pair:
            def __init__(self, a, b):
                self.a, self.b = a, b

        p = lib.utils._pytree
        before = p.tree_leaves([1, Pair(2, 3)])[1].b
        p.register_pytree_node(Pair, lambda t: ([t.a, t.b], "c"), lambda c, _: Pair(*c))
        out = p.tree_map(lambda n: n * 2, {"x": Pair(1, [2])})["x"]
        return before, out.a, out.b, p.tree_structure(Pair(1, 2)).context

    agree(program)


def test_model_zoo_does_not_download():
    from tensorgrad.utils import model_zoo

    with pytest.raises(RuntimeError, match="does not download"):
        model_zoo.load_url("https://example.com/model.pth")
