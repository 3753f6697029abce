//! `wasmbed describe`: one object in full, and its events.

use std::process::ExitCode;

use anyhow::{Result, bail};
use serde_json::Value;

use crate::arguments::{Describe, Scope};
use crate::client::{Connection, connect};
use crate::get::fetch;
use crate::kinds::{self, Kind};
use crate::output::{out, outln};
use crate::table::{Table, labels};

/// Describes each object named.
pub async fn run(scope: &Scope, describe: &Describe) -> Result<ExitCode> {
    let wanted = kinds::parse_words(&describe.what)?;
    let connection = connect(scope).await?;
    let mut first = true;
    for (kind, names) in wanted {
        let names = if names.is_empty() { all(&connection, kind).await? } else { names };
        for name in names {
            if !std::mem::take(&mut first) {
                outln!("\n");
            }
            out!("{}", one(&connection, kind, &name).await?);
        }
    }
    if first {
        eprintln!("No resources found in {} namespace.", connection.namespace);
    }
    Ok(ExitCode::SUCCESS)
}

async fn all(connection: &Connection, kind: Kind) -> Result<Vec<String>> {
    let path = kind.path(Some(&connection.namespace), None);
    let list = fetch(&connection.client, &path, "application/json").await?;
    let items = list["items"].as_array().cloned().unwrap_or_default();
    Ok(items
        .iter()
        .filter_map(|item| item["metadata"]["name"].as_str().map(str::to_owned))
        .collect())
}

async fn one(connection: &Connection, kind: Kind, name: &str) -> Result<String> {
    let path = kind.path(Some(&connection.namespace), Some(name));
    let object = fetch(&connection.client, &path, "application/json").await?;
    let metadata = &object["metadata"];
    let text = |value: &Value| value.as_str().unwrap_or("<none>").to_owned();
    let mut out = String::new();
    let mut line = |key: &str, value: String| out += &format!("{:<16}{value}\n", format!("{key}:"));
    line("Name", text(&metadata["name"]));
    if kind.namespaced {
        line("Namespace", text(&metadata["namespace"]));
    }
    line("Labels", labels(&metadata["labels"]).replace(',', &format!("\n{:16}", "")));
    line("API Version", text(&object["apiVersion"]));
    line("Kind", text(&object["kind"]));
    line("Created", text(&metadata["creationTimestamp"]));
    if let Some(generation) = metadata["generation"].as_i64() {
        line("Generation", generation.to_string());
    }
    if metadata["deletionTimestamp"].is_string() {
        line("Deleting since", text(&metadata["deletionTimestamp"]));
    }
    for (key, head) in [("spec", "Spec"), ("data", "Data"), ("status", "Status")] {
        let mut value = object[key].clone();
        let conditions = value.as_object_mut().and_then(|fields| fields.remove("conditions"));
        if !value.is_null() {
            out += &format!("{head}:\n");
            nested(&value, 1, kind.kind == "Secret", &mut out);
        }
        if let Some(Value::Array(conditions)) = conditions {
            out += "Conditions:\n";
            out += &indent(&condition_table(&conditions));
        }
    }
    out += &events(connection, &object).await?;
    Ok(out)
}

/// Writes a value as indented lines; secrets as their lengths only.
fn nested(value: &Value, depth: usize, secret: bool, out: &mut String) {
    let pad = "  ".repeat(depth);
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::Object(_) | Value::Array(_) => {
                        *out += &format!("{pad}{key}:\n");
                        nested(value, depth + 1, secret, out);
                    }
                    Value::String(text) if secret => {
                        *out += &format!("{pad}{key}: {} bytes, encoded\n", text.len());
                    }
                    Value::String(text) if text.len() > 200 => {
                        *out += &format!("{pad}{key}: {} characters\n", text.len());
                    }
                    Value::String(text) => *out += &format!("{pad}{key}: {text}\n"),
                    other => *out += &format!("{pad}{key}: {other}\n"),
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                match item {
                    Value::Object(_) | Value::Array(_) => {
                        *out += &format!("{pad}-\n");
                        nested(item, depth + 1, secret, out);
                    }
                    Value::String(text) => *out += &format!("{pad}- {text}\n"),
                    other => *out += &format!("{pad}- {other}\n"),
                }
            }
        }
        other => *out += &format!("{pad}{other}\n"),
    }
}

fn condition_table(conditions: &[Value]) -> String {
    let mut table = Table::new(["Type", "Status", "Since", "Reason", "Message"]);
    for condition in conditions {
        let text = |key: &str| condition[key].as_str().unwrap_or("").to_owned();
        table.row(vec![
            text("type"),
            text("status"),
            text("lastTransitionTime"),
            text("reason"),
            text("message"),
        ]);
    }
    table.text(true, &mut Vec::new())
}

async fn events(connection: &Connection, object: &Value) -> Result<String> {
    let uid = object["metadata"]["uid"].as_str().unwrap_or_default();
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    if uid.is_empty() {
        bail!("the server gave an object without a uid");
    }
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or("default");
    let path = format!(
        "/api/v1/namespaces/{namespace}/events?fieldSelector=involvedObject.name%3D{name}%2CinvolvedObject.uid%3D{uid}&limit=500"
    );
    let list = fetch(&connection.client, &path, "application/json").await?;
    let items = list["items"].as_array().cloned().unwrap_or_default();
    if items.is_empty() {
        return Ok("Events:         <none>\n".into());
    }
    let mut table = Table::new(["Type", "Reason", "Last seen", "Count", "From", "Message"]);
    for event in items {
        let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
        let last = ["lastTimestamp", "eventTime", "firstTimestamp"]
            .iter()
            .map(|key| text(&event[*key]))
            .find(|time| !time.is_empty());
        let from = match text(&event["source"]["component"]) {
            empty if empty.is_empty() => text(&event["reportingComponent"]),
            component => component,
        };
        let count = event["count"].as_i64().or(event["series"]["count"].as_i64()).unwrap_or(1);
        table.row(vec![
            text(&event["type"]),
            text(&event["reason"]),
            last.unwrap_or_default(),
            count.to_string(),
            from,
            text(&event["message"]).trim().to_owned(),
        ]);
    }
    Ok(format!("Events:\n{}", indent(&table.text(true, &mut Vec::new()))))
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}
