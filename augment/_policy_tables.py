"""The policies that AutoAugment found, as published: operation, probability, magnitude index.

Source: Cubuk et al., "AutoAugment: Learning Augmentation Policies from Data", CVPR 2019, arXiv
1805.09501, appendix, as torchvision has them. The index is 0 to 9; ``-`` has no magnitude. Some
sub-policies occur twice, as they do there.
"""

from __future__ import annotations

_SHORT = {
    "ShX": "ShearX", "ShY": "ShearY", "TrX": "TranslateX", "TrY": "TranslateY", "Rot": "Rotate",
    "ACo": "AutoContrast", "Inv": "Invert", "Equ": "Equalize", "Sol": "Solarize",
    "Pos": "Posterize", "Con": "Contrast", "Col": "Color", "Bri": "Brightness",
    "Sha": "Sharpness",
}  # fmt: skip

_TABLES = {
    "imagenet": """
        Pos 0.4 8 + Rot 0.6 9; Sol 0.6 5 + ACo 0.6 -; Equ 0.8 - + Equ 0.6 -;
        Pos 0.6 7 + Pos 0.6 6; Equ 0.4 - + Sol 0.2 4; Equ 0.4 - + Rot 0.8 8;
        Sol 0.6 3 + Equ 0.6 -; Pos 0.8 5 + Equ 1.0 -; Rot 0.2 3 + Sol 0.6 8;
        Equ 0.6 - + Pos 0.4 6; Rot 0.8 8 + Col 0.4 0; Rot 0.4 9 + Equ 0.6 -;
        Equ 0.0 - + Equ 0.8 -; Inv 0.6 - + Equ 1.0 -; Col 0.6 4 + Con 1.0 8;
        Rot 0.8 8 + Col 1.0 2; Col 0.8 8 + Sol 0.8 7; Sha 0.4 7 + Inv 0.6 -;
        ShX 0.6 5 + Equ 1.0 -; Col 0.4 0 + Equ 0.6 -; Equ 0.4 - + Sol 0.2 4;
        Sol 0.6 5 + ACo 0.6 -; Inv 0.6 - + Equ 1.0 -; Col 0.6 4 + Con 1.0 8;
        Equ 0.8 - + Equ 0.6 -
    """,
    "cifar10": """
        Inv 0.1 - + Con 0.2 6; Rot 0.7 2 + TrX 0.3 9; Sha 0.8 1 + Sha 0.9 3;
        ShY 0.5 8 + TrY 0.7 9; ACo 0.5 - + Equ 0.9 -; ShY 0.2 7 + Pos 0.3 7;
        Col 0.4 3 + Bri 0.6 7; Sha 0.3 9 + Bri 0.7 9; Equ 0.6 - + Equ 0.5 -;
        Con 0.6 7 + Sha 0.6 5; Col 0.7 7 + TrX 0.5 8; Equ 0.3 - + ACo 0.4 -;
        TrY 0.4 3 + Sha 0.2 6; Bri 0.9 6 + Col 0.2 8; Sol 0.5 2 + Inv 0.0 -;
        Equ 0.2 - + ACo 0.6 -; Equ 0.2 - + Equ 0.6 -; Col 0.9 9 + Equ 0.6 -;
        ACo 0.8 - + Sol 0.2 8; Bri 0.1 3 + Col 0.7 0; Sol 0.4 5 + ACo 0.9 -;
        TrY 0.9 9 + TrY 0.7 9; ACo 0.9 - + Sol 0.8 3; Equ 0.8 - + Inv 0.1 -;
        TrY 0.7 9 + ACo 0.9 -
    """,
    "svhn": """
        ShX 0.9 4 + Inv 0.2 -; ShY 0.9 8 + Inv 0.7 -; Equ 0.6 - + Sol 0.6 6;
        Inv 0.9 - + Equ 0.6 -; Equ 0.6 - + Rot 0.9 3; ShX 0.9 4 + ACo 0.8 -;
        ShY 0.9 8 + Inv 0.4 -; ShY 0.9 5 + Sol 0.2 6; Inv 0.9 - + ACo 0.8 -;
        Equ 0.6 - + Rot 0.9 3; ShX 0.9 4 + Sol 0.3 3; ShY 0.8 8 + Inv 0.7 -;
        Equ 0.9 - + TrY 0.6 6; Inv 0.9 - + Equ 0.6 -; Con 0.3 3 + Rot 0.8 4;
        Inv 0.8 - + TrY 0.0 2; ShY 0.7 6 + Sol 0.4 8; Inv 0.6 - + Rot 0.8 4;
        ShY 0.3 7 + TrX 0.9 3; ShX 0.1 6 + Inv 0.6 -; Sol 0.7 2 + TrY 0.6 7;
        ShY 0.8 4 + Inv 0.8 -; ShX 0.7 9 + TrY 0.8 3; ShY 0.8 5 + ACo 0.7 -;
        ShX 0.7 2 + Inv 0.1 -
    """,
}

POLICIES = tuple(_TABLES)


def published(name):
    """The 25 sub-policies of ``name``: pairs of (operation, probability, level or None).

    >>> published("cifar10")[0]
    (('Invert', 0.1, None), ('Contrast', 0.2, 6))
    """
    return [tuple(map(_entry, pair.split(" + "))) for pair in _TABLES[name].split(";")]


def _entry(text):
    short, probability, level = text.split()
    return _SHORT[short], float(probability), None if level == "-" else int(level)
