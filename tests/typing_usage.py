"""A script as users write it; ``check_typing.py`` has mypy read it, and it must find nothing."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

import tensorgrad as torch
from tensorgrad import Tensor, datasets, nn, optim
from tensorgrad.autograd import Function, grad, gradcheck
from tensorgrad.datasets import digits
from tensorgrad.train import (
    Callback,
    EarlyStopping,
    History,
    StopLoss,
    Trainer,
    diagnose,
    metrics,
)
from tensorgrad.utils.data import DataLoader, Dataset, TensorDataset, random_split

F = nn.functional


def creation(generator: torch.Generator) -> list[Tensor]:
    torch.manual_seed(0)
    generator.manual_seed(1)
    return [
        torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True),
        torch.zeros(2, 3),
        torch.ones((2, 3), dtype=torch.int64),
        torch.empty(4, device="cpu"),
        torch.full((2, 2), 7.0),
        torch.arange(10),
        torch.arange(0, 1, 0.1, dtype=torch.float64),
        torch.linspace(0, 1, 5),
        torch.eye(3),
        torch.randn(3, 4, generator=generator),
        torch.rand((2, 2)),
        torch.randint(0, 10, (3,)),
        torch.randperm(5),
        torch.zeros_like(torch.ones(2)),
        torch.from_numpy(np.arange(3)),
        torch.as_tensor([1, 2]),
    ]


def operators(x: Tensor, y: Tensor) -> Tensor:
    z = 2 * x + y / 3.0 - 1
    z = z @ y.T + (-x) ** 2 + 2**x
    z = z % 3 + z // 2
    z += y
    z *= 0.5
    mask: Tensor = (z > 0) & ~(z == y) | (x != 2.0)
    if bool(mask.any()) and mask.all().item():
        z = abs(z)
    z[0] = 1.0
    z[:, 1] = y[..., 1]
    z[mask] = 0
    return z[None, 1:, ::2][0]


def methods(x: Tensor) -> Tensor:
    rows, columns = x.shape
    size: int = x.size(0) + x.shape[-1] + len(x) + x.dim() + x.numel() + rows * columns
    values, indices = x.max(1)
    top = x.topk(3, dim=-1, largest=True)
    best = x.argmax(dim=1) + top.indices[:, 0] + indices
    total = x.sum() + x.sum(1, True).mean() + x.sum(dim=(0, 1)) + x.std(axis=0, keepdims=True).max()
    parts = x.split(2) + x.chunk(2, dim=1) + torch.unbind(x)
    shaped = x.reshape(-1, 2).view(size).unsqueeze(0).expand(3, -1).permute(1, 0).contiguous()
    x.clone().add_(1).mul_(2.0).clamp_(min=0).relu_().zero_()
    as_float: float = x.mean().item() + float(x[0, 0]) + int(best[0])
    converted = x.to(torch.float64).to("cpu").double().long().type_as(x)
    back: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = x.detach().numpy()
    print(back.mean(), np.asarray(x).shape, x.tolist(), f"{as_float:.3f}", x.dtype, x.device)
    print(x.grad_fn.name() if x.grad_fn is not None else "leaf", x.is_leaf, x.requires_grad)
    return torch.cat([values, total.reshape(1), shaped.flatten(), converted.flatten(), *parts])


def functions(x: Tensor, labels: Tensor) -> Tensor:
    y = torch.exp(x).log1p().tanh() + torch.where(x > 0, x, 0.0) + torch.maximum(x, x.flip(0))
    y = torch.einsum("ij,jk->ik", y, y.t()) + torch.matmul(y, y.mT) + torch.clamp(y, 0, 1)
    y = torch.stack([y, y]).gather(0, labels).softmax(dim=-1) + torch.logsumexp(y, 1)
    pairs = torch.sort(y, dim=0, descending=True)
    return pairs.values + torch.add(y, 1, alpha=2) + torch.norm(y, p=2) + np.pi


class Square(Function):
    @staticmethod
    def forward(ctx, x):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):  # type: ignore[no-untyped-def]
        (x,) = ctx.saved_tensors
        return 2 * g * x


def derivatives(x: Tensor) -> Tensor:
    x.requires_grad_()
    y = Square.apply(x).sum()
    (slope,) = grad(y, x, create_graph=True)
    slope.sum().backward(retain_graph=True)
    handle = x.register_hook(lambda g: 2 * g)
    handle.remove()
    gradcheck(lambda t: t.sin(), (x.double(),))
    with torch.no_grad():
        x -= 0.1 * (x.grad if x.grad is not None else torch.zeros_like(x))
    with torch.set_grad_enabled(False), torch.inference_mode():
        pass
    x.grad = None
    return x


@torch.no_grad()
def accuracy(model: nn.Module, batches: Iterator[tuple[Tensor, Tensor]]) -> float:
    right = [(model(x).argmax(1) == y).float().mean().item() for x, y in batches]
    return float(sum(right) / len(right))


@torch.inference_mode
def doubled(x: Tensor) -> Tensor:
    return 2 * x


class Net(nn.Module):
    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, hidden), nn.BatchNorm1d(hidden))
        self.head = nn.Linear(hidden, 10, bias=True)
        self.drop = nn.Dropout(0.2)
        self.scale = nn.Parameter(torch.ones(1))
        self.register_buffer("seen", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        hidden: Tensor = F.relu(self.body(x))
        result: Tensor = self.head(self.drop(hidden)) * self.scale
        return result


class Squares(Dataset[tuple[Tensor, Tensor]]):
    def __len__(self) -> int:
        return 100

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        return torch.tensor([float(i)]), torch.tensor([float(i * i)])


def training(path: Path) -> None:
    images, labels = digits(split="train")
    train, held_out = random_split(TensorDataset(images, labels), [0.8, 0.2])
    loader = DataLoader(train, batch_size=32, shuffle=True, drop_last=True)
    model = Net(32)
    loss_fn = nn.CrossEntropyLoss(label_smoothing=0.1)
    optimizer = optim.Adam(model.parameters(), lr=1e-3, betas=(0.9, 0.999))
    fallback: optim.Optimizer = optim.SGD(
        [{"params": model.head.parameters(), "lr": 0.1}], momentum=0.9, nesterov=True
    )
    for _ in range(2):
        model.train()
        for x, y in loader:
            optimizer.zero_grad(set_to_none=True)
            loss = loss_fn(model(x), y)
            loss.backward()
            optimizer.step()
        model.eval()
        print(accuracy(model, iter(DataLoader(held_out, batch_size=64))))
    fallback.step()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)
    model.load_state_dict(torch.load(path)["model"])
    for name, parameter in model.named_parameters():
        print(name, parameter.shape, parameter.grad)
    print(sum(p.numel() for p in model.parameters()), len(Squares()), torch.__version__)


class Report(Callback):
    def on_epoch_end(self, trainer: Trainer) -> None:
        print(trainer.epoch, trainer.history.epochs[-1]["train_loss"])


def kit(folder: Path) -> dict[str, float]:
    sizes = [f"{size},{3 * size}" for size in range(50, 90)]
    (folder / "houses.csv").write_text("\n".join(["size,price", *sizes]))
    table = datasets.read_csv(folder / "houses.csv", missing={"size": "mean"})
    x, x_norm = datasets.normalize_x(table.to_tensor(["size"]))
    y, y_norm = datasets.normalize_y(table.to_tensor(["price"]))
    train, valid = datasets.split(x, y, (0.8, 0.2), stratify=False, seed=0)
    model = nn.Linear(1, 1)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    trainer = Trainer(
        model, nn.MSELoss(), optimizer, metrics=["r2"], callbacks=[Report()], clip_norm=1.0,
        scheduler=optim.lr_scheduler.StepLR(optimizer, 10), normalizers={"x": x_norm, "y": y_norm},
    )  # fmt: skip
    stop = [EarlyStopping("valid_r2", patience=3), StopLoss(1e-9)]
    history: History = trainer.fit(
        train, valid, epochs=3, stop=stop, checkpoint_dir=folder, resume="auto", progress="lines"
    )
    print(diagnose(history), history.best_epoch, len(history["train_loss"]))
    prices: Tensor = trainer.predict(np.array([[80.0]]), raw=True)
    print(metrics.mae(prices, torch.tensor([[240.0]])))
    return trainer.evaluate(DataLoader(TensorDataset(x, y), batch_size=8))


def with_other_packages(history: History, folder: Path) -> None:
    """Not run by the tests: it needs scikit-learn and Matplotlib."""
    from tensorgrad.train import Classifier

    history.plot(by="iteration").savefig(folder / "curves.png")
    print(Classifier(hidden_sizes=(8,)).fit(np.eye(2), [0, 1]).predict(np.eye(2)))
