//! Answers: JSON values, stored bytes as they are, and streams.

use bytes::{Bytes, BytesMut};
use futures::stream::{Stream, StreamExt};
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use serde_json::Value;

use crate::status::Refusal;

/// What can go wrong while a body is sent.
pub(crate) type BodyError = Box<dyn std::error::Error + Send + Sync>;
/// A body of any of our answers.
pub(crate) type Body = UnsyncBoxBody<Bytes, BodyError>;
/// An answer.
pub(crate) type Reply = Response<Body>;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A body that is there as a whole.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// An answer in JSON.
pub(crate) fn json(code: StatusCode, value: &Value) -> Reply {
    bytes(code, value.to_string())
}

/// An answer whose JSON is serialised already.
pub(crate) fn bytes(code: StatusCode, json: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(full(json));
    *reply.status_mut() = code;
    reply.headers_mut().insert(header::CONTENT_TYPE, JSON);
    reply
}

/// A plain text answer.
pub(crate) fn text(code: StatusCode, text: impl Into<Bytes>) -> Reply {
    let mut reply = bytes(code, text);
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    reply.headers_mut().insert(header::CONTENT_TYPE, plain);
    reply
}

/// An answer that is sent piece by piece.
pub(crate) fn stream(
    pieces: impl Stream<Item = Result<Bytes, BodyError>> + Send + 'static,
) -> Reply {
    let body = StreamBody::new(pieces.map(|piece| piece.map(Frame::data)));
    let mut reply = Response::new(BodyExt::boxed_unsync(body));
    reply.headers_mut().insert(header::CONTENT_TYPE, JSON);
    reply
}

/// The answer to a refused request.
pub(crate) fn refusal(refusal: &Refusal) -> Reply {
    let code = StatusCode::from_u16(refusal.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut reply = json(code, &refusal.to_status());
    if refusal.code == 429 {
        reply.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if refusal.code == 401 {
        let challenge = HeaderValue::from_static("Bearer");
        reply.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    reply
}

/// Adds `Warning: 299` headers.
pub(crate) fn warn(reply: &mut Reply, warnings: &[String]) {
    for warning in warnings {
        let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
            reply.headers_mut().append(header::WARNING, value);
        }
    }
}

/// Reads a whole body, at most `bytes_max` of it.
pub(crate) async fn read(mut body: Body, bytes_max: usize) -> Result<Bytes, Refusal> {
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| Refusal::bad_request(format!("the body broke off: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        if all.len() + data.len() > bytes_max {
            return Err(Refusal::too_large(bytes_max));
        }
        all.extend_from_slice(&data);
    }
    Ok(all.freeze())
}
