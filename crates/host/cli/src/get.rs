//! `wasmbed get`.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use futures::{AsyncBufReadExt, StreamExt};
use serde_json::Value;

use crate::arguments::{Get, Scope};
use crate::client::{Connection, connect};
use crate::kinds::{self, Kind};
use crate::output::{self, Format};
use crate::output::{out, outln};
use crate::table;

const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

/// Shows what was asked for.
pub async fn run(scope: &Scope, get: &Get) -> Result<ExitCode> {
    let format = Format::parse(get.output.as_deref())?;
    let wanted = kinds::parse_words(&get.what)?;
    let connection = connect(scope).await?;
    if get.watch && wanted.len() > 1 {
        bail!("only one type can be watched at a time");
    }
    match &format {
        Format::Table { wide } => tables(&connection, get, &wanted, *wide).await,
        other => objects(&connection, get, &wanted, other).await,
    }
}

/// The query part that selects, with the name of a single object where it is watched as a list.
fn query(get: &Get, name: Option<&str>) -> String {
    let mut pairs = Vec::new();
    let mut fields: Vec<String> = get.field_selector.iter().cloned().collect();
    fields.extend(name.map(|name| format!("metadata.name={name}")));
    if let Some(selector) = &get.selector {
        pairs.push(format!("labelSelector={}", encode(selector)));
    }
    if !fields.is_empty() {
        pairs.push(format!("fieldSelector={}", encode(&fields.join(","))));
    }
    pairs.join("&")
}

/// Percent-encodes everything but what needs no encoding in a query.
fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

/// One GET, its answer as JSON.
pub async fn fetch(client: &kube::Client, path: &str, accept: &str) -> Result<Value> {
    let request = http::Request::get(path).header("Accept", accept).body(Vec::new())?;
    client.request::<Value>(request).await.map_err(Into::into)
}

/// Every page of a list, as one.
async fn pages(client: &kube::Client, path: &str, query: &str, accept: &str) -> Result<Value> {
    let mut whole: Option<Value> = None;
    let mut token = String::new();
    loop {
        let page = fetch(client, &format!("{path}?limit=500&{query}{token}"), accept).await?;
        let next = page["metadata"]["continue"].as_str().unwrap_or_default().to_owned();
        whole = Some(match whole {
            None => page,
            Some(mut whole) => {
                for key in ["rows", "items"] {
                    if let (Some(all), Some(more)) =
                        (whole[key].as_array().cloned(), page[key].as_array())
                    {
                        whole[key] = all.into_iter().chain(more.iter().cloned()).collect();
                    }
                }
                whole["metadata"] = page["metadata"].clone();
                whole
            }
        });
        if next.is_empty() {
            return whole.context("the server answered nothing");
        }
        token = format!("&continue={}", encode(&next));
    }
}

fn namespace<'n>(connection: &'n Connection, get: &Get) -> Option<&'n str> {
    (!get.all_namespaces).then_some(connection.namespace.as_str())
}

