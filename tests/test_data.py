"""Datasets, samplers, collation and DataLoader, against PyTorch wherever it is installed."""

import collections
import collections.abc
import gc
import itertools
import types
import warnings
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tensorgrad
from tensorgrad.utils import data
from tensorgrad.utils.data import (
    BatchSampler,
    ChainDataset,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    StackDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    default_convert,
    random_split,
)

seeds = st.integers(0, 2**40)
flags = st.booleans()


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def keep_random_state():
    with tensorgrad.random.fork_rng():
        yield


def both(torch):
    """The two libraries: (module, its utils.data, from_numpy)."""
    ours = types.SimpleNamespace(lib=tensorgrad, data=data)
    theirs = types.SimpleNamespace(lib=torch, data=torch.utils.data)
    return ours, theirs


def plain(value):
    """Batches of either library as comparable values: tensors as (dtype, shape, elements)."""
    if type(value).__name__ == "Tensor":
        array = value.detach().numpy()
        return str(value.dtype), array.shape, array.tolist()
    if isinstance(value, collections.abc.Mapping):
        return type(value).__name__, [(k, plain(v)) for k, v in value.items()]
    if isinstance(value, list | tuple | collections.abc.Sequence) and not isinstance(
        value, str | bytes
    ):
        return type(value).__name__, [plain(v) for v in value]
    return value


def state_of(lib):
    return lib.get_rng_state().numpy().tolist()


# --- orders, against PyTorch ------------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(
    n=st.integers(1, 60), batch_size=st.integers(1, 13), drop_last=flags, shuffle=flags,
    own_generator=flags, seed=seeds,
)  # fmt: skip
def test_loader_gives_pytorchs_batches(
    torch, n, batch_size, drop_last, shuffle, own_generator, seed
):
    """Two epochs: batches and the state of the generators afterwards."""
    seen = []
    for side in both(torch):
        side.lib.manual_seed(seed)
        generator = side.lib.Generator().manual_seed(seed + 1) if own_generator else None
        x = side.lib.from_numpy(np.arange(3.0 * n).reshape(n, 3))
        y = side.lib.from_numpy(np.arange(n))
        loader = side.data.DataLoader(
            side.data.TensorDataset(x, y), batch_size, shuffle, drop_last=drop_last,
            generator=generator,
        )  # fmt: skip
        batches = [plain(batch) for _ in range(2) for batch in loader]
        after = generator.get_state().numpy().tolist() if own_generator else None
        seen.append((len(loader), batches, state_of(side.lib), after))
    assert seen[0] == seen[1]


