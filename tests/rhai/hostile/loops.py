"""Scripts that hold up all else by what they do, each for all sizes of its values.

`N`, `S` and `M` in them stand for the greatest sizes of arrays, strings and maps.
"""

from __future__ import annotations

from typing import Final

from picloud.rhai import Limits

_LOOPS: Final = {
    "empty loop": "loop {}",
    "counting": "let i = 0; while true { i += 1; }",
    "from cheap to dear": (
        'let a = "x"; for i in 0..100000 {} loop { try { a.foo(1, 2, 3); } catch (e) { e.message } }'
    ),
    "errors caught": "for i in 0..100000 {} loop { try { throw 1; } catch { } }",
    "errors of natives": "for i in 0..100000 {} loop { try { [1][5]; } catch (e) { } }",
    "errors in deep calls": (
        "fn f(n) { if n == 0 { throw [1] } else { f(n - 1) } } for i in 0..100000 {} loop { try { "
        "f(50); } catch (e) { } }"
    ),
    "natives without an end": "for i in 0..100000 {} loop { 'x'.to_upper(); }",
    "methods on maps": "let m = #{f: |x| x}; for i in 0..100000 {} loop { m.f(1); }",
    "strings joined": 'let s = ""; loop { s += "abc"; if s.len > S - 9 { s = ""; } }',
    "strings doubled": 'loop { let s = "x"; while s.len < S / 2 { s += s; } }',
    "strings interpolated": 'let s = "x"; s.pad(S / 8, "x"); loop { let t = `${s}${s}${s}`; }',
    "an array doubled": "loop { let a = [1]; while a.len < N / 2 { a += a; } }",
    "arrays in arrays": "loop { let a = [1]; for i in 0..30 { a = [a, a]; a.len; } }",
    "arrays pushed": "let a = []; loop { a.push(a.len); if a.len >= N - 1 { a = []; } }",
    "arrays copied": "let a = []; a.pad(N, 1); loop { let b = a; b[0] = 2; }",
    "arrays of arrays copied": (
        "let a = []; for i in 0..500 { a.push([]); a[i].pad(N / 600, 1); } loop { let b = a; "
        "b[3][0] = 2; b = a; b.push(1); }"
    ),
    "arrays dropped": "loop { let a = []; a.pad(N, 1); }",
    "arrays of texts dropped": "loop { let a = []; for i in 0..N / 4 { a.push(`${i}`); } }",
    "maps filled": "loop { let m = #{}; for i in 0..M { m[`${i}`] = i; } }",
    "maps copied": "let m = #{}; for i in 0..M / 2 { m[`${i}`] = i; } loop { let n = m; n.a = 1; }",
    "maps compared": (
        "let m = #{}; for i in 0..M / 4 { m[`${i}`] = i; } let n = m; n.x = 1; m.x = 1; loop { m == n; }"
    ),
    "maps shown": "let m = #{}; for i in 0..M / 4 { m[`${i}`] = i; } loop { m.to_string(); }",
    "maps in maps shown": (
        "let m = #{}; for i in 0..300 { let n = #{}; for j in 0..M / 1000 { n[`${j}`] = j; } "
        "m[`${i}`] = n; } loop { `${m}`; }"
    ),
    "maps to JSON": "let m = #{}; for i in 0..M / 4 { m[`${i}`] = i; } loop { m.to_json(); }",
    "sorting with a closure": (
        "let a = []; for i in 0..N / 10 { a.push(i * 7919 % 100003); } loop { let b = a; b.sort(|x, y| x - y); }"
    ),
    "sorting with a dear closure": (
        "let a = []; for i in 0..1000 { a.push(i * 7919 % 1009); } "
        "loop { let b = a; b.sort(|x, y| { for i in 0..100 {} if x < y { -1 } else { 1 } }); }"
    ),
    "sorting": "let a = []; for i in 0..N / 2 { a.push(i * 7919 % 1000003); } loop { let b = a; b.sort(); }",
    "sorting texts": (
        "let a = []; for i in 0..N / 10 { a.push(`${i * 7919 % 1000003}`); } loop { let b = a; b.sort(); }"
    ),
    "mapping": "let a = []; a.pad(N, 1); loop { a.map(|x| x); }",
    "mapping in mapping": "let a = []; a.pad(1000, 1); loop { a.map(|x| a.filter(|y| y == x).len); }",
    "mapping to nothing": "let a = []; a.pad(N, 1); loop { a.all(|x| true); }",
    "folding to a text": 'let a = []; a.pad(1000, "x"); loop { a.reduce(|s, x| `${s}${x}`, ""); }',
    "searching": 'let a = []; a.pad(N, "x"); loop { a.index_of("y"); "y" in a; a.contains("y"); }',
    "searching texts": 'let s = ""; s.pad(S, "ab"); loop { s.index_of("ba!"); s.contains("x"); "x" in s; }',
    "searching texts the long way": (
        'let s = ""; s.pad(S / 2, "a"); let t = ""; t.pad(S / 4, "a"); t += "b"; loop { s.index_of(t); s.contains(t); }'
    ),
    "replacing the long way": (
        'let s = ""; s.pad(S / 2, "a"); let t = ""; t.pad(S / 4, "a"); t += "b"; '
        'loop { s.replace(t, "x"); s.split(t); }'
    ),
    "replacing": 'let s = ""; s.pad(S, "ab"); loop { s.replace("a", "c"); s.replace("c", "a"); }',
    "replacing by more": 'loop { let s = ""; s.pad(S / 8, "ab"); s.replace("a", "cdefghi"); }',
    "splitting": 'let s = ""; s.pad(S / 8, "ab,"); loop { s.split(","); }',
    "splitting into characters": 'let s = ""; s.pad(S / 16, "ab,"); loop { s.to_chars(); s.split(""); }',
    "characters": 'let s = ""; s.pad(S, "é"); for c in s { for d in s { } }',
    "indexing texts": 'let s = ""; s.pad(S / 2, "é"); loop { s[S / 2 - 3]; s[0..S / 2]; }',
    "setting characters": 'let s = ""; s.pad(S, "a"); loop { s[5] = \'b\'; }',
    "comparing texts": (
        'let s = ""; s.pad(S, "a"); let t = s + ""; t.pop(); t += "a"; loop { s == t; s < t; s != t; }'
    ),
    "comparing arrays": "let a = []; a.pad(N, 1); let b = []; b.pad(N, 1); loop { a == b; }",
    "comparing nested arrays": (
        "let a = []; for i in 0..500 { a.push([]); a[i].pad(N / 600, [1]); } let b = a; b.push(1); "
        "a.push(1); loop { a == b; }"
    ),
    "comparing deep arrays": "let a = [1]; let b = [1]; for i in 0..20000 { a = [a]; b = [b]; } loop { a == b; }",
    "showing deep arrays": "let a = [1]; for i in 0..20000 { a = [a]; } loop { a.to_string(); }",
    "dropping deep arrays": "loop { let a = [1]; for i in 0..50000 { a = [a]; } }",
    "switching": "let a = []; a.pad(N / 4, 1); loop { switch a { [1] => 1, _ => 2 } }",
    "ranges": "loop { for i in 0..9223372036854775807 { } }",
    "ranges searched": "loop { 5 in 0..9223372036854775807; (0..9223372036854775807).contains(7); }",
    "ranges stepped": "for i in range(0, 9223372036854775807, 3) { }",
    "bits": "for i in bits(-1) { for j in bits(i.to_int() ?? 5) { } } loop { 5.bits(); }",
    "blobs": "let b = blob(N, 7); loop { b.reverse(); b.extract(1); b.to_string(); b.to_array(); }",
    "blobs as texts": "let b = blob(N, 200); loop { b.as_string(); }",
    "numbers parsed": (
        'let s = ""; s.pad(S, "1"); loop { try { parse_int(s); } catch { } try { s.parse_float(); } catch { } }'
    ),
    "numbers parsed with a base": 'let s = ""; s.pad(S, "0"); loop { try { parse_int(s, 7); } catch { } }',
    "powers": "loop { try { 9223372036854775807 ** 9223372036854775807; } catch { } 1.0000001 ** 1e300; }",
    "shifts": "loop { 1 << 9223372036854775807; -1 >> 9223372036854775807; }",
    "JSON parsed": 'let s = `{"a": [`; s.pad(S / 8, "1,"); s += "1]}"; loop { try { parse_json(s); } catch { } }',
    "JSON texts parsed": 'let s = `{"a": "`; s.pad(S / 2, "x\\\\n"); s += `"}`; loop { parse_json(s); }',
    "JSON by the language's parser": (
        'let s = `{"a": [`; s.pad(S / 8, "\'c\',"); s += `1]}`; loop { try { parse_json(s); } catch { } }'
    ),
    "JSON with long comments": 'let s = ""; s.pad(S, "/*"); loop { try { parse_json(s); } catch { } }',
    "JSON with long texts": 'let s = "{`a"; s.pad(S - 1, "\\\\x41"); loop { try { parse_json(s); } catch { } }',
    "JSON of maps": (
        'let s = "{"; for i in 0..M / 100 { s += `"a${i}": {"b": 1},`; } s += `"z": \'c\'}`; loop { parse_json(s); }'
    ),
    "eval": 'loop { eval("1 + 1"); }',
    "eval of much": 'let s = ""; s.pad(S / 8, "1 + 1;\\n"); loop { try { eval(s); } catch { } }',
    "eval of a long number": 'let s = ""; s.pad(S, "1"); loop { try { eval(s); } catch { } }',
    "eval in eval": 'let s = "1"; loop { let t = "eval(\\"1\\")"; eval(t); }',
    "closures": "loop { let x = 1; let f = || x += 1; f.call(); }",
    "closures curried": "let f = |x| x; loop { f = f.curry(1); if f.to_string().len < 0 { break; } }",
    "pointers by long names": 'let s = ""; s.pad(S, "f"); loop { try { Fn(s).call(); } catch { } }',
    "keys that are long": (
        'let s = ""; s.pad(S / 4, "k"); let m = #{}; loop { m[s] = 1; s in m; m.remove(s); s[0] = '
        "'a'; s[0] = 'b'; }"
    ),
    "objects with methods": "let o = #{n: 0, inc: || this.n += 1}; loop { o.inc(); }",
    "calls": "fn f(n) { if n > 0 { f(n - 1); f(n - 1) } } loop { f(60) }",
    "calls by name": 'fn f(x) { x } loop { call(Fn("f"), 1); Fn("f").call(2); }',
    "is there a function": 'let s = ""; s.pad(S, "f"); loop { is_def_fn(s, 1); is_def_var(s); }',
    "printing": 'let s = ""; s.pad(S, "f"); loop { print(s); debug(s); }',
    "shown escaped": (
        'let s = ""; s.pad(S / 8, "é\\u0301"); loop { try { s.to_debug(); } catch { } [s].to_string(); }'
    ),
    "timestamps": "loop { timestamp().elapsed; timestamp() + 5; }",
    "splicing": (
        "let a = []; a.pad(N, 1); loop { a.splice(0, 1, [1, 2]); a.remove(0); a.insert(0, 1); a.shift(); a.pop(); }"
    ),
    "blobs spliced": "let b = blob(N, 1); loop { b.splice(0, 1, blob(1, 1)); b.insert(0, 7); b.remove(0); b.pop(); }",
    "draining": "loop { let a = []; a.pad(N, 1); a.drain(|x| x == 1); }",
    "duplicates": "let a = []; a.pad(N, 1); loop { let b = a; b.dedup(); }",
    "zipping": "let a = []; a.pad(N / 4, 1); loop { a.zip(a, |x, y| x + y); }",
    "a shared array": (
        "let a = []; a.pad(N / 2, 1); let f = || a.push(1); loop { f.call(); let b = a; b.push(1); a.pop(); }"
    ),
    "an array through a function": "fn f(a) { a[0] = 1; a } let a = []; a.pad(N, 0); loop { f(a); }",
    "an array in a map": "let m = #{a: []}; m.a.pad(N, 0); loop { let n = m; n.a[0] += 1; m = n; }",
    "sets": "let m = #{}; for i in 0..M / 2 { m[`${i}`] = (); } loop { for k in m.keys() { m.contains(k); } }",
    "merging": (
        "let m = #{}; for i in 0..M / 4 { m[`${i}`] = i; } loop { let n = m + m; n += m; n.mixin(m); n.fill_with(m); }"
    ),
    "values": "let m = #{}; for i in 0..M / 4 { m[`${i}`] = i; } loop { m.values(); m.keys(); m.map(|k, v| v); }",
    "throwing large values": "let a = []; a.pad(N, 1); loop { try { throw a; } catch (e) { e.len; } }",
    "large default values": 'let m = #{}; loop { m.a ?? "x"; m?.b?.c; }',
    "imports": 'loop { try { import "nothing" as m; } catch { } }',
}


