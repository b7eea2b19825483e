"""Scripts that gather memory, each in its own way, without an end."""

from __future__ import annotations

from typing import Final

HOARDING: Final = {
    "arrays of an array": "let a = []; a.pad(900000, 1); let all = []; loop { let b = a; b[0] = 2; all.push(b); }",
    "arrays doubled": "let all = []; loop { let a = [1]; for i in 0..19 { a += a; } all.push(a); }",
    "arrays of numbers": "let all = []; loop { let a = []; for i in 0..100000 { a.push(i * 1000); } all.push(a); }",
    "one array many times, then each its own": (
        "let a = []; a.pad(900000, 1); let all = []; all.pad(900000, a); for i in 0..900000 { all[i][0] = i; }"
    ),
    "strings doubled": (
        "let all = []; let n = 0; loop { let s = `${n}`; n += 1; while s.len < 4000000 { s += s; } all.push(s); }"
    ),
    "strings of wide characters": (
        'let all = []; let n = 0; loop { let s = `${n}`; n += 1; s.pad(8000000, "a"); s += "\U0001f600"; all.push(s); }'
    ),
    "wide characters replaced": (
        'let s = "\U0001f600"; s.pad(8000000, "ab"); loop { s.replace("a", "c"); s.replace("c", "a"); s.split("b"); }'
    ),
    "wide strings split": (
        'let s = "\U0001f600"; s.pad(8000000, "ab"); let all = []; loop { all.push(s.split("b", 900000)); }'
    ),
    "strings in characters": 'let s = ""; s.pad(900000, "ab"); let all = []; loop { all.push(s.to_chars()); }',
    "maps": "let all = []; let n = 0; loop { let m = #{}; for i in 0..50000 { m[`${n}`] = n; n += 1; } all.push(m); }",
    "maps of maps": "let m = #{}; let n = 0; loop { m = #{a: m, b: [n], c: `${n}`}; n += 1; }",
    "maps copied": (
        "let m = #{}; for i in 0..200000 { m[`${i}`] = i; } let all = []; loop { let n = m; n.a = 1; all.push(n); }"
    ),
    "closures that capture": (
        "let all = []; loop { let x = [1, 2, 3]; all.push(|| x.push(1)); if all.len > 900000 { all = [all]; } }"
    ),
    "closures in circles": "loop { let x = [1, 2, 3, 4, 5, 6, 7, 8]; x.pad(1000, 1); let f = || x; x[0] = f; }",
    "maps in circles": "loop { let m = #{}; let f = || m; m.f = f; m.a = []; m.a.pad(1000, 5); }",
    "recursion with large values": (
        "fn f(n) { let a = []; a.pad(900000, n); if n > 0 { f(n - 1) + a[0] } else { 0 } } f(60)"
    ),
    "recursion that copies": (
        "fn f(a, n) { a[0] = n; if n > 0 { f(a, n - 1); } a } let a = []; a.pad(900000, 0); f(a, 60); loop {}"
    ),
    "errors that hold values": (
        "let all = []; loop { try { let a = []; a.pad(100000, 1); throw a; } catch (e) { e[0] = 2; all.push(e); } }"
    ),
    "code by eval": "let all = []; let n = 0; loop { n += 1; eval(`let v${n} = [${n}]; all.push(|| ${n});`); }",
    "variables by eval": 'let n = 0; loop { n += 1; eval(`let v${n} = "x"; v${n}.pad(10000, "y");`); }',
    "pointers": "let all = []; let n = 0; loop { n += 1; all.push(Fn(`f${n}`)); if all.len > 900000 { all = [all]; } }",
    "pointers curried": "let f = |x| x; let n = 0; loop { n += 1; f = f.curry([n]); }",
    "blobs": "let all = []; loop { all.push(blob(900000, 7)); }",
    "blobs as arrays": "let b = blob(900000, 200); let all = []; loop { all.push(b.to_array()); }",
    "JSON": (
        'let s = "["; s.pad(7000000, "[1],"); s += "1]"; s = `{"a": ${s}}`; let all = []; '
        "loop { all.push(parse_json(s)); }"
    ),
    "JSON by the language's parser": (
        'let s = `{"a": [`; s.pad(7000000, "\'c\',"); s += `1]}`; let all = []; loop { all.push(parse_json(s)); }'
    ),
    "JSON written": (
        "let a = []; a.pad(900000, 1234567); let m = #{a: a}; let all = []; loop { all.push(m.to_json()); }"
    ),
    "texts of arrays": "let a = []; a.pad(900000, 12345); let all = []; loop { all.push(a.to_string()); }",
    "sorting": (
        "let a = []; for i in 0..900000 { a.push(i * 7919 % 1000003); } let all = []; loop { all.push(a.order()); }"
    ),
    "sorting with a closure": (
        "let a = []; for i in 0..900000 { a.push(i * 7919 % 1000003); } let all = []; "
        "loop { all.push(a.order(|x, y| x - y)); }"
    ),
    "printing": 'let s = ""; s.pad(8000000, "x"); loop { print(s); }',
    "ranges": "let all = []; loop { all.push(0..all.len); if all.len > 900000 { all = [all]; } }",
    "timestamps": "let all = []; loop { all.push(timestamp()); if all.len > 900000 { all = [all]; } }",
    "deep arrays": "let a = []; loop { a = [a]; }",
    "long names": 'let s = ""; s.pad(4000000, "x"); let m = #{}; let n = 0; loop { n += 1; m[`${n}${s}`] = 1; }',
    "shared arrays": (
        "let all = []; loop { let a = []; let f = || a.push(1); for i in 0..10000 { f.call(); } all.push(f); }"
    ),
    "mapping": "let a = []; a.pad(900000, 1); let all = []; loop { all.push(a.map(|x| [x])); }",
    "zipping": "let a = []; a.pad(900000, 1); let all = []; loop { all.push(a.zip(a, |x, y| [x, y])); }",
    "a function's own variables": (
        "fn f() { let a = []; a.pad(900000, 1); let g = || a; g } let all = []; loop { all.push(f()); }"
    ),
}
"""Scripts by what they gather. The numbers in them fit the platform's limits."""
