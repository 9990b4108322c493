"""Signal processing, ``torch.signal``: windows; and the short-time Fourier transform.

>>> import tensorgrad as torch
>>> torch.signal.windows.bartlett(5)
tensor([0.0000, 0.5000, 1.0000, 0.5000, 0.0000])
"""

from . import windows

__all__ = ["windows"]