def loops(limits: Limits, straight_lines: int = 2_000) -> dict[str, str]:
    """Return scripts by what they are about; some are so many lines of straight code."""
    sizes = {
        "N": f"const N = {limits.max_array_size};",
        "S": f"const S = {limits.max_string_size};",
        "M": f"const M = {limits.max_map_size};",
    }
    constants = "".join(sizes.values())
    scripts = {name: f"{constants} {source}" for name, source in _LOOPS.items()}
    straight = "x += 1; y = x * 2; z = a[0] + m.b; m.b = z % 7; a[1] = y; " * straight_lines
    texts = "s = `${x}${y}`; t = s.len + s.to_upper().len; a.len; m.keys(); s.split(`,`); " * straight_lines
    variables = "let x = 1; let y = 1.5; let z = 1; let a = [1, 2]; let m = #{b: 1}; let s = ``; let t = 0;"
    scripts["straight code"] = f"{variables} {straight}"
    scripts["straight code in a function"] = (
        f"fn f(x, y, z, a, m) {{ {straight} }} loop {{ f(1, 2, 3, [1, 2], #{{b: 1}}); }}"
    )
    scripts["straight code in a loop"] = f"{variables} for i in 0..100000 {{}} loop {{ {straight} }}"
    scripts["straight code of natives"] = f"{variables} for i in 0..100000 {{}} loop {{ {texts} }}"
    scripts["an error behind straight code"] = (
        f"{variables} fn f() {{ let x = 1; let y = 1; let z = 1; let a = [1, 2]; let m = #{{b: 1}}; "
        f"if x == 1 {{ {straight} }} "
        "for i in 0..100000 {} loop { try { throw 1; } catch { } } } f()"
    )
    for name, statement, times in (
        ("sums of texts", "s = `${x}${y}`; ", 9),
        ("sums of members", "z = a[0] + m.b; ", 12),
        ("calls", "s.to_upper(); m.keys(); ", 7),
        ("comparisons", "t = [x, y] == [y, x]; ", 14),
        ("mixed sums", "t = x + y; t = t + x; ", 15),
    ):
        scripts[f"{name}, too few to pay"] = f"{variables} for i in 0..100000 {{}} loop {{ {statement * times} }}"
    scripts["many cases"] = (
        "for i in 0..100000 {} let n = 0; loop { switch -1 { "
        + "".join(f"{i} => {{ n += 1; }}" for i in range(2 * straight_lines))
        + " } }"
    )
    scripts["many conditions"] = (
        "let n = 7; for i in 0..100000 {} loop { "
        + "".join(f"if n == {i + 10} {{ n = 5 }}" for i in range(2 * straight_lines))
        + " }"
    )
    scripts["a large literal"] = "for i in 0..100000 {} let x = 1; loop { [" + "x, " * (10 * straight_lines) + "]; }"
    scripts["a long text"] = "for i in 0..100000 {} let x = 1; loop { `" + "${x}" * (10 * straight_lines) + "`; }"
    scripts["many arguments"] = "fn f(x) { x } let x = 1; loop { " + "f(" * 20 + "x" + ")" * 20 + "; }"
    return scripts
