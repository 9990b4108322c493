"""Workers of a DataLoader: what they load, what they raise, and that none is left behind."""

import contextlib
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
import types
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tensorgrad
from tensorgrad.utils import data
from tensorgrad.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info
from tensorgrad.utils.data._utils import transport

# More workers than processors are tested too; PyTorch forks beside threads of its own.
pytestmark = [
    pytest.mark.filterwarnings("ignore:This DataLoader will create"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning"),
    pytest.mark.skipif(sys.platform != "linux", reason="local datasets need fork"),
]
LIMIT = 60  # seconds; a test that takes them hangs


@pytest.fixture(autouse=True)
def limited():
    """Each test ends after a minute, whatever it waits for."""

    def hang(*_):
        raise AssertionError(f"the test hangs: it took {LIMIT} s")

    before = signal.signal(signal.SIGALRM, hang)
    signal.alarm(LIMIT)
    with tensorgrad.random.fork_rng():
        yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(autouse=True)
def nobody_is_left(limited):
    """After each test, and whatever it left to be collected, no worker of it lives."""
    OTHERS[:] = multiprocessing.active_children()
    yield
    import gc

    gc.collect()
    wait_until(lambda: not children())


OTHERS: list = []  # processes of earlier tests: a grid search keeps its workers for a while


def children():
    """The processes that this test has started, and that live."""
    return [child for child in multiprocessing.active_children() if child not in OTHERS]


def wait_until(condition, seconds=20):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it does not come true"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def sides(torch):
    return (
        types.SimpleNamespace(lib=tensorgrad, data=data),
        types.SimpleNamespace(lib=torch, data=torch.utils.data),
    )


def plain(value):
    if hasattr(value, "detach"):
        return str(value.dtype), tuple(value.shape), value.tolist()
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value


def same(torch, program):
    """The outcome of ``program(side)``, which is PyTorch's."""
    ours, theirs = (program(side) for side in sides(torch))
    assert ours == theirs
    return ours


# --- what is loaded ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("workers", "own_generator"), [(0, True), (1, False), (2, True), (3, False)]
)
def test_orders_and_draws_are_pytorchs(torch, workers, own_generator):
    """Two epochs: batches, and the state of the generators after each."""

    def program(side):
        side.lib.manual_seed(workers)
        generator = side.lib.Generator().manual_seed(7) if own_generator else None
        dataset = [(i, float(i)) for i in range(11)]
        loader = side.data.DataLoader(
            dataset, 3, shuffle=True, num_workers=workers, generator=generator
        )
        seen = []
        for _ in range(2):
            seen.append(plain(list(loader)))
            seen.append((generator or side.lib).initial_seed())
            state = generator.get_state() if own_generator else side.lib.get_rng_state()
            seen.append(state.tolist())
        return seen

    same(torch, program)


@settings(deadline=None, max_examples=5)
@given(
    n=st.integers(1, 20), batch_size=st.integers(1, 6) | st.none(), workers=st.integers(1, 3),
    prefetch=st.integers(1, 3), seed=st.integers(0, 2**40), shuffle=st.booleans(),
    in_order=st.booleans(),
)  # fmt: skip
def test_any_number_of_workers_loads_the_same(
    n, batch_size, workers, prefetch, seed, shuffle, in_order
):
    def load(**options):
        tensorgrad.manual_seed(seed)
        dataset = [{"x": np.full((2, i + 1), i)[:, :1], "name": str(i)} for i in range(n)]
        return [
            (b["x"].tolist(), b["name"])
            for b in DataLoader(dataset, batch_size, shuffle, **options)
        ]

    got = load(num_workers=workers, prefetch_factor=prefetch, in_order=in_order)
    want = load()
    assert got == want if in_order else sorted(got, key=repr) == sorted(want, key=repr)


def test_an_eager_sampler_is_asked_as_often_as_pytorch_asks_it(torch):
    def program(side):
        class Eager(side.data.Sampler):
            def __iter__(self):
                return iter(side.lib.randperm(6).tolist())

            def __len__(self):
                return 6

        side.lib.manual_seed(3)
        loader = side.data.DataLoader(
            range(6), batch_size=None, sampler=Eager(), num_workers=1
        )
        return [plain(list(loader)) for _ in range(2)], side.lib.get_rng_state().tolist()

    same(torch, program)


