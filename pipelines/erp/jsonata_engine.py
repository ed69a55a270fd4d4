"""Compiles and runs JSONata with ``jsonata2py``, every step within a time limit and under the guards."""

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from jsonata2py.bindings import JsonataBindings
from jsonata2py.errors import JsonataError, ParseError, TranslatorError
from jsonata2py.errors import _RuntimeEvaluationError as EngineError
from jsonata2py.loader.loader import ExpressionLoader
from jsonata2py.optimizer.optimizer import optimize
from jsonata2py.parser.parser import Parser
from jsonata2py.runtime import context
from jsonata2py.runtime.values import MISSING, JLambda, JRegex
from jsonata2py.translator.translator import Translator

from pipelines import clock
from pipelines.erp import jsonata_install
from pipelines.erp.jsonata_errors import UNFORESEEN, ExpressionError, meaning_of
from pipelines.erp.jsonata_meter import DEEPEST, Budget, meter, resume, start
from pipelines.erp.jsonata_watch import WATCH, Overrun

LONGEST = 20_000
DEEPEST_RESULT = 200
_CACHED_LONGEST = 2_000
_COMPILE = Budget(time_ms=2_000)
_HEAD = "\ndef _evaluate(_root, _ctx=None):\n    if _ctx is None:\n        _ctx = _root\n"
_SPENT = {"U1001", "U1002", "U1003"}
_NO_BINDINGS = context.empty_bindings()

Program = Callable[[Any, Any], Any]


def compile_program(text: str) -> Program:
    """Return the expression as a function of the root and the context.

    Raises
    ------
    ExpressionError
        It is not an expression, too long, or takes more than two seconds to compile.
    """
    if len(text) > LONGEST:
        raise ExpressionError("U1004", f"The expression is longer than {LONGEST} characters.", LONGEST)
    return _cached(text) if len(text) <= _CACHED_LONGEST else _watched(text)


def _watched(text: str) -> Program:
    jsonata_install.install()
    former = start(_COMPILE)
    try:
        return WATCH.run(_COMPILE.time_ms / 1000, lambda: _compile(text))
    except Overrun as overrun:
        raise ExpressionError(overrun.code, "The expression takes too long to compile.") from None
    finally:
        resume(former)


_cached = lru_cache(maxsize=512)(_watched)


def _compile(text: str) -> Program:
    try:
        source = Translator.translate(optimize(Parser.parse(text)), text)
        head, _, rest = source.partition(_HEAD)  # it takes null for "no context"; here root and context are given
        program: Program = ExpressionLoader().load(f"{head}\ndef _evaluate(_root, _ctx):\n{rest}")[0]
    except ParseError as error:
        said = error.message.removesuffix(f" (position {error.position})")
        raise ExpressionError(error.error_code or UNFORESEEN, said, max(error.position, 0)) from None
    except TranslatorError as error:
        raise ExpressionError(error.error_code or UNFORESEEN, error.message) from None
    except (RecursionError, MemoryError):
        raise ExpressionError("U1001", "The expression is nested too deeply.") from None
    except EngineError as error:
        raise ExpressionError(*meaning_of(error.error_code, error.message)) from None
    except Exception:  # whatever a text does to the compiler is a verdict about the text
        raise ExpressionError(UNFORESEEN, "The expression cannot be compiled.") from None
    return program


def run_program(program: Program, data: Any, root: Any, bindings: Mapping[str, Any] | None, budget: Budget) -> Any:
    """Return the result, ``MISSING`` where it is undefined.

    Raises
    ------
    ExpressionError
        The expression fails, or spends more than its budget.
    """
    state = context.EvalState()
    state.call_depth = [DEEPEST - min(max(budget.depth, 0), DEEPEST)]
    state.begin(_bound(bindings), int(clock.now().timestamp() * 1000), 0, _nested)
    former = start(budget)
    token = context._CURRENT.set(state)  # noqa: SLF001 - a state of its own, so that nothing outlives an overrun
    try:
        return WATCH.run(budget.time_ms / 1000, lambda: _settled(program(root, data), data, root))
    except Overrun as overrun:
        raise ExpressionError(overrun.code, overrun.message) from None
    except JsonataError as error:
        raise ExpressionError(*meaning_of(error.error_code, error.message)) from None
    except RecursionError:
        raise ExpressionError(*meaning_of("U1001", "")) from None
    except MemoryError:
        raise ExpressionError("U1003", "The expression needs more memory than it may.") from None
    except Exception:  # whatever data does to an expression is a verdict about both
        raise ExpressionError(*meaning_of(None, "")) from None
    finally:
        context._CURRENT.reset(token)  # noqa: SLF001
        resume(former)


def _settled(result: Any, data: Any, root: Any) -> Any:
    """Return a result that is JSON: not too large or deep when spelled out, functions left out of it."""
    if result is data or result is root or not isinstance(result, (list, dict)):
        return MISSING if isinstance(result, (JLambda, JRegex)) else _finite(result)
    bound = meter()
    has_functions = False
    level: list[Any] = [result]
    for _ in range(DEEPEST_RESULT):
        below: list[Any] = []
        for container in level:
            bound.take_items(len(container))
            for member in container.values() if isinstance(container, dict) else container:
                kind = member.__class__
                if isinstance(member, (list, dict)):
                    below.append(member)
                elif kind is float:
                    _finite(member)
                elif kind is JLambda or kind is JRegex or member is MISSING:
                    has_functions = True
        if not below:
            return _without_functions(result) if has_functions else result
        level = below
    raise Overrun("U1002", "The result is nested too deeply.")


def _finite(value: Any) -> Any:
    if value.__class__ is float and not math.isfinite(value):
        raise EngineError("D1001", "A number is out of range.")
    return value


def _without_functions(value: Any) -> Any:
    """Return what JSON keeps of a value: null for a function in an array, no member for one in an object."""
    if isinstance(value, dict):
        return {key: _without_functions(item) for key, item in value.items() if not _is_function(item)}
    if isinstance(value, list):
        return [None if _is_function(item) else _without_functions(item) for item in value]
    return value


def _is_function(value: Any) -> bool:
    return value is MISSING or isinstance(value, (JLambda, JRegex))


def _bound(bindings: Mapping[str, Any] | None) -> context.Bindings:
    if not bindings:
        return _NO_BINDINGS
    bound = JsonataBindings()
    for name, value in bindings.items():
        bound.bind_value(name, value)
    return bound


def _nested(text: str, data: Any, visible: dict[str, Any] | None = None) -> Any:
    """Evaluate for ``$eval``: within the budget and the bindings of the expression around it."""
    try:
        program = compile_program(text)
    except ExpressionError as error:
        if error.code in _SPENT:
            raise Overrun(error.code, error.message) from None
        raise EngineError("D3121" if error.code == "T1005" else "D3120", error.message) from None
    state = context._current()  # noqa: SLF001
    state.begin(context.bindings_for_nested_eval(visible), state.millis, 0, _nested)
    try:
        return program(data, data)
    except JsonataError as error:
        raise EngineError("D3121", error.message) from None
    finally:
        state.end()
