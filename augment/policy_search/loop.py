"""The search: candidates proposed, children trained, a journal kept, the best put together."""

from __future__ import annotations

import contextlib
from concurrent.futures import BrokenExecutor, CancelledError
from typing import NamedTuple

import numpy as np

from tensorgrad import settings as engine
from tensorgrad.errors import ArgumentError

from .._checks import check_count
from .._random import KeyedRng
from .._transform import save
from ..policies import AutoAugment
from .child import ready, run_child, settings_of
from .executors import InProcess, executor_of
from .journal import Journal
from .space import SearchSpace
from .strategies import STRATEGIES, Strategy


class Trial(NamedTuple):
    """A finished child.

    Attributes:
        number: from 0 on.
        candidate: its decisions, a list of integers.
        policy: its sub-policies, lists of (operation, probability, level).
        seed: what it was trained with.
        reward: None if it failed.
        seconds: of its training.
        error: the traceback if it failed, else None.
    """

    number: int
    candidate: list
    policy: list
    seed: int
    reward: float | None
    seconds: float
    error: str | None


class SearchResult:
    """What a search found.

    Attributes:
        space: that was searched.
        trials: all children in their order.
        top: how many policies :attr:`policy` puts together.
    """

    def __init__(self, space: SearchSpace, trials: list[Trial], top: int = 5):
        self.space, self.trials, self.top = space, trials, top

    def best(self, count: int | None = None) -> list[Trial]:
        """The children of the highest reward, each candidate once; ties in their order.

        Args:
            count: how many at most, ``top`` by default.
        """
        done = [trial for trial in self.trials if trial.reward is not None]
        ranked = sorted(done, key=lambda trial: -trial.reward)
        different = {tuple(trial.candidate): trial for trial in reversed(ranked)}
        best = sorted(different.values(), key=lambda trial: (-trial.reward, trial.number))
        return best[: self.top if count is None else check_count(count, "count", 1)]

    @property
    def failed(self) -> list[Trial]:
        """The children without a reward."""
        return [trial for trial in self.trials if trial.reward is None]

    @property
    def policy(self) -> AutoAugment:
        """The best policies put together, a transform: 25 sub-policies of five policies of five.

        Raises:
            RuntimeError: every child failed.
        """
        best = self.best()
        if not best:
            error = self.trials[0].error.strip().splitlines()[-1]
            raise RuntimeError(f"all {len(self.trials)} children failed, the first with: {error}")
        return self.space.transform([sub for trial in best for sub in trial.policy])

    def save(self, f) -> None:
        """Write :attr:`policy` to a file, for :func:`tensorgrad.augment.load`."""
        save(self.policy, f)

    def __repr__(self):
        best = max((t.reward for t in self.trials if t.reward is not None), default=None)
        return (
            f"SearchResult(children={len(self.trials)}, failed={len(self.failed)}, "
            f"best_reward={best})"
        )


