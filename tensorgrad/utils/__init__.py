"""Helpers under the names they have in PyTorch: :mod:`tensorgrad.utils.data`."""

from . import data

__all__ = ["data"]
