"""``torch.onnx``: there is no export."""

from ._absent import refusing

export = refusing(
    "torch.onnx.export",
    "tensorgrad has no exporter; save the state dict as .safetensors, load it into the same model "
    "under PyTorch and export there",
    NotImplementedError,
)