def search(
    child, children: int, *, space: SearchSpace | None = None, strategy="ppo",
    generation: int = 10, executor=None, workers: int | None = None, journal=None,
    seed: int = 0, top: int = 5, callback=None,
) -> SearchResult:  # fmt: skip
    """Search for an augmentation policy, as AutoAugment does.

    The strategy proposes a generation of candidates, each is trained, and the strategy learns
    from their rewards, in the order of the children. The result depends on the arguments in the
    first line of the journal alone: not on the number of workers, nor on interruptions.

    Args:
        child: a function ``(policy, seed) -> reward`` that trains a network with ``policy``, a
            transform, and returns how well it does, the more the better; such as
            :class:`~tensorgrad.augment.policy_search.ChildTraining`, which trains what a factory
            makes for a number of epochs and returns the accuracy on validation data. An
            exception, or a reward that is not a finite number, makes it a failed child. To the
            strategy a failed child has the lowest reward so far.
        children: how many are trained in all; those in the journal count.
        space: the policies to choose from, the paper's by default.
        strategy: "ppo", "reinforce", "evolution", "random", or a
            :class:`~tensorgrad.augment.policy_search.Strategy` with arguments of your own.
        generation: children proposed at a time, and trained in parallel.
        executor: a Dask client; a ``concurrent.futures.Executor``; or an object with ``submit``
            and ``as_completed``. By default a process pool.
        workers: processes of the pool, as many as there are cores by default; 0 trains in this
            process.
        journal: a path. Every finished child is written there at once. If the file is there,
            the search goes on from it: no child in it is trained again. It may go on to more
            ``children`` than before.
        seed: of the candidates, and of the seed of each child.
        top: how many of the best policies are put together.
        callback: called with the :class:`~tensorgrad.augment.policy_search.Trial` of each child
            that this call trained, when it ends.

    Returns:
        A :class:`~tensorgrad.augment.policy_search.SearchResult`; its ``policy`` is a transform.

    Raises:
        ValueError: a number out of range; a journal of another search.
        TypeError: a child that is no function, or cannot be sent to a worker; a callback that is
            no function; an unknown executor; a space of another type.
        RuntimeError: workers cannot start, or the executor was shut down.

    Source: Cubuk et al., "AutoAugment: Learning Augmentation Policies from Data", CVPR 2019.

    >>> from tensorgrad import augment
    >>> from tensorgrad.augment.policy_search import PPO, SearchSpace
    >>> def child(policy, seed):  # instead of a training: the share of rotations
    ...     names = [name for sub in policy.subpolicies() for name, _, _ in sub]
    ...     return names.count("Rotate") / len(names)
    >>> space = SearchSpace(["Rotate", "Invert"], probabilities=2, magnitudes=2, num_subpolicies=2)
    >>> found = augment.search(child, 60, space=space, strategy=PPO(lr=0.05), workers=0)
    >>> found.best(1)[0].reward, len(found.policy.subpolicies())
    (1.0, 10)
    """
    _check_functions(child, callback)
    children = check_count(children, "children", 1)
    generation = check_count(generation, "generation", 1)
    seed, top = check_count(seed, "seed", 0, 2**64 - 1), check_count(top, "top", 1)
    space = SearchSpace() if space is None else space
    if not isinstance(space, SearchSpace):
        raise TypeError(f"space must be a SearchSpace, got {type(space).__name__}")
    plan = _strategy_of(strategy)
    engine_of = executor_of(executor, workers)
    written = {
        "space": space.settings(), "strategy": plan.settings(), "generation": generation,
        "seed": seed, "child": settings_of(child),
    }  # fmt: skip
    with _opened(engine_of) as running, Journal(journal, written) as log:
        run = _Run(child, space, running, log, seed, callback)
        plan.start(space, seed)
        for first in range(0, children, generation):
            numbers = np.arange(first, first + generation)
            candidates = plan.propose(numbers)
            run.train(numbers, candidates, children)
            if numbers[-1] < children:  # a generation that is not whole teaches nothing
                plan.update(candidates, run.rewards(numbers))
        return SearchResult(space, [run.trial(i) for i in range(children)], top)


def _check_functions(child, callback):
    if not callable(child):
        raise TypeError(f"child must be a function (policy, seed), got {type(child).__name__}")
    if not (callback is None or callable(callback)):
        raise TypeError(f"callback must be a function (trial), got {type(callback).__name__}")


def _strategy_of(strategy):
    if isinstance(strategy, Strategy):
        return strategy
    if isinstance(strategy, str) and strategy in STRATEGIES:
        return STRATEGIES[strategy]()
    raise ArgumentError(
        f"strategy must be one of {', '.join(STRATEGIES)}, or a Strategy; got {strategy!r}"
    )


