//! `devices/NAME/ping`, `/reboot` and `/restart`: commands that happen once, answered by the device.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::timeout;
use wasmbed_wire::CommandOutcome;

use super::status::Refusal;
use super::{GROUP_VERSION, Target};
use crate::connection::Service;
use crate::mailbox::{CommandAnswer, CommandOrder};
use crate::session::CommandKind;

/// Asks the device whether it answers.
pub(super) async fn ping(
    State(service): State<Arc<Service>>,
    path: Path<(String, String)>,
) -> Result<Json<Value>, Refusal> {
    command(&Target::find(&service, path, "ping")?, "ping", CommandKind::Ping).await
}

/// Has the device start anew.
pub(super) async fn reboot(
    State(service): State<Arc<Service>>,
    path: Path<(String, String)>,
) -> Result<Json<Value>, Refusal> {
    command(&Target::find(&service, path, "reboot")?, "reboot", CommandKind::Reboot).await
}

#[derive(Debug, Deserialize)]
pub(super) struct RestartQuery {
    application: String,
}

/// Has the device stop and start one guest: `?application=NAME`.
pub(super) async fn restart(
    State(service): State<Arc<Service>>,
    path: Path<(String, String)>,
    query: Result<Query<RestartQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Value>, Refusal> {
    let Query(query) = query.map_err(|rejection| Refusal::bad_request(rejection.body_text()))?;
    let target = Target::find(&service, path, "restart")?;
    let Some(app) = service.cluster.plan().app_named(&query.application) else {
        let message = format!("no application \"{}\" in this namespace", query.application);
        return Err(Refusal::bad_request(message));
    };
    command(&target, "restart", CommandKind::Restart(app)).await
}

async fn command(
    target: &Target,
    word: &'static str,
    kind: CommandKind,
) -> Result<Json<Value>, Refusal> {
    let Answered { answer, round_trip_ms } = ask(target, kind).await?;
    match answer.outcome {
        CommandOutcome::Done => {
            let outcome = answer.outcome.name();
            Ok(Json(result(target, word, outcome, &answer, round_trip_ms)))
        }
        outcome => Err(Refusal::command(&target.device.name, outcome)),
    }
}

/// What the device answered, and how long that took.
pub(super) struct Answered {
    pub(super) answer: CommandAnswer,
    pub(super) round_trip_ms: u64,
}

/// Has the device carry out a command, and waits for its answer.
pub(super) async fn ask(target: &Target, kind: CommandKind) -> Result<Answered, Refusal> {
    let name = &target.device.name;
    let session = target.device.session().ok_or_else(|| Refusal::no_session(name))?;
    let (sender, receiver) = oneshot::channel();
    let order = CommandOrder { kind, answer: sender };
    session.mailbox.command(order).map_err(|_| Refusal::busy(name))?;
    let asked = Instant::now();
    let wait = target.service.limits.command_timeout;
    match timeout(wait, receiver).await {
        Err(_) => Err(Refusal::timeout(name, wait.as_secs())),
        Ok(Err(_)) => Err(Refusal::session_ended(name)),
        Ok(Ok(answer)) => {
            let round_trip_ms = u64::try_from(asked.elapsed().as_millis()).unwrap_or(u64::MAX);
            Ok(Answered { answer, round_trip_ms })
        }
    }
}

/// The answer of a command that was carried out.
pub(super) fn result(
    target: &Target,
    word: &str,
    outcome: &str,
    answer: &CommandAnswer,
    round_trip_ms: u64,
) -> Value {
    let mut result = json!({
        "kind": "CommandResult",
        "apiVersion": GROUP_VERSION,
        "metadata": {
            "name": target.device.name,
            "namespace": target.service.cluster.namespace,
        },
        "command": word,
        "outcome": outcome,
        "uptimeMs": answer.uptime_ms,
        "roundTripMs": round_trip_ms,
    });
    if let Some(receivers) = answer.receivers {
        result["receivers"] = receivers.into();
    }
    result
}