def test_workers_are_seeded_as_pytorchs(torch):
    def program(side):
        class Draws(side.data.Dataset):
            def __getitem__(self, i):
                info = side.data.get_worker_info()
                assert info.dataset is self and info.seed == side.lib.initial_seed()
                numbers = np.random.random(), random.random()  # noqa: NPY002
                return info.id, info.num_workers, info.seed, *numbers, side.lib.rand(()).item()

            def __len__(self):
                return 6

        side.lib.manual_seed(11)
        state = random.getstate(), np.random.get_state()  # noqa: NPY002
        loader = side.data.DataLoader(Draws(), 1, num_workers=2, collate_fn=list)
        seen = [list(loader), list(loader)]
        assert random.getstate() == state[0]
        return seen

    seen = same(torch, program)
    assert seen[0] != seen[1]


def test_persistent_workers_stay_and_are_seeded_once(torch):
    def program(side):
        class Asks(side.data.Dataset):
            def __getitem__(self, i):
                return i, side.data.get_worker_info().seed, side.lib.rand(()).item()

            def __len__(self):
                return 5

        side.lib.manual_seed(2)
        loader = side.data.DataLoader(
            Asks(), 2, True, num_workers=2, collate_fn=list, persistent_workers=True
        )
        seen = []
        for _ in range(3):
            seen.append((list(loader), side.lib.get_rng_state().tolist()))
        return seen

    same(torch, program)
    loader = DataLoader(Pids(4), num_workers=2, persistent_workers=True)
    first, second = ({int(pid) for pid in loader} for _ in range(2))
    assert first == second and len(first) == 2 and os.getpid() not in first


class Pids(Dataset):
    def __init__(self, n):
        self.n = n

    def __getitem__(self, i):
        return os.getpid()

    def __len__(self):
        return self.n


