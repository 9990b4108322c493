"""The policy search: controller and losses by hand, planted optima, journal, workers, Dask."""

import functools
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import search_children
from numpy.testing import assert_allclose, assert_array_equal
from scripts import example
from search_children import PLANTED, PLANTED_CHILD, SEARCH, SPACE, Counted, linear

import tensorgrad as torch
from tensorgrad import augment
from tensorgrad.augment import policy_search as ps
from tensorgrad.augment._random import KeyedRng

SCRIPT = Path(search_children.__file__)


def seeds(count, seed=SEARCH["seed"]):
    """The seeds that a search gives its children."""
    return KeyedRng(seed, 1, np.arange(count)).integers(0, 2**31).tolist()


def told(result):
    """What two equal searches have in common: all but the seconds."""
    return [(t.candidate, t.seed, t.reward) for t in result.trials]


def trainings(folder):
    """How often each child was trained, by its seed."""
    return {int(p.name): len(p.read_text().splitlines()) for p in Path(folder).iterdir()}


def lines(journal):
    return [json.loads(line) for line in Path(journal).read_text().splitlines()]


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "trained"
    path.mkdir()
    return str(path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The search of SEARCH, in this process and without a journal."""
    return told(augment.search(Counted(tmp_path_factory.mktemp("whole")), workers=0, **SEARCH))


# --- the space ------------------------------------------------------------------------------


def test_the_space_of_the_paper():
    space = ps.SearchSpace()
    assert (space.num_decisions, space.sizes) == (30, (16, 11, 10))
    assert space.size == (16 * 11 * 10) ** 10  # 2.9e32
    policy = space.policy([5, 3, 7, 4, 10, 9] * 5)
    assert policy == [[("AutoContrast", 0.3, None), ("Rotate", 1.0, 9)]] * 5
    assert space.transform(policy).levels == "paper"


def test_every_candidate_of_a_small_space_is_a_different_policy():
    space = ps.SearchSpace(["Rotate", "Color"], 2, 3, num_ops=1, num_subpolicies=1)
    rows = np.stack(np.meshgrid(*map(range, space.sizes), indexing="ij"), -1).reshape(-1, 3)
    policies = {repr(space.policy(row)) for row in rows}
    assert len(policies) == space.size == 12
    assert_array_equal(space.at(np.full((1, 3), 1 - 1e-16)), [[1, 1, 2]])


def test_one_probability_is_certainty():
    space = ps.SearchSpace(["Invert"], 1, 2, num_ops=1, num_subpolicies=1)
    assert space.policy([0, 0, 1]) == [[("Invert", 1.0, None)]]


# --- the controller -------------------------------------------------------------------------


def by_hand(controller, candidates):
    """All log-probabilities at each decision, a list of (n, choices): an LSTM in plain NumPy."""
    p = {name: value.detach().numpy() for name, value in controller.named_parameters()}
    n, hidden = len(candidates), controller.hidden
    read, h, c = np.tile(p["start"], (n, 1)), np.zeros((n, hidden)), np.zeros((n, hidden))

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    steps = []
    for step in range(candidates.shape[1]):
        slot, kind = divmod(step, 3)
        gates = read @ p["lstm.weight_ih_l0"].T + h @ p["lstm.weight_hh_l0"].T
        i, f, g, o = np.split(gates + p["lstm.bias_ih_l0"] + p["lstm.bias_hh_l0"], 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        logits = h @ p[f"heads.{kind}"][slot] + p[f"biases.{kind}"][slot]
        steps.append(logits - np.log(np.exp(logits).sum(1, keepdims=True)))
        read = p[f"embeddings.{kind}"][slot, candidates[:, step]]
    return steps


def taken(steps, candidates):
    return np.stack([s[np.arange(len(s)), c] for s, c in zip(steps, candidates.T, strict=True)], 1)


def sharp(space=SPACE, seed=1):
    """A controller whose choices are not all equally likely."""
    controller = ps.Controller(space, hidden=5, seed=seed)
    with torch.no_grad():
        for parameter in controller.parameters():
            parameter *= 8
    return controller


def test_the_controller_begins_as_the_paper_has_it():
    state = torch.get_rng_state()
    controller = ps.Controller(ps.SearchSpace(), seed=4)
    assert_array_equal(torch.get_rng_state().numpy(), state.numpy())
    values = np.concatenate([p.detach().numpy().ravel() for p in controller.parameters()])
    assert -0.1 <= values.min() < -0.0999 and 0.0999 < values.max() <= 0.1
    assert_allclose(values.std(), 0.2 / 12**0.5, rtol=0.01)
    assert controller.lstm.hidden_size == 100 and controller.lstm.num_layers == 1
    assert [tuple(head.shape) for head in controller.heads] == [(10, 100, k) for k in (16, 11, 10)]


def test_log_probabilities_and_entropies_by_hand():
    controller = sharp()
    candidates = SPACE.at(np.random.default_rng(0).random((7, 12)))
    steps = by_hand(controller, candidates)
    logs, entropy = controller(candidates)
    assert_allclose(logs.detach().numpy(), taken(steps, candidates), rtol=1e-10)
    want = np.stack([-(np.exp(s) * s).sum(1) for s in steps], 1)
    assert_allclose(entropy.detach().numpy(), want, rtol=1e-10)
    assert np.ptp(logs.detach().numpy()) > 0.5


def test_samples_fall_where_the_uniform_numbers_do():
    controller = sharp()
    uniform = np.random.default_rng(1).random((50, 12))
    candidates = controller.sample(uniform)
    for step, logs in enumerate(by_hand(controller, candidates)):
        edges = np.pad(np.cumsum(np.exp(logs), 1), ((0, 0), (1, 0)))
        rows, chosen = np.arange(50), candidates[:, step]
        assert (edges[rows, chosen] <= uniform[:, step]).all()
        assert (uniform[:, step] < edges[rows, chosen + 1]).all()
    few = controller.sample(uniform[7:9])
    assert_array_equal(few, candidates[7:9])


def test_gradients_of_the_log_probability_by_differences():
    controller = sharp()
    candidates = SPACE.at(np.random.default_rng(2).random((3, 12)))
    logs, _ = controller(candidates)
    logs.sum().backward()
    for name, parameter in controller.named_parameters():
        flat, grad = parameter.data.numpy().reshape(-1), parameter.grad.numpy().reshape(-1)
        for at in np.random.default_rng(3).integers(0, len(flat), 3):
            before, sums = flat[at], []
            for move in (1e-5, -1e-5):
                flat[at] = before + move
                sums.append(taken(by_hand(controller, candidates), candidates).sum())
            flat[at] = before
            slope = (sums[0] - sums[1]) / 2e-5
            assert_allclose(grad[at], slope, rtol=1e-6, atol=1e-8, err_msg=name)


# --- the strategies -------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [ps.PPO, ps.Reinforce])
def test_the_first_step_follows_the_policy_gradient(cls):
    """At ratio 1, PPO's gradient is REINFORCE's: sum of (reward - baseline) * grad log p."""
    strategy = cls(lr=1e-3, entropy=0.0, hidden=5)
    strategy.start(SPACE, 0)
    candidates = strategy.propose(np.arange(4))
    rewards = np.array([0.1, 0.9, 0.4, 0.2])
    want = ps.Controller(SPACE, hidden=5, seed=0)
    logs, _ = want(candidates)
    weights = torch.from_numpy(rewards - rewards.mean())[:, None] / 4
    (-(logs * weights).sum()).backward()
    got = {}

    def look():
        got.update({n: p.grad.numpy().copy() for n, p in strategy.controller.named_parameters()})
        raise StopIteration

    strategy.adam.step = look
    with pytest.raises(StopIteration):
        strategy.update(candidates, rewards)
    for name, parameter in want.named_parameters():
        assert_allclose(got[name], parameter.grad.numpy(), atol=1e-12, err_msg=name)


@pytest.mark.parametrize(
    ("ratio", "advantage", "value", "slope"),
    [  # within the clip; beyond it, where moving further must not pay; beyond it on the bad side
        (1.1, 2.0, 2.2, 2.0), (0.9, -2.0, -1.8, -2.0),
        (1.5, 2.0, 2.4, 0.0), (0.5, -2.0, -1.6, 0.0),
        (0.5, 2.0, 1.0, 2.0), (1.5, -2.0, -3.0, -2.0),
    ],
)  # fmt: skip
def test_the_clip_of_ppo(ratio, advantage, value, slope):
    before = torch.tensor([[-1.5]], dtype=torch.float64)
    now = (before + float(np.log(ratio))).requires_grad_()
    gain = ps.PPO(clip=0.2)._gain(now, torch.tensor([[advantage]], dtype=torch.float64), before)
    gain.backward()
    assert_allclose(gain.item(), value)
    assert_allclose(now.grad.item(), slope * ratio, atol=1e-12)  # d ratio / d log p = ratio


def test_the_baseline_is_a_moving_average_in_the_order_of_the_children():
    strategy = ps.Reinforce(baseline=0.5)
    strategy.start(SPACE, 0)
    assert_allclose(strategy._advantage(np.array([1.0, 3.0])), [-1.0, 1.0])  # from their mean
    assert strategy.average == 2.25  # 2 -> 1.5 -> 2.25
    assert_allclose(strategy._advantage(np.array([2.25, 4.25])), [0.0, 2.0])
    scaled = ps.PPO(normalize=True)
    scaled.start(SPACE, 0)
    assert_allclose(scaled._advantage(np.array([1.0, 3.0, 5.0])) ** 2 @ np.ones(3) / 3, 1)
    assert_allclose(scaled._advantage(np.full(2, scaled.average)), 0.0)  # nothing to divide by


def test_entropy_keeps_the_choices_open():
    spread = []
    for weight in (0.0, 1.0):
        strategy = ps.PPO(lr=0.05, entropy=weight, hidden=8)
        strategy.start(SPACE, 0)
        for first in range(0, 200, 10):
            candidates = strategy.propose(np.arange(first, first + 10))
            strategy.update(candidates, (candidates[:, 0] == 1).astype(float))
        spread.append(strategy.controller(candidates)[1].mean().item())
    assert spread[1] > spread[0] + 0.05


def test_evolution_keeps_the_best_and_changes_little():
    strategy = ps.Evolution(parents=2, mutation=0.0)
    strategy.start(SPACE, 0)
    first = strategy.propose(np.arange(6))
    strategy.update(first, np.array([0.0, 5.0, 1.0, 5.0, 2.0, 3.0]))
    parents = first[[1, 3]]
    for row in strategy.propose(np.arange(6, 40)):
        assert (row != parents).sum(1).min() <= 1
    strategy.update(first[[0]] * 0, np.array([4.0]))  # not among the best two
    assert_array_equal([c for _, c in strategy.best], parents)


def test_random_search_draws_evenly():
    strategy = ps.RandomSearch()
    strategy.start(SPACE, 0)
    drawn = strategy.propose(np.arange(6000))
    for column, k in zip(drawn.T, SPACE.choices(), strict=True):
        assert_allclose(np.bincount(column, minlength=k) / 6000, 1 / k, atol=0.03)


@pytest.mark.parametrize("name", ["ppo", "reinforce", "evolution", "random"])
def test_a_strategy_starts_anew_in_each_search(name, folder):
    strategy = ps.strategies.STRATEGIES[name]()
    runs = [
        told(augment.search(Counted(folder), 12, space=SPACE, strategy=s, generation=4, workers=0))
        for s in (strategy, strategy, name)
    ]
    assert runs[0] == runs[1] == runs[2]
    other = augment.search(Counted(folder), 12, space=SPACE, strategy=name, seed=1, workers=0)
    assert told(other) != runs[0]


# --- planted optima -------------------------------------------------------------------------

HIDDEN = [("Invert", 1.0, None), ("Rotate", 0.5, 3)]
TOY = ps.SearchSpace(
    ["ShearX", "Rotate", "Invert", "Solarize", "Color", "Cutout"], 3, 4, 2, num_subpolicies=1
)


class Found(Exception):
    pass


def likeness(policy, seed):
    """The share of the hidden policy's decisions that this one has."""
    entries = zip(policy.subpolicies()[0], HIDDEN, strict=True)
    return sum((e[0] == w[0]) * (1 + (e[1] == w[1]) + (e[2] == w[2])) for e, w in entries) / 6


def children_until_found(strategy, seed, most=1500):
    def look(trial):
        if trial.reward == 1.0:
            raise Found(trial.number + 1)

    try:
        augment.search(likeness, most, space=TOY, strategy=strategy, workers=0, seed=seed,
                       callback=look)  # fmt: skip
    except Found as found:
        return found.args[0]
    return most


def test_ppo_finds_a_planted_policy_with_fewer_children_than_random_search():
    ppo = ps.PPO(lr=0.01, entropy=0.03, hidden=32)
    counts = {
        name: [children_until_found(strategy, seed) for seed in range(10)]
        for name, strategy in (("ppo", ppo), ("random", "random"))
    }
    mean = {name: statistics.mean(values) for name, values in counts.items()}
    assert mean["ppo"] * 3 < mean["random"], counts
    assert max(counts["ppo"]) < 1500, counts
    assert statistics.stdev(counts["ppo"]) < statistics.stdev(counts["random"]), counts


def test_trained_children_find_the_transformation_of_the_validation_data():
    found = augment.search(
        PLANTED_CHILD, 80, space=PLANTED, strategy=ps.PPO(lr=0.02, entropy=0.01), workers=0
    )
    best = found.best(1)[0]
    assert best.policy[0][0][0] == "Invert" and best.policy[0][0][1] > 0
    assert best.reward > 0.7 > 0.3 > PLANTED_CHILD(None, best.seed)
    last = [t.policy[0][0][0] for t in found.trials[-20:]]
    assert last.count("Invert") > 10, last  # 5 of 20 by chance


# --- the result -----------------------------------------------------------------------------


def test_the_best_five_make_one_policy_of_25(folder, tmp_path):
    space = ps.SearchSpace()
    found = augment.search(Counted(folder), 12, space=space, strategy="random", workers=0)
    ranked = sorted(found.trials, key=lambda t: -t.reward)[:5]
    policy = found.policy
    assert len(policy.subpolicies()) == 25
    want = [tuple(sub) for trial in ranked for sub in trial.policy]
    assert policy.subpolicies() == want
    found.save(tmp_path / "policy.json")
    loaded = augment.load(tmp_path / "policy.json")
    images = np.random.default_rng(0).random((6, 1, 9, 9), np.float32)
    assert_array_equal(loaded(images, seed=5), policy(images, seed=5))
    assert loaded.levels == "paper" and loaded.bins == 10
    assert "children=12, failed=0" in repr(found)


def test_a_candidate_that_came_twice_counts_once():
    space = ps.SearchSpace(["Invert"], 2, 2, num_ops=1, num_subpolicies=1)
    found = augment.search(lambda policy, seed: seed % 7, 30, space=space, strategy="random",
                           workers=0, top=9)  # fmt: skip
    assert len(found.best()) == 4  # 2 probabilities, 2 levels
    assert len({tuple(t.candidate) for t in found.best()}) == 4
    assert found.best(1)[0].reward == max(t.reward for t in found.trials)


# --- journal --------------------------------------------------------------------------------


def test_the_journal_has_settings_and_children(folder, tmp_path):
    journal = tmp_path / "journal.jsonl"
    found = augment.search(Counted(folder, name="x"), journal=journal, workers=0, **SEARCH)
    first, *rows = lines(journal)
    assert first["settings"]["space"] == SPACE.settings()
    assert first["settings"]["child"] == {"name": "x"}
    assert first["settings"]["strategy"] == {"name": "Evolution", "parents": 5, "mutation": 0.1}
    assert [r["child"] for r in rows] == list(range(30))
    assert [(r["candidate"], r["seed"], r["reward"]) for r in rows] == told(found)
    assert [r["seed"] for r in rows] == seeds(30)


def test_a_journal_cut_anywhere_goes_on_to_the_same(folder, tmp_path, whole):
    journal = tmp_path / "journal.jsonl"
    augment.search(Counted(folder), journal=journal, workers=0, **SEARCH)
    text = journal.read_bytes()
    rng = random.Random(0)
    near = [text.index(b"\n") + k for k in (0, 1, 2)]
    for cut in [0, 1, *near, *rng.sample(range(len(text)), 12), len(text) - 1, len(text)]:
        journal.write_bytes(text[:cut])
        done = text[:cut].count(b"\n") - 1
        before = sum(trainings(folder).values())
        found = augment.search(Counted(folder), journal=journal, workers=0, **SEARCH)
        assert told(found) == whole
        assert sum(trainings(folder).values()) - before == 30 - max(done, 0)
        assert [r.get("child") for r in lines(journal)] == [None, *range(30)]


def test_a_finished_search_may_go_on_to_more_children(folder, tmp_path, whole):
    journal = tmp_path / "journal.jsonl"
    few = augment.search(Counted(folder), journal=journal, workers=0, **{**SEARCH, "children": 8})
    assert told(few) == whole[:8]  # 8 is not a multiple of the generation
    more = augment.search(Counted(folder), journal=journal, workers=0, **SEARCH)
    assert told(more) == whole
    assert set(trainings(folder).values()) == {1}
    again = augment.search(Counted(folder), journal=journal, workers=0, **{**SEARCH, "children": 8})
    assert told(again) == whole[:8]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"seed": 4}, r"was written with seed=3, this search has 4"),
        ({"generation": 5}, r"generation=6, this search has 5"),
        ({"strategy": ps.Evolution(parents=2)}, r"strategy.parents=5, this search has 2"),
        ({"strategy": "random"}, r"strategy.mutation=0.1, this search has None"),
        ({"space": PLANTED}, r"space.magnitudes=4, this search has 3"),
    ],
)
def test_the_journal_of_another_search_is_refused(change, text, folder, tmp_path):
    journal = tmp_path / "journal.jsonl"
    arguments = {**SEARCH, "children": 6}
    augment.search(Counted(folder), journal=journal, workers=0, **arguments)
    before = journal.read_bytes()
    with pytest.raises(ValueError, match=text):
        augment.search(Counted(folder), journal=journal, workers=0, **{**arguments, **change})
    with pytest.raises(ValueError, match=r"child\.name='', this search has 'other'"):
        augment.search(Counted(folder, name="other"), journal=journal, workers=0, **arguments)
    assert journal.read_bytes() == before


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (lambda t: b"# my notes\n" + t, "line 1 of .* is not a line of a journal"),
        (lambda t: b"name,value\n1,2\n", "line 1 of"),
        (lambda t: b"notes without an end", "line 1 of"),
        (lambda t: b'{"transform": "Rotate"}', "line 1 of"),
        (lambda t: t.replace(b'"child": 2', b'"child": 1'), "line 4 of"),
        (lambda t: t.replace(b'"child": 3', b'"child" 3'), "line 5 of"),
        (lambda t: t.replace(b'"candidate": [', b'"candidate": [9'), "has another candidate"),
    ],
)
def test_a_damaged_journal_is_refused_and_kept(damage, text, folder, tmp_path):
    journal = tmp_path / "journal.jsonl"
    arguments = {**SEARCH, "children": 6}
    augment.search(Counted(folder), journal=journal, workers=0, **arguments)
    damaged = damage(journal.read_bytes())
    journal.write_bytes(damaged)
    with pytest.raises(ValueError, match=text):
        augment.search(Counted(folder), journal=journal, workers=0, **arguments)
    assert journal.read_bytes() == damaged


