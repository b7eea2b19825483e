"""Every command of ``picloud``, in the order in which help shows them."""

from __future__ import annotations

from typing import Final

import click

from picloud import __version__
from picloud.cli.lazy import Entry, LazyGroup

SECTIONS: Final[dict[str, list[Entry]]] = {
    "Run it": [
        Entry("up", "picloud.cli.up", "Start everything: database, HTTP, executors, manager."),
        Entry("doctor", "picloud.cli.doctor", "Say what is wrong with this installation, and how to mend it."),
        Entry("migrate", "picloud.cli.migrate", "Bring the database's schema up to this version."),
        Entry("config", "picloud.cli.config", "Show every setting of the installation, or set those of an app."),
        Entry("version", "picloud.cli.version", "Show the versions of PiCloud and of what it stands on."),
    ],
    "Write scripts": [
        Entry("check", "picloud.cli.check", "Compile a script without a server, and show what is wrong with it."),
        Entry("fmt", "picloud.cli.fmt", "Format scripts."),
        Entry("deploy", "picloud.cli.deploy", "Upload a script, and point routes to it."),
        Entry("apps", "picloud.cli.scripts:apps", "List apps."),
        Entry("scripts", "picloud.cli.scripts:scripts", "List an app's scripts."),
        Entry("routes", "picloud.cli.routes", "List routes; say who may call one, how often, from which pages."),
        Entry("egress", "picloud.cli.egress", "List what scripts may call over the network; allow more, or less."),
        Entry("triggers", "picloud.cli.triggers", "List triggers; set, pause, resume, fire or remove one."),
        Entry("secrets", "picloud.cli.secrets", "List an app's secrets; set, rotate or remove one."),
        Entry("publish", "picloud.cli.messages:publish", "Publish a message to a topic."),
        Entry("send", "picloud.cli.messages:send", "Send messages to a queue."),
        Entry("topics", "picloud.cli.messages:topics", "List who subscribes to what, and what was published."),
        Entry("queues", "picloud.cli.queues", "List queues with their depths; purge one."),
        Entry("kv", "picloud.cli.keys", "Look into an app's keys and values; their history."),
        Entry("quotas", "picloud.cli.keys:quotas", "What an app keeps, and may keep."),
        Entry("users", "picloud.cli.users", "List an app's users; create, disable, sign out or remove one."),
        Entry("files", "picloud.cli.files", "Put, get, list or remove an app's files."),
        Entry("site", "picloud.cli.site", "Deploy a folder as an app's static site."),
        Entry("docs", "picloud.cli.docs", "List collections; find and change documents, indexes, schemas."),
        Entry("versions", "picloud.cli.scripts:versions", "List a script's versions."),
        Entry("rollback", "picloud.cli.scripts:rollback", "Make an earlier version current again."),
        Entry("pull", "picloud.cli.scripts:pull", "Print a version's source."),
        Entry("disable", "picloud.cli.scripts:disable", "Refuse calls of a script, with a reason."),
        Entry("enable", "picloud.cli.scripts:enable", "Take calls of a script again."),
        Entry("remove", "picloud.cli.scripts:remove", "Take a script or an app out of service."),
    ],
    "See what happens": [
        Entry("logs", "picloud.cli.invocations:logs", "Show what scripts printed and logged; -f follows."),
        Entry("invocations", "picloud.cli.invocations:invocations", "List an app's invocations."),
        Entry("invocation", "picloud.cli.invocations:invocation", "Show one invocation whole."),
        Entry("invoke", "picloud.cli.invocations:invoke", "Run a script without a route."),
        Entry("replay", "picloud.cli.invocations:replay", "Run an ended invocation's input again."),
        Entry("dead-letters", "picloud.cli.dead_letters", "List what used up its attempts, or show one."),
        Entry("replays", "picloud.cli.replays", "Replay many dead letters by a job, or list jobs."),
        Entry("discard", "picloud.cli.dead_letters:discard", "Give a dead letter up, with a reason."),
        Entry("cancel", "picloud.cli.cancel", "Call an invocation off, or many."),
        Entry("mails", "picloud.cli.mails", "List what scripts sent by mail; look into it, send again."),
        Entry("events", "picloud.cli.invocations:events", "Show the audit trail."),
    ],
    "Look after it": [
        Entry("projections", "picloud.cli.projections", "List projections, or rebuild one."),
        Entry("nodes", "picloud.cli.nodes", "List nodes."),
        Entry("tokens", "picloud.cli.tokens", "List access tokens, issue one, or revoke one."),
        Entry("vault", "picloud.cli.vault", "Show the keys that secrets are sealed with; change the key."),
    ],
}
"""Sections of the help. A command is the object ``command`` of its module, unless ``module:object`` says otherwise."""

picloud = LazyGroup(
    "picloud",
    sections=SECTIONS,
    help="Upload a Rhai script, get an HTTP endpoint, on an event log.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
click.version_option(__version__, "--version", prog_name="PiCloud", message="%(prog)s %(version)s")(picloud)