def test_an_epoch_left_in_the_middle_does_not_leak_into_the_next():
    x = np.arange(40.0).repeat(transport.LARGE // 4).reshape(40, -1)
    loader = DataLoader(list(x), 2, num_workers=2, persistent_workers=True)
    for stop in (0, 1, 3):
        for i, batch in enumerate(loader):
            assert batch[:, 0].tolist() == [2 * i, 2 * i + 1]
            if i == stop:
                break
    assert [b[:, -1].tolist() for b in loader] == [[2 * i, 2 * i + 1] for i in range(20)]


@pytest.mark.parametrize(
    ("workers", "batch_size", "persistent", "drop_last"),
    [(1, None, True, False), (3, None, False, False), (2, 2, True, False), (3, 2, False, True)],
)
def test_iterable_datasets_are_pytorchs(torch, workers, batch_size, persistent, drop_last):
    """Unequal shares, by get_worker_info and by worker_init_fn, over two epochs."""

    def program(side):
        class Shares(side.data.IterableDataset):
            first = None

            def __iter__(self):
                info = side.data.get_worker_info()
                first = info.id if self.first is None else self.first
                return iter(range(first * first, 9, info.num_workers))

        def init(worker_id):
            side.data.get_worker_info().dataset.first = worker_id + 1

        seen = []
        for init_fn in (None, init):
            loader = side.data.DataLoader(
                Shares(), batch_size, num_workers=workers, worker_init_fn=init_fn,
                persistent_workers=persistent, drop_last=drop_last,
            )  # fmt: skip
            seen += [plain(list(loader)) for _ in range(2)]
        return seen

    same(torch, program)


def test_a_share_of_nothing_and_a_copy_of_all():
    class All(IterableDataset):
        def __iter__(self):
            return iter([] if get_worker_info().id == 1 else range(3))

    assert [int(x) for x in DataLoader(All(), None, num_workers=3)] == [0, 0, 1, 1, 2, 2]


def test_a_wrong_length_warns():
    class Doubled(IterableDataset):
        def __iter__(self):
            return iter(range(2))

        def __len__(self):
            return 2

    loader = DataLoader(Doubled(), None, num_workers=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sum(1 for _ in loader) == 4  # nobody asked for the length, as list() does
    assert len(loader) == 2
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        list(loader)
    text = str(caught[0].message)
    assert "reported to be 2 " in text and "but 3 samples" in text and "get_worker_info" in text
    assert len(caught) == 2 and caught[0].filename == __file__


class Custom:
    def __init__(self, x):
        self.x = x


def test_what_can_be_sent():
    """Small and large, in all containers; arrays can be written, tensors keep their flags."""
    big = np.arange(transport.LARGE, dtype=np.float32)
    samples = [
        3, "text", b"bytes", None, {"a": (1, [2.5])}, Custom(big), np.float32(2), big[::2],
        big.reshape(2, -1).T, tensorgrad.ones(2, requires_grad=True), tensorgrad.tensor(big),
        np.array(["a", None], object), {"big": big, "again": big}, "x" * 300_000, range(3),
    ]  # fmt: skip
    for workers in (1, 2):
        got = list(
            DataLoader(samples, batch_size=None, num_workers=workers, collate_fn=lambda x: x)
        )
        assert got[:5] == samples[:5] and got[13:] == samples[13:]
        assert type(got[5]) is Custom and np.array_equal(got[5].x, big)
        assert got[6].dtype == np.float32 and got[11].tolist() == ["a", None]
        assert np.array_equal(got[7], samples[7]) and np.array_equal(got[8], samples[8])
        assert got[9].requires_grad and got[10].tolist() == big.tolist()
        assert np.array_equal(got[12]["big"], big)
        got[7][:] = got[8][:] = 0.0
        got[10].add_(1.0)
        assert got[12]["again"][5] == 5.0 and big[5] == 5.0


def test_tasks_and_batches_larger_than_a_pipe():
    index = list(range(50_000))
    loader = DataLoader(
        range(50_000), batch_sampler=[index] * 6, num_workers=2,
        collate_fn=lambda batch: list(map(str, batch)),
    )  # fmt: skip
    assert [len(batch) for batch in loader] == [50_000] * 6


def test_one_thread_and_no_shared_memory_files_are_needed(monkeypatch):
    monkeypatch.delattr(os, "memfd_create")
    x = np.ones((4, transport.LARGE))
    assert [b.sum().item() for b in DataLoader(list(x), 2, num_workers=2)] == [
        2.0 * transport.LARGE
    ] * 2


def test_files_are_closed():
    def count():
        return len(os.listdir("/proc/self/fd"))

    list(DataLoader(range(8), 2, num_workers=2))
    before = count()
    kept = []
    for _ in range(3):
        kept += list(DataLoader([np.ones(transport.LARGE)] * 4, 2, num_workers=2))
        next(iter(DataLoader(range(8), 2, num_workers=2)))
    assert count() == before


def test_spawned_workers_load_what_can_be_pickled():
    loader = DataLoader(
        [(i, np.ones(2)) for i in range(4)], 2, num_workers=1, multiprocessing_context="spawn"
    )
    assert [x.tolist() for x, _ in loader] == [[0, 1], [2, 3]]
    loader = DataLoader([1], num_workers=1, multiprocessing_context="spawn",
                        collate_fn=lambda b: b)  # fmt: skip
    with pytest.raises((AttributeError, TypeError, ValueError), match="pickle"):
        list(loader)


# --- what goes wrong --------------------------------------------------------------------


class Sum(ValueError):
    def __init__(self, a, b):
        super().__init__(a + b)


def failing(side, error):
    class Fails(side.data.Dataset):
        def __getitem__(self, i):
            if i == 2:
                raise error
            return i

        def __len__(self):
            return 5

    return Fails()


@pytest.mark.parametrize(
    "error", [ValueError("no"), KeyError("key"), OSError(2, "none"), Sum(1, 2), RuntimeError()]
)
def test_errors_are_carried_over_and_loading_goes_on(torch, error):
    def program(side):
        loader = side.data.DataLoader(failing(side, error), num_workers=2)
        iterator, seen = iter(loader), []
        while True:
            try:
                seen.append(next(iterator).tolist())
            except StopIteration:
                return seen
            except Exception as caught:
                text = str(caught)
                first = text.splitlines()[0]
                assert "Traceback (most recent call last)" in text and "in __getitem__" in text
                seen.append((type(caught).__name__, first))

    seen = same(torch, program)
    assert seen[2][1] == f"Caught {type(error).__name__} in DataLoader worker process 0."


def test_errors_of_init_iter_collate_and_pickle():
    def refuse(worker_id):
        raise LookupError(f"worker {worker_id}")

    class NoIter(IterableDataset):
        def __iter__(self):
            raise LookupError("no samples")

    class Local(Exception):
        pass

    def local(batch):
        raise Local("mine")

    cases = [
        (DataLoader([1], num_workers=1, worker_init_fn=refuse), LookupError, "worker 0"),
        (DataLoader(NoIter(), num_workers=1), LookupError, "no samples"),
        (DataLoader([1], num_workers=1, collate_fn=local), RuntimeError, "Caught Local"),
        (DataLoader([1], num_workers=1, collate_fn=lambda b: lambda: 0), Exception, "pickle"),
        (DataLoader([None], num_workers=1), TypeError, "pass a collate_fn"),
    ]
    for loader, kind, message in cases:
        with pytest.raises(kind, match=message) as caught:
            list(loader)
        assert "in DataLoader worker process 0" in str(caught.value)


def ends_by(how):
    class Ends(Dataset):
        def __getitem__(self, i):
            if i == 3:
                how()
            return i

        def __len__(self):
            return 8

    return Ends()


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (lambda: os._exit(3), "with exit code 3"),
        (lambda: sys.exit(4), "with exit code 4"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "killed by SIGKILL"),
    ],
)
@pytest.mark.parametrize("in_order", [True, False])
def test_a_worker_that_dies_is_an_error(how, message, in_order):
    loader = DataLoader(ends_by(how), num_workers=2, in_order=in_order)
    iterator = iter(loader)
    text = rf"DataLoader worker \(pid \d+\) exited unexpectedly,? {message}"
    with pytest.raises(RuntimeError, match=text):
        list(iterator)
    assert not children()
    assert list(iterator) == []


