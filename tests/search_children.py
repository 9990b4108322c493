"""Children for test_search that worker processes can import, and searches to be killed.

    python search_children.py pool JOURNAL FOLDER     a search with two workers, to be killed
    python search_children.py dask JOURNAL FOLDER     two Dask workers, one of them killed

Both print the rewards as JSON.
"""

import json
import os
import signal
import sys
import time
import zlib
from pathlib import Path

from tensorgrad import augment, datasets, nn
from tensorgrad.augment.policy_search import ChildTraining, SearchSpace

SPACE = SearchSpace(["Rotate", "Invert", "Color"], 3, 4, num_ops=2, num_subpolicies=2)
# A space and data with a planted optimum: the validation images are inverted.
PLANTED = SearchSpace(["Rotate", "Invert", "ShearX", "Cutout"], 3, 3, num_ops=1, num_subpolicies=1)


class Counted:
    """A reward made of policy and seed; each training leaves a line in ``folder``."""

    def __init__(self, folder, pause=0.0, fails=(), dies=(), name="", once=False):
        self.folder, self.pause, self.fails, self.dies = folder, pause, fails, dies
        self.name, self.once = name, once

    def settings(self):
        return {"name": self.name}

    def __call__(self, policy, seed):
        first = not Path(self.folder, str(seed)).exists()
        with open(Path(self.folder, str(seed)), "a") as file:
            file.write("trained\n")
        time.sleep(self.pause)
        if seed in self.fails:
            raise ArithmeticError(f"no luck with {seed}")
        if seed in self.dies and (first or not self.once):
            os.kill(os.getpid(), signal.SIGKILL)
        return zlib.crc32(repr((policy.subpolicies(), seed)).encode()) / 2**32


def inverted_digits():
    images, labels = datasets.digits()
    return (images[:300], labels[:300]), (1 - images[300:600], labels[300:600])


def linear():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


PLANTED_CHILD = ChildTraining(linear, inverted_digits, epochs=6, batch_size=50, lr=0.02)
SEARCH = {"children": 30, "space": SPACE, "strategy": "evolution", "generation": 6, "seed": 3}


def on_dask(journal, folder):
    """A search of which one worker is killed by SIGKILL after eight children."""
    from distributed import Client, LocalCluster

    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    with cluster, Client(cluster) as client:
        pids = list(client.run(os.getpid).values())
        done = []

        def kill(trial):
            done.append(trial.number)
            if len(done) == 8:
                os.kill(pids[0], signal.SIGKILL)

        child = Counted(folder, pause=0.05)
        found = augment.search(child, executor=client, journal=journal, callback=kill, **SEARCH)
        return {"pids": pids, "done": done, "rewards": [t.reward for t in found.trials]}


if __name__ == "__main__":
    where, journal, folder = sys.argv[1:]
    if where == "dask":
        print(json.dumps(on_dask(journal, folder)))
    else:
        child = Counted(folder, pause=0.02)
        found = augment.search(child, workers=2, journal=journal, **SEARCH)
        print(json.dumps([t.reward for t in found.trials]))
