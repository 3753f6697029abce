//! The scale subresource: a custom resource seen as `autoscaling/v1` Scale.

use http::StatusCode;
use serde_json::{Value, json};

use crate::kind::{Kind, ScalePaths};
use crate::object::{self, meta};
use crate::patch::{self, PatchType};
use crate::reply::{self, Reply};
use crate::request::{Asked, Target};
use crate::server::Core;
use crate::status::{Cause, Refusal};
use crate::write::{Change, key_of};

/// GET.
pub(crate) fn get(core: &Core, kind: &Kind, target: &Target) -> Result<Reply, Refusal> {
    let paths = paths(kind)?;
    let key = key_of(kind, target);
    let stored = core.store.get(&key).map_err(Refusal::internal)?;
    let stored = stored.ok_or_else(|| Refusal::not_found(kind, &key.name))?;
    Ok(reply::json(StatusCode::OK, &view(paths, &object::parse(&stored.json)?)))
}

/// PUT.
pub(crate) async fn replace(
    core: &Core,
    _asked: &Asked,
    change: Change<'_>,
    body: &Value,
) -> Result<Reply, Refusal> {
    set(core, change, |_| Ok(body.clone())).await
}

/// PATCH.
pub(crate) async fn patch(
    core: &Core,
    _asked: &Asked,
    change: Change<'_>,
    patch_type: PatchType,
    document: &Value,
) -> Result<Reply, Refusal> {
    let kind = change.kind;
    set(core, change, |scale| patch::patch(kind, patch_type, scale, document)).await
}

async fn set(
    core: &Core,
    mut change: Change<'_>,
    make: impl Fn(&Value) -> Result<Value, Refusal> + Send + Sync,
) -> Result<Reply, Refusal> {
    let (kind, name) = (change.kind, change.key.name.clone());
    let paths = paths(kind)?;
    let mut update = |live: &Value| {
        let wanted = make(&view(paths, live))?;
        let replicas = wanted.get("spec").and_then(|spec| spec.get("replicas"));
        let replicas = match replicas {
            None => 0,
            Some(value) => {
                let count =
                    value.as_u64().filter(|&count| count <= u64::from(i32::MAX.cast_unsigned()));
                count.ok_or_else(|| {
                    let message =
                        format!("Invalid value: {value}: should be a non-negative integer");
                    let (reason, field) = ("FieldValueInvalid", ".spec.replicas".to_owned());
                    Refusal::invalid(kind, &name, &[Cause { reason, message, field }])
                })?
            }
        };
        let mut next = live.clone();
        let version = meta(&wanted, "resourceVersion");
        object::meta_mut(&mut next).insert("resourceVersion".to_owned(), json!(version));
        paths.spec_replicas.set(&mut next, json!(replicas));
        Ok(next)
    };
    let stored = change.update(core, &mut update).await?;
    Ok(reply::json(StatusCode::OK, &view(paths, &object::parse(&stored.json)?)))
}

fn paths(kind: &Kind) -> Result<&ScalePaths, Refusal> {
    kind.scale.as_ref().ok_or_else(Refusal::unknown_path)
}

fn view(paths: &ScalePaths, object: &Value) -> Value {
    let number =
        |path: &crate::columns::FieldPath| path.first(object).and_then(Value::as_i64).unwrap_or(0);
    let mut status = json!({"replicas": number(&paths.status_replicas)});
    let selector = paths.selector.as_ref().and_then(|path| path.first(object)?.as_str());
    if let Some(selector) = selector {
        status["selector"] = json!(selector);
    }
    json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": meta(object, "name"), "namespace": meta(object, "namespace"),
            "uid": meta(object, "uid"), "resourceVersion": meta(object, "resourceVersion"),
            "creationTimestamp": meta(object, "creationTimestamp"),
        },
        "spec": {"replicas": number(&paths.spec_replicas)},
        "status": status,
    })
}
