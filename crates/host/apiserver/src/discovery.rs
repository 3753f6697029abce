//! What is served, for clients that ask: version, groups and resources, old form and aggregated.

use http::header::{ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH, VARY};
use http::{StatusCode, header};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::kind::{Kind, Verbs, api_version};
use crate::negotiate::{Shape, shape};
use crate::reply::{self, Reply};
use crate::request::Asked;
use crate::server::Core;
use crate::status::Refusal;

/// The Kubernetes release whose API this is; kubectl warns when it is more than one minor apart.
const GIT_VERSION: &str = concat!("v1.33.0+wasmbed.", env!("CARGO_PKG_VERSION"));

/// `/version`.
pub(crate) fn version() -> Value {
    json!({
        "major": "1", "minor": "33", "gitVersion": GIT_VERSION, "gitCommit": "",
        "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z", "goVersion": "",
        "compiler": "rustc", "platform": format!("linux/{}", std::env::consts::ARCH),
    })
}

/// `/`
pub(crate) fn paths(core: &Core) -> Vec<String> {
    let mut paths = vec!["/api".to_owned(), "/api/v1".to_owned(), "/apis".to_owned()];
    for (group, versions) in all_groups(core) {
        paths.push(format!("/apis/{group}"));
        paths.extend(versions.iter().map(|version| format!("/apis/{group}/{version}")));
    }
    let rest =
        ["/healthz", "/livez", "/metrics", "/openapi/v2", "/openapi/v3", "/readyz", "/version"];
    paths.extend(rest.map(str::to_owned));
    paths
}

/// `/api`
pub(crate) fn core_versions(
    core: &Core,
    asked: &Asked,
    headers: &HeaderMap,
) -> Result<Reply, Refusal> {
    let shape = shape(&asked.accept)?;
    if matches!(shape, Shape::DiscoveryV2 | Shape::DiscoveryV2Beta1) {
        return Ok(aggregated(shape, headers, vec![group_v2(core, "", &["v1".to_owned()])]));
    }
    let versions = json!({
        "kind": "APIVersions", "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": ""}],
    });
    Ok(reply::json(StatusCode::OK, &versions))
}

/// `/apis`
pub(crate) async fn groups(
    core: &Core,
    asked: &Asked,
    headers: &HeaderMap,
) -> Result<Reply, Refusal> {
    let shape = shape(&asked.accept)?;
    if matches!(shape, Shape::DiscoveryV2 | Shape::DiscoveryV2Beta1) {
        let mut items = Vec::new();
        for (group, versions) in core.kinds.groups() {
            if !group.is_empty() {
                items.push(group_v2(core, &group, &versions));
            }
        }
        for backend in core.backends.all() {
            let list = backend.resources().await;
            items.push(foreign_v2(&backend.group, &backend.version, list.as_ref()));
        }
        return Ok(aggregated(shape, headers, items));
    }
    let groups: Vec<Value> =
        all_groups(core).iter().map(|(group, versions)| group_v1(group, versions)).collect();
    let list = json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups});
    Ok(reply::json(StatusCode::OK, &list))
}

/// `/apis/GROUP`
pub(crate) fn group(core: &Core, name: &str) -> Result<Reply, Refusal> {
    let groups = all_groups(core);
    let (_, versions) =
        groups.iter().find(|(group, _)| group == name).ok_or_else(Refusal::unknown_path)?;
    let mut group = group_v1(name, versions);
    group["kind"] = json!("APIGroup");
    group["apiVersion"] = json!("v1");
    Ok(reply::json(StatusCode::OK, &group))
}

/// `/api/v1` and `/apis/GROUP/VERSION`
pub(crate) fn resources(core: &Core, group: &str, version: &str) -> Result<Reply, Refusal> {
    let kinds = core.kinds.iter().filter(|kind| kind.group == group && kind.version == version);
    let mut resources = Vec::new();
    for kind in kinds {
        let mut entry = json!({
            "name": kind.plural, "singularName": kind.singular, "namespaced": kind.is_namespaced,
            "kind": kind.kind, "verbs": verbs(kind),
        });
        if !kind.short_names.is_empty() {
            entry["shortNames"] = json!(kind.short_names);
        }
        if !kind.categories.is_empty() {
            entry["categories"] = json!(kind.categories);
        }
        resources.push(entry);
        for (name, foreign) in subresources(kind) {
            let mut entry = json!({
                "name": format!("{}/{name}", kind.plural), "singularName": "",
                "namespaced": kind.is_namespaced, "kind": kind.kind,
                "verbs": ["get", "patch", "update"],
            });
            if let Some((group, version, kind)) = foreign {
                entry["group"] = json!(group);
                entry["version"] = json!(version);
                entry["kind"] = json!(kind);
            }
            resources.push(entry);
        }
    }
    if resources.is_empty() {
        return Err(Refusal::unknown_path());
    }
    let list = json!({
        "kind": "APIResourceList", "apiVersion": "v1",
        "groupVersion": api_version(group, version), "resources": resources,
    });
    Ok(reply::json(StatusCode::OK, &list))
}

fn all_groups(core: &Core) -> Vec<(String, Vec<String>)> {
    let mut groups = core.kinds.groups();
    groups.retain(|(group, _)| !group.is_empty());
    for backend in core.backends.all() {
        match groups.iter_mut().find(|(group, _)| *group == backend.group) {
            Some((_, versions)) => versions.push(backend.version.clone()),
            None => groups.push((backend.group.clone(), vec![backend.version.clone()])),
        }
    }
    groups
}

