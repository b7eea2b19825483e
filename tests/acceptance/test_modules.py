"""Scripts of one app import each other."""

from __future__ import annotations

from tests.acceptance.platform import Platform

LIBRARY = 'const GREETING = "Hello"; fn hello(name) { `${global::GREETING}, ${name}!` } fn fails() { nothing_here }'
MAIN = 'import "greetings" as greetings; greetings::hello(ctx.request.params.name)'


def test_a_script_imports_another_one_of_its_app_as_it_is_deployed_now(platform: Platform) -> None:
    platform.deploy("library", "greetings", LIBRARY)
    platform.deploy("library", "main", MAIN, "GET /{name}")
    assert platform.call("GET", "/apps/library/Anna").text == "Hello, Anna!"
    platform.deploy("library", "greetings", LIBRARY.replace("Hello", "Goodbye"))
    assert platform.call("GET", "/apps/library/Anna").text == "Goodbye, Anna!"


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
