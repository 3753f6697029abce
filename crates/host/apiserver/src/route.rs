//! From a request to the part of the server that answers it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::json;

use crate::kind::{Kind, Verbs};
use crate::reply::{self, Body, BodyError, Reply};
use crate::request::{Asked, Route, Target, User, route};
use crate::server::Core;
use crate::status::Refusal;
use crate::{access, discovery, limits, list, openapi, remove, scale, watch, write};

/// Answers one request; a refusal is an answer too.
pub(crate) fn handle<B>(
    core: Arc<Core>,
    user: Option<User>,
    request: Request<B>,
) -> BoxFuture<'static, Reply>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BodyError>,
{
    let request =
        request.map(|body| body.map_err(|error| -> BodyError { error.into() }).boxed_unsync());
    Box::pin(async move {
        core.requests.fetch_add(1, Ordering::Relaxed);
        match answer(&core, user, request).await {
            Ok(reply) => reply,
            Err(refusal) => {
                if refusal.code >= 500 {
                    let (code, message) = (refusal.code, &refusal.message);
                    tracing::warn!(code, message, "request refused");
                }
                reply::refusal(&refusal)
            }
        }
    })
}

async fn answer(
    core: &Arc<Core>,
    user: Option<User>,
    request: Request<Body>,
) -> Result<Reply, Refusal> {
    let place = route(request.uri().path());
    if let Route::Health(name) = &place {
        return health(&request, name);
    }
    let user = user.ok_or_else(Refusal::unauthorized)?;
    if core.shutdown.is_cancelled() {
        return Err(Refusal::unavailable("the server is stopping"));
    }
    if let Some(backend) = core.backends.find(&place) {
        if let Route::Resource(target) = &place {
            let (parts, body) = request.into_parts();
            let asked = Asked::new(&parts, user.clone())?;
            authorize(&asked, target)?;
            return backend.forward(user, Request::from_parts(parts, body)).await;
        }
        return backend.forward(user, request).await;
    }
    let (parts, body) = request.into_parts();
    let asked = Asked::new(&parts, user)?;
    match place {
        Route::Resource(target) => {
            let body = if matches!(parts.method, Method::GET | Method::HEAD) {
                Bytes::new()
            } else {
                collect(body).await?
            };
            resource(core, &asked, &target, &body).await
        }
        place if matches!(parts.method, Method::GET | Method::HEAD) => {
            fixed(core, &asked, &parts.headers, place).await
        }
        Route::Unknown => Err(Refusal::unknown_path()),
        _ => Err(Refusal::method_not_allowed()),
    }
}

async fn fixed(
    core: &Arc<Core>,
    asked: &Asked,
    headers: &http::HeaderMap,
    place: Route,
) -> Result<Reply, Refusal> {
    match place {
        Route::Root => Ok(reply::json(StatusCode::OK, &json!({"paths": discovery::paths(core)}))),
        Route::CoreVersions => discovery::core_versions(core, asked, headers),
        Route::Groups => discovery::groups(core, asked, headers).await,
        Route::Group(group) => discovery::group(core, &group),
        Route::GroupVersion(group, version) => discovery::resources(core, &group, &version),
        Route::Version => Ok(reply::json(StatusCode::OK, &discovery::version())),
        Route::OpenApi2 => Ok(openapi::version_2(headers)),
        Route::OpenApiIndex => Ok(reply::json(StatusCode::OK, &openapi::index(core))),
        Route::OpenApi(group, version) => openapi::document(core, headers, &group, &version),
        Route::Metrics => Ok(metrics(core)),
        Route::Health(_) | Route::Resource(_) | Route::Unknown => Err(Refusal::unknown_path()),
    }
}

fn authorize(asked: &Asked, target: &Target) -> Result<(), Refusal> {
    let verb = access::verb(asked, target);
    if access::is_allowed(&asked.user, verb, target) {
        return Ok(());
    }
    Err(access::forbid(&asked.user, verb, target))
}

async fn resource(
    core: &Arc<Core>,
    asked: &Asked,
    target: &Target,
    body: &Bytes,
) -> Result<Reply, Refusal> {
    authorize(asked, target)?;
    let kind = core.kinds.find(&target.group, &target.version, &target.plural);
    let kind = kind.ok_or_else(Refusal::unknown_path)?;
    check_place(kind, asked, target)?;
    if kind.verbs == Verbs::Review {
        return access::review(asked, body);
    }
    let is_read = matches!(asked.method, Method::GET | Method::HEAD);
    if kind.verbs == Verbs::ReadOnly && !is_read {
        return Err(Refusal::method_not_allowed());
    }
    match (asked.method.as_str(), target.name.is_some(), target.subresource.as_deref()) {
        ("GET" | "HEAD", _, None) if asked.query.flag("watch") => {
            watch::watch(core, asked, kind, target)
        }
        ("GET" | "HEAD", true, Some("scale")) => scale::get(core, kind, target),
        ("GET" | "HEAD", true, _) => list::get(core, asked, kind, target),
        ("GET" | "HEAD", false, _) => list::list(core, asked, kind, target),
        ("POST", false, _) => write::create(core, asked, kind, target, body).await,
        ("PUT", true, _) => write::replace(core, asked, kind, target, body).await,
        ("PATCH", true, _) => write::patch(core, asked, kind, target, body).await,
        ("DELETE", true, None) => remove::delete(core, asked, kind, target, body).await,
        ("DELETE", false, None) => remove::delete_collection(core, asked, kind, target, body).await,
        _ => Err(Refusal::method_not_allowed()),
    }
}

/// Refuses paths that do not fit the resource: its scope, and subresources that it lacks.
fn check_place(kind: &Kind, asked: &Asked, target: &Target) -> Result<(), Refusal> {
    if !kind.is_namespaced && target.namespace.is_some() {
        return Err(Refusal::unknown_path());
    }
    let is_list = target.name.is_none() && matches!(asked.method.as_str(), "GET" | "HEAD");
    if kind.is_namespaced && target.namespace.is_none() && !is_list {
        return Err(Refusal::method_not_allowed());
    }
    match target.subresource.as_deref() {
        None => Ok(()),
        Some("status") if kind.has_status => Ok(()),
        Some("scale") if kind.scale.is_some() => Ok(()),
        Some(_) => Err(Refusal::unknown_path()),
    }
}

async fn collect(body: Body) -> Result<Bytes, Refusal> {
    let read = reply::read(body, limits::BODY_BYTES_MAX);
    let read = tokio::time::timeout(limits::BODY_TIMEOUT, read).await;
    read.map_err(|_| Refusal::new(408, "Timeout", "the body took too long to arrive"))?
}

fn health(request: &Request<Body>, name: &str) -> Result<Reply, Refusal> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(Refusal::method_not_allowed());
    }
    let is_verbose = request.uri().query().is_some_and(|query| query.contains("verbose"));
    if is_verbose {
        let text = format!("[+]ping ok\n[+]store ok\n{name} check passed\n");
        return Ok(reply::text(StatusCode::OK, text));
    }
    Ok(reply::text(StatusCode::OK, "ok"))
}

fn metrics(core: &Core) -> Reply {
    let watches = limits::WATCHES_MAX - core.watches.available_permits();
    let text = format!(
        "# TYPE apiserver_requests_total counter\napiserver_requests_total {}\n\
         # TYPE apiserver_watches gauge\napiserver_watches {watches}\n\
         # TYPE apiserver_store_revision counter\napiserver_store_revision {}\n",
        core.requests.load(Ordering::Relaxed),
        core.store.revision(),
    );
    reply::text(StatusCode::OK, text)
}
