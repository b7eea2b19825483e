"""``picloud routes``: which paths lead to scripts, who may call them, how often, and from which pages."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import click

from picloud.cli import show
from picloud.cli.client import Client
from picloud.cli.lazy import ListingGroup
from picloud.cli.retries import retry_asked, with_retry_options
from picloud.cli.target import Target, with_target

_JSON = click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
_APP = click.argument("app")
_ROUTE = click.argument("route", metavar="'METHOD /PATH'")
_SECRET = click.option(
    "--secret-file", metavar="FILE", help="Holds the secret or password; - reads it from standard input."
)
_SCHEMES: Final = ("none", "key", "basic", "jwt", "github", "stripe", "hmac")
_NOTHING: Final = "none"


@click.group("routes", cls=ListingGroup)
def command() -> None:
    """List an app's routes; say who may call one, how often, from which pages; add or remove one.

    \b
      picloud routes demo
      picloud routes demo --add 'GET /hello/{name}' --script hello
      picloud routes set demo 'POST /hook' --auth github --secret-file secret.txt --rate 60/1m
      picloud routes show demo 'POST /hook'
      picloud routes issue demo 'GET /report' ada; picloud routes revoke demo 'GET /report' ada
    """


@command.command("list")
@_APP
@click.option("--add", metavar="'METHOD /PATH'", help="Add a route, to the script of --script.")
@click.option("--script", help="With --add: where it leads.")
@click.option("--durability", type=click.Choice(["outbox", "outcome"]), help="With --add.")
@click.option("--remove", metavar="'METHOD /PATH'", help="Remove a route, and its settings with it.")
@_JSON
@with_target
def listing(
    target: Target,
    app: str,
    add: str | None,
    script: str | None,
    durability: str | None,
    remove: str | None,
    as_json: bool,
) -> None:
    """List an app's routes, add one, or remove one."""
    client = Client(target)
    if add is not None:
        if script is None:
            raise click.UsageError("--add needs --script: where should the route lead?")
        content = {"route": add, "script": script, "durability": durability}
        click.echo(client.send("POST", "apps", app, "routes", content=content).json["url"])
        return
    if remove is not None:
        client.send("DELETE", "apps", app, "routes", query={"route": remove})
        click.echo(f"removed {remove} of {app}")
        return
    items = client.get("apps", app, "routes")["items"]
    if as_json:
        show.as_json(items)
        return
    rows = [
        (item["route"], item["script"], item["durability"], _auth(item["auth"]), _limits(item), item["url"])
        for item in items
    ]
    show.table(("route", "script", "durability", "auth", "limits", "url"), rows, empty=f"{app} has no routes")


@command.command("show")
@_APP
@_ROUTE
@_JSON
@with_target
def showing(target: Target, app: str, route: str, as_json: bool) -> None:
    """Show one route with all its settings; secrets are never shown."""
    items = Client(target).get("apps", app, "routes")["items"]
    found = next((item for item in items if item["route"] == " ".join(route.split())), None)
    if found is None:
        raise click.ClickException(f"there is no route {route!r} in {app}; see picloud routes {app}")
    if as_json:
        show.as_json(found)
        return
    _shown(found)


