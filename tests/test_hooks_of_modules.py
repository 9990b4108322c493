"""Hooks of modules, state dicts with hooks, and the rest of Module's methods, beside PyTorch's."""

import importlib
import inspect
import warnings
from collections import OrderedDict

import pytest
from both import agree

import tensorgrad as tg

pytestmark = [
    pytest.mark.filterwarnings("ignore:Full backward hook is firing"),
    pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:For backward hooks to be called"),
]


def shown(values):
    """What a hook was given, in plain terms."""
    if hasattr(values, "detach"):
        return values.detach()
    if isinstance(values, tuple | list):
        return [shown(v) for v in values]
    return values


def linear(lib, n=3, m=2):
    lib.manual_seed(0)
    return lib.nn.Linear(n, m).double()


def ones(lib, *shape, grad=True):
    return lib.ones(*shape, dtype=lib.float64, requires_grad=grad)


def module_of(lib, function):
    class Made(lib.nn.Module):
        def forward(self, *args, **kwargs):
            return function(*args, **kwargs)

    return Made()


# --- backward ---------------------------------------------------------------------------

FORWARDS = {
    "one": lambda a, b, c: a * b,
    "two": lambda a, b, c: (a * 2, b * a),
    "mixed": lambda a, b, c: (a * b, c, None, b * 3),
    "unused input": lambda a, b, c: a.sin(),
    "constant": lambda a, b, c: (a.detach(), b * 2),
    "dictionary": lambda a, b, c: {"x": a * b},
}


