"""What a script may use: operations, levels of calls, sizes, variables, modules."""

from __future__ import annotations

import contextlib

import pytest

from picloud.rhai import DefaultHost, Engine, Limits, RhaiError


def failure(source: str, limits: Limits, host: DefaultHost | None = None) -> RhaiError:
    with pytest.raises(RhaiError) as caught:
        Engine(limits).compile(source).run(host=host)
    return caught.value


@pytest.mark.parametrize(
    "source",
    [
        "loop {}",
        "let i = 0; while true { i += 1; }",
        "let i = 0; do { i += 1; } while true;",
        "let s = 0; for i in 0..9223372036854775807 { s += i; }",
        "fn f(n) { if n > 0 { f(n - 1); f(n - 1) } } f(60)",
        "try { loop {} } catch { 1 }",
        "[1, 2, 3].map(|x| { loop {} })",
        "[1, 2, 3].sort(|x, y| { loop {} })",
        'let s = "x"; loop { s += s; }',
        'let s = "x"; loop { s = `${s}${s}`; }',
        "let a = [1]; loop { a += a; }",
        "let a = [1]; for i in 0..100 { a = [a, a]; } a == a",
        "let a = [1]; for i in 0..100 { a = [a, a]; } a.to_string()",
        'eval("loop {}")',
    ],
)
def test_what_never_ends_runs_out_of_operations(source: str) -> None:
    assert failure(source, Limits(max_operations=200_000)).inner == "ErrorTooManyOperations"


def test_a_program_tells_the_operations_that_it_used() -> None:
    program = Engine().compile("let i = 0; while i < 1000 { i += 1; } i")
    assert program.run() == 1000
    assert 1000 <= program.operations <= 1010


class Stopped(BaseException):
    """The host ends a run."""


class StoppingHost(DefaultHost):
    def __init__(self, after: int) -> None:
        self.slices: list[int] = []
        self.after = after

    def on_slice(self, operations: int) -> None:
        self.slices.append(operations)
        if len(self.slices) == self.after:
            raise Stopped


def test_the_host_has_its_turn_after_every_slice() -> None:
    host = StoppingHost(after=1000)
    Engine(Limits(slice_operations=500)).compile("let i = 0; while i < 2600 { i += 1; }").run(host=host)
    assert host.slices == [500, 1000, 1500, 2000, 2500]


@pytest.mark.parametrize("source", ["try { loop {} } catch { }", "[1].map(|x| { loop {} })", "fn f() { loop {} } f()"])
def test_no_script_catches_what_the_host_raises(source: str) -> None:
    with pytest.raises(Stopped):
        Engine(Limits(slice_operations=500)).compile(source).run(host=StoppingHost(after=3))


def test_a_call_too_deep_is_an_error_of_the_language() -> None:
    source = "fn f(n) { if n == 0 { 0 } else { 1 + f(n - 1) } } f(%d)"
    assert Engine().compile(source % 63).run() == 63
    assert failure(source % 64, Limits()).inner == "ErrorStackOverflow"
    assert Engine(Limits(max_call_levels=4000)).compile(source % 3000).run() == 3000


@pytest.mark.parametrize(
    "source",
    [
        "fn f(n) { f(n + 1) } f(0)",
        "fn f(n) { [n].map(|x| f(x + 1)) } f(0)",
        "fn f(n) { [1, 2].sort(|x, y| f(x + 1)) } f(0)",
        "let f = |g| g.call(g); f.call(f)",
        "let o = #{}; o.f = || this.f(); o.f()",
        "let f = || 1; for i in 0..100000 { let g = f; f = || g.call(); } f.call()",
    ],
)
@pytest.mark.parametrize("levels", [64, 1_000_000])
def test_recursion_without_end_is_an_error_of_the_language(source: str, levels: int) -> None:
    assert failure(source, Limits(max_call_levels=levels)).inner == "ErrorStackOverflow"


@pytest.mark.parametrize("levels", [64, 1_000_000])
def test_eval_without_end_is_an_error_of_the_language(levels: int) -> None:
    # Far down it is the text's parser that finds no room.
    assert failure('fn f() { eval("f()") } f()', Limits(max_call_levels=levels)).inner in (
        "ErrorStackOverflow",
        "ErrorParsing",
    )


@pytest.mark.parametrize("source", ["(" * 5000 + "1" + ")" * 5000, "[" * 5000 + "]" * 5000, "-" * 5000 + "1"])
@pytest.mark.parametrize("depth", [64, 0])
def test_nesting_without_end_is_no_python_error(source: str, depth: int) -> None:
    engine = Engine(Limits(max_expr_depth=depth))
    with contextlib.suppress(RhaiError):
        engine.compile(source).run()


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ('let s = "abcde"; loop { s += s; }', "Length of string"),
        ("let a = []; loop { a.push(1); }", "Size of array/BLOB"),
        ("let a = []; a.pad(2000, 1)", "Size of array/BLOB"),
        ("let a = [1]; loop { a += a; }", "Size of array/BLOB"),
        ("let m = #{}; for i in 0..1000 { m[`k${i}`] = i; }", "Size of object map"),
        ("let m = #{}; for i in 0..1000 { m.set(`k${i}`, i); }", "Size of object map"),
    ],
)
def test_sizes_have_limits(source: str, what: str) -> None:
    limits = Limits(max_string_size=1000, max_array_size=100, max_map_size=100, max_operations=100_000)
    error = failure(source, limits)
    assert (error.inner, error.innermost.payload) == ("ErrorDataTooLarge", (what,))


@pytest.mark.parametrize("source", ["let a = 1; let b = 2; let c = a + b; c", "fn f(a, b, c) { a } f(1, 2, 3)"])
def test_variables_have_a_limit(source: str) -> None:
    assert failure(source, Limits(max_variables=2)).inner == "ErrorTooManyVariables"
    assert Engine(Limits(max_variables=3)).compile(source).run() in (1, 3)


def test_an_index_out_of_bounds_in_a_try_block_is_told_from_what_the_error_replaces() -> None:
    source = "let e = 0; try { let x = (0 + 0) + ([])[0]; } catch (err) { e = err.message; } e"
    assert Engine().compile(source).run() == "Array index 0 out of bounds: array is empty"
