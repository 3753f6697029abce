//! `devices/NAME/counters` and `devices/NAME/telemetry`: what the device counted and measured last.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::{Value, json};
use wasmbed_model::ids::uid_text;

use super::status::Refusal;
use super::{GROUP_VERSION, Target, time_text};
use crate::connection::Service;
use crate::registry::lock;

/// Samples that one answer holds at most; `nextSeq` goes on from there.
const SAMPLES_MAX: usize = 500;

/// The latest heartbeat of the session.
pub(super) async fn counters(
    State(service): State<Arc<Service>>,
    path: Path<(String, String)>,
) -> Result<Json<Value>, Refusal> {
    let target = Target::find(&service, path, "counters")?;
    let name = &target.device.name;
    let Some(session) = target.device.session() else { return Err(Refusal::no_session(name)) };
    let heartbeat = lock(&target.device.heartbeat).clone();
    let heartbeat = heartbeat.ok_or_else(|| Refusal::no_heartbeat(name))?;
    let counters = &heartbeat.facts.counters;
    let guests: Vec<Value> = heartbeat
        .facts
        .guests
        .iter()
        .map(|guest| {
            let mut counted = json!({
                "application": target.app_name(&guest.app),
                "uid": uid_text(&guest.app),
                "slices": guest.slices,
                "hostCalls": guest.host_calls,
                "restarts": guest.restarts,
            });
            // A board counts fuel where a limit is set; what was not counted is not shown.
            if let Some(fuel) = guest.fuel {
                counted["fuel"] = fuel.into();
            }
            counted
        })
        .collect();
    Ok(Json(json!({
        "kind": "DeviceCounters",
        "apiVersion": GROUP_VERSION,
        "metadata": { "name": name, "namespace": target.service.cluster.namespace },
        "epoch": session.epoch,
        "time": time_text(heartbeat.received_ms),
        "uptimeMs": heartbeat.facts.uptime_ms,
        "counters": {
            "rxBytes": counters.rx_bytes,
            "txBytes": counters.tx_bytes,
            "handshakes": counters.handshakes,
            "messages": counters.messages,
            "journalStores": counters.journal_stores,
            "logsDropped": counters.logs_dropped,
            "telemetryDropped": counters.telemetry_dropped,
            "slices": counters.slices,
            "traps": counters.traps,
            "arenaUsedBytes": counters.arena_used_bytes,
            "stackHighWaterBytes": counters.stack_high_water_bytes,
            "slotsFree": counters.slots_free,
            "messagesDropped": counters.messages_dropped,
        },
        "applications": guests,
    })))
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct TelemetryQuery {
    since_seq: Option<u64>,
    application: Option<String>,
    topic: Option<String>,
}

/// The samples that are still held.
pub(super) async fn telemetry(
    State(service): State<Arc<Service>>,
    path: Path<(String, String)>,
    query: Result<Query<TelemetryQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Value>, Refusal> {
    let Query(query) = query.map_err(|rejection| Refusal::bad_request(rejection.body_text()))?;
    let target = Target::find(&service, path, "telemetry")?;
    let page = {
        let ring = lock(&target.device.telemetry);
        let sequence = query.since_seq.unwrap_or_else(|| ring.tail(u64::MAX));
        ring.read(sequence, SAMPLES_MAX)
    };
    let mut samples = Vec::with_capacity(page.entries.len());
    for (sequence, entry) in &page.entries {
        let sample = &entry.sample;
        let application = target.app_name(&sample.app);
        let is_wanted = query.application.as_ref().is_none_or(|wanted| *wanted == application)
            && query.topic.as_deref().is_none_or(|wanted| *wanted == *sample.topic);
        if is_wanted {
            samples.push(json!({
                "seq": sequence,
                "time": time_text(entry.received_ms),
                "application": application,
                "uid": uid_text(&sample.app),
                "deviceSeq": sample.device_sequence,
                "uptimeMs": sample.uptime_ms,
                "topic": sample.topic,
                "value": sample.value,
            }));
        }
    }
    Ok(Json(json!({
        "kind": "DeviceTelemetry",
        "apiVersion": GROUP_VERSION,
        "metadata": { "name": target.device.name, "namespace": target.service.cluster.namespace },
        "dropped": page.dropped_count,
        "nextSeq": page.next_sequence,
        "samples": samples,
    })))
}