def test_persistent_workers_are_replaced_after_a_death():
    loader = DataLoader(Pids(4), num_workers=1, persistent_workers=True)
    (pid, *_) = list(loader)
    os.kill(int(pid), signal.SIGKILL)
    with pytest.raises(RuntimeError, match="exited unexpectedly, killed by SIGKILL"):
        list(loader)
    assert int(next(iter(loader))) != int(pid)


def test_timeout():
    loader = DataLoader(ends_by(lambda: time.sleep(1.0)), num_workers=1, timeout=0.1)
    iterator = iter(loader)
    with pytest.raises(RuntimeError, match=r"timed out after 0\.1 seconds"):
        list(iterator)
    for in_order in (True, False):
        loader = DataLoader(ends_by(int), num_workers=1, timeout=50, in_order=in_order)
        assert [int(x) for x in loader] == list(range(8))


def test_bad_options(torch):
    def program(side, **options):
        try:
            iter(side.data.DataLoader([1], num_workers=1, **options))
        except Exception as error:
            return type(error).__name__
        return None

    for context in ("thread", 3):
        assert same(torch, lambda side, c=context: program(side, multiprocessing_context=c))
    with pytest.raises(AssertionError, match="greater than 0, got 0"):  # PyTorch's, too
        iter(DataLoader([1], num_workers=1, prefetch_factor=0))
    with pytest.raises(AssertionError, match="timeout=3 needs num_workers"):
        iter(DataLoader([1], timeout=3))


def test_more_workers_than_processors_warn():
    with pytest.warns(UserWarning, match="will create 1000 worker processes"):
        DataLoader([1], num_workers=1000)


# --- what is left behind ----------------------------------------------------------------


def test_a_dropped_iterator_leaves_no_workers():
    iterator = iter(DataLoader(list(np.ones((50, transport.LARGE))), 2, num_workers=2))
    next(iterator)
    pids = [child.pid for child in children()]
    assert len(pids) == 2
    del iterator
    assert not children()
    assert not any(alive(pid) for pid in pids)


def test_a_worker_that_ignores_the_end_is_terminated(monkeypatch):
    from tensorgrad.utils.data._utils import process

    iterator = iter(DataLoader(ends_by(lambda: time.sleep(100)), num_workers=1))
    next(iterator)
    next(iterator)
    next(iterator)
    process.shut_down(iterator._workers, os.getpid(), grace=0.1)
    assert not children()


