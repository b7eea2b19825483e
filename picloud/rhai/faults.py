"""Parse errors: Rust's kinds, texts and debug forms.

The lexer and the parser say which rule is broken and where; this module says it in words. ``BadInput`` is the parser's
name for whatever the lexer complains of, so those kinds have a table of their own.
"""

from __future__ import annotations

from typing import Final

from picloud.rhai.errors import RhaiError, parse_error

_TEXTS: Final = {
    "AssignmentToConstant": "Cannot assign to constant {0}",
    "AssignmentToInvalidLHS": "Expression cannot be assigned to",
    "DuplicatedProperty": "Duplicated property for object map literal: {0}",
    "DuplicatedVariable": "Duplicated variable name: {0}",
    "ExprExpected": "Expecting {0} expression",
    "ExprTooDeep": "Expression exceeds maximum complexity",
    "FnDuplicatedDefinition": "Function {0} with {1} parameters already exists",
    "FnDuplicatedParam": "Duplicated parameter {1} for function {0}",
    "FnMissingBody": "Expecting body statement block for function {0}",
    "FnMissingName": "Expecting function name in function declaration",
    "FnMissingParams": "Expecting parameters for function {0}",
    "LiteralTooLarge": "{0} exceeds the maximum limit ({1})",
    "LoopBreak": "Break statement should only be used inside a loop",
    "MalformedCapture": "{0}",
    "MalformedIndexExpr": "{0}",
    "MismatchedType": "Expecting {0}, not {1}",
    "MissingToken": "Expecting '{0}' {1}",
    "PropertyExpected": "Expecting name of a property",
    "TooManyFunctions": "Number of functions defined exceeds maximum limit",
    "UnexpectedEOF": "Script is incomplete",
    "UnknownOperator": "Unknown operator: '{0}'",
    "VariableExpected": "Expecting name of a variable",
    "WrongExport": "Export statement can only appear at global level",
    "WrongFnDefinition": (
        "Function definitions must be at global level and cannot be inside a block or another function"
    ),
    "WrongSwitchCaseCondition": "This switch case cannot have a condition",
    "WrongSwitchDefaultCase": "Default switch case must be the last",
    "WrongSwitchIntegerCase": "Numeric switch case cannot follow a range case",
}
_LEXER_TEXTS: Final = {
    "ImproperSymbol": "{1}",
    "MalformedChar": "Invalid character: '{0}'",
    "MalformedEscapeSequence": "Invalid escape sequence: '{0}'",
    "MalformedIdentifier": "Variable name is not proper: '{0}'",
    "MalformedNumber": "Invalid number: '{0}'",
    "UnexpectedInput": "Unexpected '{0}'",
    "UnterminatedString": "Open string is not terminated",
}


def fault(kind: str, place: tuple[int, int], *arguments: str | int) -> RhaiError:
    """Return a parse error of the given kind; line 0 is no place. ``arguments`` are what Rust's variant holds."""
    return parse_error(kind, _text(kind, arguments), *place, _debug(kind, arguments))


def bad_input(kind: str, place: tuple[int, int], *arguments: str) -> RhaiError:
    """Return a ``BadInput`` for an error of the lexer of the given kind."""
    text = _LEXER_TEXTS[kind].format(*arguments)
    if kind == "ImproperSymbol" and not arguments[1]:
        text = f"Invalid symbol encountered: '{arguments[0]}'"
    return parse_error("BadInput", text, *place, f"BadInput({_debug(kind, arguments)})")


def _text(kind: str, arguments: tuple[str | int, ...]) -> str:
    if kind == "Reserved":
        what = "keyword" if str(arguments[0])[0].isalpha() else "symbol"
        return f"'{arguments[0]}' is a reserved {what}"
    if kind == "AssignmentToConstant" and not arguments[0]:
        return "Cannot assign to a constant value"
    if kind == "FnDuplicatedDefinition" and arguments[1] in (0, 1):
        count = "1 parameter" if arguments[1] else "no parameters"
        return f"Function {arguments[0]} with {count} already exists"
    return _TEXTS[kind].format(*arguments)


def _debug(kind: str, arguments: tuple[str | int, ...]) -> str:
    """Return Rust's debug form of a variant."""
    from picloud.rhai.packages.escapes import string_debug  # needed for errors alone, and packages take long to import

    if not arguments:
        return kind
    shown = ", ".join(string_debug(each) if isinstance(each, str) else str(each) for each in arguments)
    return f"{kind}({shown})"