def sampler_cases(side, n, seed):
    g = side.lib.Generator().manual_seed(seed)
    weights = [float(i % 5 + 1) for i in range(n)]
    d = side.data
    return {
        "sequential": lambda: d.SequentialSampler(range(n)),
        "random": lambda: d.RandomSampler(range(n)),
        "random with generator": lambda: d.RandomSampler(range(n), generator=g),
        "random, more": lambda: d.RandomSampler(range(n), num_samples=3 * n + 1, generator=g),
        "random, twice": lambda: d.RandomSampler(range(n), num_samples=2 * n, generator=g),
        "random, fewer": lambda: d.RandomSampler(range(n), False, max(1, n // 2)),
        "replacement": lambda: d.RandomSampler(range(n), replacement=True, generator=g),
        "replacement, 70": lambda: d.RandomSampler(range(n), True, 70),
        "replacement, 64": lambda: d.RandomSampler(range(n), True, 64, generator=g),
        "subset": lambda: d.SubsetRandomSampler([10 * i for i in range(n)]),
        "subset with generator": lambda: d.SubsetRandomSampler(range(n), generator=g),
        "weighted": lambda: d.WeightedRandomSampler(weights, 2 * n + 1),
        "weighted, none twice": lambda: d.WeightedRandomSampler(weights, n, False, generator=g),
        "batches": lambda: d.BatchSampler(d.RandomSampler(range(n), generator=g), 4, False),
        "whole batches": lambda: d.BatchSampler(d.RandomSampler(range(n), generator=g), 4, True),
    }, g


NAMES = sorted(sampler_cases(types.SimpleNamespace(lib=tensorgrad, data=data), 3, 0)[0])


@settings(deadline=None, max_examples=10)
@given(n=st.integers(1, 50), seed=seeds)
@pytest.mark.parametrize("name", NAMES)
def test_samplers_give_pytorchs_orders(torch, name, n, seed):
    seen = []
    for side in both(torch):
        side.lib.manual_seed(seed)
        cases, generator = sampler_cases(side, n, seed + 1)
        sampler = cases[name]()
        order = [list(sampler), list(sampler), len(sampler)]
        seen.append((order, state_of(side.lib), generator.get_state().numpy().tolist()))
    assert seen[0] == seen[1]


@settings(deadline=None, max_examples=30)
@given(
    lengths=st.lists(st.integers(0, 20), min_size=1, max_size=4),
    own_generator=flags, fractions=flags, seed=seeds,
)  # fmt: skip
def test_random_split_is_pytorchs(torch, lengths, own_generator, fractions, seed):
    n = sum(lengths)
    if fractions:
        lengths = [length / n for length in lengths] if n else [1.0]
    seen = []
    for side in both(torch):
        side.lib.manual_seed(seed)
        g = side.lib.Generator().manual_seed(seed + 1) if own_generator else None
        options = {} if g is None else {"generator": g}
        try:
            parts = quietly(side.data.random_split, range(n), lengths, **options)
            seen.append(([list(p.indices) for p in parts], state_of(side.lib)))
        except ValueError:
            seen.append("ValueError")
    assert seen[0] == seen[1]


def quietly(f, *args, **kwargs):
    """The result of ``f``, whose warnings about empty splits are tested elsewhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return f(*args, **kwargs)


def test_split_of_zero_length_warns():
    with pytest.warns(UserWarning, match="split at index 1 is 0"):
        random_split(range(3), [0.99, 0.01])


def test_random_state_after_iter_is_pytorchs(torch):
    """iter() draws at once; the order is drawn with the first batch."""
    seen = []
    for side in both(torch):
        side.lib.manual_seed(5)
        iterator = iter(side.data.DataLoader(list(range(8)), 2, shuffle=True))
        states = [state_of(side.lib)]
        first = plain(next(iterator))
        seen.append((states, first, state_of(side.lib), len(iterator)))
    assert seen[0] == seen[1]


def test_workers_that_stay_are_seeded_once():
    """The draws of PyTorch's loader with persistent workers, counted by hand."""

    def after(**options):
        tensorgrad.manual_seed(0)
        loader = DataLoader(range(4), num_workers=2, **options)
        for _ in range(3):
            list(loader)
        return state_of(tensorgrad)

    def draws(count):
        tensorgrad.manual_seed(0)
        for _ in range(count):
            data.sampler.draw_seed(None)
        return state_of(tensorgrad)

    assert after() == draws(3)
    assert after(persistent_workers=True) == draws(1)


def test_endless_sampling_is_lazy():
    sampler = RandomSampler(range(3), replacement=True, num_samples=10**12)
    loader = DataLoader(range(3), batch_size=4, sampler=sampler)
    assert len(loader) == 10**12 // 4
    assert [len(batch) for batch in itertools.islice(loader, 3)] == [4, 4, 4]


def test_seed_repeats_an_epoch():
    loader = DataLoader(range(100), 100, shuffle=True)
    tensorgrad.manual_seed(1)
    first, second = next(iter(loader)).tolist(), next(iter(loader)).tolist()
    tensorgrad.manual_seed(1)
    assert next(iter(loader)).tolist() == first != second
    assert sorted(first) == list(range(100))


# --- collation --------------------------------------------------------------------------

Point = collections.namedtuple("Point", ["x", "y"])


class Items(collections.abc.Sequence):
    """A sequence that is neither a list nor a tuple."""

    def __init__(self, items):
        self.items = list(items)

    def __getitem__(self, index):
        return self.items[index]

    def __len__(self):
        return len(self.items)


class Numbers(Items, collections.abc.MutableSequence):
    """One that can be written, with something more to it."""

    def __setitem__(self, index, value):
        self.items = [*self.items[:index], value, *self.items[index + 1 :]]

    def __delitem__(self, index):
        raise TypeError

    def insert(self, index, value):
        raise TypeError


class Bare(collections.abc.MutableMapping):
    """A mapping that takes no items."""

    __slots__ = ("d",)

    def __init__(self):
        self.d = {"a": 1}

    def __getitem__(self, key):
        return self.d[key]

    def __setitem__(self, key, value):
        raise TypeError

    def __delitem__(self, key):
        raise TypeError

    def __iter__(self):
        return iter(self.d)

    def __len__(self):
        return len(self.d)


class Bag(dict):
    """A mapping with something more to it."""

    label = None


def collate_cases(lib):
    t = lib.tensor
    bag = Bag(a=1)
    bag.label = "kept"
    return {
        "ints": [1, 2, 3],
        "bools": [True, False],
        "floats": [1.5, 2.5],
        "int first": [1, 2.5],
        "float first": [1.5, 2],
        "large int": [2**40],
        "strings": ["a", "b"],
        "bytes": [b"a"],
        "numpy string": [np.str_("a")],
        "float32 scalars": [np.float32(1.0), np.float32(2.0)],
        "float64 scalars": [np.float64(1.0)],
        "float16 scalar": [np.float16(1.0)],
        "int32 scalar": [np.int32(3)],
        "numpy bool": [np.bool_(True)],
        "tensors": [t([1.0, 2.0]), t([3.0, 4.0])],
        "0-d tensors": [t(1), t(2)],
        "empty tensors": [t([]), t([])],
        "matrices": [t([[1, 2]]), t([[3, 4]])],
        "mixed dtypes": [t([1.0]), t([2.0], dtype=lib.float64)],
        "arrays": [np.zeros(2), np.ones(2)],
        "0-d arrays": [np.array(1.5), np.array(2.5)],
        "float32 arrays": [np.zeros(2, np.float32), np.ones(2, np.float32)],
        "mixed arrays": [np.zeros(2, np.float32), np.ones(2)],
        "strided arrays": [np.arange(6.0).reshape(2, 3).T, np.zeros((3, 2))],
        "tuples": [(1, "a"), (2, "b")],
        "lists": [[1, 2.0], [3, 4.0]],
        "nested": [{"x": (np.ones(2), [1])}, {"x": (np.zeros(2), [2])}],
        "dicts": [{"a": 1, "b": 2.0}, {"a": 3, "b": 4.0}],
        "more keys later": [{"a": 1}, {"a": 2, "b": 3}],
        "ordered": [collections.OrderedDict(b=1, a=2), collections.OrderedDict(b=3, a=4)],
        "own dict": [bag, Bag(a=2)],
        "read-only mapping": [types.MappingProxyType({"a": 1}), types.MappingProxyType({"a": 2})],
        "named tuples": [Point(1, 2.0), Point(3, 4.0)],
        "ranges": [range(2), range(2)],
        "own sequence": [Items([1, 2]), Items([3, 4])],
        "own mutable sequence": [Numbers([1, np.ones(1)]), Numbers([3, np.ones(1)])],
        "a mapping that cannot be written": [Bare(), Bare()],
        "array subclass": [np.ma.array([1.0]).data, np.zeros(1)],
        "uint8 scalars": [np.uint8(3), np.uint8(255)],
        "empty tuples": [(), ()],
        # and what cannot be put together
        "nothing": [],
        "none": [None],
        "object": [object()],
        "set": [{1}],
        "complex": [1j],
        "string array": [np.array("a")],
        "object array": [np.array(["a"], object)],
        "date": [np.datetime64("2020-01-01")],
        "lengths": [(1, 2), (1,)],
        "shapes": [t([1.0]), t([1.0, 2.0])],
        "array shapes": [np.zeros(2), np.zeros(3)],
        "keys": [{"a": 1}, {"b": 1}],
        "tensor and int": [t(1), 2],
    }


CASES = sorted(collate_cases(tensorgrad))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("how", ["default_collate", "default_convert"])
def test_collation_is_pytorchs(torch, case, how):
    batch = collate_cases(torch)[case]
    try:
        want = getattr(torch.utils.data, how)(batch)
    except Exception as error:
        with pytest.raises(type(error)):
            getattr(data, how)(collate_cases(tensorgrad)[case])
        return
    got = getattr(data, how)(collate_cases(tensorgrad)[case])
    if case == "object" or (how, case) == ("default_convert", "object array"):
        assert type(got[0]) is type(want[0])
    else:
        assert plain(got) == plain(want)
    if case == "own dict":
        assert (got if how == "default_collate" else got[0]).label == "kept"


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ([None], r"found <class 'NoneType'>; convert it"),
        ([np.array(["a"])], r"found <U1"),
        ([np.zeros(2), np.zeros(3)], r"got \[2\] at entry 0 and \[3\] at entry 1; .*collate_fn"),
        ([(1, 2), (1,)], r"got sizes \[2, 1\]"),
        ([tensorgrad.zeros(1), 2], r"as element 1 of the batch.*got int"),
    ],
)
def test_collation_errors_name_what_was_got(batch, message):
    with pytest.raises((TypeError, RuntimeError), match=message):
        default_collate(batch)