def test_two_loaders_at_once_end_independently():
    first = iter(DataLoader(range(20), num_workers=1))
    second = iter(DataLoader(range(20), num_workers=1))
    assert int(next(first)) == int(next(second)) == 0
    del first
    assert [int(x) for x in second] == list(range(1, 20))


def alive(pid):
    """Whether it runs; a zombie that nobody has waited for does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


PROGRAM = """
    import os, signal, sys, time
    import tensorgrad
    from tensorgrad.utils.data import DataLoader, Dataset

    # A shell starts background jobs with the signal ignored, and what they start inherits that.
    signal.signal(signal.SIGINT, signal.default_int_handler)

    class Slow(Dataset):
        def __getitem__(self, i):
            time.sleep(0.02)
            return os.getpid()
        def __len__(self):
            return 10**6

    loader = DataLoader(Slow(), num_workers=2, persistent_workers={persistent})
    iterator = iter(loader)
    pids = [int(next(iterator)) for _ in range(4)]
    print(*sorted(set(pids)), flush=True)
"""


@contextlib.contextmanager
def program(then, persistent=False):
    """A running program in a group of its own, and the ids of its workers."""
    text = textwrap.dedent(PROGRAM).format(persistent=persistent) + then
    with subprocess.Popen(
        [sys.executable, "-c", text], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as running:  # fmt: skip
        try:
            pids = [int(pid) for pid in running.stdout.readline().split()]
            assert len(pids) == 2, running.stderr.read()
            yield running, pids
            wait_until(lambda: not any(map(alive, pids)))
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)


FOREVER = "for _ in iterator: pass"


@pytest.mark.parametrize("whole_group", [True, False])
def test_ctrl_c_is_a_keyboard_interrupt_and_nothing_else(whole_group):
    with program(FOREVER, persistent=whole_group) as (running, _):
        if whole_group:
            os.killpg(running.pid, signal.SIGINT)  # as a terminal does
        else:
            running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=20)
        assert running.returncode == -signal.SIGINT
        assert errors.count("Traceback") == 1 and errors.strip().endswith("KeyboardInterrupt")


CAUGHT = """
try:
    os.killpg(0, signal.SIGINT)
    time.sleep(9)
except KeyboardInterrupt:
    print(len({int(next(iterator)) for _ in range(4)} | set(pids)))
"""


def test_ctrl_c_between_batches_can_be_caught_and_loading_goes_on():
    with program(CAUGHT, True) as (running, _):
        out, errors = running.communicate(timeout=20)
        assert (out.strip(), errors, running.returncode) == ("2", "", 0)


@pytest.mark.parametrize(
    ("then", "code", "persistent"),
    [("", 0, True), ("sys.exit(5)", 5, False), ("1 / 0", 1, True),
     ("os.kill(os.getpid(), signal.SIGKILL)", -9, False),
     ("os.kill(os.getpid(), signal.SIGTERM)", -15, True),
     ("signal.signal(signal.SIGTERM, print); iterator = iter(loader); next(iterator)", 0, False)],
)  # fmt: skip
def test_workers_end_with_the_program(then, code, persistent):
    with program(then, persistent) as (running, _):
        _, errors = running.communicate(timeout=20)
        assert running.returncode == code
        assert ("Traceback" in errors) == (then == "1 / 0"), errors


def test_the_import_loads_no_multiprocessing():
    code = (
        "import sys, tensorgrad.utils.data as d; assert list(d.DataLoader([1], 1)); "
        "assert 'multiprocessing' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=LIMIT)


def test_a_fork_beside_blas_threads_does_not_warn(monkeypatch):
    from tensorgrad.utils.data._utils import process

    class Forks:
        def start(self):
            warnings.warn(
                "This process (pid=1) is multi-threaded, use of fork() may lead to deadlocks",
                DeprecationWarning,
                stacklevel=1,
            )

    for threads, expected in ((1, 0), (2, 1)):
        monkeypatch.setattr(process.threading, "active_count", lambda n=threads: n)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            process._start(Forks())
        assert len(caught) == expected
