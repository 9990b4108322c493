"""How the next candidates are chosen: PPO, REINFORCE, evolution, or by chance.

What a strategy proposes depends on its arguments, the seed and the rewards of earlier
generations, in the order of the children: not on who trained them or in which order they ended.
"""

from __future__ import annotations

import inspect

import numpy as np

import tensorgrad as tg
from tensorgrad import optim

from .._checks import check_count, check_number, check_probability
from .._random import KeyedRng
from .controller import Controller
from .space import SearchSpace


class Strategy:
    """The base: a subclass writes :meth:`propose`, and :meth:`update` where it learns.

    Its ``__init__`` keeps each argument under its own name, as a transform's does: that is what
    a journal remembers.
    """

    def settings(self) -> dict:
        """The name and the arguments, of what JSON can hold."""
        names = inspect.signature(type(self)).parameters
        return {"name": type(self).__name__, **{name: getattr(self, name) for name in names}}

    def start(self, space: SearchSpace, seed: int) -> None:
        """Forget what was learned, and begin a search."""
        self.space, self.seed = space, seed

    def propose(self, numbers) -> np.ndarray:
        """Candidates (n, decisions) for the children ``numbers``."""
        raise NotImplementedError(f"{type(self).__name__} must write propose(numbers)")

    def update(self, candidates, rewards) -> None:
        """Learn from a generation: candidates (n, decisions), and their rewards (n,)."""

    def _rng(self, numbers):
        return KeyedRng(self.seed, 0, numbers)

    def __repr__(self):
        name, *rest = self.settings().items()
        return f"{name[1]}({', '.join(f'{k}={v!r}' for k, v in rest)})"


class RandomSearch(Strategy):
    """Every candidate equally likely.

    >>> RandomSearch().settings()
    {'name': 'RandomSearch'}
    """

    def propose(self, numbers) -> np.ndarray:
        return self.space.at(self._rng(numbers).random(self.space.num_decisions))


class Evolution(Strategy):
    """Children are mutated copies of the best so far; the first generation is random.

    Args:
        parents: how many of the best are kept; each is as likely to be copied.
        mutation: the probability that a decision is drawn anew. One decision, drawn for each
            child, is drawn anew in any case.

    Raises:
        ValueError: a number out of range.

    >>> Evolution(parents=3)
    Evolution(parents=3, mutation=0.1)
    """

    def __init__(self, parents: int = 5, mutation: float = 0.1):
        self.parents = check_count(parents, "parents", 1)
        self.mutation = check_probability(mutation, "mutation")

    def start(self, space, seed):
        super().start(space, seed)
        self.best = []

    def propose(self, numbers) -> np.ndarray:
        rng, decisions = self._rng(numbers), self.space.num_decisions
        fresh = self.space.at(rng.random(decisions))
        if not self.best:
            return fresh
        parent = np.array([candidate for _, candidate in self.best])[rng.choice(len(self.best))]
        changed = rng.random(decisions) < self.mutation
        changed[np.arange(len(fresh)), rng.choice(decisions)] = True
        return np.where(changed, fresh, parent)

    def update(self, candidates, rewards):
        found = [*self.best, *zip(rewards.tolist(), candidates.tolist(), strict=True)]
        self.best = sorted(found, key=lambda pair: -pair[0])[: self.parents]


