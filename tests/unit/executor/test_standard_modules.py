"""What scripts compute with the platform's modules, against others who compute the same."""

from __future__ import annotations

import csv
import io
import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlencode
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from picloud.executor.dates.moments import EPOCH
from picloud.executor.protocol import Limits
from tests.unit.executor.standard import NOW, Active, evaluate, run, told

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca"]
MOMENTS = st.integers(
    int(datetime(1900, 1, 1, tzinfo=UTC).timestamp() * 1000), int(datetime(2100, 1, 1, tzinfo=UTC).timestamp() * 1000)
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ('time::iso(0, "+05:30")', "1970-01-01T05:30:00.000+05:30"),
        ('time::format(time::now(), "%A, %-d %B %Y, %-I:%M %p %Z", "America/New_York")',
         "Friday, 1 May 2026, 8:00 AM EDT"),
        ('time::format(0, "%y %e %j %G-W%V-%u %w %s %L %% %R %D %P %z %:z")',
         "70  1 001 1970-W01-4 4 0 000 % 00:00 01/01/70 am +0000 +00:00"),
        ('time::parse("Fri, 01 May 2026 12:00:00 GMT", "%a, %d %b %Y %T %z")', NOW),
        ('time::parse("1 MAY 2026 2 pm", "%e %b %Y %I %P", "Europe/Berlin")', NOW),
        ('time::parse("2026-121 14.5", "%Y-%j %H.%L", "+02:00") - time::now()', 500),
        ('time::parse("1777636800", "%s")', NOW),
        ('time::parse("70", "%y")', 0),
        # The clock was set forward at 02:00, and back at 03:00.
        ('time::iso(time::from_parts(#{year: 2026, month: 3, day: 29, hour: 2, minute: 30}, "Europe/Berlin"))',
         "2026-03-29T01:30:00.000Z"),
        ('time::iso(time::from_parts(#{year: 2026, month: 10, day: 25, hour: 2, minute: 30}, "Europe/Berlin"))',
         "2026-10-25T00:30:00.000Z"),
        ('time::iso(time::from_parts(#{year: 2026, month: 10, day: 25, hour: 2, offset: 60, zone: "Europe/Berlin"}))',
         "2026-10-25T01:00:00.000Z"),
        ('time::iso(time::add(time::parse("2026-03-28T12:00:00+01:00"), #{days: 1}, "Europe/Berlin"))',
         "2026-03-29T10:00:00.000Z"),
        ('time::iso(time::add(time::parse("2026-03-28T12:00:00+01:00"), "1d"))', "2026-03-29T11:00:00.000Z"),
        ('time::iso(time::add(time::parse("2024-01-31T00:00:00Z"), #{months: 1}))', "2024-02-29T00:00:00.000Z"),
        ('time::iso(time::add(time::parse("2024-02-29T00:00:00Z"), #{years: -1, hours: 1}))',
         "2023-02-28T01:00:00.000Z"),
        ('time::diff(time::parse("2024-01-31T00:00:00Z"), time::parse("2024-03-01T00:00:00Z"), "months")', 1),
        ('time::diff(time::parse("2024-03-01T00:00:00Z"), time::parse("2024-01-31T00:00:00Z"), "months")', -1),
        ('time::diff(0, -1, "seconds")', 0),
        ('time::diff(time::parse("2026-03-28T23:00:00Z"), time::parse("2026-03-29T22:00:00Z"), "days",'
         '"Europe/Berlin")', 1),
        ('time::diff(time::parse("2026-03-28T23:00:00Z"), time::parse("2026-03-29T22:00:00Z"), "days")', 0),
        ('["year", "quarter", "month", "week", "day", "hour"]'
         '.map(|p| time::iso(time::start_of(time::now() + 1, p, "Asia/Kathmandu")))',
         ["2025-12-31T18:15:00.000Z", "2026-03-31T18:15:00.000Z", "2026-04-30T18:15:00.000Z",
          "2026-04-26T18:15:00.000Z", "2026-04-30T18:15:00.000Z", "2026-05-01T11:15:00.000Z"]),
        ("[time::weekday(0), time::weekday(0, `-12:00`)]", [4, 3]),
        ('[time::duration("1w2d3h4m5s6ms"), time::duration("-1.5h"), time::duration("PT1H30M"), time::duration("P1W")]',
         [788_645_006, -5_400_000, 5_400_000, 604_800_000]),
        ("[0, 90061001, -5400000].map(|ms| time::duration_text(ms))", ["0s", "1d1h1m1s1ms", "-1h30m"]),
        ('["Europe/Berlin", "UTC", "Mars/Olympus", "../../x", "", "zone.tab"].map(|name| time::is_zone(name))',
         [True, True, False, False, False, False]),
        ("[time::is_leap_year(1900), time::is_leap_year(2000), time::days_in_month(2024, 2)]", [False, True, 29]),
        ('uuid::parse("urn:uuid:6BA7B810-9DAD-11D1-80B4-00C04FD430C8")', "6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
        ('["{6ba7b810-9dad-11d1-80b4-00c04fd430c8}", "6ba7b8109dad11d180b400c04fd430c8",'
         '"{6ba7b810-9dad-11d1-80b4-00c04fd430c8", "6ba7"].map(|t| uuid::is_valid(t))',
         [True, True, False, False]),
        ("uuid::version(uuid::zero())", 0),
        ('url::parse("https://anna:p%40ss@Example.com:8443/a%20b?x=1&y=&x=2#top").to_json()',
         '{"fragment":"top","host":"example.com","origin":"https://example.com:8443","password":"p@ss",'
         '"path":"/a%20b","port":8443,"query":{"x":["1","2"],"y":""},"scheme":"https","username":"anna"}'),
        ('url::parse("mailto:anna@example.com").to_json()',
         '{"fragment":null,"host":null,"origin":null,"password":null,"path":"anna@example.com","port":null,'
         '"query":{},"scheme":"mailto","username":null}'),
        ('url::build(#{scheme: "HTTPS", host: "[::1]", port: 443, path: "a b/ü%20",'
         'query: #{q: "x&y", n: [1, true], no: ()}, fragment: "é"})',
         "https://[::1]/a%20b/%C3%BC%20?n=1&n=true&q=x%26y#%C3%A9"),
        ('url::build(#{scheme: "https", host: "a", username: "x:y", password: "p@", port: 8443})',
         "https://x%3Ay:p%40@a:8443"),
        ('["../c?d", "/c", "//b/c", "https://b", "#x", ""].map(|link| url::join("https://a/x/y?z", link))',
         ["https://a/c?d", "https://a/c", "https://b/c", "https://b", "https://a/x/y?z#x", "https://a/x/y?z"]),
        ('url::parse_query("?a=1&&a=2&b&c=x+y%20z&a=3").to_json()', '{"a":["1","2","3"],"b":"","c":"x y z"}'),
        ('regex::captures(`(?P<word>\\w+) (\\d+)(x)?`, "ü ab 12").to_json()',
         '{"end":7,"groups":["ab","12",null],"named":{"word":"ab"},"start":2,"text":"ab 12"}'),
        ('regex::captures_all("(a)|b", "ab").map(|m| m.groups)', [["a"], [None]]),
        ('[regex::find("x", "ab"), regex::captures("x", "ab")]', [None, None]),
        ('regex::replace(`(\\w+)@(?P<host>\\w+)`, "a@b c@d", "${host}:$1$$$0")', "b:a$a@b d:c$c@d"),
        ('regex::replace("[0-9]+", "1 22 333", |m| `<${m.text.len()}>`, 2)', "<1> <2> 333"),
        ('regex::replace("a", "aaa", "b", 0)', "aaa"),
        ('[regex::split(", *", "a, b,c"), regex::split(",", "a,b,c", 2),'
         'regex::split(",", "a", 0), regex::split("", "ab")]',
         [["a", "b", "c"], ["a", "b,c"], [], ["", "a", "b", ""]]),
        ('regex::find_all("(?i)É.", "éa Éb")', ["éa", "Éb"]),
        ('csv::parse("\\ufeffa;b\\r\\n1;\'x\\r\\n;\'\\r\\n\\r\\n", #{delimiter: \';\', quote: "\'"})',
         [{"a": "1", "b": "x\r\n;"}]),
        ('csv::parse("")', []),
        ('csv::format([#{b: 1, a: "x,y"}, #{c: \'c\'}])', 'a,b,c\r\n"x,y",1,\r\n,,c\r\n'),
        ('csv::format([#{b: 1, a: 2}], #{columns: ["b"], header: false, newline: "\\n"})', "1\n"),
        ('csv::format([[1, 2.5, true, (), "a\\"b"]], #{columns: ["v", "w", "x", "y", "z"], newline: "\\n"})',
         'v,w,x,y,z\n1,2.5,true,,"a""b"\n'),
        ('template::render("{{#a}}{{b}}{{c}}{{/a}}{{^a}}no{{/a}}", #{a: [#{b: 1}, #{b: `<`}], c: "."})', "1.&lt;."),
        ('template::render("{{a.b}} {{{h}}} {{&h}} {{h}}", #{a: #{b: 2.0}, h: `<&"\'>`})',
         "2.0 <&\"'> <&\"'> &lt;&amp;&quot;&#x27;&gt;"),
        ('template::render("{{h}}{{x}}", #{h: "<"}, #{escape: "none", missing: "empty"})', "<"),
        ('template::render("{{a}}{{#a}}x{{/a}}", #{a: ()})', ""),
        ('template::render("{{#n}}{{.}}{{/n}}{{#s}}x{{/s}}{{#m}}y{{/m}}{{^e}}z{{/e}}",'
         '#{n: 0, s: "", m: #{}, e: []})', "0yz"),
        ('template::render("{{> li}}", #{a: [#{t: 1, a: [#{t: 2, a: []}]}]},'
         '#{partials: #{li: "{{#a}}({{t}}{{> li}}){{/a}}"}})', "(1(2))"),
        ("crypto::sha384(``).len()", 96),
        ('crypto::hmac_sha384_bytes("k", "d").len()', 48),
        ("[crypto::random_bytes(32).len(), crypto::token().len(), crypto::token(8).len()]", [32, 43, 11]),
        ("crypto::token() == crypto::token()", False),
    ],
)  # fmt: skip
def test_a_script_computes(source: str, value: Any) -> None:
    assert evaluate(source) == value


