"""Mistakes that mypy must report: on each marked line an error that holds the marked text.

The marks are read by ``check_typing.py``; an error on any other line is a failure too.
"""

import tensorgrad as torch
from tensorgrad import Tensor, nn, optim
from tensorgrad.train import EarlyStopping, Trainer

x = torch.zeros(2, 3)

x.no_such_method()  # E: has no attribute "no_such_method"
torch.no_such_function(x)  # E: has no attribute "no_such_function"
nn.NoSuchLayer(3)  # E: has no attribute "NoSuchLayer"
x.exp(1)  # E: Too many arguments
x.reshape("a")  # E: incompatible type "str"
x.add()  # E: Missing positional argument "other"
x.transpose(0)  # E: Missing positional argument "dim1"
x.sum(axes=1)  # E: Unexpected keyword argument "axes"
x.relu_(True)  # E: Too many arguments
x.shape = x.shape  # E: read-only
x.requires_grad = "yes"  # E: expression has type "str"
x + "1"  # E: Unsupported operand types
x[0] = "one"  # E: expression has type "str"
x["one"]  # E: Invalid index type
x.backward(retain=True)  # E: Unexpected keyword argument "retain"
torch.matmul(x)  # E: Missing positional argument "other"
torch.softmax(x)  # E: Missing positional argument "dim"
torch.zeros(2.5)  # E: incompatible type "float"
torch.zeros(2, dtype="float32")  # E: incompatible type "str"
torch.tensor(1.0, require_grad=True)  # E: Unexpected keyword argument "require_grad"
torch.manual_seed()  # E: Missing positional argument "seed"
torch.no_grad(3)  # E: No overload variant
torch.float32(3)  # E: not callable
count: int = x.sum()  # E: expression has type "Tensor"
values: Tensor = x.max(1)  # E: expression has type "max"
name: str = x.item  # E: expression has type
print(x.max(0).argmax)  # E: has no attribute "argmax"
nn.Linear(3)  # E: Missing positional argument "out_features"
nn.Linear(3, 4, biases=False)  # E: Unexpected keyword argument "biases"
nn.functional.no_such_loss(x, x)  # E: has no attribute "no_such_loss"
optim.SGD()  # E: Missing positional argument "params"
optim.Adam([x], beta=0.9)  # E: Unexpected keyword argument "beta"
Trainer(nn.Linear(3, 4), nn.MSELoss())  # E: Missing positional argument "optimizer"
Trainer(x, nn.MSELoss(), optim.SGD([x]))  # E: expected Module
EarlyStopping(patience="5")  # E: expected "int | None"