@command.command("set")
@_APP
@_ROUTE
@click.option("--script", help="Where it leads; needed to make a new route.")
@click.option("--durability", type=click.Choice(["outbox", "outcome"]), help="When a call is on disk.")
@click.option("--auth", type=click.Choice(_SCHEMES), help="How callers show who they are.")
@click.option("--credential", metavar="NAME", help="Of the key, user or secret to be added; 'default' if not given.")
@_SECRET
@click.option("--header", help="Where an API key or a signature is.")
@click.option("--query", help="The parameter of the query where an API key is.")
@click.option("--algorithm", type=click.Choice(["HS256", "RS256", "ES256"]), help="What signs the JWTs.")
@click.option("--key-file", metavar="FILE", help="The PEM public key or JWK Set for the JWTs; - is standard input.")
@click.option("--issuer", help="Who issues the JWTs (iss).")
@click.option("--audience", help="Whom the JWTs are for (aud).")
@click.option("--leeway", metavar="DURATION", help="How far clocks may be apart, for JWTs.")
@click.option("--timestamp-header", help="With --auth hmac: where the signed time is.")
@click.option("--window", metavar="DURATION", help="How old a signed request may be; 5m unless said otherwise.")
@click.option("--prefix", help="With --auth hmac: what stands before the signature, such as sha256=.")
@click.option("--encoding", type=click.Choice(["hex", "base64"]), help="With --auth hmac: of the signature.")
@click.option("--rate", metavar="COUNT/TIME", help="Such as 60/1m; 'none' takes the limit away.")
@click.option("--rate-by", metavar="WHAT", help="caller (the default), address, route or header:NAME.")
@click.option("--concurrency", metavar="N", help="Synchronous calls at a time; 'none' takes the limit away.")
@click.option("--cors", "origins", multiple=True, metavar="ORIGIN", help="May be repeated; '*' is all, 'none' no page.")
@click.option("--cors-header", multiple=True, metavar="NAME", help="What pages may send; may be repeated.")
@click.option("--cors-expose", multiple=True, metavar="NAME", help="What pages may read; may be repeated.")
@click.option("--cors-credentials", is_flag=True, help="Pages may send cookies and the like.")
@click.option("--cors-max-age", metavar="DURATION", help="How long browsers keep the answer to a preflight.")
@with_retry_options
@click.option("--timeout", metavar="DURATION", help="Wall time of one run; 'none' takes the limit away.")
@click.option("--operations", metavar="N", help="Operations of one run; 'none' takes the limit away.")
@click.option("--private/--not-private", default=None, help="Seal what is asked and answered in the log.")
@_JSON
@with_target
def setting(target: Target, app: str, route: str, as_json: bool, **options: Any) -> None:
    """Change what a route asks of callers, how often it is run and at which limits. What isn't named stays.

    A secret that is made is shown this once. One of your own comes from a file or from standard input.

    \b
      picloud routes set demo 'POST /hook' --auth stripe --secret-file -
      picloud routes set demo 'GET /report' --auth key --credential ada
      picloud routes set demo 'GET /me' --auth jwt --algorithm RS256 --key-file jwks.json --issuer https://id.example
      picloud routes set demo 'GET /me' --rate 60/1m --concurrency 4 --cors https://www.example.com
      picloud routes set demo 'POST /later' --attempts 5 --timeout 2s
    """
    content = {name: options[name] for name in ("script", "durability") if options[name] is not None}
    content |= _auth_asked(options) | _limits_asked(options) | _cors_asked(options)
    if retry := retry_asked(options):
        content["retry"] = retry
    if not content:
        raise click.UsageError("nothing to set; see picloud routes set --help")
    done = Client(target).send("PATCH", "apps", app, "routes", query={"route": route}, content=content).json
    if as_json:
        show.as_json(done)
        return
    _shown(done["route"])
    for issued in done["issued"]:
        _told_once(issued)


@command.command("issue")
@_APP
@_ROUTE
@click.argument("name")
@_SECRET
@_JSON
@with_target
def issue(target: Target, app: str, route: str, name: str, secret_file: str | None, as_json: bool) -> None:
    """Add a key, user or secret called NAME to a route; one that is there already gets another secret.

    Without a file the secret is made, and shown this once. Of secrets that sign two are live at a time: to change one,
    issue the new one, tell the sender, and revoke the old one.
    """
    content = {"name": name, "secret": _read(secret_file)}
    path = ("apps", app, "routes", "credentials")
    issued = Client(target).send("POST", *path, query={"route": route}, content=content).json
    if as_json:
        show.as_json(issued)
    elif issued["secret"] is None:
        click.echo(f"{name} of {route} is set")
    else:
        _told_once(issued)


