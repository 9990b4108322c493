"""Every operation, in files by family. An op file imports only the files listed before it."""

from . import activation, comparison, elementwise, index, linalg, random, reduce, shape, special
