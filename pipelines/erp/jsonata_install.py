"""Puts the guards of ``jsonata_guard`` in place of the engine's functions, wherever its modules hold them."""

import importlib
import pkgutil
import threading
from types import ModuleType
from typing import Any

import jsonata2py.runtime
from jsonata2py.runtime import core, sequences
from jsonata2py.runtime.datetime import picture_parser
from jsonata2py.runtime.strings import builtins as strings
from jsonata2py.runtime.strings import regex_ops

from pipelines.erp import jsonata_guard as guard
from pipelines.erp.jsonata_regex import TimedRe

COUNTED_TEXT = (
    "fn_base64decode",
    "fn_base64encode",
    "fn_decodeUrl",
    "fn_decodeUrlComponent",
    "fn_encodeUrl",
    "fn_encodeUrlComponent",
    "fn_lowercase",
    "fn_substring",
    "fn_substringAfter",
    "fn_substringBefore",
    "fn_trim",
    "fn_uppercase",
)
COUNTED_PICTURE = ("fn_formatInteger", "fn_formatNumber", "fn_fromMillis", "fn_parseInteger", "fn_toMillis")
GATHERED = ("array", "array_of", "fn_append", "fn_reverse", "fn_shuffle", "fn_zip")

_LOCK = threading.Lock()
_INSTALLED: list[str] = []


def replacements() -> list[tuple[ModuleType, str, Any]]:
    """Return module, name and guard of every function replaced."""
    table = [(core, name, guard.counted_text) for name in COUNTED_TEXT]
    table += [(core, name, guard.picture) for name in COUNTED_PICTURE]
    table += [(core, name, guard.gathered) for name in GATHERED]
    table += [
        (core, "concat", guard.concat),
        (core, "field", guard.field),
        (core, "range_", guard.range_),
        (core, "fn_append_all", guard.gathered_list),
        (core, "_append_to_sequence", guard.flattened),
        (core, "_to_text_general", guard.weighed),
        (core, "_fn_string_plain", guard.weighed),
        (core, "fn_number", guard.number),
        (core, "fn_pad", guard.pad),
        (core, "fn_join", guard.join),
        (core, "fn_replace", guard.replace),
        (strings, "fn_string_prettify", guard.weighed),
        (sequences, "fn_sort", guard.sort),
        (sequences, "fn_sort_comparator", guard.sort),
        (sequences, "fn_sort_by_ordering_key", guard.sort),
        (regex_ops, "_compile", guard.compiled),
        (regex_ops, "build_literal_regex", guard.literal),
    ]
    return table


def install() -> None:
    """Replace the functions; once per process, and before the first expression is compiled."""
    with _LOCK:
        if _INSTALLED:
            return
        modules = [core, *_modules_below(jsonata2py.runtime)]
        for owner, name, wrap in replacements():
            original = getattr(owner, name)
            guarded = wrap(original)
            for module in modules:
                for held, value in list(vars(module).items()):
                    if value is original:
                        setattr(module, held, guarded)
            _INSTALLED.append(name)
        vars(picture_parser)["re"] = TimedRe


def _modules_below(package: ModuleType) -> list[ModuleType]:
    names = [found.name for found in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
    return [package, *map(importlib.import_module, names)]
