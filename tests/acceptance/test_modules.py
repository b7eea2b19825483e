"""Scripts of one app import each other, each in the version that was there when the importing one was deployed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.acceptance.platform import Platform

LIBRARY = 'const GREETING = "Hello"; fn hello(name) { `${global::GREETING}, ${name}!` } fn fails() { nothing_here }'
MAIN = 'import "greetings" as greetings; greetings::hello(ctx.request.params.name)'


def put(platform: Platform, app: str, name: str, source: str, **more: Any) -> Any:
    """The answer to a deploy."""
    answer = platform.api("PUT", f"/apps/{app}/scripts/{name}", {"source": source, **more})
    assert answer.status in (200, 201), answer.text
    return answer.json


def said(platform: Platform, path: str) -> str:
    """What a call answers."""
    return platform.call("GET", f"/apps/{path}").text


def cli(platform: Platform, *arguments: str) -> str:
    """What a command says."""
    done = platform.run(*arguments)
    return done.stdout + done.stderr


def test_a_library_that_changes_changes_nobody_until_they_are_deployed_again(platform: Platform) -> None:
    platform.deploy("library", "greetings", LIBRARY)
    platform.deploy("library", "main", MAIN, "GET /{name}")
    assert said(platform, "library/Anna") == "Hello, Anna!"
    told = put(platform, "library", "greetings", LIBRARY.replace("Hello", "Goodbye"))
    assert told["dependents"] == [{"script": "main", "version": 1, "uses": 1, "was": None}]
    assert said(platform, "library/Anna") == "Hello, Anna!"
    # The same source on other imports is another version.
    again = put(platform, "library", "main", MAIN)
    assert (again["version"], again["changed"], again["imports"]) == (2, True, [{"script": "greetings", "version": 2}])
    assert said(platform, "library/Anna") == "Goodbye, Anna!"
    assert put(platform, "library", "main", MAIN)["changed"] is False
    platform.api("POST", "/apps/library/scripts/main/rollback", {"version": 1})
    assert said(platform, "library/Anna") == "Hello, Anna!"
    versions = platform.api("GET", "/apps/library/scripts/main/versions").json["items"]
    assert [each["imports"] for each in versions] == [
        [{"script": "greetings", "version": 2}],
        [{"script": "greetings", "version": 1}],
    ]


def test_who_imports_a_script_moves_on_with_it_in_one_step(platform: Platform) -> None:
    put(platform, "chain", "base", "fn n() { 1 }")
    put(platform, "chain", "middle", 'fn n() { import "base" as b; b::n() * 10 }')
    put(platform, "chain", "top", 'import "middle" as m; import "base" as b; [m::n(), b::n()]', routes=["GET /top"])
    put(platform, "chain", "aside", "1")
    first = put(platform, "chain", "base", "fn n() { 2 }")
    assert [(each["script"], each["uses"]) for each in first["dependents"]] == [("middle", 1), ("top", 1)]
    assert said(platform, "chain/top") == "[10,1]"
    moved = put(platform, "chain", "base", "fn n() { 2 }", dependents=True)
    assert moved["changed"] is False
    assert moved["dependents"] == [
        {"script": "middle", "version": 2, "uses": 2, "was": 1},
        {"script": "top", "version": 2, "uses": 2, "was": 1},
    ]
    assert said(platform, "chain/top") == "[20,2]"
    top = platform.api("GET", "/apps/chain/scripts/top/versions").json["items"][0]
    assert top["imports"] == [{"script": "base", "version": 2}, {"script": "middle", "version": 2}]
    back = platform.api("POST", "/apps/chain/scripts/base/rollback", {"version": 1, "dependents": True}).json
    assert [(each["script"], each["version"], each["uses"]) for each in back["dependents"]] == [
        ("middle", 3, 1),
        ("top", 3, 1),
    ]
    assert said(platform, "chain/top") == "[10,1]"


def test_the_command_line_tells_who_still_uses_the_older_version(platform: Platform, tmp_path: Path) -> None:
    library, main = tmp_path / "tools.rhai", tmp_path / "uses.rhai"
    library.write_text("fn n() { 1 }")
    main.write_text('import "tools" as tools; tools::n()')
    for file in (library, main):
        cli(platform, "deploy", str(file), "--app", "tooling")
    library.write_text("fn n() { 2 }")
    told = cli(platform, "deploy", str(library), "--app", "tooling")
    assert "tooling/uses version 1 still uses tools 1" in told
    remedy = f"picloud deploy {library} --app tooling --dependents"
    assert f"To have them use tools 2: {remedy}" in told
    moved = cli(platform, *remedy.split()[1:])
    assert "deployed tooling/uses version 2, which uses tools 2" in moved
    # It was seen, so that it can be deployed again without a word about others.
    main.write_text('import "tools" as tools; tools::n() + 1')
    assert "deployed tooling/uses version 3" in cli(platform, "deploy", str(main), "--app", "tooling")
    back = cli(platform, "rollback", "tooling/tools", "1")
    assert "tooling/uses version 3 still uses tools 2" in back


def test_what_was_not_there_at_the_deploy_is_what_is_there_at_the_run(platform: Platform) -> None:
    main = 'let name = "lat" + ctx.request.query.end; import name as late; late::n()'
    literal = 'import "later" as late; late::n()'
    assert put(platform, "late", "main", main, routes=["GET /main"])["imports"] == []
    assert put(platform, "late", "literal", literal, routes=["GET /literal"])["imports"] == []
    for number in (1, 2):
        assert put(platform, "late", "later", f"fn n() {{ {number} }}")["dependents"] == []
        assert said(platform, "late/literal") == said(platform, "late/main?end=er") == str(number)


def test_a_removed_library_is_still_there_for_who_was_deployed_with_it(platform: Platform) -> None:
    put(platform, "removed", "library", "fn n() { 1 }")
    put(platform, "removed", "main", 'import "library" as l; l::n()', routes=["GET /"])
    platform.api("DELETE", "/apps/removed/scripts/library")
    assert said(platform, "removed/") == "1"


def test_there_is_nothing_to_import_from_another_app(platform: Platform) -> None:
    platform.deploy("library", "secret", "fn secret() { 1 }")
    platform.deploy("nosy", "main", 'import "secret" as s; s::secret()', "GET /")
    answer = platform.call("GET", "/apps/nosy/")
    failed = platform.api("GET", f"/invocations/{answer.headers['picloud-invocation']}").json
    assert answer.status == 500
    assert failed["attempts"][-1]["error"]["kind"] == "ErrorModuleNotFound"


def test_an_error_of_a_module_names_it(platform: Platform) -> None:
    platform.deploy("library", "greetings", LIBRARY)
    platform.deploy("library", "broken", 'import "greetings" as g;\ng::fails()', "GET /broken/now")
    answer = platform.call("GET", "/apps/library/broken/now")
    failed = platform.api("GET", f"/invocations/{answer.headers['picloud-invocation']}").json
    error = failed["attempts"][-1]["error"]
    assert error["kind"] == "ErrorVariableNotFound"
    assert "fails" in error["call_stack"][0]