def test_collation_does_not_share_memory_with_samples():
    for sample in (np.zeros(2), tensorgrad.zeros(2), tensorgrad.zeros(())):
        batch = default_collate([sample])
        batch._array[...] = 7.0
        assert not np.any(np.asarray(sample))


def test_own_collate_functions(torch):
    """By exact type first, then in the order of the map; containers are gone into."""

    class Word(str):
        __slots__ = ()

    def program(side):
        module = side.data._utils.collate

        def joined(batch, *, collate_fn_map=None):
            return "".join(batch)

        def inner(batch, *, collate_fn_map=None):
            return module.collate(list(map(list, batch)), collate_fn_map=collate_fn_map)

        table = {**module.default_collate_fn_map, str: joined, dict: inner}
        batches = [["a", "b"], [Word("a"), "b"], [("a", 1), ("b", 2)], [{"k": 1}, {"q": 1}]]
        seen = [plain(module.collate(b, collate_fn_map=table)) for b in batches]
        for bad in ([1, 2], ["a"]):
            try:
                module.collate(bad)
            except Exception as error:
                seen.append(type(error).__name__)
        return seen

    ours, theirs = map(program, both(torch))
    assert ours == theirs


# --- loading ----------------------------------------------------------------------------


class Listed(Dataset):
    """Samples of a list, which count how they are asked for."""

    def __init__(self, samples):
        self.samples, self.calls = samples, 0

    def __getitem__(self, index):
        self.calls += 1
        return self.samples[index]

    def __len__(self):
        return len(self.samples)