async fn tables(
    connection: &Connection,
    get: &Get,
    wanted: &[(Kind, Vec<String>)],
    wide: bool,
) -> Result<ExitCode> {
    let mut widths = Vec::new();
    let mut printed = false;
    let mut code = ExitCode::SUCCESS;
    let mut version = String::new();
    for (kind, names) in wanted {
        let namespace = namespace(connection, get);
        let mut answers = Vec::new();
        if names.is_empty() {
            let path = kind.path(namespace, None);
            answers.push(pages(&connection.client, &path, &query(get, None), TABLE).await);
        }
        for name in names {
            let path = kind.path(namespace, Some(name));
            answers.push(fetch(&connection.client, &path, TABLE).await);
        }
        for answer in answers {
            let value = match answer {
                Ok(value) => value,
                Err(error) => {
                    eprintln!("{}", output::error_text(&error));
                    code = ExitCode::FAILURE;
                    continue;
                }
            };
            version = value["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
            let with_namespace = get.all_namespaces && kind.namespaced;
            let table = table::from_server(&value, wide, with_namespace, get.show_labels);
            if !table.is_empty() {
                let head = !get.no_headers && (!printed || names.is_empty());
                if printed && names.is_empty() {
                    outln!("");
                    widths.clear();
                }
                out!("{}", table.text(head, &mut widths));
                printed = true;
            }
        }
    }
    if get.watch && code == ExitCode::SUCCESS {
        let [(kind, names)] = wanted else { bail!("only one type can be watched at a time") };
        return watch(connection, get, *kind, names, &version, wide, widths).await;
    }
    if !printed && code == ExitCode::SUCCESS {
        match namespace(connection, get) {
            Some(namespace) if wanted.iter().any(|(kind, _)| kind.namespaced) => {
                eprintln!("No resources found in {namespace} namespace.");
            }
            _ => eprintln!("No resources found"),
        }
    }
    Ok(code)
}

async fn watch(
    connection: &Connection,
    get: &Get,
    kind: Kind,
    names: &[String],
    version: &str,
    wide: bool,
    mut widths: Vec<usize>,
) -> Result<ExitCode> {
    if names.len() > 1 {
        bail!("only one object, or all of a type, can be watched");
    }
    let path = kind.path(namespace(connection, get), None);
    let query = query(get, names.first().map(String::as_str));
    let path = format!("{path}?watch=true&resourceVersion={version}&{query}");
    let request = http::Request::get(path).header("Accept", TABLE).body(Vec::new())?;
    let mut lines = connection.client.request_stream(request).await?.lines();
    let mut columns = Value::Null;
    let mut head_is_due = widths.is_empty() && !get.no_headers;
    while let Some(line) = lines.next().await {
        let event: Value = serde_json::from_str(&line.context("the watch broke off")?)?;
        let mut object = event["object"].clone();
        if event["type"] == "ERROR" {
            bail!("the server ended the watch: {}", object["message"].as_str().unwrap_or("?"));
        }
        if event["type"] == "BOOKMARK" {
            continue;
        }
        // Only the first event of a watch carries the columns.
        if object["columnDefinitions"].as_array().is_some_and(|found| !found.is_empty()) {
            columns = object["columnDefinitions"].clone();
        } else {
            object["columnDefinitions"] = columns.clone();
        }
        let with_namespace = get.all_namespaces && kind.namespaced;
        let table = table::from_server(&object, wide, with_namespace, get.show_labels);
        out!("{}", table.text(std::mem::take(&mut head_is_due), &mut widths));
        std::io::stdout().flush()?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn objects(
    connection: &Connection,
    get: &Get,
    wanted: &[(Kind, Vec<String>)],
    format: &Format,
) -> Result<ExitCode> {
    if get.watch {
        bail!("-w goes with a table only");
    }
    let mut found: Vec<(Kind, Value)> = Vec::new();
    for (kind, names) in wanted {
        let namespace = namespace(connection, get);
        for name in names {
            let path = kind.path(namespace, Some(name));
            found.push((*kind, fetch(&connection.client, &path, "application/json").await?));
        }
        if names.is_empty() {
            let path = kind.path(namespace, None);
            let query = query(get, None);
            let list = pages(&connection.client, &path, &query, "application/json").await?;
            let items = list["items"].as_array().cloned().unwrap_or_default();
            found.extend(items.into_iter().map(|mut item| {
                // Items of a list carry no type of their own on every server.
                item["kind"] = kind.kind.into();
                item["apiVersion"] = match kind.group {
                    "" => kind.version.into(),
                    group => format!("{group}/{}", kind.version).into(),
                };
                (*kind, item)
            }));
        }
    }
    let single = wanted.len() == 1 && wanted.iter().all(|(_, names)| names.len() == 1);
    if let Format::Name = format {
        for (kind, object) in &found {
            outln!("{}", kind.object_name(object["metadata"]["name"].as_str().unwrap_or("")));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut items: Vec<Value> = found.into_iter().map(|(_, object)| object).collect();
    items.iter_mut().for_each(hide_managed_fields);
    let value = match (single, items.len()) {
        (true, 1) => items.remove(0),
        _ => output::list(items),
    };
    match format {
        Format::JsonPath(template) => out!("{}", output::json_path(template, &value)?),
        other => out!("{}", output::document(&value, other)?),
    }
    Ok(ExitCode::SUCCESS)
}

/// As kubectl does: the book-keeping of apply helps nobody who reads.
fn hide_managed_fields(object: &mut Value) {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("managedFields");
    }
}
