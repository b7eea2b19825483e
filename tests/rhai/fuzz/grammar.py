"""Programs of the whole language, as a hypothesis strategy.

The generator keeps book of the variables in sight and of what they hold, so most programs run for several statements;
now and then it takes something of another type, an unknown name, a size out of all proportion or a loop without end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from hypothesis import strategies as st

DEPTH: Final = 4

_INTEGERS: Final = (
    "0", "1", "2", "3", "7", "10", "63", "64", "100", "1000", "-1", "-2", "255", "256", "65536", "1000000",
    "9223372036854775807", "(-9223372036854775807 - 1)", "4611686018427387904", "0xff", "0b1011", "0o17", "1_000",
)  # fmt: skip
_FLOATS: Final = ("0.0", "1.0", "-1.5", "2.5", "0.1", "1e300", "1e-300", "-0.0", "123456.789", "9.9e15")
_TEXTS: Final = (
    '""', '"a"', '"hello world"', '"abc,def,,g"', '"éü☃𝄞"', '"  x\\ty\\n"', '"\\u0301"', '"12"', '"-7.5"', '"{}%s"',
    '"__class__"', '"a\\\\b\\"c"', "`x${1 + 1}y`", '`${"n"}${[1, \'c\']}`', '"ΣΑΣ"',
)  # fmt: skip
_CHARS: Final = ("'a'", "'Z'", "'0'", "'é'", "'\\n'", "'☃'")
_KEYS: Final = ("a", "b", "c", "value", "f", "__class__", "len")
_NAMES: Final = ("x", "y", "z", "i", "acc", "s", "t", "v1", "R", "main", "self")
_TYPES: Final = ("int", "float", "bool", "string", "char", "array", "map", "blob", "fn", "unit", "range")
_ASSIGNS: Final = ("=", "=", "=", "+=", "-=", "*=", "/=", "%=", "**=", "<<=", ">>=", "&=", "|=", "^=")

# What is called on a value of a type: name, and the types of the arguments.
_METHODS: Final[dict[str, tuple[tuple[str, tuple[str, ...]], ...]]] = {
    "int": (
        ("abs", ()), ("sign", ()), ("is_odd", ()), ("to_float", ()), ("to_string", ()), ("to_hex", ()), ("bits", ()),
        ("get_bit", ("int",)), ("set_bit", ("int", "bool")), ("get_bits", ("int", "int")), ("to_binary", ()),
        ("set_bits", ("int", "int", "int")), ("max", ("int",)), ("to_debug", ()),
    ),
    "float": (
        ("floor", ()), ("round", ()), ("sqrt", ()), ("sin", ()), ("ln", ()), ("to_int", ()), ("exp", ()),
        ("is_nan", ()), ("to_string", ()), ("hypot", ("float",)), ("log", ("float",)), ("fraction", ()),
    ),
    "bool": (("to_string", ()),),
    "char": (("to_upper", ()), ("to_int", ()), ("to_string", ()), ("make_lower", ())),
    "string": (
        ("len", ()), ("bytes", ()), ("to_upper", ()), ("to_lower", ()), ("trim", ()), ("split", ()), ("chars", ()),
        ("split", ("string",)), ("split", ("string", "int")), ("split_rev", ("string",)), ("split", ("int",)),
        ("replace", ("string", "string")), ("replace", ("char", "string")), ("index_of", ("string",)),
        ("index_of", ("string", "int")), ("contains", ("string",)), ("sub_string", ("int", "int")), ("pop", ()),
        ("sub_string", ("range",)), ("crop", ("int",)), ("pad", ("int", "string")), ("pad", ("int", "char")),
        ("truncate", ("int",)), ("remove", ("string",)), ("append", ("any",)), ("parse_int", ()), ("clear", ()),
        ("parse_float", ()), ("to_chars", ()), ("to_blob", ()), ("get", ("int",)), ("set", ("int", "char")),
        ("starts_with", ("string",)), ("parse_int", ("int",)), ("to_debug", ()), ("parse_json", ()), ("pop", ("int",)),
    ),
    "array": (
        ("len", ()), ("push", ("any",)), ("pop", ()), ("shift", ()), ("insert", ("int", "any")), ("sort", ()),
        ("remove", ("int",)), ("append", ("array",)), ("pad", ("int", "any")), ("reverse", ()), ("clear", ()),
        ("truncate", ("int",)), ("chop", ("int",)), ("splice", ("int", "int", "array")), ("extract", ("range",)),
        ("extract", ("int", "int")), ("split", ("int",)), ("drain", ("range",)), ("retain", ("int", "int")),
        ("contains", ("any",)), ("index_of", ("any",)), ("index_of", ("any", "int")), ("dedup", ()), ("order", ()),
        ("map", ("fn",)), ("filter", ("fn",)), ("for_each", ("fn",)), ("reduce", ("fn",)), ("reduce", ("fn", "any")),
        ("reduce_rev", ("fn",)), ("some", ("fn",)), ("all", ("fn",)), ("find", ("fn",)), ("find_map", ("fn",)),
        ("sort", ("fn",)), ("dedup", ("fn",)), ("drain", ("fn",)), ("retain", ("fn",)), ("zip", ("array", "fn")),
        ("to_string", ()), ("get", ("int",)), ("set", ("int", "any")), ("sort_desc", ()), ("to_debug", ()),
        ("map", ("string",)), ("order_by", ("fn",)),
    ),
    "map": (
        ("len", ()), ("keys", ()), ("values", ()), ("contains", ("string",)), ("get", ("string",)), ("to_json", ()),
        ("set", ("string", "any")), ("remove", ("string",)), ("mixin", ("map",)), ("fill_with", ("map",)),
        ("map", ("fn",)), ("filter", ("fn",)), ("drain", ("fn",)), ("retain", ("fn",)), ("clear", ()),
        ("to_string", ()), ("f", ("int",)),
    ),
    "blob": (
        ("len", ()), ("push", ("int",)), ("pop", ()), ("append", ("blob",)), ("append", ("string",)),
        ("to_array", ()),
        ("pad", ("int", "int")), ("parse_le_int", ("int", "int")), ("write_be", ("range", "float")), ("as_string", ()),
        ("write_utf8", ("int", "int", "string")), ("splice", ("int", "int", "blob")), ("reverse", ()),
        ("get", ("int",)),
        ("extract", ("range",)), ("drain", ("int", "int")), ("contains", ("int",)), ("insert", ("int", "int")),
    ),
    "fn": (("call", ()), ("call", ("any",)), ("call", ("any", "any")), ("curry", ("any",)), ("name", ()),
           ("is_anonymous", ())),
    "unit": (("to_string", ()),),
    "range": (("start", ()), ("end", ()), ("contains", ("int",)), ("is_empty", ())),
}  # fmt: skip


@st.composite
def programs(draw: Callable[..., Any]) -> str:
    """A strategy for the sources of programs."""
    return _Writer(draw).program()


class _Writer:
    def __init__(self, draw: Callable[..., Any]) -> None:
        self.draw = draw
        self.scopes: list[dict[str, str]] = [{}]
        self.functions: list[tuple[str, int]] = []
        self.in_loop = 0
        self.in_function = False

    # ------------------------------------------------------------------------------------------- chance

    def number(self, low: int, high: int) -> int:
        return int(self.draw(st.integers(low, high)))

    def one(self, choices: Any) -> Any:
        return choices[self.number(0, len(choices) - 1)]

    def chance(self, percent: int) -> bool:
        # Hypothesis likes the ends of a range; here no number is to be special.
        return (self.number(0, 99) * 37 + 53) % 100 < percent

    # ------------------------------------------------------------------------------------------- programs

    def program(self) -> str:
        lines = []
        for number in range(self.number(0, 2)):
            lines.append(self.function(f"f{number}"))
        for kind in ("array", "map", "string", "int", self.one(_TYPES)):
            if self.chance(85):
                value = self.expression(kind, 1) if self.chance(25) else self.leaf(kind)
                lines.append(f"let {self.declared(kind)} = {value};")
        lines += [self.guarded(self.statement(DEPTH)) for _ in range(self.number(1, 7))]
        for number in range(2, 2 + self.number(0, 1)):
            lines.append(self.function(f"f{number}"))
        if self.chance(70):
            lines.append(self.expression(self.one(_TYPES), 2))
        return "\n".join(lines)

    def guarded(self, statement: str) -> str:
        """A statement that often may fail without an end of the whole program."""
        return f"try {{ {statement} }} catch (err) {{ print(err); }}" if self.chance(60) else statement

    def function(self, name: str) -> str:
        count = self.number(0, 3)
        parameters = [f"p{number}" for number in range(count)]
        outer, self.scopes = self.scopes, [{parameter: self.one(_TYPES) for parameter in parameters}]
        outer_loop, self.in_loop, self.in_function = self.in_loop, 0, True
        self.functions.append((name, count))
        head = self.one(("fn ", "fn ", "fn ", "private fn ", "fn array.", "fn map.", 'fn "string".', "fn i64."))
        body = self.block(DEPTH - 1)
        self.scopes, self.in_loop, self.in_function = outer, outer_loop, False
        return f"{head}{name}({', '.join(parameters)}) {body}"

    def block(self, depth: int) -> str:
        self.scopes.append({})
        statements = [self.statement(depth - 1) for _ in range(self.number(0, 3))]
        if self.chance(40):
            statements.append(self.expression(self.one(_TYPES), 1))
        self.scopes.pop()
        return "{ " + " ".join(statements) + " }"

    def declared(self, kind: str) -> str:
        name = str(self.one(_NAMES))
        self.scopes[-1][name] = kind
        return name

    def variable(self, kind: str) -> str | None:
        known = [name for scope in self.scopes for name, holds in scope.items() if holds == kind or kind == "any"]
        return self.one(known) if known else None

    # ------------------------------------------------------------------------------------------- statements

    def statement(self, depth: int) -> str:
        makers = (
            self.let, self.let, self.let, self.assignment, self.assignment, self.assignment, self.call_statement,
            self.call_statement, self.call_statement, self.if_statement, self.for_loop, self.for_loop,
            self.while_loop, self.do_loop, self.endless_loop, self.switch_statement, self.try_statement, self.jump,
            self.nested_block, self.print_statement, self.growing, self.rare,
        )  # fmt: skip
        if depth <= 0:
            makers = makers[:9]
        return str(self.one(makers)(max(depth, 0)))

    def let(self, depth: int) -> str:
        kind = self.one(_TYPES)
        value = self.expression(kind, min(depth, 2))
        if self.chance(15):
            return f"const {self.one(_NAMES) if self.chance(20) else 'LIMIT'} = {value};"
        return f"let {self.declared(kind)} = {value};"

    def place(self, depth: int) -> str:
        base = self.variable(self.one(("array", "map", "map", "string", "int", "blob", "any", "any"))) or "x"
        if self.in_function and self.chance(15):
            base = "this"
        steps = []
        for _ in range(self.number(0, 3)):
            step = self.number(0, 3)
            if step == 0:
                steps.append(f"[{self.expression('int', min(depth, 1))}]")
            elif step == 1:
                steps.append(f".{self.one(_KEYS[:5])}")
            elif step == 2:
                steps.append(f'["{self.one(_KEYS)}"]')
            else:
                steps.append(f"[{self.expression('range', 0)}]")
        return base + "".join(steps)

    def assignment(self, depth: int) -> str:
        operator = self.one(_ASSIGNS)
        if operator != "=" and self.chance(70):
            kind = self.one(("int", "int", "float", "string", "array"))
            return f"{self.variable(kind) or self.place(depth)} {operator} {self.expression(kind, min(depth, 2))};"
        return f"{self.place(depth)} {operator} {self.expression(self.one(_TYPES), min(depth, 2))};"

    def call_statement(self, depth: int) -> str:
        kind = self.one(("array", "array", "map", "string", "blob", "fn", "int"))
        base = self.variable(kind) or self.place(depth)
        return f"{base}{self.method(kind, min(depth, 2))};"

    def method(self, kind: str, depth: int) -> str:
        name, parameters = self.one(_METHODS[kind])
        if self.functions and self.chance(8):
            name, count = self.one(self.functions)
            parameters = ("any",) * count
        arguments = ", ".join(self.expression(each, depth - 1) for each in parameters)
        dot = "?." if self.chance(5) else "."
        return f"{dot}{name}({arguments})"

    def if_statement(self, depth: int) -> str:
        text = f"if {self.expression('bool', 2)} {self.block(depth)}"
        if self.chance(30):
            text += f" else if {self.expression('bool', 1)} {self.block(depth)}"
        return text + f" else {self.block(depth)}" if self.chance(50) else text

    def looped(self, depth: int, names: dict[str, str]) -> str:
        self.scopes.append(names)
        self.in_loop += 1
        body = self.block(depth)
        self.in_loop -= 1
        self.scopes.pop()
        return body

    def for_loop(self, depth: int) -> str:
        kind = self.one(("range", "range", "array", "string", "blob", "any", "steps"))
        over = f"range({self.expression('int', 1)}, {self.expression('int', 1)}, {self.expression('int', 0)})"
        if kind != "steps":
            over = self.expression(kind, 1)
        name, counter = self.one(_NAMES), self.one(_NAMES)
        if self.chance(25) and counter != name:
            return f"for ({name}, {counter}) in {over} " + self.looped(depth, {name: "any", counter: "int"})
        return f"for {name} in {over} " + self.looped(depth, {name: "int" if kind == "range" else "any"})

    def while_loop(self, depth: int) -> str:
        return f"while {self.expression('bool', 2)} " + self.looped(depth, {})

    def do_loop(self, depth: int) -> str:
        return f"do {self.looped(depth, {})} {self.one(('while', 'until'))} {self.expression('bool', 1)};"

    def endless_loop(self, depth: int) -> str:
        body = self.looped(depth, {})
        leave = f"if {self.expression('bool', 1)} {{ break {self.expression('any', 1)}; }}"
        return f"loop {{ {leave} {body} }}" if self.chance(80) else f"loop {body}"

    def switch_statement(self, depth: int) -> str:
        subject = self.one(("int", "string", "char", "bool", "any", "array"))
        cases: list[str] = []
        spans = False
        for _ in range(self.number(0, 4)):
            spans = spans or (subject == "int" and self.chance(30))
            patterns = [self.pattern(subject, spans=spans) for _ in range(self.number(1, 3))]
            guard = f" if {self.expression('bool', 1)}" if self.chance(25) else ""
            result = self.block(depth) if self.chance(50) else self.expression("any", 1)
            cases.append(f"{' | '.join(patterns)}{guard} => {result}")
        if self.chance(70):
            cases.append(f"_ => {self.expression('any', 1)}")
        return f"switch {self.expression(subject, 2)} {{ {', '.join(cases)} }}"

    def pattern(self, subject: str, *, spans: bool) -> str:
        if spans:
            return str(self.one(("0..10", "5..=64", "-5..5", "0..1099511627776", "3..3", "100..=100")))
        return {
            "int": self.one(_INTEGERS[:10]),
            "string": self.one(_TEXTS[:4]),
            "char": self.one(_CHARS),
            "bool": self.one(("true", "false")),
            "array": self.one(("[]", "[1, 2]", "[1, [2]]")),
        }.get(subject, "()")

    def try_statement(self, depth: int) -> str:
        body = self.block(depth)
        if self.chance(50):
            return f"try {body} catch {self.block(depth)}"
        self.scopes.append({"err": "any"})
        handler = self.block(depth)
        self.scopes.pop()
        return f"try {body} catch (err) {handler}"

    def jump(self, depth: int) -> str:
        value = self.expression("any", 1)
        if self.in_loop and self.chance(60):
            return str(self.one(("break;", "continue;", f"break {value};")))
        return str(self.one((f"throw {value};", f"return {value};", "exit();", "throw;")))

    def nested_block(self, depth: int) -> str:
        return self.block(depth)

    def print_statement(self, depth: int) -> str:
        return f"{self.one(('print', 'debug'))}({self.expression('any', min(depth, 2))});"

    def growing(self, depth: int) -> str:
        """Statements that double what a variable holds, nest it in itself, or make it big at once."""
        name = self.variable(self.one(("array", "map", "string", "fn", "any"))) or "x"
        grows = self.one(
            (
                f"{name} += {name};", f"{name} = [{name}, {name}];", f"{name} = #{{a: {name}, b: {name}}};",
                f"{name} = `${{{name}}}${{{name}}}`;", f"{name}.push({name});", f"{name}.a = {name};",
                f"{name}.pad({self.one(_INTEGERS)}, {self.one(('1', self.one(_TEXTS), name))});",
                f"{name} = || {name};", f"{name} = {name}.curry({name});", f"{name}.append({name});",
                f"{name}[0] = {name};", f"{name} = {name} + {name};", f"{name}.insert(0, {name});",
            )
        )  # fmt: skip
        return f"for n in 0..{self.one(('3', '20', '1000', '9223372036854775807'))} {{ {grows} }}"

    def rare(self, depth: int) -> str:
        value = self.expression("any", 1)
        return str(
            self.one(
                (
                    f'import "{self.one(("m", "os", "../../etc/passwd", ""))}" as m;', "m::g(1);", "global::x;",
                    f"eval({self.one((self.quoted(value), 'x', self.quoted('let q = 1; x')))});", "m::K;",
                    f"export const E{self.number(0, 2)} = {value};", "exit(x);", 'is_def_var("x");', "import 1 as m;",
                    'is_def_fn("f0", 1);', "type_of(x);", "timestamp();", "sleep(0);", "blob(1000000000);",
                    "let x = Fn(\"f0\");", "get_fn_metadata_list();", "x.tag = 1;", "take(x);", "swap(x, y);",
                )
            )
        )  # fmt: skip

    def quoted(self, text: str) -> str:
        escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'

    # ------------------------------------------------------------------------------------------- expressions

    def expression(self, kind: str, depth: int) -> str:
        if kind == "any" or self.chance(2):
            kind = self.one(_TYPES)
        if self.number(0, 300) == 217:
            return str(self.one(("unknown", "f0", "()", "x.y.z", "self::x")))
        known = self.variable(kind)
        if known is not None and self.chance(45):
            return known
        if depth <= 0:
            return self.leaf(kind)
        if self.chance(18):
            return self.made(kind, depth)
        return str(getattr(self, f"_{kind}")(depth))

    def leaf(self, kind: str) -> str:
        return str(
            self.one(
                {
                    "int": _INTEGERS if self.chance(30) else _INTEGERS[:6],
                    "float": _FLOATS,
                    "bool": ("true", "false"),
                    "string": _TEXTS,
                    "char": _CHARS,
                    "array": ("[]", "[1, 2, 3]", "['a', \"b\", 1.5]", "[[1], [2]]", "[()]"),
                    "map": ("#{}", "#{a: 1, b: [2]}", '#{"__class__": 1, f: |n| n}'),
                    "blob": ("blob()", "blob(3, 65)", '"abc".to_blob()'),
                    "fn": ("(|a| a)", "(|a, b| a - b)", "(|| 1)", 'Fn("abs")', 'Fn("f0")', "(|a| this)"),
                    "unit": ("()",),
                    "range": ("(0..3)", "(0..=5)", "(1..)", "(..2)", "(-3..-1)", "(0..9223372036854775807)", "(5..1)"),
                }[kind]
            )
        )

    def made(self, kind: str, depth: int) -> str:
        """A value by way of something else: a call, a condition, an index, a block."""
        way = self.number(0, 7)
        if way == 0 and self.functions and not self.in_function:
            name, count = self.one(self.functions)
            return f"{name}({', '.join(self.expression('any', depth - 1) for _ in range(count))})"
        if way == 1:
            then, otherwise = self.expression(kind, depth - 1), self.expression(kind, depth - 1)
            return f"if {self.expression('bool', depth - 1)} {{ {then} }} else {{ {otherwise} }}"
        if way == 2:
            return f"({self.expression('array', depth - 1)})[{self.expression('int', depth - 1)}]"
        if way == 3:
            return f"({self.expression('map', depth - 1)}).{self.one(_KEYS[:3])}"
        if way == 4:
            other = self.one(_TYPES)
            return f"({self.expression(other, depth - 1)}){self.method(other, depth)}"
        if way == 5:
            return f"({self.expression(self.one(_TYPES), depth - 1)} ?? {self.expression(kind, depth - 1)})"
        if way == 6 and kind != "bool":
            return f"{{ {self.let(depth - 1)} {self.expression(kind, depth - 1)} }}"
        return f"({self.expression('fn', depth - 1)}).call({self.expression('any', depth - 1)})"

    def _int(self, depth: int) -> str:
        left, right = self.expression("int", depth - 1), self.expression("int", depth - 1)
        operator = self.one(("+", "-", "*", "/", "%", "**", "<<", ">>", "&", "|", "^", "+", "-"))
        return f"({left} {operator} {right})"

    def _float(self, depth: int) -> str:
        left, right = self.expression("float", depth - 1), self.expression(self.one(("float", "int")), depth - 1)
        return f"({left} {self.one(('+', '-', '*', '/', '%', '**'))} {right})"

    def _bool(self, depth: int) -> str:
        way = self.number(0, 4)
        if way == 0:
            return f"(!{self.expression('bool', depth - 1)})"
        if way == 1:
            operator = self.one(("&&", "||", "&", "|", "^"))
            return f"({self.expression('bool', depth - 1)} {operator} {self.expression('bool', depth - 1)})"
        if way == 2:
            container = self.one(("array", "map", "string", "range"))
            item = {"map": "string", "string": "string", "range": "int"}.get(container, "any")
            return f"({self.expression(item, depth - 1)} in {self.expression(container, depth - 1)})"
        kind = self.one(("int", "int", "float", "string", "char", "array", "map", "any"))
        operator = self.one(("<", "<=", ">", ">=", "==", "!="))
        return f"({self.expression(kind, depth - 1)} {operator} {self.expression(kind, depth - 1)})"

    def _string(self, depth: int) -> str:
        way = self.number(0, 2)
        if way == 0:
            return f"({self.expression('string', depth - 1)} + {self.expression('any', depth - 1)})"
        if way == 1:
            return f"`{self.one(('', 'x', 'ü'))}${{{self.expression('any', depth - 1)}}}y`"
        return f"({self.expression('string', depth - 1)})[{self.expression(self.one(('range', 'int')), depth - 1)}]"

    def _char(self, depth: int) -> str:
        return str(self.one(_CHARS))

    def _array(self, depth: int) -> str:
        if self.chance(20):
            return f"({self.expression('array', depth - 1)} + {self.expression('array', depth - 1)})"
        return f"[{', '.join(self.expression('any', depth - 1) for _ in range(self.number(0, 4)))}]"

    def _map(self, depth: int) -> str:
        names = list(dict.fromkeys(self.one(_KEYS) for _ in range(self.number(0, 4))))
        return "#{" + ", ".join(f'"{name}": {self.expression("any", depth - 1)}' for name in names) + "}"

    def _blob(self, depth: int) -> str:
        return f"blob({self.expression('int', depth - 1)}, {self.expression('int', depth - 1)})"

    def _fn(self, depth: int) -> str:
        names = [f"q{number}" for number in range(self.number(0, 2))]
        self.scopes.append(dict.fromkeys(names, "any"))
        outer, self.in_loop = self.in_loop, 0
        body = self.block(depth - 1) if self.chance(40) else self.expression("any", depth - 1)
        self.in_loop = outer
        self.scopes.pop()
        return f"(|{', '.join(names)}| {body})"

    def _unit(self, depth: int) -> str:
        return "()"

    def _range(self, depth: int) -> str:
        dots = self.one(("..", "..="))
        return f"({self.expression('int', depth - 1)}{dots}{self.expression('int', depth - 1)})"