class Batched(Listed):
    def __getitems__(self, indices):
        return [self.samples[i] for i in indices]


class Stream(IterableDataset):
    def __init__(self, n):
        self.n = n

    def __iter__(self):
        return iter(range(self.n))

    def __len__(self):
        return self.n


class SlowTensors(TensorDataset):
    """Not a plain TensorDataset, so it is loaded sample by sample."""


@settings(deadline=None, max_examples=30)
@given(n=st.integers(1, 20), batch_size=st.integers(1, 7), seed=seeds, depth=st.integers(0, 2))
def test_whole_batches_of_tensors_are_what_stacked_samples_are(n, batch_size, seed, depth):
    rng = np.random.default_rng(seed)
    tensors = [
        tensorgrad.from_numpy(rng.standard_normal((n, 2, 3)).astype(np.float32)),
        tensorgrad.from_numpy(rng.integers(0, 9, n)),
        tensorgrad.from_numpy(rng.standard_normal((3, n)) > 0).T,
    ]
    results = []
    for kind in (TensorDataset, SlowTensors):
        dataset = kind(*tensors)
        indices = np.random.default_rng(seed)
        for _ in range(depth):
            dataset = Subset(dataset, indices.integers(-n, n, n).tolist())
        results.append([plain(batch) for batch in DataLoader(dataset, batch_size)])
    assert results[0] == results[1]


