"""``torch.utils.model_zoo``: nothing is downloaded; the call says what to do instead."""

from .._absent import refusing
from ..hub import _FETCH_IT

load_url = refusing("torch.utils.model_zoo.load_url", _FETCH_IT)