def test_two_searches_do_not_share_a_journal(tmp_path):
    pytest.importorskip("fcntl")
    path = tmp_path / "journal.jsonl"
    with ps.Journal(path, {}), pytest.raises(RuntimeError, match="in use by another search"):
        ps.Journal(path, {})
    ps.Journal(path, {}).close()


def test_a_killed_search_goes_on_to_the_same(folder, tmp_path, whole):
    """SIGKILL at a random moment, several times over; the last run ends in this process."""
    journal, rng = tmp_path / "journal.jsonl", random.Random()
    command = [sys.executable, str(SCRIPT), "pool", str(journal), folder]
    for share in (0.3, 0.7):
        run = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL)
        limit = time.monotonic() + 60
        while not journal.exists() or journal.read_bytes().count(b"\n") < 1 + 30 * share:
            assert run.poll() is None and time.monotonic() < limit
            time.sleep(0.005)
        time.sleep(rng.random() * 0.04)
        run.kill()
        run.wait()
        assert_workers_end(run.pid)
    kept = [r["seed"] for r in lines_so_far(journal)[1:]]
    assert 20 < len(kept) < 30
    counts = trainings(folder)
    found = augment.search(Counted(folder), journal=journal, workers=0, **SEARCH)
    assert told(found) == whole
    after = trainings(folder)
    assert all(after[seed] == counts[seed] for seed in kept)
    assert sorted(r["child"] for r in lines(journal)[1:]) == list(range(30))