def test_batches_do_not_share_memory_with_the_dataset():
    x = tensorgrad.zeros(4, 2)
    for batch in DataLoader(TensorDataset(x), batch_size=4):
        batch[0]._array[...] = 1.0
    assert not x.numpy().any()


@pytest.mark.parametrize("kind", [TensorDataset, SlowTensors])
def test_tracked_tensors_stay_tracked(kind):
    table = tensorgrad.ones(4, 2, requires_grad=True)
    for (rows,) in DataLoader(kind(table), batch_size=3, sampler=[1, 1, 3]):
        rows.sum().backward()
    assert table.grad.tolist() == [[0.0, 0.0], [2.0, 2.0], [0.0, 0.0], [1.0, 1.0]]


def test_index_out_of_range_is_an_index_error():
    with pytest.raises(IndexError):
        list(DataLoader(TensorDataset(tensorgrad.ones(3)), sampler=[3]))


def test_own_datasets():
    dataset = Listed([(i, float(i)) for i in range(5)])
    loader = DataLoader(dataset, batch_size=2, worker_init_fn=print)
    assert [[x.tolist(), y.tolist()] for x, y in loader] == [
        [[0, 1], [0.0, 1.0]],
        [[2, 3], [2.0, 3.0]],
        [[4], [4.0]],
    ]
    assert dataset.calls == 5 and loader.dataset is dataset and len(loader) == 3


def test_getitems_is_preferred():
    dataset = Batched(list(range(5)))
    assert [b.tolist() for b in DataLoader(dataset, 3)] == [[0, 1, 2], [3, 4]]
    assert [b.tolist() for b in DataLoader(Subset(dataset, [4, 2, 0]), 2)] == [[4, 2], [0]]
    assert dataset.calls == 0


def test_samples_one_by_one():
    loader = DataLoader([np.ones(2), "text"], batch_size=None)
    first, second = loader
    assert first.tolist() == [1.0, 1.0] and second == "text" and len(loader) == 2
    assert list(DataLoader([1, 2], batch_size=None, collate_fn=str)) == ["1", "2"]


def test_collate_fn_and_samplers():
    assert list(DataLoader("abcde", 2, collate_fn="".join)) == ["ab", "cd", "e"]
    assert list(DataLoader("abcde", 2, collate_fn="".join, drop_last=True)) == ["ab", "cd"]
    assert list(DataLoader("abc", sampler=[2, 0], collate_fn="".join)) == ["c", "a"]
    loader = DataLoader("abc", batch_sampler=[[2, 0], [1]], collate_fn="".join)
    assert list(loader) == ["ca", "b"] and len(loader) == 2
    assert loader.batch_size is None and isinstance(loader.sampler, SequentialSampler)


def test_iterable_datasets():
    loader = DataLoader(Stream(5), batch_size=2)
    assert [b.tolist() for b in loader] == [[0, 1], [2, 3], [4]] and len(loader) == 3
    loader = DataLoader(Stream(5), batch_size=2, drop_last=True)
    assert [b.tolist() for b in loader] == [[0, 1], [2, 3]] and len(loader) == 2
    assert list(DataLoader(Stream(3), batch_size=None)) == [0, 1, 2]
    assert list(DataLoader(Stream(0), batch_size=2)) == []
    assert [b.tolist() for b in DataLoader(Stream(2) + Stream(2), 3)] == [[0, 1, 0], [1]]


def test_a_length_that_is_not_known():
    class Endless(IterableDataset):
        def __iter__(self):
            return itertools.count()

    loader = DataLoader(Endless(), 2)
    assert next(iter(loader)).tolist() == [0, 1]
    with pytest.raises(TypeError):
        len(loader)


def test_two_iterators_do_not_disturb_each_other():
    loader = DataLoader(range(4), 1)
    assert [(a.item(), b.item()) for a, b in zip(loader, loader, strict=True)] == [
        (i, i) for i in range(4)
    ]


