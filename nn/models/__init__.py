"""Image classifiers as published, with torchvision's names of parameters; networks of GANs.

A state dict saved from torchvision's network of the same name loads. Every classifier takes
``num_classes`` and ``in_channels``, and comes in a variant for small images (28 x 28, 32 x 32).
For adversarial training there are :class:`MLPGenerator`, :class:`MLPDiscriminator`,
:class:`DCGANGenerator` and :class:`DCGANDiscriminator`. :func:`summary` tabulates the layers of
these, and of any other module.

>>> import tensorgrad as torch
>>> model = torch.nn.models.lenet5(modern=True)
>>> model(torch.zeros(2, 1, 28, 28)).shape
torch.Size([2, 10])
"""

from ._summary import Summary as Summary
from ._summary import summary as summary
from .alexnet import AlexNet as AlexNet
from .alexnet import alexnet as alexnet
from .gan import DCGANDiscriminator as DCGANDiscriminator
from .gan import DCGANGenerator as DCGANGenerator
from .gan import MLPDiscriminator as MLPDiscriminator
from .gan import MLPGenerator as MLPGenerator
from .googlenet import GoogLeNet as GoogLeNet
from .googlenet import GoogLeNetOutputs as GoogLeNetOutputs
from .googlenet import Inception as Inception
from .googlenet import InceptionAux as InceptionAux
from .googlenet import googlenet as googlenet
from .lenet import LeNet5 as LeNet5
from .lenet import lenet5 as lenet5
from .resnet import BasicBlock as BasicBlock
from .resnet import Bottleneck as Bottleneck
from .resnet import ResNet as ResNet
from .resnet import resnet as resnet
from .resnet import resnet18 as resnet18
from .resnet import resnet34 as resnet34
from .resnet import resnet50 as resnet50
from .resnet import resnet101 as resnet101
from .resnet import resnet152 as resnet152
from .vgg import VGG as VGG
from .vgg import vgg as vgg
from .vgg import vgg11 as vgg11
from .vgg import vgg11_bn as vgg11_bn
from .vgg import vgg13 as vgg13
from .vgg import vgg13_bn as vgg13_bn
from .vgg import vgg16 as vgg16
from .vgg import vgg16_bn as vgg16_bn
from .vgg import vgg19 as vgg19
from .vgg import vgg19_bn as vgg19_bn
