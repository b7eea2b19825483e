"""Static sites: settings, deployments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from picloud.domain.access import Role
from picloud.domain.site import CacheRule, Site, SiteSettings
from picloud.http.api.file_schemas import DeploymentIn, DeploymentOut, SiteIn, SiteOut
from picloud.http.api.operation import Operation, Reply, Request
from picloud.http.problems import Problem
from picloud.orchestrator.control import sites as control


def _show(request: Request) -> Reply:
    app = request.params["app"]
    return Reply(content=_told(request, app, control.site_of(request.context.control, app)))


def _configure(request: Request) -> Reply:
    app = request.params["app"]
    site = control.configure_site(request.context.control, request.command, app, _settings(request.body))
    return Reply(content=_told(request, app, site))


def _remove(request: Request) -> Reply:
    control.remove_site(request.context.control, request.command, request.params["app"])
    return Reply(status=204)


def _deploy(request: Request) -> Reply:
    app, body = request.params["app"], request.body
    files = [control.SiteFile(**file) for file in body["files"]]
    try:
        done = control.deploy_site(
            request.context.control, request.command, app, files, prefix=body["prefix"], dry_run=body["dry_run"]
        )
    except control.ContentsMissing as error:
        raise Problem(
            409, "contents-missing", error.message, field=error.field, remedy=error.remedy, missing=error.missing
        ) from error
    return Reply(
        content={
            "url": _url(request, app),
            "prefix": done.settings.prefix,
            "written": done.written,
            "deleted": done.deleted,
            "unchanged": done.unchanged,
            "files": done.files,
            "bytes": done.bytes,
            "missing": done.missing,
        }
    )


def _settings(given: Mapping[str, Any]) -> SiteSettings:
    rules = tuple(CacheRule(rule["pattern"], rule["value"]) for rule in given["cache"])
    return SiteSettings(
        prefix=given["prefix"],
        index=given["index"],
        fallback=given["fallback"],
        not_found=given["not_found"],
        cache=rules,
    )


def _told(request: Request, app: str, site: Site) -> dict[str, Any]:
    settings = site.settings
    assert settings is not None
    return {
        "url": _url(request, app),
        "prefix": settings.prefix,
        "index": settings.index,
        "fallback": settings.fallback,
        "not_found": settings.not_found,
        "cache": [{"pattern": rule.pattern, "value": rule.value} for rule in settings.cache],
        "deployed_at": site.deployed_at,
        "files": site.files,
        "bytes": site.bytes,
    }


def _url(request: Request, app: str) -> str:
    return f"{request.http.prefix}/apps/{app}/"


OPERATIONS: Final = [
    Operation(
        method="GET", path="/apps/{app}/site", summary="Show an app's site", tag="sites", role=Role.VIEWER,
        handler=_show, reply=SiteOut, problems=(404,),
    ),
    Operation(
        method="PUT", path="/apps/{app}/site", summary="Serve an app's files as a site", tag="sites", role=Role.EDITOR,
        handler=_configure, body=SiteIn, reply=SiteOut, problems=(404, 409),
    ),
    Operation(
        method="DELETE", path="/apps/{app}/site", summary="Serve an app's files no more; they stay", tag="sites",
        role=Role.EDITOR, handler=_remove, status=204, problems=(404, 409),
    ),
    Operation(
        method="POST", path="/apps/{app}/site/deployments", summary="Replace all files of a site in one commit",
        tag="sites", role=Role.EDITOR, handler=_deploy, body=DeploymentIn, reply=DeploymentOut, problems=(404, 409),
    ),
]  # fmt: skip
