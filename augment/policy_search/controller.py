"""The controller: a recurrent network that writes candidates, decision after decision."""

from __future__ import annotations

import numpy as np

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn import functional as F
from tensorgrad.random import fork_rng

from .space import KINDS, SearchSpace

# All weights begin uniform in [-INIT, INIT], as in the paper.
INIT = 0.1


class Controller(nn.Module):
    """An LSTM of one layer with a softmax for each decision of a candidate.

    The embedding of each choice is what the network reads before the next; before the first it
    reads a learned vector. Every decision has a softmax and an embedding of its own. Weights are
    float64, so that a journal replays to the same candidates.

    Args:
        space: of the candidates.
        hidden: the width of the LSTM and of the embeddings.
        seed: of the weights, uniform in [-0.1, 0.1]. The default generator is left alone.

    Source: Cubuk et al., CVPR 2019, section 3 and appendix: hidden size 100, the same start.

    >>> space = SearchSpace(num_ops=1, num_subpolicies=2)
    >>> controller = Controller(space, hidden=8)
    >>> candidates = controller.sample(np.full((4, 6), 0.5))
    >>> candidates.shape
    (4, 6)
    >>> log_probability, entropy = controller(candidates)
    >>> log_probability.shape, entropy.shape
    (torch.Size([4, 6]), torch.Size([4, 6]))
    """

    def __init__(self, space: SearchSpace, hidden: int = 100, seed: int = 0):
        super().__init__()
        self.slots, self.hidden = space.slots, hidden
        with fork_rng():
            self.lstm = nn.LSTM(hidden, hidden, dtype=tg.float64)
        slots = space.slots
        self.start = _weight(hidden)
        self.embeddings = nn.ParameterList([_weight(slots, k, hidden) for k in space.sizes])
        self.heads = nn.ParameterList([_weight(slots, hidden, k) for k in space.sizes])
        self.biases = nn.ParameterList([_weight(slots, 1, k) for k in space.sizes])
        generator = tg.Generator().manual_seed(seed)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -INIT, INIT, generator=generator)

    def forward(self, candidates):
        """Log-probabilities of the choices in ``candidates``, and entropies of the softmaxes.

        Args:
            candidates: (n, decisions) integers.

        Returns:
            Two Tensors (n, decisions).
        """
        chosen = tg.as_tensor(np.asarray(candidates, np.int64))
        n = len(chosen)
        out, _ = self.lstm(self._inputs(chosen))
        out = out.reshape(self.slots, KINDS, n, self.hidden)
        rows = [self._decided(kind, out[:, kind], chosen[:, kind::KINDS]) for kind in range(KINDS)]
        return tuple(tg.stack(parts, 1).reshape(-1, n).T for parts in zip(*rows, strict=True))

    def _inputs(self, chosen):
        """What the LSTM reads at each decision, (decisions, n, hidden)."""
        n, slot = len(chosen), tg.arange(self.slots)[:, None]
        read = [e[slot, chosen[:, kind::KINDS].T] for kind, e in enumerate(self.embeddings)]
        read = tg.stack(read, 1).reshape(-1, n, self.hidden)
        return tg.cat([self.start.expand(1, n, self.hidden), read[:-1]])

    def _decided(self, kind, out, chosen):
        """Log-probabilities and entropies (slots, n) of the decisions of a kind."""
        logs = F.log_softmax(out @ self.heads[kind] + self.biases[kind], -1)
        taken = logs.gather(-1, chosen.T[..., None])[..., 0]
        return taken, -(logs.exp() * logs).sum(-1)

    @tg.no_grad()
    def sample(self, uniform) -> np.ndarray:
        """Candidates, drawn from uniform numbers.

        Args:
            uniform: (n, decisions) numbers in [0, 1), one for each decision.

        Returns:
            (n, decisions) integers.
        """
        n, decisions = uniform.shape
        chosen = np.empty((n, decisions), np.int64)
        read, state = self.start.expand(1, n, self.hidden), None
        for step in range(decisions):
            slot, kind = divmod(step, KINDS)
            out, state = self.lstm(read, state)
            logits = out[0] @ self.heads[kind][slot] + self.biases[kind][slot]
            chosen[:, step] = _drawn(F.softmax(logits, -1).numpy(), uniform[:, step])
            read = self.embeddings[kind][slot][tg.from_numpy(chosen[:, step])][None]
        return chosen


def _weight(*shape):
    return nn.Parameter(tg.empty(*shape, dtype=tg.float64))


def _drawn(probabilities, uniform):
    """The choice of each row where its uniform number falls among the summed probabilities."""
    edges = probabilities.cumsum(1)
    return (edges[:, :-1] <= (uniform * edges[:, -1])[:, None]).sum(1)
