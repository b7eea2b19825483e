"""Every event type there is, under the name that the log keeps for ever.

A type is never changed, only given further fields with defaults, or upcast by the mapper; its class may move.
"""

from __future__ import annotations

from typing import Final

from picloud.domain import (
    access,
    app,
    invocation,
    kv,
    mail,
    message,
    node,
    quota,
    reaction,
    rebuild,
    replay_job,
    retention,
    route,
    script,
    tick,
    trigger,
    vault,
)

EVENT_TYPES: Final[dict[str, type]] = {
    event.__name__: event
    for event in (
        app.AppCreated,
        app.AppRemoved,
        app.AppRestored,
        app.AppEgressChanged,
        script.ScriptCreated,
        script.ScriptDeployed,
        script.ScriptRolledBack,
        script.ScriptDisabled,
        script.ScriptEnabled,
        script.ScriptRemoved,
        route.RouteAdded,
        route.RouteChanged,
        route.RouteConfigured,
        route.RouteRemoved,
        trigger.TriggerCreated,
        trigger.TriggerChanged,
        trigger.TriggerPaused,
        trigger.TriggerResumed,
        trigger.TriggerRemoved,
        tick.TickSkipped,
        reaction.ReactionSkipped,
        access.TokenIssued,
        access.TokenRevoked,
        invocation.Requested,
        invocation.Started,
        invocation.AttemptFailed,
        invocation.Succeeded,
        invocation.DeadLettered,
        invocation.Cancelled,
        invocation.Replayed,
        invocation.Discarded,
        retention.DeadLettersPurged,
        message.MessagePublished,
        mail.MailQueued,
        mail.MailAttemptFailed,
        mail.MailSent,
        mail.MailFailed,
        mail.MailKept,
        mail.MailCancelled,
        mail.MailRequeued,
        replay_job.ReplayJobStarted,
        replay_job.ReplayJobAdvanced,
        replay_job.ReplayJobPaused,
        replay_job.ReplayJobResumed,
        replay_job.ReplayJobAborted,
        replay_job.ReplayJobFinished,
        kv.KeyWritten,
        kv.KeyDeleted,
        kv.KeyIncremented,
        kv.KeyAppended,
        quota.QuotaSet,
        node.NodeStarted,
        node.NodeStopped,
        node.NodeLost,
        rebuild.RebuildRequested,
        rebuild.RebuildFinished,
        rebuild.RebuildFailed,
        vault.VaultKeyAdded,
    )
}

AGGREGATES: Final[dict[type, type]] = {
    app.AppCreated: app.App,
    script.ScriptCreated: script.Script,
    route.RouteAdded: route.Route,
    trigger.TriggerCreated: trigger.Trigger,
    access.TokenIssued: access.AccessToken,
}
"""The aggregate that each founding event makes."""