@contextlib.contextmanager
def _opened(executor):
    """The executor, and its end; one thread for the products of children in this process."""
    if isinstance(executor, InProcess):
        threads = engine.get_num_threads()
        engine.set_num_threads(1)
        try:
            yield executor
        finally:
            engine.set_num_threads(threads)
    elif isinstance(executor, contextlib.AbstractContextManager):
        with executor:
            yield executor
    else:
        yield executor


class _Run:
    """The children of one search."""

    def __init__(self, child, space, executor, journal, seed, callback):
        self.child, self.space, self.executor = child, space, executor
        self.journal, self.seed, self.callback = journal, seed, callback
        self.checked = False

    def train(self, numbers, candidates, children):
        """Train those of ``numbers`` below ``children`` that the journal does not have."""
        seeds = KeyedRng(self.seed, 1, numbers).integers(0, 2**31).tolist()
        rows = dict(zip(numbers.tolist(), zip(candidates.tolist(), seeds, strict=True),
                        strict=True))  # fmt: skip
        for i, (candidate, _) in rows.items():
            self._agree(i, candidate)
        new = [i for i in rows if i < children and i not in self.journal.rows]
        if new and not self.checked:
            self._check()
        futures = {self._submit(*rows[i]): i for i in new}
        for future in self.executor.as_completed(list(futures)):
            i = futures[future]
            candidate, seed = rows[i]
            line = {"child": i, "candidate": candidate, "seed": seed, **_outcome(future, i)}
            self.journal.append(line)
            if self.callback is not None:
                self.callback(self.trial(i))

    def _agree(self, i, candidate):
        """What the journal has of child i must be what this search proposes."""
        row = self.journal.rows.get(i)
        if row is not None and row.get("candidate") != candidate:
            raise ValueError(
                f"child {i} in journal {self.journal.path} has another candidate than this "
                "search proposes: it was written by another version; give another file"
            )

    def _check(self):
        """A worker must be able to take the child, before any is counted as failed."""
        future = self.executor.submit(ready, self.child)
        try:
            next(iter(self.executor.as_completed([future]))).result()
        except Exception as error:
            raise _cannot_start(self.child, error) from error
        self.checked = True

    def _submit(self, candidate, seed):
        policy = self.space.transform(self.space.policy(candidate))
        return self.executor.submit(run_child, self.child, policy, seed)

    def trial(self, i):
        """Child i, as the journal has it."""
        row = self.journal.rows[i]
        candidate = row["candidate"]
        return Trial(i, candidate, self.space.policy(candidate), row["seed"], row["reward"],
                     row["seconds"], row.get("error"))  # fmt: skip

    def rewards(self, numbers):
        """Rewards (n,) for the strategy, a failed child's being the lowest so far."""
        rows = self.journal.rows
        so_far = [rows[i]["reward"] for i in range(numbers[-1] + 1)]
        lowest = min((reward for reward in so_far if reward is not None), default=0.0)
        return np.array([lowest if so_far[i] is None else so_far[i] for i in numbers], float)


def _outcome(future, i):
    """What a child's future says; a child whose process died has no seconds."""
    try:
        return future.result()
    except (BrokenExecutor, CancelledError) as error:
        raise RuntimeError(
            f"the executor was shut down or lost before child {i} ended; with a journal, the "
            "same call goes on from there"
        ) from error
    except Exception as error:
        return {"reward": None, "error": f"{type(error).__name__}: {error}", "seconds": 0.0}


def _cannot_start(child, error):
    """What to say when not even an empty task could be run."""
    if isinstance(error, RuntimeError):
        return RuntimeError(
            f"the workers cannot start ({error}). What they print says why. Usually the script "
            'starts the search outside of `if __name__ == "__main__":`, or the child was '
            "defined where they cannot import it, such as an interactive session; workers=0 "
            "trains in this process"
        )
    return TypeError(
        f"child cannot be sent to a worker process ({type(error).__name__}: {error}); define "
        "it, and the functions that it holds, at the top level of a module, or train in this "
        f"process with workers=0; got {child!r}"
    )
