"""The version, and what there is not: ``torch.version.cuda`` is None."""

from ._version import __version__

__all__ = ["__version__", "cuda", "debug", "git_version", "hip", "xpu"]
debug, cuda, hip, xpu, git_version = False, None, None, None, "unknown"