fn group_v1(group: &str, versions: &[String]) -> Value {
    let versions: Vec<Value> = versions
        .iter()
        .map(|version| json!({"groupVersion": api_version(group, version), "version": version}))
        .collect();
    json!({"name": group, "versions": versions, "preferredVersion": versions.first()})
}

fn verbs(kind: &Kind) -> &'static [&'static str] {
    match kind.verbs {
        Verbs::All => {
            &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
        }
        Verbs::ReadOnly => &["get", "list", "watch"],
        Verbs::Review => &["create"],
    }
}

type ForeignKind = (&'static str, &'static str, &'static str);

fn subresources(kind: &Kind) -> Vec<(&'static str, Option<ForeignKind>)> {
    let status = kind.has_status.then_some(("status", None));
    let scale = kind.scale.as_ref().map(|_| ("scale", Some(("autoscaling", "v1", "Scale"))));
    status.into_iter().chain(scale).collect()
}

fn group_v2(core: &Core, group: &str, versions: &[String]) -> Value {
    let versions: Vec<Value> = versions
        .iter()
        .map(|version| {
            let kinds = core.kinds.iter();
            let kinds = kinds.filter(|kind| kind.group == group && kind.version == *version);
            let resources: Vec<Value> = kinds.map(|kind| resource_v2(kind)).collect();
            json!({"version": version, "resources": resources, "freshness": "Current"})
        })
        .collect();
    json!({"metadata": {"name": group, "creationTimestamp": null}, "versions": versions})
}

fn resource_v2(kind: &Kind) -> Value {
    let response = json!({"group": kind.group, "version": kind.version, "kind": kind.kind});
    let below: Vec<Value> = subresources(kind)
        .into_iter()
        .map(|(name, foreign)| {
            let response = foreign.map_or_else(
                || response.clone(),
                |(group, version, kind)| json!({"group": group, "version": version, "kind": kind}),
            );
            json!({
                "subresource": name, "responseKind": response, "verbs": ["get", "patch", "update"],
            })
        })
        .collect();
    let mut resource = json!({
        "resource": kind.plural, "responseKind": response,
        "scope": if kind.is_namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": kind.singular, "verbs": verbs(kind),
    });
    if !kind.short_names.is_empty() {
        resource["shortNames"] = json!(kind.short_names);
    }
    if !kind.categories.is_empty() {
        resource["categories"] = json!(kind.categories);
    }
    if !below.is_empty() {
        resource["subresources"] = json!(below);
    }
    resource
}

/// An aggregated API's old-form resource list in the aggregated form.
fn foreign_v2(group: &str, version: &str, list: Option<&Value>) -> Value {
    let freshness = if list.is_some() { "Current" } else { "Stale" };
    let entries = list.and_then(|list| list.get("resources")?.as_array());
    let mut resources: Vec<Value> = Vec::new();
    for entry in entries.into_iter().flatten() {
        let name = entry.get("name").and_then(Value::as_str).unwrap_or("");
        let (plural, below) =
            name.split_once('/').map_or((name, None), |(plural, below)| (plural, Some(below)));
        let scope = if entry["namespaced"] == false { "Cluster" } else { "Namespaced" };
        let own = |field: &str, instead: &str| {
            let own = entry.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
            own.unwrap_or(instead).to_owned()
        };
        let response = json!({
            "group": own("group", group), "version": own("version", version), "kind": entry["kind"],
        });
        let at = resources.iter().position(|one| one["resource"] == plural);
        let at = at.unwrap_or_else(|| {
            let nothing = json!({"group": "", "version": "", "kind": ""});
            resources.push(json!({
                "resource": plural, "responseKind": nothing, "scope": scope,
                "singularResource": "", "verbs": [],
            }));
            resources.len() - 1
        });
        let Some(resource) = resources.get_mut(at) else { continue };
        match below {
            Some(below) => {
                let entry = json!({
                    "subresource": below, "responseKind": response, "verbs": entry["verbs"],
                });
                let list = &mut resource["subresources"];
                match list.as_array_mut() {
                    Some(list) => list.push(entry),
                    None => *list = json!([entry]),
                }
            }
            None => {
                resource["responseKind"] = response;
                resource["verbs"] = entry["verbs"].clone();
                resource["singularResource"] = entry["singularName"].clone();
            }
        }
    }
    json!({
        "metadata": {"name": group, "creationTimestamp": null},
        "versions": [{"version": version, "resources": resources, "freshness": freshness}],
    })
}

fn aggregated(shape: Shape, headers: &HeaderMap, items: Vec<Value>) -> Reply {
    let version = if shape == Shape::DiscoveryV2 { "v2" } else { "v2beta1" };
    let document = json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": format!("apidiscovery.k8s.io/{version}"),
        "metadata": {}, "items": items,
    });
    let media =
        format!("application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList");
    let mut reply = tagged(headers, document.to_string());
    if let Ok(media) = HeaderValue::from_str(&media) {
        reply.headers_mut().insert(header::CONTENT_TYPE, media);
    }
    reply.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
    reply
}

/// A document with an ETag, or 304 to a client that has it already.
pub(crate) fn tagged(headers: &HeaderMap, document: String) -> Reply {
    let tag = format!("\"{}\"", digest(&document));
    let has_it = headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut reply = if has_it {
        let mut reply = reply::bytes(StatusCode::NOT_MODIFIED, "");
        reply.headers_mut().remove(header::CONTENT_TYPE);
        reply
    } else {
        reply::bytes(StatusCode::OK, document)
    };
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        reply.headers_mut().insert(ETAG, tag);
    }
    reply
}

/// A digest of a document, in capital hexadecimal as Kubernetes writes its own.
pub(crate) fn digest(document: &str) -> String {
    Sha256::digest(document).iter().map(|byte| format!("{byte:02X}")).collect()
}
