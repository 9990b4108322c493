"""Data augmentation. Empty so far: transforms and mixers are still to come."""

if __name__ != "tensorgrad.augment":
    raise ImportError("import this package as tensorgrad.augment, not as augment")
