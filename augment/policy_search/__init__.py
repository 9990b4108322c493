"""A search for augmentation policies: AutoAugment with its controller, and simpler strategies.

:func:`tensorgrad.augment.search` runs it; here are its parts. The page docs/search.md describes
them.

>>> from tensorgrad import augment
>>> from tensorgrad.augment.policy_search import SearchSpace
>>> space = SearchSpace(["Invert", "Rotate"], probabilities=2, magnitudes=3, num_subpolicies=1)
>>> def likes_invert(policy, seed):
...     return sum(name == "Invert" for sub in policy.subpolicies() for name, _, _ in sub) / 2
>>> result = augment.search(likes_invert, 20, space=space, strategy="random", workers=0)
>>> result.best(1)[0].reward
1.0
"""

from .child import ChildTraining as ChildTraining
from .controller import Controller as Controller
from .executors import ChildDied as ChildDied
from .executors import Dask as Dask
from .executors import Futures as Futures
from .executors import InProcess as InProcess
from .executors import ProcessPool as ProcessPool
from .journal import Journal as Journal
from .loop import SearchResult as SearchResult
from .loop import Trial as Trial
from .loop import search as search
from .space import SearchSpace as SearchSpace
from .strategies import PPO as PPO
from .strategies import Evolution as Evolution
from .strategies import RandomSearch as RandomSearch
from .strategies import Reinforce as Reinforce
from .strategies import Strategy as Strategy