@command.command("revoke")
@_APP
@_ROUTE
@click.argument("name")
@with_target
def revoke(target: Target, app: str, route: str, name: str) -> None:
    """Let a key, user or secret of a route open nothing any more."""
    Client(target).send("DELETE", "apps", app, "routes", "credentials", query={"route": route, "name": name})
    click.echo(f"{name} of {route} is revoked")


def _auth_asked(options: dict[str, Any]) -> dict[str, Any]:
    names = ("header", "query", "algorithm", "issuer", "audience", "leeway", "timestamp_header", "window", "prefix")
    rule = {name: options[name] for name in (*names, "encoding") if options[name] is not None}
    if options["key_file"] is not None:
        rule["key"] = _read(options["key_file"])
    scheme, credential = options["auth"], options["credential"]
    if scheme is None:
        if rule or credential or options["secret_file"]:
            raise click.UsageError("say --auth too; to add a key, user or secret there is picloud routes issue")
        return {}
    if scheme == _NOTHING:
        return {"auth": None}
    if credential is None and options["secret_file"] is not None:
        credential = "default"
    if credential is not None:
        rule["credentials"] = [{"name": credential, "secret": _read(options["secret_file"])}]
    return {"auth": {"scheme": scheme, **rule}}


def _limits_asked(options: dict[str, Any]) -> dict[str, Any]:
    asked: dict[str, Any] = {}
    rate, by = options["rate"], options["rate_by"]
    if by is not None and rate in (None, _NOTHING):
        raise click.UsageError("--rate-by needs --rate, such as --rate 60/1m")
    if rate is not None:
        asked["rate"] = None if rate == _NOTHING else {"limit": rate, **({"by": by} if by else {})}
    for name in ("concurrency", "operations"):
        if options[name] is not None:
            asked[name] = None if options[name] == _NOTHING else _whole(options[name], name)
    if options["timeout"] is not None:
        asked["timeout"] = None if options["timeout"] == _NOTHING else options["timeout"]
    if options["private"] is not None:
        asked["private"] = options["private"]
    return asked


def _cors_asked(options: dict[str, Any]) -> dict[str, Any]:
    origins = list(options["origins"])
    more = {
        "headers": list(options["cors_header"]) or None,
        "expose": list(options["cors_expose"]) or None,
        "credentials": options["cors_credentials"] or None,
        "max_age": options["cors_max_age"],
    }
    given = {name: value for name, value in more.items() if value is not None}
    if not origins:
        if given:
            raise click.UsageError("name the origins too: --cors https://www.example.com")
        return {}
    return {"cors": None if origins == [_NOTHING] else {"origins": origins, **given}}


def _whole(text: str, name: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise click.BadParameter(f"{text!r} is no whole number, and not 'none'", param_hint=f"--{name}")
    return int(text)


def _read(file: str | None) -> str | None:
    """What stands in a file, or on standard input, without the line's end."""
    if file is None:
        return None
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{file} can't be read: {error}") from None
    return text.rstrip("\r\n")


def _told_once(issued: dict[str, Any]) -> None:
    click.echo(f"{issued['name']}, shown this once:", err=True)
    click.echo(issued["secret"])


def _auth(auth: dict[str, Any] | None) -> str:
    return "open" if auth is None else f"{auth['scheme']}: {', '.join(auth['credentials']) or '-'}"


def _limits(item: dict[str, Any]) -> str:
    said = [f"{item['rate']['limit']} by {item['rate']['by']}"] if item["rate"] else []
    said += [f"{item['concurrency']} at a time"] if item["concurrency"] else []
    return ", ".join(said)


def _shown(item: dict[str, Any]) -> None:
    for name, value in item.items():
        if name in ("method", "path") or value is None or value is False:
            continue
        said = value
        if isinstance(value, dict):
            parts = {key: part for key, part in value.items() if part not in (None, [], False, "")}
            said = " ".join(
                f"{key}={','.join(part) if isinstance(part, list) else part}" for key, part in parts.items()
            )
        elif value is True:
            said = "yes"
        click.echo(f"{name:16}{said}")
