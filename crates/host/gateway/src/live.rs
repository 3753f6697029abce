//! The live API: logs, counters, telemetry, messages and one-shot commands of the devices in session
//! here.
//!
//! An aggregated Kubernetes API: the API server has authenticated and authorized the user before it
//! forwards, and proves itself by its front-proxy certificate. Nobody else is served.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::StatusCode;
use serde_json::json;

use crate::connection::Service;
use crate::limits;
use crate::metrics;
use crate::registry::LiveDevice;

mod commands;
mod front_proxy;
mod log;
mod messages;
mod pages;
mod samples;
mod status;

pub(crate) use front_proxy::FrontProxy;
use status::Refusal;

/// Group and version of this API.
const GROUP_VERSION: &str = "live.wasmbed.github.io/v1alpha1";
/// Header with the user that the API server authenticated.
const REMOTE_USER: &str = "x-remote-user";

/// Every subresource: name, kind of what it answers, verbs.
const SUBRESOURCES: [(&str, &str, &[&str]); 7] = [
    ("log", "DeviceLog", &["get"]),
    ("counters", "DeviceCounters", &["get"]),
    ("telemetry", "DeviceTelemetry", &["get"]),
    ("messages", "DeviceMessages", &["create", "get"]),
    ("ping", "CommandResult", &["create"]),
    ("reboot", "CommandResult", &["create"]),
    ("restart", "CommandResult", &["create"]),
];

/// Routes of the live API.
pub(crate) fn router(service: Arc<Service>) -> Router {
    let root = format!("/apis/{GROUP_VERSION}");
    let device = format!("{root}/namespaces/{{namespace}}/devices/{{name}}");
    Router::new()
        .route(&root, get(resources))
        .route(&format!("{device}/log"), get(log::read))
        .route(&format!("{device}/counters"), get(samples::counters))
        .route(&format!("{device}/telemetry"), get(samples::telemetry))
        .route(&format!("{device}/messages"), get(messages::read).post(messages::send))
        .route(&format!("{device}/ping"), post(commands::ping))
        .route(&format!("{device}/reboot"), post(commands::reboot))
        .route(&format!("{device}/restart"), post(commands::restart))
        .fallback(async |request: Request| Refusal::unknown_path(request.uri().path()))
        .method_not_allowed_fallback(async || Refusal::method())
        .layer(middleware::from_fn_with_state(Arc::clone(&service), require_user))
        .layer(DefaultBodyLimit::max(limits::LIVE_BODY_BYTES_MAX))
        .with_state(service)
}

/// Refuses requests that name no user: the API server always names one.
async fn require_user(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Response {
    let user = request.headers().get(REMOTE_USER).and_then(|user| user.to_str().ok());
    let Some(user) = user.filter(|user| !user.is_empty()) else {
        metrics::count(&service.metrics.live_refusals, "Unauthorized");
        return Refusal::unauthorized().into_response();
    };
    let (user, method, path) = (user.to_owned(), request.method().clone(), request.uri().path());
    let path = path.to_owned();
    let response = next.run(request).await;
    let status = response.status().as_u16();
    tracing::info!(user, %method, path, status, "live request");
    response
}

async fn resources() -> Response {
    let resources: Vec<_> = SUBRESOURCES
        .iter()
        .map(|(name, kind, verbs)| {
            json!({
                "name": format!("devices/{name}"),
                "singularName": "",
                "namespaced": true,
                "kind": kind,
                "verbs": verbs,
            })
        })
        .collect();
    let list = json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": GROUP_VERSION,
        "resources": resources,
    });
    (StatusCode::OK, axum::Json(list)).into_response()
}

/// The device of a request's path, as far as this process knows it.
struct Target {
    service: Arc<Service>,
    device: Arc<LiveDevice>,
}

impl Target {
    /// Finds the device, and counts the request.
    fn find(
        service: &Arc<Service>,
        Path((namespace, name)): Path<(String, String)>,
        operation: &'static str,
    ) -> Result<Self, Refusal> {
        metrics::count(&service.metrics.live_requests, operation);
        let found = Self::look_up(service, &namespace, &name);
        if let Err(refusal) = &found {
            metrics::count(&service.metrics.live_refusals, refusal.reason());
        }
        found
    }

    fn look_up(service: &Arc<Service>, namespace: &str, name: &str) -> Result<Self, Refusal> {
        let is_known = namespace == service.cluster.namespace
            && (service.cluster.device(name).is_some() || !service.cluster.is_synced());
        if !is_known {
            return Err(Refusal::not_found(name));
        }
        match service.registry.find(name) {
            Some(device) => Ok(Self { service: Arc::clone(service), device }),
            None => Err(Refusal::no_session(name)),
        }
    }

    /// Application's name for an id; its UID where the object is gone.
    fn app_name(&self, app: &wasmbed_wire::AppId) -> String {
        let plan = self.service.cluster.plan();
        plan.name_of(app).map_or_else(|| wasmbed_model::ids::uid_text(app), str::to_owned)
    }
}

/// A time of the gateway's clock as the API writes times, with milliseconds.
fn time_text(unix_ms: u64) -> String {
    let at = i64::try_from(unix_ms).ok();
    let at = at.and_then(|ms| k8s_openapi::jiff::Timestamp::from_millisecond(ms).ok());
    at.map(|at| format!("{at:.3}")).unwrap_or_default()
}
