#!/usr/bin/env python3
"""Writes npy/*.npy: arrays as NumPy itself saves them, for the reader's tests. Needs numpy.

Most hold the matrix [[1, 2], [3, 4], [5, 100]] in one type, byte order and layout each.
"""

from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent / "npy"
MATRIX = np.array([[1, 2], [3, 4], [5, 100]])


def save(name, array, version=None):
    with open(FOLDER / f"{name}.npy", "wb") as file:
        np.lib.format.write_array(file, np.asanyarray(array), version=version)


FOLDER.mkdir(exist_ok=True)
for type_ in "f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8".split():
    save(type_, MATRIX.astype("<" + type_))
for type_ in "f2 f4 f8 i2 i4 i8 u8".split():
    save(type_ + "_big", MATRIX.astype(">" + type_))
save("f8_fortran", np.asfortranarray(MATRIX.astype("<f8")))
save("f4_big_fortran", np.asfortranarray(MATRIX.astype(">f4")))
save("version2", MATRIX.astype("<f8"), version=(2, 0))
save("version3", MATRIX.astype("<f8"), version=(3, 0))
save("one_dimension", np.array([1.0, 2.0, 3.0]))
# zero, least and greatest subnormal, least normal, 1 + epsilon, a negative number, the greatest
save("halves", np.array([[0, 2**-24, 1023 * 2**-24, 2**-14, 1 + 2**-10, -2.5, 65504]], "<f2"))

save("complex", MATRIX.astype(complex))
save("boolean", MATRIX > 2)
save("string", np.array([["one"]]))
save("structured", np.array([(1, 2.0)], dtype=[("a", "<i4"), ("b", "<f8")]))
save("scalar", np.array(3.0))
save("three_dimensions", np.zeros((2, 1, 3)))
save("nan", np.array([[1.0, 2.0], [np.nan, 4.0]]))
save("infinite_fortran", np.asfortranarray(np.array([[1.0, -np.inf], [3.0, 4.0]])))
save("integer_too_large", np.array([[2**53 + 1]]))
