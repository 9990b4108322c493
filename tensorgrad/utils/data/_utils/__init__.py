"""Parts of the DataLoader, under the paths that scripts import them from."""

from . import collate, fetch, worker

__all__ = ["collate", "fetch", "worker"]
