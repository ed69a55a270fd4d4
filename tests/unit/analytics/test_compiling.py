import importlib
import importlib.util

import pytest

from analytics.kernels.compiling import compiler, is_compiled, stamp_of


def test_the_stamp_of_a_package_changes_with_any_of_its_modules(tmp_path):
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages" / "one.py").write_text("A = 1\n")
    (tmp_path / "notes.txt").write_text("not code\n")
    before = stamp_of(tmp_path)

    (tmp_path / "notes.txt").write_text("still not code\n")
    assert stamp_of(tmp_path) == before
    (tmp_path / "stages" / "one.py").write_text("A = 2\n")
    assert stamp_of(tmp_path) != before


def add_one(n):
    return n + 1


def test_compiled_code_is_kept_under_the_stamp_of_its_package(tmp_path):
    function = compiler(tmp_path)(add_one)
    assert function(1) == 2
    if hasattr(function, "py_func"):  # not where compiling is switched off
        assert function._cache._cache_file._source_stamp == stamp_of(tmp_path)


def test_a_division_by_zero_in_a_kernel_is_no_exception(tmp_path):
    def divide(a, b):
        return a / b

    function = compiler(tmp_path)(divide)
    if not hasattr(function, "py_func"):
        pytest.skip("compiling is switched off")
    assert function(1.0, 0.0) == float("inf")


def test_code_is_known_to_be_compiled_once_it_is_kept_under_its_stamp(tmp_path):
    (tmp_path / "one.py").write_text("A = 1\n")
    module = tmp_path / "fresh_kernel.py"
    module.write_text("def add_two(n):\n    return n + 2\n")
    spec = importlib.util.spec_from_file_location("fresh_kernel", module)
    fresh = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fresh)
    function = compiler(tmp_path)(fresh.add_two)
    if not hasattr(function, "py_func"):
        pytest.skip("compiling is switched off")
    assert not is_compiled(function)

    assert function(1) == 3

    assert is_compiled(function)
    assert is_compiled(compiler(tmp_path)(fresh.add_two))
    (tmp_path / "one.py").write_text("A = 2\n")
    assert not is_compiled(compiler(tmp_path)(fresh.add_two))


def test_code_kept_for_a_class_that_is_gone_is_made_anew(tmp_path, monkeypatch):
    (tmp_path / "one.py").write_text("A = 1\n")
    module = tmp_path / "shapes_of_kernel.py"
    module.write_text(
        "from typing import NamedTuple\n"
        "class Earlier(NamedTuple):\n    a: int\n"
        "class Later(NamedTuple):\n    a: int\n"
        "def first_of(pair):\n    return pair.a\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    shapes = importlib.import_module("shapes_of_kernel")
    function = compiler(tmp_path)(shapes.first_of)
    if not hasattr(function, "py_func"):
        pytest.skip("compiling is switched off")
    assert function(shapes.Earlier(1)) == 1

    monkeypatch.delattr(shapes, "Earlier")
    (tmp_path / "one.py").write_text("A = 2\n")

    renewed = compiler(tmp_path)(shapes.first_of)
    assert not is_compiled(renewed)
    assert renewed(shapes.Later(2)) == 2
