//! The port of probes and of Prometheus. It shows nothing of the devices' data.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{StatusCode, header};
use tokio_util::sync::CancellationToken;

use crate::connection::Service;

/// Media type of the OpenMetrics text format.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone)]
struct Health {
    service: Arc<Service>,
    shutdown: CancellationToken,
}

/// Routes `/healthz`, `/livez`, `/readyz` and `/metrics`.
pub(crate) fn router(service: Arc<Service>, shutdown: CancellationToken) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/livez", get(async || "ok"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(Health { service, shutdown })
}

async fn ready(State(health): State<Health>) -> (StatusCode, &'static str) {
    if health.shutdown.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "shutting down");
    }
    if !health.service.cluster.is_synced() {
        return (StatusCode::SERVICE_UNAVAILABLE, "caches are not synced");
    }
    (StatusCode::OK, "ok")
}

async fn metrics(State(health): State<Health>) -> Response {
    match health.service.metrics.encode() {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