def test_random_identifiers_are_those_of_the_record() -> None:
    source = "[uuid::v4(), uuid::v7(), uuid::v7()]"
    assert evaluate(source, seed=7) == evaluate(source, seed=7) != evaluate(source, seed=8)
    four, *_ = evaluate(source)
    assert uuid.UUID(four).version == 4
    assert uuid.UUID(four).variant == uuid.RFC_4122


def test_identifiers_that_sort_by_time_do() -> None:
    made = evaluate("let all = []; for n in 0..10000 { all.push(uuid::v7()); } all")
    assert made == sorted(set(made))
    assert uuid.UUID(made[-1]).variant == uuid.RFC_4122
    assert evaluate("uuid::time(id)", id=made[0]) == NOW
    assert made < evaluate("[uuid::v7()]", now_ms=NOW + 60_000)


@given(st.uuids(), TEXTS)
def test_named_identifiers_are_pythons(namespace: uuid.UUID, name: str) -> None:
    assert evaluate("uuid::v5(namespace, name)", namespace=str(namespace), name=name) == str(
        uuid.uuid5(namespace, name)
    )


@given(MOMENTS, st.sampled_from(ZONES))
def test_times_in_zones_are_zoneinfos(moment: int, zone: str) -> None:
    date = (EPOCH + timedelta(milliseconds=moment)).astimezone(ZoneInfo(zone))
    pattern = "%Y-%m-%d %H:%M:%S %j %a %A %b %B %I %p %Z %G %V %u %w %y"
    written, iso, parts, weekday = evaluate(
        "[time::format(m, p, z), time::iso(m, z), time::parts(m, z), time::weekday(m, z)]", m=moment, z=zone, p=pattern
    )
    assert written == date.strftime(pattern)
    assert datetime.fromisoformat(iso) == date
    assert (parts["hour"], parts["yearday"], weekday) == (date.hour, date.timetuple().tm_yday, date.isoweekday())
    assert evaluate("time::from_parts(parts)", parts=parts) == moment