@pytest.mark.parametrize("name", FORWARDS)
@pytest.mark.parametrize("needs", [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("double", [False, True])
def test_full_backward_hooks_see_what_pytorchs_see(name, needs, double):
    def program(lib):
        log = []
        module = module_of(lib, FORWARDS[name])
        module.register_full_backward_pre_hook(lambda m, go: log.append(("pre", shown(go))))
        module.register_full_backward_hook(lambda m, gi, go: log.append((shown(gi), shown(go))))
        a, b = ones(lib, 2, grad=needs[0]), ones(lib, 2, grad=needs[1])
        w = ones(lib, 2)
        out = module(a, b, 5)
        out = list(out.values()) if isinstance(out, dict) else out
        out = [o for o in (out if isinstance(out, list | tuple) else [out]) if hasattr(o, "sum")]
        loss = (out[-1] * w).pow(2).sum()
        if double:
            first = lib.autograd.grad(loss, w, create_graph=True)[0]
            (first.sum() + loss).backward()
        else:
            loss.backward()
        return log, a.grad, b.grad, w.grad

    agree(program)


def test_hooks_replace_gradients():
    def program(lib):
        model = lib.nn.Sequential(linear(lib), lib.nn.Tanh(), linear(lib, 2, 2))
        model[1].register_full_backward_hook(lambda m, gi, go: (gi[0] * 10,))
        model[1].register_full_backward_hook(lambda m, gi, go: (gi[0] + go[0],))
        model[2].register_full_backward_pre_hook(lambda m, go: (go[0] * 3,))
        model[2].register_full_backward_pre_hook(lambda m, go: [go[0] + 1])
        x = ones(lib, 4, 3)
        model(x).sum().backward()
        g = lib.autograd.grad(model(x).pow(2).sum(), x, create_graph=True)[0]
        return x.grad, [p.grad for p in model.parameters()], lib.autograd.grad(g.sum(), x)

    agree(program)


@pytest.mark.parametrize(
    "hooks",
    [
        {"full": lambda m, gi, go: (gi[0], gi[0])},
        {"pre": lambda m, go: (go[0], go[0])},
        {"full": lambda m, gi, go: ()},
        {"full": lambda m, gi, go: (3,)},
        {"full": lambda m, gi, go: gi[0]},
        {"pre": lambda m, go: go[0]},
    ],
)
def test_hooks_that_return_the_wrong_thing(hooks):
    def program(lib):
        module = linear(lib)
        if "full" in hooks:
            module.register_full_backward_hook(hooks["full"])
        if "pre" in hooks:
            module.register_full_backward_pre_hook(hooks["pre"])
        x = ones(lib, 4, 3)
        module(x).sum().backward()

    assert agree(program) is not None


def test_without_inputs_that_require_grad():
    def program(lib, result=None):
        log = []
        module = linear(lib)
        module.register_full_backward_hook(lambda m, gi, go: log.append((gi, shown(go))) or result)
        module(ones(lib, 1, 3, grad=False)).sum().backward()
        with lib.no_grad():
            module(ones(lib, 1, 3))
        return log, module.weight.grad

    agree(program)
    agree(lambda lib: program(lib, (None,)))
    agree(lambda lib: program(lib, (lib.ones(1),)))


def test_order_and_removal():
    def program(lib):
        log, module = [], linear(lib)
        note = lambda n: lambda *a: log.append(n)  # noqa: E731
        handles = [
            module.register_full_backward_hook(note("a")),
            module.register_full_backward_hook(note("b"), prepend=True),
            module.register_full_backward_pre_hook(note("c")),
            module.register_full_backward_pre_hook(note("d"), prepend=True),
            module.register_forward_hook(note("e")),
            module.register_forward_hook(note("f"), prepend=True),
            module.register_forward_pre_hook(note("g")),
            module.register_forward_pre_hook(note("h"), prepend=True),
        ]
        module(ones(lib, 1, 3)).sum().backward()
        for handle in handles[::2]:
            handle.remove()
        module(ones(lib, 1, 3)).sum().backward()
        counts = [len(module._forward_hooks), len(module._backward_hooks)]
        return log, counts

    agree(program)


def test_legacy_backward_hooks():
    def program(lib):
        log = []
        module = module_of(lib, lambda x: (x * 2).sin())
        module.register_backward_hook(lambda m, gi, go: log.append((shown(gi), shown(go))))
        x = ones(lib, 2)
        module(x).sum().backward()
        return log, x.grad

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        agree(program)
    agree(lambda lib: [linear(lib).register_backward_hook(print), None][1])

    def mixed(lib, first, second):
        module = linear(lib)
        getattr(module, first)(print)
        getattr(module, second)(print)

    names = ["register_backward_hook", "register_full_backward_hook"]
    assert agree(lambda lib: mixed(lib, *names)) is not None
    assert agree(lambda lib: mixed(lib, *names[::-1])) is not None


# --- forward ----------------------------------------------------------------------------


def test_forward_hooks_with_keywords():
    def program(lib):
        module = module_of(lib, lambda x, scale=1: x * scale)
        module.register_forward_pre_hook(
            lambda m, args, kwargs: (args, {"scale": kwargs["scale"] + 1}), with_kwargs=True
        )
        module.register_forward_pre_hook(lambda m, args: args[0] + 1)
        module.register_forward_hook(
            lambda m, args, kwargs, out: out + kwargs["scale"], with_kwargs=True
        )
        return module(ones(lib, 2), scale=2)

    agree(program)

    def wrong(lib):
        module = linear(lib)
        module.register_forward_pre_hook(lambda m, a, k: a, with_kwargs=True)
        module(ones(lib, 3))

    assert agree(wrong) is not None


def test_hooks_that_are_always_called():
    def program(lib, fails):
        log = []

        def forward(x):
            if fails:
                raise KeyError("forward")
            return x

        module = module_of(lib, forward)
        module.register_forward_hook(lambda m, a, o: log.append(("a", o is None)), always_call=True)
        module.register_forward_hook(lambda m, a, o: log.append("b"))
        module.register_forward_hook(
            lambda m, a, k, o: log.append("c"), always_call=True, with_kwargs=True
        )
        try:
            module(ones(lib, 1))
        except KeyError:
            log.append("raised")
        return log

    agree(lambda lib: program(lib, False))
    agree(lambda lib: program(lib, True))

    module = tg.nn.Identity()
    module.register_forward_hook(lambda m, a, o: 1 / 0, always_call=True)
    module.register_forward_pre_hook(lambda m, a: [][0])
    with pytest.warns(UserWarning, match="silenced"), pytest.raises(IndexError):
        module(1)


def test_hooks_of_every_module():
    def program(lib):
        log = []
        m = importlib.import_module(f"{lib.__name__}.nn.modules.module")
        note = lambda n: lambda module, *a: log.append((n, type(module).__name__))  # noqa: E731
        model = lib.nn.Sequential(linear(lib), lib.nn.Tanh())
        model[1].register_forward_hook(note("own"))
        handles = [
            m.register_module_forward_pre_hook(note("pre")),
            m.register_module_forward_hook(note("post")),
            m.register_module_forward_hook(note("kwargs"), with_kwargs=True, always_call=True),
            m.register_module_full_backward_pre_hook(note("back pre")),
            m.register_module_full_backward_hook(note("back")),
        ]
        try:
            with pytest.raises(RuntimeError):
                m.register_module_backward_hook(print)
            model(ones(lib, 1, 3)).sum().backward()
        finally:
            for handle in handles:
                handle.remove()
        model(ones(lib, 1, 3)).sum().backward()
        return log

    agree(program)
    assert not tg.nn.Module._hooked


# --- state ------------------------------------------------------------------------------


def test_state_dict_hooks():
    def program(lib):
        log, model = [], lib.nn.Sequential(linear(lib), lib.nn.BatchNorm1d(2).double())
        model[0].register_state_dict_pre_hook(lambda m, prefix, keep: log.append((prefix, keep)))

        def post(module, state, prefix, metadata):
            state[prefix + "extra"] = lib.ones(1)
            metadata["seen"] = True

        model[0].register_state_dict_post_hook(post)
        model._register_state_dict_hook(
            lambda m, s, p, meta: OrderedDict((k.upper(), v) for k, v in s.items())
        )
        state = model.state_dict(prefix="p.", keep_vars=True)
        return log, dict(state), {k: dict(v) for k, v in linear(lib).state_dict()._metadata.items()}

    agree(program)

    def wrong(lib):
        module = linear(lib)
        module.register_state_dict_post_hook(lambda *args: {})
        module.state_dict()

    assert agree(wrong) is not None
    agree(lambda lib: {k: dict(v) for k, v in lib.nn.Sequential(
        lib.nn.Linear(1, 1), lib.nn.BatchNorm1d(2)).state_dict()._metadata.items()})  # fmt: skip


@pytest.mark.parametrize("public", [True, False])
def test_load_state_dict_pre_hooks(public):
    def program(lib):
        module = lib.nn.Sequential(linear(lib))

        def rename(state, prefix, metadata, strict, missing, unexpected, errors):
            state[f"{prefix}weight"] = state.pop(f"{prefix}old")

        if public:
            module[0].register_load_state_dict_pre_hook(lambda m, *args: rename(*args))
        else:
            module[0]._register_load_state_dict_pre_hook(rename)
        state = {"0.old": ones(lib, 2, 3), "0.bias": ones(lib, 2)}
        message = repr(module.load_state_dict(state))
        return message, dict(module.state_dict()), list(state)

    agree(program)


def test_load_state_dict_post_hooks():
    def program(lib, forgive):
        module, log = lib.nn.Sequential(linear(lib)), []

        def post(module, keys):
            log.append((type(module).__name__, list(keys.missing_keys), list(keys.unexpected_keys)))
            if forgive:
                keys.missing_keys.clear()
                keys.unexpected_keys.clear()

        module[0].register_load_state_dict_post_hook(post)
        module.register_load_state_dict_post_hook(post)
        module.load_state_dict({"0.weight": ones(lib, 2, 3), "more": ones(lib, 2)})
        return log, module[0].weight

    agree(lambda lib: program(lib, True))
    assert agree(lambda lib: program(lib, False)) is not None

    def wrong(lib):
        module = linear(lib)
        module.register_load_state_dict_post_hook(lambda m, keys: keys)
        module.load_state_dict(module.state_dict())

    assert agree(wrong) is not None


def test_extra_state():
    def program(lib, keys):
        class Counting(lib.nn.Linear):
            count = 0

            def get_extra_state(self):
                return {"count": self.count}

            def set_extra_state(self, state):
                self.count = state["count"]

        lib.manual_seed(0)
        module = lib.nn.Sequential(Counting(2, 2))
        module[0].count = 5
        state = {k: v for k, v in module.state_dict().items() if k in keys}
        other = lib.nn.Sequential(Counting(2, 2))
        other.load_state_dict(state)
        return other[0].count, list(module.state_dict())

    names = ["0.weight", "0.bias", "0._extra_state"]
    agree(lambda lib: program(lib, names))
    assert agree(lambda lib: program(lib, names[:2])) is not None
    assert agree(lambda lib: linear(lib).get_extra_state()) is not None
    assert agree(lambda lib: linear(lib).set_extra_state(1)) is not None
    assert agree(lambda lib: linear(lib).load_state_dict(
        {**linear(lib).state_dict(), "_extra_state": 1})) is not None  # fmt: skip


def test_own_loading():
    """A subclass that reads old state dicts, as PyTorch's own modules do."""

    def program(lib):
        class Renamed(lib.nn.Linear):
            _version = 2

            def _load_from_state_dict(self, state, prefix, metadata, *rest):
                if metadata.get("version", 1) < 2:
                    state[prefix + "weight"] = state.pop(prefix + "w")
                super()._load_from_state_dict(state, prefix, metadata, *rest)

        module = lib.nn.Sequential(Renamed(2, 1))
        module.load_state_dict({"0.w": lib.ones(1, 2), "0.bias": lib.ones(1)})
        again = lib.nn.Sequential(Renamed(2, 1))
        again.load_state_dict(module.state_dict())
        return module(lib.ones(2)), again(lib.ones(2))

    agree(program)


def test_batch_norm_without_a_counter_in_an_old_state_dict():
    def program(lib, with_metadata):
        old = lib.nn.BatchNorm1d(2)
        old(lib.ones(3, 2))
        state = old.state_dict() if with_metadata else dict(old.state_dict())
        del state["num_batches_tracked"]
        new = lib.nn.BatchNorm1d(2)
        return repr(new.load_state_dict(state)), dict(new.state_dict())

    agree(lambda lib: program(lib, False))
    assert agree(lambda lib: program(lib, True)) is not None


def test_a_state_dict_that_does_not_fit_changes_nothing():
    module = tg.nn.Sequential(tg.nn.Linear(2, 2), tg.nn.Linear(2, 2))
    before = [p.clone() for p in module.parameters()]
    state = {k: v + 1 for k, v in module.state_dict().items()}
    del state["1.bias"]
    with pytest.raises(RuntimeError, match="Missing"):
        module.load_state_dict(state)
    assert all(map(tg.equal, before, module.parameters()))


# --- further methods --------------------------------------------------------------------


def test_set_submodule():
    def program(lib, *args, **kwargs):
        model = lib.nn.Sequential(lib.nn.Sequential(lib.nn.Linear(1, 1)), lib.nn.Tanh())
        model.set_submodule(*[a(lib) if callable(a) else a for a in args], **kwargs)
        return repr(model)

    relu = lambda lib: lib.nn.ReLU()  # noqa: E731
    agree(lambda lib: program(lib, "0.0", relu))
    agree(lambda lib: program(lib, "1", relu, strict=True))
    agree(lambda lib: program(lib, "0.new", relu))
    agree(lambda lib: program(lib, "0.new", relu, strict=True))
    agree(lambda lib: program(lib, "", relu))
    agree(lambda lib: program(lib, "2.0", relu))
    agree(lambda lib: program(lib, "0.0", 3))
    agree(lambda lib: program(lib, "0.0.weight", relu))


def test_to_empty_and_compile():
    def program(lib):
        module = lib.nn.Sequential(linear(lib))
        weight = module[0].weight
        same = module.to_empty(device="cpu") is module
        return same, module[0].weight is weight, weight.shape, module.compile()

    agree(program)
    for name in ("xpu", "ipu", "mtia", "cuda"):
        with pytest.raises(RuntimeError):
            getattr(tg.nn.Linear(1, 1), name)()
    with pytest.raises(NotImplementedError, match="bfloat16"):
        tg.nn.Linear(1, 1).bfloat16()


def test_state_dict_by_position():
    def program(lib):
        destination = {}
        with pytest.warns(FutureWarning):
            linear(lib).state_dict(destination, "p.")
        return destination

    agree(program)


def test_every_public_method_is_there():
    torch = pytest.importorskip("torch")
    public = {n for n in dir(torch.nn.Module) if not n.startswith("_")} - {"T_destination"}
    assert not {n for n in public if not hasattr(tg.nn.Module, n)}
    for name in public:
        theirs = getattr(torch.nn.Module, name)
        if not callable(theirs) or name in ("to", "forward"):
            continue
        ours = [*inspect.signature(getattr(tg.nn.Module, name)).parameters]
        assert ours == [*inspect.signature(theirs).parameters], name