class Reinforce(Strategy):
    """The controller, moved along the gradient of the expected reward.

    After each generation, one step of Adam down the gradient of
    ``-mean((reward - baseline) * log p(candidate)) - entropy * mean(entropy of all softmaxes)``.
    The baseline is the moving average of the rewards before this generation; in the first
    generation, their mean.

    Args:
        lr: the rate of Adam; 3.5e-4 is the paper's, for 15,000 children. A search of a few
            hundred needs one some twenty times larger.
        entropy: the weight of the entropy.
        baseline: the weight that the moving average gives to its past at each child.
        hidden: the width of the controller.
        normalize: divide what a generation's rewards exceed the baseline by, by its root mean
            square: then the weight of the entropy means the same whatever the rewards' scale.

    Raises:
        ValueError: a number out of range.

    Source: Williams, "Simple statistical gradient-following algorithms for connectionist
    reinforcement learning", 1992; the numbers: Cubuk et al., CVPR 2019.

    >>> Reinforce(lr=0.01).settings()["baseline"]
    0.95
    """

    updates = 1

    def __init__(
        self, lr: float = 3.5e-4, entropy: float = 1e-5, baseline: float = 0.95,
        hidden: int = 100, normalize: bool = False,
    ):  # fmt: skip
        self.lr = check_number(lr, "lr", open_low=True)
        self.entropy = check_number(entropy, "entropy")
        self.baseline = check_number(baseline, "baseline", high=1)
        self.hidden = check_count(hidden, "hidden", 1)
        self.normalize = bool(normalize)

    def start(self, space, seed):
        super().start(space, seed)
        self.controller = Controller(space, self.hidden, seed)
        self.adam = optim.Adam(self.controller.parameters(), lr=self.lr)
        self.average = None

    def propose(self, numbers) -> np.ndarray:
        return self.controller.sample(self._rng(numbers).random(self.space.num_decisions))

    def update(self, candidates, rewards):
        advantage = tg.from_numpy(self._advantage(rewards))[:, None]
        before = None
        for _ in range(self.updates):
            now, entropy = self.controller(candidates)
            before = now.detach() if before is None else before
            gain = self._gain(now, advantage, before).sum(1).mean()
            self.adam.zero_grad()
            (-gain - self.entropy * entropy.sum(1).mean()).backward()
            self.adam.step()

    def _advantage(self, rewards):
        """Rewards less the baseline, which then takes them in, child after child."""
        average = rewards.mean() if self.average is None else self.average
        advantage = rewards - average
        for reward in rewards:
            average = self.baseline * average + (1 - self.baseline) * reward
        self.average = average
        spread = float(np.sqrt(np.mean(advantage**2)))
        return advantage / spread if self.normalize and spread > 0 else advantage

    def _gain(self, now, advantage, before):
        """What each decision adds to the objective, (n, decisions)."""
        return now * advantage


class PPO(Reinforce):
    """The controller, moved by proximal policy optimisation.

    As :class:`Reinforce`, but the objective of each decision is
    ``min(r * A, clip(r, 1 - clip, 1 + clip) * A)`` with r the ratio of its probability to that
    before the generation's updates, and A the reward less the baseline: so the same children
    serve for several steps.

    Args:
        lr: the rate of Adam; 3.5e-4 is the paper's, for 15,000 children. A search of a few
            hundred needs one some twenty times larger.
        entropy: the weight of the entropy.
        baseline: the weight that the moving average gives to its past at each child.
        hidden: the width of the controller.
        normalize: divide what a generation's rewards exceed the baseline by, by its root mean
            square: then the weight of the entropy means the same whatever the rewards' scale.
        clip: how far a ratio may move from 1 and still be rewarded.
        updates: steps after each generation.

    Raises:
        ValueError: a number out of range.

    Source: Schulman et al., "Proximal Policy Optimization Algorithms", 2017, equation 7; the
    numbers: Cubuk et al., CVPR 2019, who do not say their clip and updates.

    >>> PPO(lr=0.01).settings()["clip"]
    0.2
    """

    def __init__(
        self, lr: float = 3.5e-4, entropy: float = 1e-5, baseline: float = 0.95,
        hidden: int = 100, normalize: bool = False, clip: float = 0.2, updates: int = 4,
    ):  # fmt: skip
        super().__init__(lr, entropy, baseline, hidden, normalize)
        self.clip = check_number(clip, "clip", high=1, open_low=True)
        self.updates = check_count(updates, "updates", 1)

    def _gain(self, now, advantage, before):
        ratio = (now - before).exp()
        clipped = ratio.clamp(1 - self.clip, 1 + self.clip)
        return tg.minimum(ratio * advantage, clipped * advantage)


STRATEGIES = {"ppo": PPO, "reinforce": Reinforce, "evolution": Evolution, "random": RandomSearch}