def test_an_iterator_frees_itself_and_its_batches():
    gc.disable()
    try:
        iterator = iter(DataLoader(range(4), 2))
        next(iterator)
        ref = weakref.ref(iterator)
        del iterator
        assert ref() is None
    finally:
        gc.enable()


def test_iterables_that_are_longer_than_they_say_warn(torch):
    for side in both(torch):

        class Liar(side.data.IterableDataset):
            def __iter__(self):
                return iter(range(3))

            def __len__(self):
                return 2

        loader = side.data.DataLoader(Liar(), None)
        assert sum(1 for _ in loader) == 3 and len(loader) == 2
        with pytest.warns(UserWarning, match="reported to be 2.*but 3 samples") as caught:
            list(loader)
        assert len(caught) == 1 and caught[0].filename == __file__


def test_iterators_are_not_pickled(torch):
    import pickle

    for side in both(torch):
        with pytest.raises(NotImplementedError):
            pickle.dumps(iter(side.data.DataLoader([1])))


def test_worker_info_is_that_of_the_main_process():
    assert data.get_worker_info() is None


def test_annotations_and_submodules():
    class Mine(Dataset[int]):
        def __getitem__(self, index):
            return "abc"[index]

        def __len__(self):
            return 3

    assert list(DataLoader(Mine(), 2, collate_fn="".join)) == ["ab", "c"]
    assert data.sampler.Sampler[int] and data.dataset.Dataset is Dataset
    assert data.dataloader.default_collate is data._utils.collate.default_collate
    assert data._utils.worker.get_worker_info is data.get_worker_info
    assert data.distributed.DistributedSampler is data.DistributedSampler
    assert DataLoader[int] and IterableDataset[int] and TensorDataset.__mro__[1] is Dataset
    assert set(data.__all__) <= set(dir(data))


# --- datasets ---------------------------------------------------------------------------


def dataset_cases(side):
    d, t = side.data, side.lib.arange
    words = ["ab", "cde", "f"]
    return {
        "tensors": lambda: d.TensorDataset(t(4), t(8).reshape(4, 2)),
        "stacked": lambda: d.StackDataset(range(3), "abc"),
        "stacked by name": lambda: d.StackDataset(x=range(3), y="abc"),
        "concatenated": lambda: d.ConcatDataset(words),
        "part": lambda: d.Subset("abcdef", [4, 0, 4]),
        "part of a part": lambda: d.Subset(d.Subset("abcdef", [4, 0, 4]), [2, 1]),
        "sum": lambda: d.Subset("ab", [0]) + d.Subset("cd", [1, 0]),
    }


@pytest.mark.parametrize(
    "case", sorted(dataset_cases(types.SimpleNamespace(lib=tensorgrad, data=data)))
)
def test_datasets_are_pytorchs(torch, case):
    seen = []
    for side in both(torch):
        dataset = dataset_cases(side)[case]()
        n = len(dataset)
        items = [plain(dataset[i]) for i in range(n)]
        if case not in ("stacked", "stacked by name"):
            items.append(plain(dataset[-1]))
        seen.append((n, items))
    assert seen[0] == seen[1]


@settings(deadline=None, max_examples=40)
@given(
    n=st.integers(0, 20), replicas=st.integers(1, 5), shuffle=flags, drop_last=flags,
    seed=st.integers(0, 2**40), epoch=st.integers(0, 3),
)  # fmt: skip
def test_distributed_samplers_are_pytorchs(torch, n, replicas, shuffle, drop_last, seed, epoch):
    seen = []
    for side in both(torch):
        samplers = [
            side.data.distributed.DistributedSampler(
                range(n), replicas, rank, shuffle, seed, drop_last
            )
            for rank in range(replicas)
        ]
        orders = [list(s) for s in samplers]
        for s in samplers:
            s.set_epoch(epoch)
        seen.append((orders, [list(s) for s in samplers], [len(s) for s in samplers],
                     [(s.num_samples, s.total_size) for s in samplers]))  # fmt: skip
    assert seen[0] == seen[1]


