//! OpenAPI v3: an index, and one document for each group and version. Made when asked for, as it is
//! asked for rarely. Version 2 is there without a schema: `kubectl apply` of a `kind: List` stops where
//! there is no document at all, and takes what has no schema there as it is.

use http::header::{self, HeaderMap};
use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value, json};

use crate::discovery::{digest, tagged};
use crate::kind::{Kind, Verbs};
use crate::reply::{self, Reply};
use crate::server::Core;
use crate::status::Refusal;

/// `/openapi/v3`
pub(crate) fn index(core: &Core) -> Value {
    let mut paths = Map::new();
    for (group, versions) in core.kinds.groups() {
        for version in versions {
            let path = if group.is_empty() {
                format!("api/{version}")
            } else {
                format!("apis/{group}/{version}")
            };
            let hash = digest(&describe(core, &group, &version).to_string());
            let url = format!("/openapi/v3/{path}?hash={hash}");
            paths.insert(path, json!({"serverRelativeURL": url}));
        }
    }
    json!({"paths": paths})
}

/// `/openapi/v3/apis/GROUP/VERSION`
pub(crate) fn document(
    core: &Core,
    headers: &HeaderMap,
    group: &str,
    version: &str,
) -> Result<Reply, Refusal> {
    if !core.kinds.iter().any(|kind| kind.group == group && kind.version == version) {
        return Err(Refusal::unknown_path());
    }
    Ok(tagged(headers, describe(core, group, version).to_string()))
}

/// `/openapi/v2`, in JSON or in the protobuf that kubectl asks for.
pub(crate) fn version_2(headers: &HeaderMap) -> Reply {
    let title = "Kubernetes";
    let version = env!("CARGO_PKG_VERSION");
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|one| one.to_str().ok());
    let wanted = accepted.flat_map(|one| one.split(',')).map(str::trim);
    if !wanted.into_iter().any(is_version_2_protobuf) {
        let document = json!({
            "swagger": "2.0", "info": {"title": title, "version": version}, "paths": {},
        });
        return reply::json(StatusCode::OK, &document);
    }
    let info = [field(1, title.as_bytes()), field(2, version.as_bytes())].concat();
    let document = [field(1, b"2.0"), field(2, &info), field(8, b"")].concat();
    let mut reply = reply::bytes(StatusCode::OK, document);
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(VERSION_2_PROTOBUF));
    reply
}

const VERSION_2_PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// Clients write `@` in the name when they ask, which no media type may have, and refuse it in the
/// answer.
fn is_version_2_protobuf(wanted: &str) -> bool {
    let name = wanted.split(';').next().unwrap_or_default().trim();
    name.replace("v2@v1", "v2.v1") == VERSION_2_PROTOBUF
}

/// A field of bytes in protobuf. All here are shorter than 128 bytes.
///
/// # Source
/// `openapiv2/OpenAPIv2.proto` of github.com/google/gnostic-models: Document 1 swagger, 2 info,
/// 8 paths; Info 1 title, 2 version.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, bytes.len() as u8 & 0x7f], bytes].concat()
}

fn describe(core: &Core, group: &str, version: &str) -> Value {
    let mut paths = Map::new();
    let mut schemas = Map::new();
    for kind in core.kinds.iter().filter(|kind| kind.group == group && kind.version == version) {
        let name = schema_name(kind);
        let mut schema = kind.raw_schema.clone();
        schema["x-kubernetes-group-version-kind"] = json!([gvk(kind)]);
        for field in ["apiVersion", "kind"] {
            schema["properties"][field] = json!({"type": "string"});
        }
        let reference = json!({"$ref": format!("#/components/schemas/{name}")});
        let list = json!({
            "type": "object", "required": ["items"],
            "properties": {
                "apiVersion": {"type": "string"}, "kind": {"type": "string"},
                "metadata": {"type": "object"}, "items": {"type": "array", "items": reference},
            },
            "x-kubernetes-group-version-kind":
                [{"group": kind.group, "version": kind.version, "kind": kind.list_kind}],
        });
        schemas.insert(name.clone(), schema);
        schemas.insert(format!("{name}List"), list);
        describe_paths(kind, &name, &mut paths);
    }
    json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": env!("CARGO_PKG_VERSION")},
        "paths": paths,
        "components": {"schemas": schemas},
    })
}

