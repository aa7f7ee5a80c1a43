"""Compiles the kernels once per machine, keeps the library in the user's cache, and loads it."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

from ae.cache import cache_folder

SOURCE = Path(__file__).with_name("lstm.cpp")
HEADER = Path(__file__).with_name("vectors.h")
OPTIONS = ("-O3", "-march=native", "-std=c++17", "-shared", "-fPIC")
FUSE_ALL = ("--param=avoid-fma-max-bits=0",)
"""For some processors GCC fuses multiply and add in some loops only; results would depend on how a batch is split."""
BUILD_S = 300
"""Time limit of a compiler, in seconds."""


class Unavailable(Exception):
    """The fast core cannot be used here; the message says why."""


def library() -> ctypes.CDLL:
    """The compiled kernels for this machine; builds them if necessary.

    Raises:
        Unavailable: if there is no compiler, the compiler fails, or the library cannot be kept or loaded.
    """
    found = _load_once()
    if isinstance(found, Unavailable):
        raise found
    return found


@functools.cache
def _load_once() -> ctypes.CDLL | Unavailable:
    """The library, or why there is none; cached, since a failing compiler would cost every trial some seconds."""
    try:
        kernels = ctypes.CDLL(str(_built()))
    except OSError as error:
        return Unavailable(f"the library cannot be loaded: {error}")
    except Unavailable as why:
        return why
    sizes, pointer = [ctypes.c_long] * 4, ctypes.c_void_p
    kernels.workspace_floats.restype = ctypes.c_size_t
    flag = ctypes.c_int
    kernels.workspace_floats.argtypes = [*sizes, pointer, flag, flag]
    kernels.forward.argtypes = [*sizes, pointer, flag, flag, flag, *[pointer] * 13]
    kernels.backward.argtypes = [*sizes, pointer, flag, flag, *[pointer] * 13]
    return kernels


def _built() -> Path:
    """The library's file. It is compiled under a private name and renamed, so many workers may start at once."""
    compiler = next(filter(None, map(shutil.which, (os.environ.get("CXX", "c++"), "g++", "clang++"))), None)
    if compiler is None:
        raise Unavailable("no C++ compiler was found (c++, g++, clang++, or $CXX)")
    folder = cache_folder()
    built = folder / f"core-{_key(compiler)}.so"
    if built.exists():
        return built
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as private:
            _compile(compiler, Path(private) / built.name)
            os.replace(Path(private) / built.name, built)
    except OSError as error:
        raise Unavailable(f"{folder} cannot keep the library: {error.strerror or error}") from None
    return built


def _key(compiler: str) -> str:
    """Hash of the source, the compiler, its options and the processor: machines may share one home folder."""
    processor = {platform.machine(), platform.processor()}
    if (cpuinfo := Path("/proc/cpuinfo")).exists():
        kinds = ("flags", "Features", "model name")
        processor |= {line for line in cpuinfo.read_text().splitlines() if line.startswith(kinds)}
    parts = [SOURCE.read_text(), HEADER.read_text(), compiler, *OPTIONS, *FUSE_ALL, *sorted(processor)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _compile(compiler: str, to: Path) -> None:
    openmp = ("-fopenmp",)  # without OpenMP the kernels use one thread
    for further in ((*FUSE_ALL, *openmp), openmp, FUSE_ALL, ()):  # a compiler fails on an option that it does not know
        try:
            subprocess.run(
                [compiler, *OPTIONS, *further, str(SOURCE), "-o", str(to)],
                check=True,
                capture_output=True,
                text=True,
                timeout=BUILD_S,
            )
            return
        except subprocess.SubprocessError as error:
            words = str(getattr(error, "stderr", "") or error).strip().splitlines()
    raise Unavailable(f"{compiler} failed: {words[-1]}")
