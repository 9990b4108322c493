"""Names for annotations, as in ``torch.types``."""

from __future__ import annotations

import builtins
import os
from collections.abc import Sequence
from typing import IO

from ._device import device
from ._graph import Tensor
from ._tensor import Size

__all__ = ["Device", "FileLike", "Number", "Tensor"]
_int, _float, _bool, _complex = builtins.int, builtins.float, builtins.bool, builtins.complex
_device = device
_size = Size | list[int] | tuple[int, ...]
_TensorOrTensors = Tensor | Sequence[Tensor]
Number = _int | _float | _bool
Device = device | str | int | None
FileLike = str | os.PathLike | IO[bytes]
