"""PyTorch and tensorgrad: one script for both, as tensorgrad has PyTorch's spelling."""

from __future__ import annotations

from itertools import pairwise

from .cases import LEARNING_RATE, Case, Chain, Layer, Net, Photos, Rows, Text


def build(torch, case: Case):
    """Return the step of ``case``, written for the module ``torch``."""
    if isinstance(case, Text):
        return prediction(torch, case)
    if isinstance(case, Rows):
        return function(torch, case)
    if isinstance(case, Layer):
        return layer(torch, case)
    if isinstance(case, Photos):
        return recognition(torch, case)
    return training(torch, case) if isinstance(case, Net) else chain(torch, case)


def training(torch, net: Net):
    model = perceptron(torch.nn, net)
    linears = [layer for layer in model if isinstance(layer, torch.nn.Linear)]
    with torch.no_grad():
        for layer, (weight, bias) in zip(linears, net.weights(), strict=True):
            layer.weight.copy_(torch.tensor(weight))
            layer.bias.copy_(torch.tensor(bias))

    x, y = (torch.tensor(array) for array in net.data())
    criterion = {"mse": torch.nn.MSELoss, "cross_entropy": torch.nn.CrossEntropyLoss}[net.loss]()
    optimizer = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[net.optimizer](
        model.parameters(), lr=net.lr
    )

    def step():
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return (loss,)

    return step


def perceptron(nn, net: Net):
    activation = {"tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "relu": nn.ReLU}[net.activation]
    *hidden, last = pairwise(net.sizes)
    layers = []
    for n, m in hidden:
        layers.append(nn.Linear(n, m))
        if net.batch_norm:
            layers.append(nn.BatchNorm1d(m))
        layers.append(activation())
        if net.dropout:
            layers.append(nn.Dropout(net.dropout))
    return nn.Sequential(*layers, nn.Linear(*last))


def chain(torch, case: Chain):
    x, w = (torch.tensor(array, requires_grad=True) for array in case.data())
    ones = torch.ones(case.size)

    def step():
        x.grad = w.grad = None
        case.forward(torch, x, w).backward(ones)
        return x.grad, w.grad

    return step


def function(torch, case: Rows):
    array, slope = case.data()
    x, g = torch.tensor(array, requires_grad=True), torch.tensor(slope)
    run, arguments = getattr(torch.nn.functional, case.function), case.arguments

    def step():
        x.grad = None
        run(x, *arguments).backward(g)
        return (x.grad,)

    return step


def layer(torch, case: Layer):
    tensors = [torch.tensor(array, requires_grad=True) for array in case.data()]
    run = getattr(torch.nn.functional, case.function)
    g = torch.tensor(case.slope(tuple(run(*tensors, *case.arguments).shape)))

    def step():
        for tensor in tensors:
            tensor.grad = None
        run(*tensors, *case.arguments).backward(g)
        return [tensor.grad[:1] for tensor in tensors]  # enough to compare

    return step


def recognition(torch, case: Photos):
    torch.manual_seed(1)
    model = {"lenet": lenet, "vgg": vgg, "resnet": resnet}[case.model](torch.nn, case)
    x, y = (torch.tensor(array) for array in case.data())
    criterion = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=case.lr)

    def step():
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return (loss,)

    return step


def lenet(nn, case: Photos):
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(),
        nn.Linear(84, case.classes),
    )  # fmt: skip


def convolution(nn, channels: int, outputs: int, size: int = 3, stride: int = 1):
    """A convolution and its batch norm."""
    return [
        nn.Conv2d(channels, outputs, size, stride, size // 2, bias=False),
        nn.BatchNorm2d(outputs),
    ]


def vgg(nn, case: Photos):
    layers, channels = [], case.shape[1]
    for stage in ((64,), (128,), (256, 256), (512, 512), (512, 512)):
        for outputs in stage:
            layers += [*convolution(nn, channels, outputs), nn.ReLU()]
            channels = outputs
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels, case.classes))


def resnet(nn, case: Photos):
    class Block(nn.Module):
        def __init__(self, channels, outputs, stride):
            super().__init__()
            self.body = nn.Sequential(
                *convolution(nn, channels, outputs, 3, stride), nn.ReLU(),
                *convolution(nn, outputs, outputs),
            )  # fmt: skip
            self.skip = nn.Sequential()
            if channels != outputs:
                self.skip = nn.Sequential(*convolution(nn, channels, outputs, 1, stride))
            self.relu = nn.ReLU()

        def forward(self, x):
            return self.relu(self.body(x) + self.skip(x))

    layers, channels = [*convolution(nn, case.shape[1], 64), nn.ReLU()], 64
    for outputs in (64, 128, 256, 512):
        layers += [Block(channels, outputs, 1 if outputs == 64 else 2), Block(outputs, outputs, 1)]
        channels = outputs
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, case.classes)
    )


def prediction(torch, case: Text):
    torch.manual_seed(1)
    model = {"lstm": lstm, "gpt": gpt}[case.model](torch.nn, case)
    x, y = (torch.tensor(array) for array in case.data())
    criterion = torch.nn.CrossEntropyLoss()
    optimizer = getattr(torch.optim, case.optimizer)(model.parameters(), lr=LEARNING_RATE["adam"])

    def step():
        optimizer.zero_grad()
        loss = criterion(model(x).reshape(-1, case.characters), y.reshape(-1))
        loss.backward()
        optimizer.step()
        return (loss,)

    return step


def lstm(nn, case: Text):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(case.characters, case.width)
            self.lstm = nn.LSTM(case.width, case.width, batch_first=True)
            self.head = nn.Linear(case.width, case.characters)

        def forward(self, x):
            return self.head(self.lstm(self.embedding(x))[0])

    return Model()


def gpt(nn, case: Text, heads: int = 4, layers: int = 2):
    """A transformer as in minGPT: each character sees those before it."""
    width = case.width

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.project, self.join = nn.Linear(width, 3 * width), nn.Linear(width, width)

        def forward(self, x):
            q, k, v = (
                part.view(*x.shape[:2], heads, width // heads).transpose(1, 2)
                for part in self.project(x).split(width, dim=2)
            )
            y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            return self.join(y.transpose(1, 2).contiguous().view(x.shape))

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.attention = nn.LayerNorm(width), Attention()
            self.norm2 = nn.LayerNorm(width)
            self.mlp = nn.Sequential(
                nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
            )

        def forward(self, x):
            x = x + self.attention(self.norm1(x))
            return x + self.mlp(self.norm2(x))

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.token = nn.Embedding(case.characters, width)
            self.position = nn.Embedding(case.length, width)
            self.blocks = nn.Sequential(*(Block() for _ in range(layers)))
            self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, case.characters)

        def forward(self, x):
            return self.head(self.norm(self.blocks(self.token(x) + self.position.weight)))

    return Model()
