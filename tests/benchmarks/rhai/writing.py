"""Writes Rhai scripts of any length, as people write them: functions of many kinds and code that calls them."""

from __future__ import annotations

import random
from collections.abc import Iterator

_HEAD = """\
// Answers with the orders of a customer.
let customer = #{ name: "Ada", discount: 5 };
let orders = [12, 7, 42];
let total = 0;
for order in orders {
    total += order;
}
total -= total * customer.discount / 100;
let message = `${customer.name} owes ${total}`;
#{ message: message, total: total }
"""

_FUNCTIONS = [
    """\
// Adds up what {name} holds.
fn sum_{name}(values) {{
    let sum = 0;
    for value in values {{
        if value > {number} {{
            sum += value;
        }}
    }}
    sum
}}
total += sum_{name}(orders);
""",
    """\
fn describe_{name}(item) {{
    let text = `${{item.name}}: ${{item.{field}}}`;
    if item.{field} >= {number} && item.name != "{word}" {{
        text += " (many)";
    }} else if item.{field} == 0 {{
        text += " (none)";
    }}
    text
}}
print(describe_{name}(#{{ name: "{word}", {field}: total }}));
""",
    """\
fn classify_{name}(number) {{
    switch number {{
        0 => "none",
        1 | 2 | 3 => "few",
        {number} if number % 2 == 0 => throw `not a count: ${{number}}`,
        4..{number} => "{word}",
        _ => "many",
    }}
}}
for order in orders {{
    print(classify_{name}(order));
}}
""",
    """\
/// Validates a request's {field}.
fn validate_{name}(body) {{
    let errors = [];
    if type_of(body) != "map" {{
        throw #{{ status: 400, message: "expected an object" }};
    }}
    if "{field}" !in body {{
        errors.push("{field} is missing");
    }} else if body.{field}.len() > {number} {{
        errors.push(`{field} is longer than {number}: ${{body.{field}}}`);
    }}
    if body?.{word} != () && body.{word} < 1.5 {{
        errors += ["{word} is too small"];
    }}
    if !errors.is_empty() {{
        throw #{{ status: 422, errors: errors }};
    }}
}}
validate_{name}(#{{ {field}: "{word}", {word}: 2.5 }});
""",
    """\
fn group_{name}(rows) {{
    let groups = #{{}};
    for (row, index) in rows {{
        let key = row.{field}.to_string();
        if key in groups {{
            groups[key].push(index);
        }} else {{
            groups[key] = [index];
        }}
    }}
    groups
}}
let {name} = group_{name}([#{{ {field}: customer.name }}]);
""",
    """\
fn search_{name}(list, wanted) {{
    let low = 0;
    let high = list.len - 1;
    while low <= high {{
        let middle = (low + high) / 2;
        let found = list[middle];
        if found == wanted {{
            return middle;
        }}
        if found < wanted {{
            low = middle + 1;
        }} else {{
            high = middle - 1;
        }}
    }}
    -1
}}
print(search_{name}([1, 5, {number}], 5));
""",
    """\
fn {name}_above(items, limit) {{
    items
        .filter(|item| item.{field} > limit)
        .map(|item| #{{ {word}: item.{field} * {number}, name: item.name.to_upper() }})
}}
let {name} = {name}_above([#{{ {field}: {number}, name: "{word}" }}], 3);
""",
    """\
private fn retry_{name}(action, attempts) {{
    let last = ();
    loop {{
        try {{
            return action.call({number}, "{word}");
        }} catch (error) {{
            last = error;
            attempts -= 1;
        }}
        if attempts == 0 {{ break; }}
    }}
    throw last;
}}
print(retry_{name}(|number, word| number, 3));
""",
    """\
fn distance_{name}(a, b) {{
    let dx = a.x - b.x;
    let dy = a.y - b.y;
    (dx * dx + dy * dy).sqrt() * {number}.5
}}
print(distance_{name}(#{{ x: 1.0, y: 2.0 }}, #{{ x: 4.0, y: 6.0 }}));
""",
    """\
fn page_{name}(title, rows) {{
    let html = `<h1>${{title}}</h1>\\n<ul class="{word}">`;
    let i = 0;
    while i < rows.len() && i < {number} {{
        let row = rows[i];
        html += `<li>${{i + 1}}. ${{row.{field} ?? "-"}}</li>`;
        i += 1;
    }}
    html + "</ul>"
}}
print(page_{name}("{word}", [#{{ {field}: "{word}" }}]));
""",
]

_STATEMENTS = [
    "let {name} = orders.len() * {number};\n",
    "let {name} = [1, 2, {number}].map(|value| value * {number});\nprint(`{word}: ${{{name}.len()}}`);\n",
    'const {NAME} = {number};\nlet {name} = #{{ name: "{word}", {field}: {NAME}, tags: ["a", "b"] }};\n',
    "let {name} = {number};\nif {name} % 2 == 0 {{\n    {name} /= 2;\n}} else {{\n    {name} = 3 * {name} + 1;\n}}\n",
    "let {name} = [];\nfor i in 0..{number} {{\n    {name}.push(i * i);\n}}\n",
]
_WORDS = ["amount", "bread", "colour", "depth", "edge", "flower", "garden", "height", "island", "journey", "ladder"]


def script(lines: int, seed: int = 1) -> str:
    """Return a script of so many lines; the same for the same arguments."""
    source, chance = "", random.Random(seed)
    pieces = _pieces(chance)
    left = lines - _HEAD.count("\n")
    while left > 0:
        piece = next(each for each in pieces if each.count("\n") <= left)
        source += piece
        left -= piece.count("\n")
    return _HEAD.replace("#{ message", source + "#{ message")


def _pieces(chance: random.Random) -> Iterator[str]:
    number = 0
    while True:
        kinds = [*_FUNCTIONS, *_STATEMENTS]
        chance.shuffle(kinds)
        for kind in kinds:
            number += 1
            name = f"{chance.choice(_WORDS)}_{number}"
            word, field = chance.sample(_WORDS, 2)
            yield kind.format(
                name=name,
                NAME=name.upper(),
                number=chance.randrange(5, 1000),
                word=word,
                field=field,
            )
