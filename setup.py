"""Compiles the Cython modules; everything else about the package stands in pyproject.toml.

A setup.py and not `ext-modules` in pyproject.toml, because only cythonize() knows that a module must be
compiled anew when a .pxd that it cimports has changed: a stale struct layout would corrupt memory.
"""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup


def extension(source: Path) -> Extension:
    """One extension module for one .pyx file."""
    name = ".".join(source.with_suffix("").parts)
    return Extension(
        name,
        [str(source)],
        extra_compile_args=["-O2", "-fno-semantic-interposition", "-fno-strict-aliasing"],
        # RobustMQ-edge is built with sanitizers by setting CFLAGS and LDFLAGS, see tools/dev.py fuzz.
        define_macros=[("CYTHON_WITHOUT_ASSERTIONS", "1")],
    )


sources = sorted(Path("edge").rglob("*.pyx"))
setup(
    ext_modules=cythonize(
        [extension(path) for path in sources],
        language_level=3,
        nthreads=os.cpu_count() or 1,
        quiet=True,
    )
)