def lines_so_far(journal):
    """The whole lines of a journal."""
    text = journal.read_text()
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def assert_workers_end(session):
    """The workers of a killed search end by themselves."""
    limit = time.monotonic() + 20
    while any(map(alive, session_of(session))):
        assert time.monotonic() < limit
        time.sleep(0.02)


def session_of(session):
    """The processes of a session, by Linux' /proc; none elsewhere."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            yield int(path.parent.name)


def alive(pid):
    return Path(f"/proc/{pid}").exists()


# --- workers --------------------------------------------------------------------------------


def test_the_result_does_not_depend_on_the_workers(folder, whole):
    """Real trainings in this process and in a pool; and in threads, where they take turns."""
    arguments = {"space": PLANTED, "strategy": "ppo", "generation": 5}
    here = augment.search(PLANTED_CHILD, 10, workers=0, **arguments)
    pool = augment.search(PLANTED_CHILD, 10, workers=2, **arguments)
    assert told(here) == told(pool)
    with ThreadPoolExecutor(4) as threads:
        beside = augment.search(PLANTED_CHILD, 10, executor=threads, **arguments)
        other = augment.search(Counted(folder), executor=threads, **SEARCH)
    assert told(beside) == told(here)
    assert told(other) == whole


def test_a_child_that_raises_has_failed_with_its_traceback(folder, tmp_path, whole):
    journal = tmp_path / "journal.jsonl"
    bad = seeds(30)[4]
    child = Counted(folder, fails=[bad])
    found = augment.search(child, journal=journal, workers=2, **SEARCH)
    assert [t.number for t in found.failed] == [4]
    assert "Traceback" in found.failed[0].error
    assert f"ArithmeticError: no luck with {bad}" in found.failed[0].error
    row = next(r for r in lines(journal)[1:] if r["child"] == 4)
    assert row["reward"] is None and row["error"] == found.failed[0].error
    assert len([t for t in found.trials if t.reward is not None]) == 29
    assert told(found)[:4] == whole[:4]
    resumed = augment.search(child, journal=journal, workers=0, **SEARCH)
    assert told(resumed) == told(found)
    assert set(trainings(folder).values()) == {1}  # a failed child is finished


@pytest.mark.parametrize("once", [True, False])
def test_a_child_that_dies_has_failed_and_the_others_have_not(once, folder, tmp_path, whole):
    """One that dies once was perhaps killed from outside: it is trained again."""
    journal = tmp_path / "journal.jsonl"
    bad = seeds(30)[26]  # in the last generation: the others are those of the whole search
    child = Counted(folder, dies=[bad], once=once)
    found = augment.search(child, journal=journal, workers=2, **SEARCH)
    assert trainings(folder)[bad] == 2
    rows = lines(journal)[1:]
    assert sorted(r["child"] for r in rows) == list(range(30))
    if once:
        assert told(found) == whole
        return
    assert [t.number for t in found.failed] == [26]
    assert "ChildDied: the worker process died" in found.failed[0].error
    assert told(found)[:26] + told(found)[27:] == whole[:26] + whole[27:]


def test_an_idle_worker_that_is_killed_costs_no_child():
    with ps.ProcessPool(1) as pool:
        for round in range(2):
            tasks = [pool.submit(max, k, 0) for k in range(3)]
            assert [task.result() for task in pool.as_completed(tasks)] == [0, 1, 2], round
            kill_idle_worker(pool)
        tasks = [pool.submit(max, k, 0) for k in range(2)]  # refused: they will be called alone
        assert all(task.future is None for task in tasks)
        ended = pool.as_completed(tasks)
        assert next(ended).result() == 0
        kill_idle_worker(pool)
        assert next(ended).result() == 1


def kill_idle_worker(pool):
    """SIGKILL to the only worker; returns when the pool has seen it."""
    os.kill(pool._pool.submit(os.getpid).result(), signal.SIGKILL)
    limit = time.monotonic() + 20
    while not pool._pool._broken:
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_the_strategy_sees_the_lowest_reward_for_a_failed_child(folder):
    seen = []

    class Watched(ps.RandomSearch):
        def update(self, candidates, rewards):
            seen.append(rewards.tolist())

    numbers = seeds(6, 0)
    rewards = dict(zip(numbers, [None, None, 0.5, None, 0.2, 0.9], strict=True))

    def child(policy, seed):
        return rewards[seed] if rewards[seed] is not None else float("nan")

    found = augment.search(child, 6, space=SPACE, strategy=Watched(), generation=2, workers=0)
    assert seen == [[0.0, 0.0], [0.5, 0.5], [0.2, 0.9]]
    assert "a reward must be a finite number, got nan" in found.failed[0].error


def test_all_children_failing_is_an_error_only_for_the_policy(folder):
    found = augment.search(Counted(folder, fails=seeds(3, 0)), 3, space=SPACE, workers=0)
    assert found.best() == []
    with pytest.raises(RuntimeError, match="all 3 children failed, the first with: Arithmetic"):
        found.policy  # noqa: B018


def test_the_callback_hears_of_each_child_once(folder, tmp_path):
    heard, journal = [], tmp_path / "j.jsonl"
    for children in (6, 12):
        augment.search(Counted(folder), children, space=SPACE, generation=6, workers=0,
                       journal=journal, callback=lambda t: heard.append(t.number))  # fmt: skip
    assert heard == list(range(12))


def test_dask_with_a_worker_killed(folder, tmp_path, whole):
    pytest.importorskip("distributed")
    journal = tmp_path / "journal.jsonl"
    command = [sys.executable, str(SCRIPT), "dask", str(journal), folder]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    said = json.loads(run.stdout.splitlines()[-1])
    assert said["rewards"] == [reward for *_, reward in whole]
    assert sorted(said["done"]) == list(range(30))
    rows = lines(journal)[1:]
    assert sorted(r["child"] for r in rows) == list(range(30))
    assert len(set(said["pids"])) == 2 and not alive(said["pids"][0])


def test_an_executor_that_ends_stops_the_search_and_the_journal_keeps_what_is_done(
    folder, tmp_path, whole
):
    journal = tmp_path / "journal.jsonl"

    class Ends(ps.InProcess):
        def as_completed(self, futures):
            for i, future in enumerate(futures):
                if i == 3:
                    future.result = self.gone
                yield future

        def gone(self):
            from concurrent.futures import CancelledError

            raise CancelledError

    with pytest.raises(RuntimeError, match="before child 3 ended; with a journal"):
        augment.search(Counted(folder), journal=journal, executor=Ends(), **SEARCH)
    assert len(lines(journal)) == 4
    found = augment.search(Counted(folder), journal=journal, workers=0, **SEARCH)
    assert told(found) == whole


# --- children -------------------------------------------------------------------------------


def test_training_depends_on_policy_and_seed_alone():
    state = torch.get_rng_state()
    flip = augment.HorizontalFlip()
    runs = [PLANTED_CHILD.train(policy, seed)[1].weight.detach().numpy()
            for policy, seed in ((flip, 1), (flip, 1), (flip, 2), (None, 1))]  # fmt: skip
    assert_array_equal(torch.get_rng_state().numpy(), state.numpy())
    assert_array_equal(runs[0], runs[1])
    assert (runs[0] != runs[2]).any() and (runs[0] != runs[3]).any()


def test_budget_optimizer_and_tensors():
    (x, y), _ = search_children.inverted_digits()
    arrays = (x.numpy(), y.numpy()), (x.numpy(), y.numpy())
    short, long = (ps.ChildTraining(linear, ((x, y), (x, y)), epochs=n, lr=0.01) for n in (1, 15))
    assert long(None, 0) > short(None, 0)
    assert ps.ChildTraining(linear, arrays, epochs=1, lr=0.01)(None, 0) == short(None, 0)
    still = ps.ChildTraining(linear, arrays, epochs=1, optimizer=standing)
    fresh = still.train(None, 3)[1].weight.detach().numpy()
    torch.manual_seed(3)
    assert_array_equal(fresh, linear()[1].weight.detach().numpy())
    assert short.settings()["data"].endswith(ps.child._checksum(arrays)[-8:])
    assert PLANTED_CHILD.settings()["data"] == "search_children.inverted_digits"
    assert still.settings()["optimizer"] == "test_search.standing"


def test_data_of_a_function_are_loaded_once(folder):
    child = ps.ChildTraining(linear, functools.partial(loaded_from, folder, many=50), epochs=1)
    again = ps.ChildTraining(linear, functools.partial(loaded_from, folder, many=50), epochs=1)
    other = ps.ChildTraining(linear, functools.partial(loaded_from, folder, many=60), epochs=1)
    child(None, 0), again(None, 0), other(None, 0)
    assert sorted(p.name for p in Path(folder).iterdir()) == ["50", "60"]
    assert set(trainings(folder).values()) == {1}
    name = f"test_search.loaded_from({folder!r}, many=50)"
    assert child.settings()["data"] == name != other.settings()["data"]


def loaded_from(folder, many):
    with open(Path(folder, str(many)), "a") as file:
        file.write("loaded\n")
    (x, y), valid = search_children.inverted_digits()
    return (x[:many], y[:many]), valid


def standing(parameters):
    return torch.optim.SGD(parameters, lr=0.0)


# --- bad input ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"child": 3}, TypeError, "child must be a function .*, got int"),
        ({"children": 0}, ValueError, "children must be an integer of at least 1, got 0"),
        ({"children": 2.0}, ValueError, "children must be an integer"),
        ({"generation": True}, ValueError, "generation must be an integer"),
        ({"seed": -1}, ValueError, "seed must be an integer of at least 0 .* got -1"),
        ({"seed": 2**64}, ValueError, "seed must be an integer .* at most 18446744073709551615"),
        ({"callback": 3}, TypeError, "callback must be a function"),
        ({"space": "paper"}, TypeError, "space must be a SearchSpace, got str"),
        ({"strategy": ["ppo"]}, ValueError, "strategy must be one of ppo.* got .'ppo'."),
        ({"top": 0}, ValueError, "top must be an integer"),
        ({"strategy": "anneal"}, ValueError, "strategy must be one of ppo, reinforce, evolution"),
        ({"workers": -1}, ValueError, "workers must be an integer of at least 1, got -1"),
        ({"workers": 2, "executor": ps.InProcess()}, TypeError, "either executor or workers"),
        ({"workers": None, "executor": 7}, TypeError, "executor must be a Dask client.*got int"),
    ],
)
def test_bad_arguments_of_search(change, error, text, tmp_path):
    journal = tmp_path / "journal.jsonl"
    good = {"child": likeness, "children": 2, "space": TOY, "workers": 0, "journal": journal}
    with pytest.raises(error, match=text):
        augment.search(**{**good, **change})
    assert not journal.exists()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: ps.SearchSpace(["Swirl"]), "different names of Identity, .*got ..Swirl"),
        (lambda: ps.SearchSpace([]), "operations must be"),
        (lambda: ps.SearchSpace(["Invert", "Invert"]), "operations must be different"),
        (lambda: ps.SearchSpace(probabilities=0), "probabilities must be an integer of at least 1"),
        (lambda: ps.SearchSpace(magnitudes=1), "magnitudes must be an integer of at least 2"),
        (lambda: ps.SearchSpace(levels="wide"), "levels must be"),
        (lambda: ps.SearchSpace(interpolation="best"), "interpolation must be"),
        (lambda: SPACE.policy([0] * 11), "a candidate must be 12 integers"),
        (lambda: SPACE.policy([3] + [0] * 11), "in turns below 3, 3, 4"),
        (lambda: SPACE.policy([0.0] * 12), "a candidate must be"),
        (lambda: ps.PPO(lr=0), r"lr must be a number in \(0, inf\), got 0"),
        (lambda: ps.PPO(lr=float("inf")), r"lr must be a number in \(0, inf\), got inf"),
        (lambda: ps.Reinforce(entropy=float("inf")), r"entropy must be a number in \[0, inf\)"),
        (lambda: ps.ChildTraining(linear, tuple, lr=float("inf")), r"lr must be a number in \(0"),
        (lambda: ps.PPO(clip=1.5), r"clip must be a number in \(0, 1\]"),
        (lambda: ps.PPO(updates=0), "updates must be"),
        (lambda: ps.Reinforce(baseline=2), r"baseline must be a number in \[0, 1\], got 2"),
        (lambda: ps.Reinforce(entropy=float("nan")), "entropy must be a number"),
        (lambda: ps.Evolution(parents=0), "parents must be"),
        (lambda: ps.Evolution(mutation="x"), "mutation must be a probability in"),
        (lambda: ps.ChildTraining(linear, (1, 2)), "data must be"),
        (lambda: ps.ChildTraining(linear, [(np.zeros((2, 1, 3, 3)), [1])] * 2),
         r"training part must be .* got float64 \(2, 1, 3, 3\) and labels int64 \(1,\)"),
        (lambda: ps.ChildTraining(linear, [(np.zeros((1, 1, 3, 3), np.uint8), [1])] * 2),
         r"must be float images \(N, C, H, W\) .* got uint8"),
        (lambda: ps.ChildTraining(linear, [(np.zeros((1, 3, 3)), [1])] * 2), "must be float"),
        (lambda: ps.ChildTraining(linear, tuple, epochs=0), "epochs must be"),
        (lambda: ps.ChildTraining(linear, [(np.zeros((1, 1, 3, 3)), [0.5])] * 2),
         r"training part must be .* integer label for each, .* labels float64 \(1,\)"),
        (lambda: ps.ChildTraining(linear, [(np.full((1, 1, 3, 3), 9.0), [1])] * 2),
         "the training images of shape .* hold values from 9 to 9"),
    ],
)  # fmt: skip
def test_bad_arguments_of_the_parts(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_numpys_numbers_are_numbers_in_the_journal(tmp_path):
    journal = tmp_path / "journal.jsonl"
    results = []
    for of in (np.int64, int):  # the second goes on from the journal of the first
        space = ps.SearchSpace(["Rotate"], of(2), of(3), of(1), of(2), fill=np.asarray(of(7)))
        found = augment.search(
            likeness_of_first, of(3), space=space, strategy=ps.PPO(hidden=of(4)),
            generation=of(2), seed=of(1), top=of(2), workers=0, journal=journal,
        )  # fmt: skip
        results.append([(t.candidate, t.seed, t.seconds) for t in found.trials])
    assert results[0] == results[1]
    assert lines(journal)[0]["settings"]["space"]["fill"] == 7


def likeness_of_first(policy, seed):
    return policy.subpolicies()[0][0][1]


def test_a_child_that_is_not_a_function():
    with pytest.raises(TypeError, match="factory must be a function, got int"):
        ps.ChildTraining(3, tuple)
    with pytest.raises(TypeError, match="optimizer must be a function, got str"):
        ps.ChildTraining(linear, tuple, optimizer="Adam")


def test_a_child_that_cannot_be_sent(tmp_path):
    with pytest.raises(TypeError, match=r"child cannot be sent to a worker process .*top level"):
        augment.search(lambda policy, seed: 0.0, 2, space=TOY, workers=1)


@pytest.mark.parametrize(
    "script",
    [
        "def child(policy, seed):\n    return 0.0\n"
        "augment.search(child, 2, workers=1, journal={j!r})",
        "if __name__ == '__main__':\n"
        "    exec('def child(policy, seed): return 0.0', h := dict(__name__='nowhere'))\n"
        "    sys.modules['nowhere'] = type(sys)('nowhere')\n"
        "    sys.modules['nowhere'].child = h['child']\n"
        "    augment.search(h['child'], 2, workers=1, journal={j!r})",
    ],
    ids=["no guard", "no module"],
)
def test_workers_that_cannot_start_count_no_child_as_failed(script, tmp_path):
    journal = tmp_path / "journal.jsonl"
    path = tmp_path / "script.py"
    head = "import sys\nfrom tensorgrad import augment\n"
    path.write_text(head + script.format(j=str(journal)) + "\n")
    run = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, timeout=60)
    assert run.returncode == 1
    assert "RuntimeError: the workers cannot start" in run.stderr
    assert 'outside of `if __name__ == "__main__":`' in run.stderr
    assert not journal.exists() or len(lines(journal)) == 1


def test_an_asynchronous_client_is_refused():
    distributed = pytest.importorskip("distributed")
    with pytest.raises(TypeError, match="asynchronous=False"):
        ps.Dask(type("Client", (), {"asynchronous": True, "__module__": distributed.__name__})())


def test_the_pool_starts_no_process_without_work(folder, tmp_path, monkeypatch):
    journal = tmp_path / "journal.jsonl"
    augment.search(Counted(folder), journal=journal, workers=0, **SEARCH)
    monkeypatch.setattr(ps.ProcessPool, "_start", lambda *_: pytest.fail("a process started"))
    augment.search(Counted(folder), journal=journal, workers=2, **SEARCH)


# --- the example ----------------------------------------------------------------------------


def test_the_search_for_digits(tmp_path, capsys):
    script = example("autoaugment_digits")
    arguments = ["--quick", "--workers", "0", "--out", str(tmp_path)]
    first = script.main(arguments)
    out = capsys.readouterr().out
    assert "150 images to train on, 150 to validate" in out and "6 children in" in out
    names = {"journal.jsonl", "policy.json", "sheet.png"}
    assert {p.name for p in tmp_path.iterdir()} == names
    assert len(augment.load(tmp_path / "policy.json").subpolicies()) == 25
    assert set(first) == {"none", "random", "learned"}
    assert f"policy learned  test accuracy {first['learned']:.2%}" in out
    assert script.main(arguments) == first
    assert "children in" not in capsys.readouterr().out  # all of them were in the journal
    with pytest.raises(SystemExit, match=r"error: journal .* was written with .*seed=0"):
        script.main([*arguments, "--seed", "1"])
    with pytest.raises(SystemExit, match=r"error: MNIST: .* is neither in"):
        script.main([*arguments, "--data", str(tmp_path)])
    with pytest.raises(SystemExit):
        script.main(["--children", "0"])
    assert "error: --children must be at least 1, got 0" in capsys.readouterr().err