def test_distributed_sampler_asks_for_its_numbers(torch):
    for side in both(torch):
        with pytest.raises(ValueError, match="Default process group has not been initialized"):
            side.data.DistributedSampler(range(3), 2)


def test_stacked_datasets_pass_batches_on(torch):
    class Whole(Listed):
        def __getitems__(self, indices):
            return [self.samples[i] for i in indices[: self.limit]]

    for side in both(torch):
        whole = Whole([1, 2, 3])
        whole.limit = 3
        by_place, by_name = side.data.StackDataset(whole, "abc"), side.data.StackDataset(x=whole)
        assert by_place.__getitems__([2, 0]) == [(3, "c"), (1, "a")]
        assert by_name.__getitems__([2, 0]) == [{"x": 3}, {"x": 1}] and whole.calls == 0
        whole.limit = 1
        with pytest.raises(ValueError, match="size mismatch"):
            by_place.__getitems__([2, 0])


def test_misspelled_sizes_warn(torch):
    for side in both(torch):
        joined = side.data.ConcatDataset(["ab", "c"])
        with pytest.warns(FutureWarning, match="cumulative_sizes"):
            assert joined.cummulative_sizes == joined.cumsum(["ab", "c"]) == [2, 3]


def test_concatenation_knows_its_range():
    both_ = ConcatDataset(["ab", "c"])
    assert list(both_) == ["a", "b", "c"]
    with pytest.raises(IndexError):
        both_[3]
    assert both_.cumulative_sizes == [2, 3]


def test_subset_of_a_list_of_indices():
    x = tensorgrad.arange(5)
    assert Subset(x, [4, 3, 2])[[0, 2]].tolist() == [4, 2]


# --- bad arguments ----------------------------------------------------------------------


def bad_calls(side):
    d, lib = side.data, side.lib
    L = d.DataLoader

    class Stream(d.IterableDataset):
        def __iter__(self):
            return iter(())

    class HalfSubset(d.Subset):
        def __getitem__(self, index):
            return 0

    s = Stream()
    fixed = L([1, 2])
    return {
        "workers": lambda: L([1], num_workers=-1),
        "timeout": lambda: L([1], timeout=-1),
        "prefetch": lambda: L([1], prefetch_factor=2),
        "negative prefetch": lambda: L([1], num_workers=1, prefetch_factor=-2),
        "persistent": lambda: L([1], persistent_workers=True),
        "context": lambda: L([1], multiprocessing_context="fork"),
        "shuffled stream": lambda: L(s, shuffle=True),
        "sampled stream": lambda: L(s, sampler=[0]),
        "batch-sampled stream": lambda: L(s, batch_sampler=[[0]]),
        "shuffled sampler": lambda: L([1], shuffle=True, sampler=[0]),
        "two batch sizes": lambda: L([1], batch_size=2, batch_sampler=[[0]]),
        "two orders": lambda: L([1], shuffle=True, batch_sampler=[[0]]),
        "two samplers": lambda: L([1], sampler=[0], batch_sampler=[[0]]),
        "two drops": lambda: L([1], drop_last=True, batch_sampler=[[0]]),
        "drop without batch": lambda: L([1], batch_size=None, drop_last=True),
        "rank": lambda: d.DistributedSampler([1], 2, 2),
        "rank below 0": lambda: d.DistributedSampler([1], 2, -1),
        "other workers": lambda: setattr(fixed, "persistent_workers", True),
        "late context": lambda: setattr(fixed, "multiprocessing_context", "fork"),
        "timeout without workers": lambda: iter(L([1], timeout=1)),
        "batch of 0": lambda: L([1], batch_size=0),
        "batch of 1.5": lambda: L([1], batch_size=1.5),
        "batch of True": lambda: L([1], batch_size=True),
        "drop_last 1": lambda: d.BatchSampler([1], 1, 1),
        "shuffle nothing": lambda: L([], shuffle=True),
        "other dataset": lambda: setattr(fixed, "dataset", [3]),
        "other sampler": lambda: setattr(fixed, "sampler", [0]),
        "other size": lambda: setattr(fixed, "batch_size", 3),
        "no items": lambda: d.Dataset()[0],
        "no iteration": lambda: iter(d.Sampler()),
        "replacement 1": lambda: d.RandomSampler([1], replacement=1),
        "0 samples": lambda: d.RandomSampler([1], num_samples=0),
        "1.5 samples": lambda: d.RandomSampler([1], num_samples=1.5),
        "weights 2d": lambda: d.WeightedRandomSampler([[1.0]], 1),
        "weighted 0": lambda: d.WeightedRandomSampler([1.0], 0),
        "weighted True": lambda: d.WeightedRandomSampler([1.0], True),
        "weighted replacement": lambda: d.WeightedRandomSampler([1.0], 1, 1),
        "negative weight": lambda: list(d.WeightedRandomSampler([-1.0, 2.0], 1)),
        "too few weights": lambda: list(d.WeightedRandomSampler([1.0], 2, False)),
        "sizes": lambda: d.TensorDataset(lib.ones(2), lib.ones(3)),
        "array": lambda: d.TensorDataset(np.ones(2)),
        "stack both": lambda: d.StackDataset([1], x=[1]),
        "stack nothing": lambda: d.StackDataset(),
        "stack sizes": lambda: d.StackDataset([1], [1, 2]),
        "concat nothing": lambda: d.ConcatDataset([]),
        "concat stream": lambda: d.ConcatDataset([s]),
        "concat index": lambda: d.ConcatDataset(["ab"])[-3],
        "chain list": lambda: list(d.ChainDataset([[1]])),
        "half a subset": lambda: HalfSubset([1], [0]),
        "split sum": lambda: d.random_split(range(3), [1, 1]),
        "split fractions": lambda: d.random_split(range(3), [1.5, -0.5]),
        "split below 1": lambda: d.random_split(range(3), [0.5, 0.3]),
        "generator": lambda: d.random_split(range(3), [3], generator=7),
    }


