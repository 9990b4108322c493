"""What needs hardware or machinery that is not here answers honestly, under PyTorch's names."""

import importlib
import threading

import pytest
from both import agree

import tensorgrad as tg
from tensorgrad import nn

ANSWERS = {
    "cuda.is_available": False, "cuda.device_count": 0, "cuda.is_initialized": False,
    "backends.mps.is_available": False, "backends.mps.is_built": False,
    "backends.cuda.is_built": False, "accelerator.is_available": False,
    "accelerator.device_count": 0, "accelerator.current_accelerator": None,
    "jit.is_scripting": False, "jit.is_tracing": False, "compiler.is_compiling": False,
}  # fmt: skip


def at(lib, path):
    for part in path.split("."):
        lib = getattr(lib, part)
    return lib


@pytest.mark.parametrize("path", ANSWERS)
def test_questions_are_answered_as_by_a_pytorch_without_gpu(path):
    assert at(tg, path)() == ANSWERS[path]
    agree(lambda lib: at(lib, path)())


@pytest.mark.parametrize(
    "use",
    [
        lambda lib: lib.ones(2).cuda(),
        lambda lib: lib.ones(2).to("cuda"),
        lambda lib: lib.ones(2).to(lib.device("cuda:0")),
        lambda lib: lib.ones(2, device="cuda"),
        lambda lib: lib.nn.Linear(2, 2).cuda(),
        lambda lib: lib.nn.Linear(2, 2).to("cuda"),
        lambda lib: lib.nn.Linear(2, 2, device="cuda"),
        lambda lib: lib.cuda.current_device(),
        lambda lib: lib.cuda.get_device_name(0),
    ],
)
def test_using_a_gpu_raises_what_pytorch_raises_and_says_why(use):
    error = agree(use)
    assert isinstance(error, RuntimeError)  # what scripts catch
    assert "is_available()" in str(error)


@pytest.mark.parametrize(
    "make",
    [
        lambda lib: str(lib.device("cuda:1")),
        lambda lib: lib.device("cuda", 2).index,
        lambda lib: lib.device("cuda") == lib.device("cuda", 0),
        lambda lib: repr(lib.device(lib.device("cuda:3"))),
        lambda lib: lib.device("nothing"),
        lambda lib: lib.device("cuda:x"),
        lambda lib: lib.device("cuda:0", 1),
        lambda lib: lib.device(0),
    ],
)
def test_devices_can_be_named(make):
    agree(make)


def test_switches_can_be_set_and_read():
    cudnn = importlib.import_module("tensorgrad.backends.cudnn")
    cudnn.benchmark = True
    assert tg.backends.cudnn.benchmark
    cudnn.benchmark = False
    tg.backends.cuda.matmul.allow_tf32 = True
    with tg.backends.cudnn.flags(enabled=False), tg.backends.cuda.sdp_kernel(enable_flash=True):
        tg.cuda.synchronize()
        tg.cuda.empty_cache()
        tg.cuda.manual_seed_all(0)


def test_autocast_changes_nothing():
    x = tg.ones(2, 2)
    with tg.autocast("cpu", dtype=tg.float16), tg.cuda.amp.autocast():
        assert (x @ x).dtype == tg.float32

    @tg.amp.autocast("cuda")
    def double(x):
        return x + x

    assert double(x).tolist() == [[2, 2], [2, 2]]


def test_grad_scaler_takes_the_plain_step():
    def program(lib):
        w = lib.ones(3, requires_grad=True)
        optimizer = lib.optim.SGD([w], lr=0.5)
        scaler = lib.amp.GradScaler("cuda", enabled=False)
        scaler.scale((w * w).sum()).backward()
        scaler.unscale_(optimizer)
        result = scaler.step(optimizer)
        scaler.update()
        return w, result, scaler.get_scale(), scaler.state_dict(), scaler.is_enabled()

    agree(program)


