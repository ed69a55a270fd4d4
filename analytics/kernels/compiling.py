"""How kernels are compiled: to machine code that is kept on disk as long as the sources it was made from.

Numba keeps compiled code as long as the module of a function is unchanged. A function that calls others, or
reads constants of another module, would outlive a change there; so the code of a whole package has one stamp.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit


def stamp_of(*folders: Path) -> str:
    """Return a digest of every Python source below some folders."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def compiler(*folders: Path, inline: str = "never") -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator that compiles a function; its cached code is as old as the folders' sources.

    Functions whose name begins with an underscore are for compiled callers only.
    """
    stamp = stamp_of(*folders)

    def compiled(function: Callable[..., Any]) -> Any:
        options: dict[str, Any] = {
            "cache": True,
            "nogil": True,
            "error_model": "numpy",
            "inline": inline,
            "no_cfunc_wrapper": True,
            "no_cpython_wrapper": function.__name__.startswith("_"),
        }
        dispatcher: Any = njit(**options)(function)
        cache_file = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
        if cache_file is not None:  # a folder that cannot be written has no cache
            # Numba knows the stamp of one module only, and reads it from behind names of classes that may be gone;
            # its own version stands before them.
            cache_file._source_stamp = stamp  # noqa: SLF001
            cache_file._version = f"{cache_file._version} {stamp}"  # noqa: SLF001
        return dispatcher

    return compiled


def is_compiled(function: Any) -> bool:
    """Tell whether a function made by `compiler` needs no compiling: in this process, or kept on disk."""
    if not hasattr(function, "py_func") or function.signatures:
        return True
    kept = getattr(getattr(function, "_cache", None), "_cache_file", None)
    return kept is not None and bool(kept._load_index())  # noqa: SLF001 - empty where the stamp is another
