//! Refusals of the live API, as a Kubernetes `Status`.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;
use wasmbed_wire::CommandOutcome;

/// Why a request is not answered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Refusal {
    code: StatusCode,
    reason: &'static str,
    message: String,
    device: Option<String>,
    retry_after_s: Option<u32>,
}

impl Refusal {
    fn new(code: StatusCode, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), device: None, retry_after_s: None }
    }

    fn about(self, device: &str) -> Self {
        Self { device: Some(device.to_owned()), ..self }
    }

    pub(super) fn reason(&self) -> &'static str {
        self.reason
    }

    pub(super) fn unknown_path(path: &str) -> Self {
        let message = format!("the live API has no resource at {path}");
        Self::new(StatusCode::NOT_FOUND, "NotFound", message)
    }

    pub(super) fn method() -> Self {
        let message = "the live API does not serve this method here";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message)
    }

    pub(super) fn unauthorized() -> Self {
        let message = "the request names no user: it did not come through the API server";
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized", message)
    }

    pub(super) fn not_found(device: &str) -> Self {
        let message = format!("devices.wasmbed.github.io \"{device}\" not found");
        Self::new(StatusCode::NOT_FOUND, "NotFound", message).about(device)
    }

    pub(super) fn no_session(device: &str) -> Self {
        let message = format!("device \"{device}\" has no session with this gateway");
        let refusal = Self::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message);
        Self { retry_after_s: Some(5), ..refusal.about(device) }
    }

    pub(super) fn session_ended(device: &str) -> Self {
        let message =
            format!("the session of device \"{device}\" ended before it answered the command");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message).about(device)
    }

    pub(super) fn no_heartbeat(device: &str) -> Self {
        let message = format!("device \"{device}\" has not sent a heartbeat in its session yet");
        let refusal = Self::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message);
        Self { retry_after_s: Some(1), ..refusal.about(device) }
    }

    pub(super) fn busy(device: &str) -> Self {
        let message = format!("too many commands wait for device \"{device}\"");
        let refusal = Self::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", message);
        Self { retry_after_s: Some(5), ..refusal.about(device) }
    }

    pub(super) fn timeout(device: &str, seconds: u64) -> Self {
        let message =
            format!("device \"{device}\" did not answer the command within {seconds} seconds");
        Self::new(StatusCode::GATEWAY_TIMEOUT, "Timeout", message).about(device)
    }

    /// What the device answered to a command that it did not carry out.
    pub(super) fn command(device: &str, outcome: CommandOutcome) -> Self {
        let (code, reason) = match outcome {
            CommandOutcome::NoSuchApp => (StatusCode::NOT_FOUND, "NotFound"),
            CommandOutcome::NotAllowed | CommandOutcome::NoReceiver => {
                (StatusCode::CONFLICT, "Conflict")
            }
            CommandOutcome::QueueFull => (StatusCode::TOO_MANY_REQUESTS, "TooManyRequests"),
            CommandOutcome::Unsupported => (StatusCode::NOT_IMPLEMENTED, "NotImplemented"),
            CommandOutcome::Done | CommandOutcome::Failed | CommandOutcome::Other(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "InternalError")
            }
        };
        let outcome = outcome.name();
        let message = format!("device \"{device}\" answered the command with {outcome}");
        Self::new(code, reason, message).about(device)
    }

    pub(super) fn not_implemented(device: &str, message: String) -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, "NotImplemented", message).about(device)
    }

    pub(super) fn no_receiver(device: &str, topic: &str) -> Self {
        let message = format!(
            "no guest that runs on device \"{device}\" may receive the topic \"{topic}\": an \
             application needs the capability receive with a prefix of it, as in receive:{topic}"
        );
        Self::new(StatusCode::CONFLICT, "Conflict", message).about(device)
    }

    pub(super) fn queue_full(device: &str, topic: &str, receivers: u8) -> Self {
        let message = format!(
            "a guest of device \"{device}\" has not read its last messages, so there is no room for \
             one of topic \"{topic}\"; delivered to {receivers} others"
        );
        let refusal = Self::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", message);
        Self { retry_after_s: Some(1), ..refusal.about(device) }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut details = serde_json::Map::new();
        if let Some(device) = self.device {
            details.insert("name".to_owned(), device.into());
            details.insert("group".to_owned(), "live.wasmbed.github.io".into());
            details.insert("kind".to_owned(), "devices".into());
        }
        if let Some(seconds) = self.retry_after_s {
            details.insert("retryAfterSeconds".to_owned(), seconds.into());
        }
        let status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": details,
            "code": self.code.as_u16(),
        });
        (self.code, Json(status)).into_response()
    }
}