@given(MOMENTS, st.sampled_from(ZONES), st.sampled_from(["%Y-%m-%dT%H:%M:%S.%L%z", "%d %B %Y, %I:%M:%S %p .%L %:z"]))
def test_what_is_written_is_read(moment: int, zone: str, pattern: str) -> None:
    moment = max(moment, 0) if zone != "UTC" else moment  # before, offsets had seconds
    assert evaluate("time::parse(time::format(m, p, z), p)", m=moment, p=pattern, z=zone) == moment


@given(MOMENTS, st.integers(-500, 500), st.integers(-5_000, 5_000), st.sampled_from(ZONES))
def test_the_calendar_goes_forth_and_back(moment: int, months: int, days: int, zone: str) -> None:
    moved = evaluate("time::add(m, #{months: a, days: b}, z)", m=moment, a=0, b=days, z=zone)
    there = (EPOCH + timedelta(milliseconds=moved)).astimezone(ZoneInfo(zone))
    here = (EPOCH + timedelta(milliseconds=moment)).astimezone(ZoneInfo(zone))
    assert (there.date() - here.date()).days == days
    counted = evaluate("time::diff(m, time::add(m, #{months: a}), `months`)", m=moment, a=months)
    # A shorter month ends earlier.
    assert counted == months or (months < 0 and counted == months + 1)


