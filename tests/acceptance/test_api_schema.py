"""The OpenAPI document is true: generated requests get no answer that it doesn't describe."""

from __future__ import annotations

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.acceptance.platform import Platform

SETTINGS = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


def test_the_api_does_what_its_document_says(platform: Platform) -> None:
    platform.deploy("demo", "hello", '"hi"', "GET /hello")
    document = platform.api("GET", "/openapi.json").json
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=platform.url)
    headers = {"Authorization": f"Bearer {platform.token}"}
    tried = 0
    for found in schema.get_all_operations():
        operation = found.ok()

        @SETTINGS
        @given(case=operation.as_strategy())
        def conforms(case: schemathesis.Case) -> None:
            case.call_and_validate(headers=headers, checks=CHECKS)

        conforms()
        tried += 1
    assert tried == sum(len(methods) for methods in document["paths"].values())
    assert platform.api("GET", "/me").status == 200, "the API still stands"
