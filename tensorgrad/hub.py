"""``torch.hub``: nothing is downloaded; each call says what to do instead."""

from ._absent import refusing

_FETCH_IT = (
    "tensorgrad does not download; fetch the file yourself and pass its path to torch.load, "
    "which reads PyTorch's .pt and .pth state dicts and .safetensors"
)
load = refusing("torch.hub.load", _FETCH_IT)
load_state_dict_from_url = refusing("torch.hub.load_state_dict_from_url", _FETCH_IT)
download_url_to_file = refusing("torch.hub.download_url_to_file", _FETCH_IT)