@given(st.integers(-(2**62), 2**62))
def test_durations_are_written_and_read(milliseconds: int) -> None:
    assert evaluate("time::duration(time::duration_text(ms))", ms=milliseconds) == milliseconds


@given(st.lists(st.lists(TEXTS, min_size=2, max_size=4), max_size=5), st.sampled_from(",;\t|"), st.sampled_from("\"'"))
def test_tables_are_pythons(rows: list[list[str]], delimiter: str, quote: str) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quotechar=quote).writerows(rows)
    options = {"delimiter": delimiter, "quote": quote}
    assert evaluate("csv::format(rows, options)", rows=rows, options=options) == text.getvalue()
    read = list(
        csv.reader(
            io.StringIO(text.getvalue().removeprefix("\ufeff"), newline=""), delimiter=delimiter, quotechar=quote
        )
    )
    assert evaluate("csv::rows(text, options)", text=text.getvalue(), options=options) == [row for row in read if row]


@given(TEXTS, st.dictionaries(TEXTS, TEXTS | st.lists(TEXTS, min_size=2, max_size=3), max_size=4))
def test_addresses_are_pythons(text: str, fields: dict[str, Any]) -> None:
    encoded, query = evaluate("[url::encode(text), url::query(fields)]", text=text, fields=fields)
    assert encoded == quote(text, safe="")
    assert evaluate("url::decode(encoded)", encoded=encoded) == text == unquote(encoded)
    assert query == urlencode(sorted(fields.items()), doseq=True)
    read = evaluate("url::parse_query(query)", query=query)
    assert read == {name: values[0] if len(values) == 1 else values for name, values in parse_qs(query, True).items()}
    whole = {"scheme": "https", "host": "example.com", "path": "/a", "query": fields, "fragment": text}
    parts = evaluate("url::parse(url::build(whole))", whole=whole)
    assert (parts["query"], parts["fragment"], parts["path"]) == (fields, text, "/a")


