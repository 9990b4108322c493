"""tensorgrad.augment."""

if __name__ != "tensorgrad.augment":
    raise ImportError("import this package as tensorgrad.augment, not as augment")
