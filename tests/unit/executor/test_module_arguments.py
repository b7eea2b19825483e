"""What the platform's functions say of arguments that they can't take: which one, what was found, what is taken."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest

from picloud.executor.modules import MODULES
from picloud.executor.modules.services import SERVICES
from picloud.rhai.lexer import KEYWORDS, RESERVED_WORDS
from picloud.rhai.packages.declare import ANY
from tests.unit.executor.standard import told

WRONG: Final = {"string": "7", "i64": '"x"', "map": "7", "array": "7", "blob": "7", "Fn": "7"}
RIGHT: Final = {
    "string": '"x"',
    "i64": "7",
    "map": "#{}",
    "array": "[]",
    "blob": "blob(2)",
    "Fn": "|x| x",
    ANY: "1",
}
SECRET: Final = '"0123456789abcdef0123456789abcdef"'


def wrong_calls() -> Iterator[tuple[str, str]]:
    """For each function of each module and each of its arguments, a call in which that one is of no type it takes."""
    for module, package in MODULES.items():
        if module in SERVICES:
            continue
        for native in package.natives:
            for place, kind in enumerate(native.parameters):
                takes = {
                    other.parameters[place]
                    for other in package.natives
                    if other.name == native.name and len(other.parameters) == len(native.parameters)
                } - {ANY}
                if kind == ANY:
                    continue
                wrong = "()" if len(takes) > 1 else WRONG[kind]
                given = [wrong if at == place else RIGHT[each] for at, each in enumerate(native.parameters)]
                yield f"{module}::{native.name}", f"{module}::{native.name}({', '.join(given)})"


CALLS: Final = sorted(set(wrong_calls()))


def test_every_module_is_looked_at() -> None:
    looked_at = {name.partition("::")[0] for name, _ in CALLS}
    assert looked_at == MODULES.keys() - SERVICES.keys() - {"http"}, "http:: looks at its arguments itself"
    assert len(CALLS) > 150


def test_every_function_has_a_name_that_a_script_can_write() -> None:
    names = [(module, native.name) for module, package in MODULES.items() for native in package.natives]
    assert [f"{module}::{name}" for module, name in names if name in RESERVED_WORDS | KEYWORDS] == []


@pytest.mark.parametrize(("name", "call"), CALLS, ids=[call for _, call in CALLS])
def test_an_argument_of_another_type_is_told(name: str, call: str) -> None:
    error = told(call)
    assert error.startswith(f"ErrorRuntime: {name} takes (")
    assert ", not (" in error


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("time::iso(9223372036854775807)", "time::iso: 9223372036854775807 ms is no year from 1 to 9999"),
        ('time::iso(0, "Mars/Olympus")', "time::iso: there is no time zone 'Mars/Olympus'"),
        ('time::iso(0, "berlin")', "did you mean 'Europe/Berlin'?"),
        ('time::iso(0, "../zones")', "there is no time zone '../zones'"),
        ('time::iso(0, "tzdata.zi")', "there is no time zone"),
        ('time::iso(0, "+25:00")', "there is no time zone '+25:00'"),
        ('time::iso(0, "")', "there is no time zone ''"),
        ('time::parse("yesterday")', "time::parse: 'yesterday' isn't like 2026-05-01T12:00:00Z"),
        ('time::parse("2026-05-01T14:00:00")', "has neither Z nor an offset"),
        ('time::parse("1.2.26", "%d/%m")', "'/' is expected at 2, found '.2.26'"),
        ('time::parse("31.02.2026", "%d.%m.%Y")', "there is no such date: day is out of range"),
        ('time::parse("12", "%d")', "the year is missing"),
        ('time::parse("2026 x", "%Y")', "the end is expected at 5, found ' x'"),
        ('time::parse("26", "%Y")', "a year of four digits is expected at 1"),
        ('time::parse("2026 Foo", "%Y %b")', "the name of a month is expected at 6"),
        ('time::parse("2026 13 PM", "%Y %I %p")', "an hour with %I is 1 to 12"),
        ('time::parse("2026 02 03", "%Y %d %d")', "says two things that don't go together"),
        ('time::parse("2025 366", "%Y %j")', "the year 2025 has no day 366"),
        ('time::parse("2026 +99:99", "%Y %z")', "an offset is less than 24 hours"),
        ('time::parse("Z", "%Z")', "%Z can be written, but not read"),
        ('time::format(0, "%Q")', "time::format: a pattern has no sign '%Q'"),
        ('time::format(0, "%")', "a pattern has no sign '%'"),
        ('time::format(0, "x".to_upper() + "%-F")', "a pattern has no sign '%-F'"),
        ("time::from_parts(#{})", "time::from_parts: the year is missing"),
        ("time::from_parts(#{year: 2026.5})", "the year is an integer, not f64"),
        ("time::from_parts(#{year: 2026, mont: 2})", "a date has no 'mont'"),
        ("time::from_parts(#{year: 2026, month: 13})", "there is no such date: month must be in 1..12"),
        ("time::from_parts(#{year: 10000})", "there is no such date"),
        ("time::from_parts(#{year: 2026, zone: 7})", "the zone is a string"),
        ("time::from_parts(#{year: 2026, offset: `7`})", "the offset is a whole number of minutes"),
        ('time::add(0, "soon")', "time::add: 'soon' is no duration"),
        ('time::add(9223372036854775807, "1s")', "the result is beyond 64 bits"),
        ("time::add(0, #{fortnights: 1})", "there is no unit 'fortnights'"),
        ("time::add(0, #{days: 1.5})", "days are a whole number, not f64"),
        ("time::add(0, #{years: 9223372036854775807})", "the result is no year from 1 to 9999"),
        ("time::add(0, #{hours: 9223372036854775807})", "the result is beyond 64 bits"),
        ('time::diff(0, 1, "day")', "there is no unit 'day'; there are milliseconds"),
        ('time::start_of(0, "days")', "there is no period 'days'; there are second"),
        ('time::duration("1h 1h")', "'1h 1h' is no duration"),
        ('time::duration("")', "'' is no duration"),
        ('time::duration("P")', "'P' is no duration"),
        ('time::duration("9999999999999999w")', "is beyond 64 bits of milliseconds"),
        ("time::days_in_month(2026, 0)", "the month is 1 to 12, not 0"),
        ('uuid::parse("x")', "uuid::parse: 'x' is no UUID: one is like 6ba7b810-"),
        ('uuid::v5("dsn", "x")', "uuid::v5: the namespace is a UUID or one of dns, url, oid, x500, not 'dsn'"),
        ("uuid::time(uuid::v4())", "this one is of version 4"),
        ('uuid::version("")', "uuid::version: '' is no UUID"),
        ('url::parse("hello")', "url::parse: 'hello' has no scheme"),
        ('url::parse("http://[::1")', "is no address: Invalid IPv6 URL"),
        ('url::parse("http://a:99999/")', "is no address: Port out of range"),
        ('url::parse("http://a b/")', "has ' ' at 9, which an address holds encoded only"),
        ('url::parse("http://a/?x=%FF")', "is not UTF-8 once decoded"),
        ('url::build(#{host: "a"})', "url::build: the scheme is like https, not ''"),
        ('url::build(#{scheme: "https", hots: "a"})', "an address has no 'hots'"),
        ('url::build(#{scheme: "https", host: "a/b"})', "the host is a name or an address, not 'a/b'"),
        ('url::build(#{scheme: "https", host: "a", port: "80"})', "the port is an integer, not a string"),
        ('url::build(#{scheme: "https", host: "a", port: 70000})', "a port is 0 to 65535, not 70000"),
        ('url::build(#{scheme: "https", port: 80})', "needs a host"),
        ('url::build(#{scheme: "file", path: "//etc"})', "a path that begins with // needs a host"),
        ('url::build(#{scheme: "https", host: "a", query: #{x: blob(1)}})', "the field 'x' can't be a blob"),
        ('url::join("a/b", "c")', "the base 'a/b' has no scheme"),
        ('url::decode("%ff")', "url::decode: '%ff' is not UTF-8 once decoded"),
        ("url::query(#{x: #{}})", "url::query: the field 'x' can't be a map"),
        ('url::parse_query("x=%ff")', "url::parse_query: '%ff' is not UTF-8 once decoded"),
        ('regex::find("(a", "x")', "regex::find: '(a' is no pattern: missing )"),
        ('regex::find("(?=a)", "x")', "there is no look-around, for its time has no bound"),
        ('regex::is_match(`(a)\\1`, "x")', "there are no back references"),
        ('regex::find_all("a{1001}", "x")', "repetitions multiply, and end at 1000"),
        ('regex::split("a", "x", -1)', "regex::split: the limit is 0 or more, not -1"),
        ('regex::replace("a", "x", "y", -1)', "regex::replace: the limit is 0 or more, not -1"),
        ('regex::replace("(a)", "a", "$2")', "the pattern has no group '2'; it has groups 0 to 1"),
        ('regex::replace("(?P<n>a)", "a", "${m}")', "the pattern has no group 'm'; it has groups 0 to 1, n"),
        ('regex::replace("a", "a", "5 $ each")', "the $ at 3 of the replacement is neither $1"),
        ('regex::replace("a", "a", |m| 7)', "the function is to give a string, not an i64"),
        ('csv::parse("a,b\\n1\\n")', "csv::parse: the row in line 2 has 1 fields, the first row 2"),
        ('csv::parse("a,a\\n1,2\\n")', "two columns are called 'a'"),
        ('csv::rows(`a,"b`)', 'csv::rows: line 1: a " is never closed'),
        ('csv::rows(`"a"b`)', "behind a closing \" the field doesn't end"),
        ('csv::rows("a", #{delimeter: ";"})', "there is no option 'delimeter': did you mean 'delimiter'?"),
        ('csv::rows("a", #{delimiter: ";;"})', "the delimiter is one character"),
        ('csv::rows("a", #{delimiter: 7})', "the option delimiter is a string, not an i64"),
        ('csv::rows("a", #{delimiter: \'"\'})', "delimiter and quote are both '\"'"),
        ("csv::format([1])", "csv::format: row 1 is an i64; rows are all arrays or all maps"),
        ("csv::format([[1], #{}])", "row 2 is a map; rows are all arrays or all maps"),
        ("csv::format([#{a: [1]}])", "row 1, column a is an array, which is no field"),
        ("csv::format([], #{columns: [1]})", "columns are strings, not an i64"),
        ("csv::format([], #{newline: `x`})", 'the newline is "\\r\\n" or "\\n"'),
        ('template::render("{{a", #{})', "template::render: line 1: {{ is never closed by }}"),
        ('template::render("{{{a}}", #{})', "line 1: {{{ is never closed by }}}"),
        ('template::render("\\n{{#a}}", #{})', "line 2: the section a is never closed"),
        ('template::render("{{/a}}", #{})', "line 1: {{/a}} closes no section"),
        ('template::render("{{#a}}\\n{{/b}}", #{})', "line 2: {{/b}} closes the section a of line 1"),
        ('template::render("{{a b}}", #{})', "{{a b}} holds no name, such as user.name"),
        ('template::render("{{=<% %>=}}", #{})', "can't be changed"),
        ('template::render("\\n{{nmae}}", #{name: 1})', "line 2: there is no 'nmae': did you mean 'name'?"),
        ('template::render("{{a}}", #{a: [1]})', "line 1: a is an array: {{#a}} goes into it"),
        ('template::render("{{a}}", #{a: || 1})', "a is no text"),
        ('template::render("{{> p}}", #{})', "there is no partial 'p'"),
        ('template::render("{{> p}}", #{}, #{partials: #{p: 1}})', "partials are strings, not an i64"),
        ('template::render("{{> p}}", #{}, #{partials: #{p: "{{"}})', "partial 'p', line 1: {{ is never closed"),
        ('template::render("", #{}, #{escape: "xml"})', 'the option escape is "html" or "none", not \'xml\''),
        ('template::render("", #{}, #{mising: "empty"})', "did you mean 'missing'?"),
        ("crypto::random_bytes(0)", "crypto::random_bytes: 1 to 4,096 bytes are given at a time, not 0"),
        ("crypto::token(5000)", "crypto::token: 1 to 4,096 bytes"),
        ('crypto::from_hex("xyz")', "crypto::from_hex: the text isn't hex"),
        ('crypto::from_base64("*")', "crypto::from_base64: the text isn't base64"),
        ('crypto::from_base64url("+")', "crypto::from_base64url: the text isn't base64url"),
        ('crypto::jwt_sign(#{}, "short")', "a secret for HS256 has 32 bytes at least, this one has 5"),
        (f"crypto::jwt_sign(#{{}}, {SECRET}, #{{algorithm: `none`}})", "signed by HS256, HS384, HS512, not by 'none'"),
        (f"crypto::jwt_sign(#{{a: 0.0/0.0}}, {SECRET})", "the claims can't be written as JSON: a is NaN"),
        (f"crypto::jwt_sign(#{{}}, {SECRET}, #{{expires_in: `-1h`}})", "the option expires_in can't be negative"),
        (f"crypto::jwt_sign(#{{}}, {SECRET}, #{{expires: `1h`}})", "did you mean 'expires_in'?"),
        ('crypto::jwt_sign(#{}, "-----BEGIN PRIVATE KEY-----")', "tokens are signed by a secret, not by a key pair"),
        (f'crypto::jwt_verify("a.b", {SECRET})', "a token has three parts with dots between them, this one has 2"),
        (f'crypto::jwt_verify("a.b.c", {SECRET})', "isn't base64url"),
        (f'crypto::jwt_verify("W10.e30.AA", {SECRET})', "the token's header is no JSON object"),
        (f'crypto::jwt_verify("e30.e30.AA", {SECRET})', "doesn't name its algorithm"),
        (f'crypto::jwt_verify("", {SECRET}, #{{algorithms: ["RS256"]}})', "a secret is for HS256, HS384, HS512"),
        (
            f'crypto::jwt_verify("", {SECRET}, #{{algorithms: []}})',
            "a secret is for HS256, HS384, HS512, not for 'none'",
        ),
        (f'crypto::jwt_verify("", {SECRET}, #{{leeway: "x"}})', "the option leeway: 'x' is no duration"),
        ('crypto::jwt_decode("x")', "crypto::jwt_decode: a token has three parts"),
        ('json::parse("{")', "json::parse: the text isn't JSON"),
        ("json::stringify([0.0/0.0])", "json::stringify: JSON can't hold it: [0] is NaN"),
        ("json::pretty(|| 1)", "json::pretty: JSON can't hold it: the value is a function"),
        ("log::info(1, #{a: || 1})", "log::info: a field can't be kept: a is a function"),
        ("random::int(2, 1)", "random::int: there is no number from 2 to 1"),
        ("random::pick([])", "random::pick: the array is empty"),
        ("random::string(-1)", "random::string: a text can't have -1 characters"),
    ],
)
def test_what_an_argument_says_is_told(call: str, said: str) -> None:
    error = told(call)
    assert error.startswith(f"ErrorRuntime: {call.partition('(')[0]}: ")
    assert said in error


def test_an_error_can_be_caught() -> None:
    source: Any = 'try { time::iso(0, "x"); } catch (error) { throw `caught ${error}`; }'
    assert told(source).startswith("ErrorRuntime: caught time::iso: there is no time zone 'x'")
