//! Refusals, and the `Status` object that carries each of them to the client.

use serde_json::{Value, json};

use crate::kind::Kind;

/// One offending field or manager inside a refusal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Cause {
    /// Machine-readable reason, such as `FieldValueInvalid`.
    pub(crate) reason: &'static str,
    /// What is wrong, for people.
    pub(crate) message: String,
    /// Path of the field, such as `spec.replicas`; empty if there is none.
    pub(crate) field: String,
}

/// Why a request was refused, as the client sees it.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    /// HTTP status code.
    pub(crate) code: u16,
    /// `Status.reason`.
    pub(crate) reason: &'static str,
    /// `Status.message`.
    pub(crate) message: String,
    details: Value,
}

impl Refusal {
    /// A refusal without details.
    pub(crate) fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: Value::Null }
    }

    /// 400: the request itself cannot be understood.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 500: our own fault or the disk's.
    pub(crate) fn internal(message: impl std::fmt::Display) -> Self {
        Self::new(500, "InternalError", format!("Internal error occurred: {message}"))
    }

    /// 500 in the words of a real server, which gives no reason for these.
    pub(crate) fn internal_as(message: impl Into<String>) -> Self {
        Self::new(500, "", message)
    }

    /// 422 of the options in a query.
    pub(crate) fn invalid_options(options: &str, why: &str) -> Self {
        Self::new(422, "Invalid", format!("{options}.meta.k8s.io \"\" is invalid: {why}"))
            .with_details(json!({"group": "meta.k8s.io", "kind": options}))
    }

    /// 401.
    pub(crate) fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    /// 404 of a path that is served by nobody.
    pub(crate) fn unknown_path() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource")
            .with_details(json!({}))
    }

    /// 404 of one object.
    pub(crate) fn not_found(kind: &Kind, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{} \"{name}\" not found", kind.qualified()))
            .with_details(json!({"name": name, "group": kind.group, "kind": kind.plural}))
    }

    /// 409: the name is taken.
    pub(crate) fn exists(kind: &Kind, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", kind.qualified());
        Self::new(409, "AlreadyExists", message)
            .with_details(json!({"name": name, "group": kind.group, "kind": kind.plural}))
    }

    /// 409: somebody else wrote first.
    pub(crate) fn conflict(kind: &Kind, name: &str, why: &str) -> Self {
        let message =
            format!("Operation cannot be fulfilled on {} \"{name}\": {why}", kind.qualified());
        Self::new(409, "Conflict", message)
            .with_details(json!({"name": name, "group": kind.group, "kind": kind.plural}))
    }

    /// 409 of an update that started from an older version.
    pub(crate) fn stale(kind: &Kind, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version \
                   and try again";
        Self::conflict(kind, name, why)
    }

    /// 403.
    pub(crate) fn forbidden(kind: &Kind, name: &str, why: &str) -> Self {
        let object = if name.is_empty() { String::new() } else { format!(" \"{name}\"") };
        let message = format!("{}{object} is forbidden: {why}", kind.qualified());
        Self::new(403, "Forbidden", message)
            .with_details(json!({"name": name, "group": kind.group, "kind": kind.plural}))
    }

    /// 422 with one cause a field.
    pub(crate) fn invalid(kind: &Kind, name: &str, causes: &[Cause]) -> Self {
        let list: Vec<String> =
            causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
        let list = if list.len() == 1 { list.concat() } else { format!("[{}]", list.join(", ")) };
        let qualified = if kind.group.is_empty() {
            kind.kind.clone()
        } else {
            format!("{}.{}", kind.kind, kind.group)
        };
        let message = format!("{qualified} \"{name}\" is invalid: {list}");
        Self::new(422, "Invalid", message).with_details(json!({
            "name": name, "group": kind.group, "kind": kind.kind, "causes": causes_json(causes),
        }))
    }

    /// 405.
    pub(crate) fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self::new(405, "MethodNotAllowed", message).with_details(json!({}))
    }

    /// 406.
    pub(crate) fn not_acceptable() -> Self {
        let message = "only the following media types are accepted: application/json, \
                       application/json;as=Table;v=v1;g=meta.k8s.io, \
                       application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
        Self::new(406, "NotAcceptable", message)
    }

    /// 415.
    pub(crate) fn unsupported_media(accepted: &str) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {accepted}"
        );
        Self::new(415, "UnsupportedMediaType", message)
    }

    /// 410: the watch history no longer reaches back that far.
    pub(crate) fn expired(asked: u64, oldest: u64) -> Self {
        Self::new(410, "Expired", format!("too old resource version: {asked} ({oldest})"))
    }

    /// 413.
    pub(crate) fn too_large(bytes_max: usize) -> Self {
        let message = format!("Request entity too large: limit is {bytes_max}");
        Self::new(413, "RequestEntityTooLarge", message)
    }

    /// 429.
    pub(crate) fn too_many(what: &str) -> Self {
        Self::new(429, "TooManyRequests", format!("too many {what}, please try again later"))
            .with_details(json!({"retryAfterSeconds": 1}))
    }

    /// 503.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(503, "ServiceUnavailable", message)
    }

    /// The same refusal with `details` of the caller's.
    #[must_use]
    pub(crate) fn with_details(mut self, details: Value) -> Self {
        self.details = details;
        self
    }

    /// The same refusal with its causes replaced.
    #[must_use]
    pub(crate) fn with_causes(mut self, causes: &[Cause]) -> Self {
        if !self.details.is_object() {
            self.details = json!({});
        }
        if let Some(details) = self.details.as_object_mut() {
            details.insert("causes".to_owned(), causes_json(causes));
        }
        self
    }

    /// The `Status` object.
    pub(crate) fn to_status(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason,
        });
        if let Some(fields) = status.as_object_mut() {
            if self.reason.is_empty() {
                fields.shift_remove("reason");
            }
            if let Value::Object(details) = &self.details {
                let known = details.iter().filter(|(_, value)| *value != "");
                let known = known.map(|(name, value)| (name.clone(), value.clone()));
                fields.insert("details".to_owned(), Value::Object(known.collect()));
            }
            fields.insert("code".to_owned(), json!(self.code));
        }
        status
    }
}

fn causes_json(causes: &[Cause]) -> Value {
    let causes = causes.iter().map(|cause| {
        let mut entry = json!({"reason": cause.reason, "message": cause.message});
        if !cause.field.is_empty() {
            entry["field"] = json!(cause.field);
        }
        entry
    });
    Value::Array(causes.collect())
}