def test_nothing_is_compiled():
    model = nn.Linear(2, 1)
    assert tg.compile(model, mode="reduce-overhead") is model
    assert tg.jit.script(model) is model
    assert tg.jit.trace(model, tg.ones(1, 2)) is model

    @tg.compile(fullgraph=True)
    @tg.jit.ignore
    @tg.jit.unused
    @tg.compiler.disable
    def double(x):
        return x + x

    assert double(2) == 4


@pytest.mark.parametrize(
    "call",
    [tg.jit.save, tg.jit.load, tg.hub.load, tg.hub.load_state_dict_from_url,
     tg.hub.download_url_to_file, tg.onnx.export,
     nn.parallel.scatter],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_by_name(call):
    with pytest.raises(RuntimeError, match=rf"torch\.[\w.]*{call.__name__}: "):
        call("something")


def test_a_profiled_loop_runs_and_figures_are_refused():
    prof = tg.profiler
    with prof.profile(
        activities=[prof.ProfilerActivity.CPU],
        schedule=prof.schedule(wait=1, warmup=1, active=1),
        on_trace_ready=prof.tensorboard_trace_handler("log"),
    ) as profiler:
        with prof.record_function("step"):
            profiler.step()
    with pytest.raises(RuntimeError, match="cProfile"):
        profiler.key_averages()


def test_data_parallel_is_a_wrapper():
    def program(lib):
        lib.manual_seed(0)
        model = lib.nn.DataParallel(lib.nn.Linear(2, 1))
        out = model(lib.ones(3, 2))
        return out, list(model.state_dict()), repr(model), model.module.weight

    agree(program)
    assert nn.parallel.data_parallel(nn.ReLU(), tg.ones(2)).tolist() == [1, 1]


def test_settings():
    agree(lambda lib: lib.get_float32_matmul_precision())
    agree(lambda lib: lib.set_float32_matmul_precision("low"))  # a warning, here an error
    agree(lambda lib: lib.set_num_threads(0))
    agree(lambda lib: lib.set_num_threads("2"))
    tg.set_num_threads(tg.get_num_threads())


def test_any_thread_may_set_the_number_of_threads():
    """threadpoolctl lets only the thread that has set it first do so again."""
    pytest.importorskip("threadpoolctl")
    before = tg.get_num_threads()
    try:
        for _ in range(2):
            tg.set_num_threads(1)
            setter = threading.Thread(target=tg.set_num_threads, args=(2,))
            setter.start()
            setter.join()
            assert tg.get_num_threads() == 2
    finally:
        tg.set_num_threads(before)
    assert tg.get_num_threads() >= 1
    tg.use_deterministic_algorithms(True)
    assert tg.are_deterministic_algorithms_enabled()


def test_memory_methods_return_the_tensor():
    x = tg.ones(2)
    assert x.pin_memory() is x
    assert x.share_memory_() is x
    assert not x.is_pinned()
    assert not x.is_shared()


def test_summary_writer_comes_from_tensorboardx_or_names_the_extra(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match=r"tensorgrad\[tensorboard\]"):
        _ = tg.utils.tensorboard.SummaryWriter
    with pytest.raises(AttributeError):
        _ = tg.utils.tensorboard.NoSuchWriter


def test_bfloat16_is_a_name_that_cannot_be_used():
    import copy
    import pickle

    assert {"float32": tg.float32, "bfloat16": tg.bfloat16}["bfloat16"] is tg.bfloat16
    assert repr(tg.bfloat16) == "torch.bfloat16"
    assert tg.bfloat16 != tg.float16
    assert pickle.loads(pickle.dumps(tg.bfloat16)) is copy.deepcopy(tg.bfloat16) is tg.bfloat16
    with tg.autocast("cpu", dtype=tg.bfloat16):
        pass
    for use in (
        lambda: tg.ones(2, dtype=tg.bfloat16),
        lambda: tg.ones(2).to(tg.bfloat16),
        lambda: tg.nn.Linear(1, 1).to(tg.bfloat16),
        lambda: tg.ones(2).bfloat16(),
    ):
        with pytest.raises(NotImplementedError, match="float32"):
            use()
