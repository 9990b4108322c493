"""Switches of PyTorch's back ends: accepted, without effect; questions are answered with no.

>>> import tensorgrad as torch
>>> torch.backends.cudnn.benchmark = True
>>> torch.backends.mps.is_available()
False
"""

from . import cuda as cuda
from . import cudnn as cudnn
from . import mkldnn as mkldnn
from . import mps as mps