def patterns() -> st.SearchStrategy[str]:
    """Patterns that mean the same to RE2 and to Python."""
    atoms = st.sampled_from(
        ["a", "b", "é", ".", "[ab]", "[^a]", "[a-c]", "(?:ab)", "(a)", "(b|c)", "(?P<n>a.)", "^", "x"]
    )
    pieces = st.tuples(atoms, st.sampled_from(["", "", "?", "{2}", "{1,2}"]))
    branches = st.lists(pieces, min_size=1, max_size=4).map(
        lambda found: "".join(a + ("" if a == "^" else q) for a, q in found)
    )
    return st.lists(branches, min_size=1, max_size=2).map("|".join).filter(lambda text: text.count("(?P<n>") <= 1)


def theirs(pattern: str, text: str) -> list[re.Match[str]]:
    """The matches as Python finds them one by one; none that is empty and right behind another one."""
    compiled, found = re.compile(pattern, re.MULTILINE | re.ASCII), list[re.Match[str]]()
    at, behind = 0, -1
    while at <= len(text) and (match := compiled.search(text, at)) is not None:
        if match.start() == match.end() == behind:
            at = behind + 1
            continue
        found.append(match)
        at = behind = match.end()
    return found


@given(patterns(), st.text("abcéx \n😀", max_size=20))
@example("a?|b", "baé")
@example("", "aé😀")
@example("\\b|(é)", " a é😀 b")
@example("(?:(a)|(b))*", "ba")
def test_patterns_are_pythons(pattern: str, text: str) -> None:
    found, captured, split, replaced, first = evaluate(
        """
        [regex::find_all(p, t), regex::captures_all(p, t), regex::split(p, t), regex::replace(p, t, "<$0>"),
         regex::find(p, t)]
        """,
        p=f"(?m){pattern}",
        t=text,
    )
    matches = theirs(pattern, text)
    assert found == [match.group() for match in matches]
    assert first == (found[0] if found else None)
    assert [(each["start"], each["end"]) for each in captured] == [match.span() for match in matches]
    assert [each["groups"] for each in captured] == [list(match.groups()) for match in matches]
    assert [each["named"] for each in captured] == [match.groupdict() for match in matches]
    ends = [0, *(match.end() for match in matches)]
    between = [text[end : match.start()] for end, match in zip(ends, matches, strict=False)] + [text[ends[-1] :]]
    assert split == between
    assert (
        replaced
        == "".join(f"{text}<{match.group()}>" for text, match in zip(between, matches, strict=False)) + between[-1]
    )


@given(TEXTS)
def test_an_escaped_text_matches_itself(text: str) -> None:
    assert evaluate("regex::find(regex::escape(t), `<${t}>`)", t=text) == text


def test_log_lines_have_levels_and_fields() -> None:
    active = Active(Limits(), seed=1, now_ms=NOW)
    run('log::trace("a"); log::dbg([1], #{b: blob(2, 255)}); log::error(1, #{c: #{d: ()}})', active)
    assert active.lines == [
        ("trace", "a", None),
        ("debug", "[1]", {"b": "ffff"}),
        ("error", "1", {"c": {"d": None}}),
    ]


def test_fields_that_are_too_large_are_cut_and_said() -> None:
    active = Active(Limits(log_line_bytes=1000), seed=1, now_ms=NOW)
    run('let text = "x"; text.pad(2000, "x"); log::info("big", #{text: text, n: 1})', active)
    assert active.lines == [("info", "big", {"(cut)": "fields of more than 1000 bytes: n (i64), text (string)"})]