fn gvk(kind: &Kind) -> Value {
    json!({"group": kind.group, "version": kind.version, "kind": kind.kind})
}

/// Group parts reversed, version, kind: the way Kubernetes names schemas.
fn schema_name(kind: &Kind) -> String {
    let group = if kind.group.is_empty() { "core.api.k8s.io" } else { &kind.group };
    let mut parts: Vec<&str> = group.split('.').rev().collect();
    parts.push(&kind.version);
    parts.push(&kind.kind);
    parts.join(".")
}

fn describe_paths(kind: &Kind, schema: &str, paths: &mut Map<String, Value>) {
    let root = if kind.group.is_empty() {
        format!("/api/{}", kind.version)
    } else {
        format!("/apis/{}/{}", kind.group, kind.version)
    };
    let collection = if kind.is_namespaced {
        format!("{root}/namespaces/{{namespace}}/{}", kind.plural)
    } else {
        format!("{root}/{}", kind.plural)
    };
    let one = format!("{collection}/{{name}}");
    let is_writable = kind.verbs == Verbs::All;
    let mut on_collection = Map::new();
    let mut on_one = Map::new();
    if kind.verbs != Verbs::Review {
        on_collection.insert("get".to_owned(), operation(kind, schema, "list", true));
        on_one.insert("get".to_owned(), operation(kind, schema, "get", false));
    }
    if kind.verbs != Verbs::ReadOnly {
        on_collection.insert("post".to_owned(), operation(kind, schema, "post", false));
    }
    if is_writable {
        on_collection
            .insert("delete".to_owned(), operation(kind, schema, "deletecollection", true));
        for verb in ["put", "patch", "delete"] {
            on_one.insert(verb.to_owned(), operation(kind, schema, verb, false));
        }
    }
    if kind.is_namespaced {
        let everywhere = json!({"get": operation(kind, schema, "list", true)});
        paths.insert(format!("{root}/{}", kind.plural), everywhere);
    }
    paths.insert(collection, Value::Object(on_collection));
    if kind.has_status && is_writable {
        let mut status = Map::new();
        for verb in ["get", "put", "patch"] {
            status.insert(verb.to_owned(), operation(kind, schema, verb, false));
        }
        paths.insert(format!("{one}/status"), Value::Object(status));
    }
    if !on_one.is_empty() {
        paths.insert(one, Value::Object(on_one));
    }
}

fn operation(kind: &Kind, schema: &str, verb: &str, is_list: bool) -> Value {
    let schema = if is_list { format!("{schema}List") } else { schema.to_owned() };
    let content = json!({"application/json": {
        "schema": {"$ref": format!("#/components/schemas/{schema}")},
    }});
    let text = |name: &str| json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}});
    let is_write = matches!(verb, "post" | "put" | "patch");
    let mut parameters = Vec::new();
    if is_write {
        parameters.extend(["dryRun", "fieldManager", "fieldValidation"].map(text));
    }
    if verb == "patch" {
        parameters.push(json!({
            "name": "force", "in": "query", "schema": {"type": "boolean", "uniqueItems": true},
        }));
    }
    let mut operation = json!({
        "operationId": format!("{verb}{}{}", kind.version, kind.kind),
        "parameters": parameters,
        "responses": {"200": {"description": "OK", "content": content}},
        "x-kubernetes-action": verb,
        "x-kubernetes-group-version-kind": gvk(kind),
    });
    if is_write {
        let media: &[&str] = if verb == "patch" {
            &[
                "application/apply-patch+yaml",
                "application/json-patch+json",
                "application/merge-patch+json",
            ]
        } else {
            &["application/json", "application/yaml"]
        };
        let body: Map<String, Value> = media
            .iter()
            .map(|media| ((*media).to_owned(), content["application/json"].clone()))
            .collect();
        operation["requestBody"] = json!({"content": body, "required": true});
    }
    operation
}
