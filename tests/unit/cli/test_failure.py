"""What `picloud invocation` says about a run that failed, from the error that was recorded and the source."""

from __future__ import annotations

from picloud.cli.failure import explanation

SOURCE = "fn price(item) {\n    item.cost * rate(item)\n}\nprice(#{ cost: 3 })"


def error(kind: str, message: str, line: int, column: int, *calls: str) -> dict[str, object]:
    return {"kind": kind, "message": message, "line": line, "column": column, "call_stack": list(calls)}


def test_the_line_the_advice_and_the_calls_are_shown() -> None:
    called = "price (called at line 4, position 1)"
    failed = error("ErrorFunctionNotFound", "Function not found: kv::delet (i64)", 2, 17, called)
    assert explanation(failed, SOURCE) == [
        "  2 |     item.cost * rate(item)",
        "    |                 ^",
        "  = did you mean `kv::delete(any)`?",
        "  4 | price(#{ cost: 3 })",
        "    | ^ `price` is called here",
    ]


def test_ctx_in_a_function_is_explained() -> None:
    (*_, advice) = explanation(error("ErrorVariableNotFound", "Variable not found: ctx", 1, 10), "fn f() { ctx }\nf()")
    assert advice == "  = functions see no variables of the script: hand it over as a parameter of `f`"


def test_without_the_source_there_is_only_advice() -> None:
    failed = error("ErrorFunctionNotFound", "Function not found: len (i64)", 1, 1)
    assert explanation(failed, "") == ["  = there is `len(string)`, `len(array)`, `len(map)` and `len(blob)`"]