@pytest.mark.parametrize(
    "source",
    [
        'json::parse("[" + "1,".repeated(200) + "1]")',
        'csv::rows("1,".repeated(200) + "1")',
        'csv::rows("1\\n".repeated(200))',
        'csv::parse("a\\n" + "1\\n".repeated(200))',
        'regex::find_all("x", "x".repeated(200))',
        'regex::split("x", "x".repeated(200))',
        'regex::captures_all("(x)", "x".repeated(40))',
        "crypto::random_bytes(200)",
    ],
)
def test_arrays_have_their_limit(source: str) -> None:
    helper = "fn repeated(n) { let all = ``; for i in 0..n { all += this; } all }"
    assert told(f"{helper}\n{source}", limits=Limits(array_items=100)).startswith("ErrorDataTooLarge: Size of array")


@pytest.mark.parametrize(
    "source",
    [
        "url::encode(long)",
        "url::query(#{a: long})",
        'regex::replace("é", long, long)',
        'regex::replace("é", long, |m| long)',
        "regex::escape(long + long)",
        "csv::format([[long, long]])",
        'template::render("{{a}}{{a}}", #{a: long})',
        'template::render("{{#n}}0123456789{{/n}}", #{n: (0..60).to_array()})',
    ],
)
def test_strings_have_their_limit(source: str) -> None:
    helper = "fn to_array() { let all = []; for n in this { all.push(n); } all }"
    error = told(f"{helper}\n{source}", limits=Limits(string_bytes=500), long="é" * 150)
    assert error.startswith("ErrorDataTooLarge: Length of string"), error


def test_what_is_done_is_paid_for() -> None:
    large: dict[str, Callable[[int], Any]] = {
        "regex::find_all(`[a-z]+`, large)": lambda n: "ab " * n,
        "csv::rows(large)": lambda n: "a,b\n" * n,
        "csv::format(large)": lambda n: [["a", "b"]] * n,
        "template::render(`{{#a}}{{.}}{{/a}}`, large)": lambda n: {"a": ["x"] * n},
        "template::render(large, #{a: 1})": lambda n: "{{a}}" * n,
        "url::parse_query(large)": lambda n: "a=1&" * n,
        "json::parse(large)": lambda n: "[" + "1," * n + "1]",
    }
    for source, make in large.items():
        assert told(source, large=make(100_000), limits=Limits(operations=2_000)).startswith("ErrorTooMany"), source
        evaluate(source, large=make(10))


@pytest.mark.parametrize(
    ("template", "values", "filled"),
    [
        ("a\n{{! x }}\nb", {}, "a\nb"),
        ("a\r\n  {{! x }}  \r\nb", {}, "a\r\nb"),
        ("a {{! x }}\nb", {}, "a \nb"),
        ("{{#l}}\n- {{.}}\n{{/l}}\n", {"l": [1, 2]}, "- 1\n- 2\n"),
        ("  {{#t}}x{{/t}}\n", {"t": True}, "  x\n"),
        ("{{#t}}\nx{{/t}}", {"t": True}, "x"),
        ("{{#t}}x\n  {{/t}}", {"t": True}, "x\n"),
        (" > {{> p}}\n", {"v": "|"}, " > one |\ntwo\n\n"),
        (" {{> p}}\n>", {"v": "|\n|"}, " one |\n|\n two\n>"),
        ("{{#a}}{{#b}}{{c}}{{/b}}{{/a}}", {"a": {"b": {}}, "c": 1, "b": 2}, "1"),
        ("{{a.c}}{{#b}}{{a.c}}{{/b}}", {"a": {"c": 1}, "b": {"a": {}}}, "1"),
        ("{{#a}}{{^b}}{{.}}{{/b}}{{/a}}", {"a": ["x", 1.5, True, False, None]}, "x1.5truefalse"),
    ],
)
def test_templates_are_mustaches(template: str, values: dict[str, Any], filled: str) -> None:
    options = {"missing": "empty", "partials": {"p": "one {{v}}\ntwo\n"}}
    assert evaluate("template::render(t, v, o)", t=template, v=values, o=options) == filled