@pytest.mark.parametrize(
    "case", sorted(bad_calls(types.SimpleNamespace(lib=tensorgrad, data=data)))
)
def test_bad_arguments_raise_what_pytorch_raises(torch, case):
    ours, theirs = both(torch)
    with pytest.raises(Exception) as want:
        bad_calls(theirs)[case]()
    with pytest.raises(want.type) as got:
        bad_calls(ours)[case]()
    assert got.type is want.type


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: DataLoader([], shuffle=True), "num_samples=0; the dataset is empty"),
        (lambda: DataLoader([1], batch_size=np.int64(2)), r"batch_size=np.int64\(2\); use int"),
        (lambda: TensorDataset([1.0]), "holds Tensors, got list; use tensorgrad.from_numpy"),
        (lambda: random_split(range(3), [1, 1]), r"Got \[1, 1\], expected a sum of 3"),
        (lambda: ConcatDataset([Stream(1)]), "use ChainDataset"),
        (lambda: list(ChainDataset([[1]])), "got list"),
        (lambda: StackDataset("ab", "c"), r"lengths are \[2, 1\]"),
        (lambda: next(iter(DataLoader([None]))), "pass a collate_fn"),
        (lambda: BatchSampler([1], 2.0, False), "batch_size=2.0; use int"),
        (lambda: SubsetRandomSampler([1], generator=3).__iter__().__next__(), "Generator"),
        (lambda: WeightedRandomSampler([[1.0]], 1), r"shape \(1, 1\)"),
    ],
)
def test_messages_say_what_was_got_and_what_to_do(call, message):
    with pytest.raises((ValueError, TypeError, AssertionError), match=message):
        call()


def test_convert_leaves_what_is_not_numpy():
    sample = {"x": np.ones(2), "p": Point(np.float32(1.0), "a"), "t": (1, None)}
    converted = default_convert(sample)
    assert converted["x"].tolist() == [1.0, 1.0] and converted["p"].y == "a"
    assert converted["p"].x.dtype is tensorgrad.float32 and converted["t"] == [1, None]
    assert isinstance(sample["x"], np.ndarray)
