//! How results and errors are written.

use std::io::Write;

use anyhow::{Result, bail};
use serde_json::{Value, json};

/// The error as kubectl's users know it: one cause, and a hint where there is one.
pub fn error_text(error: &anyhow::Error) -> String {
    for cause in error.chain() {
        if let Some(kube::Error::Api(status)) = cause.downcast_ref::<kube::Error>() {
            let reason = if status.reason.is_empty() { "Unknown" } else { &status.reason };
            return format!("Error from server ({reason}): {}", status.message);
        }
    }
    let mut text = format!("error: {error}");
    for cause in error.chain().skip(1) {
        text += &format!(": {cause}");
    }
    text
}

/// Writes to standard output. A reader that has seen enough and left is not a fault; see `main`.
pub fn write(text: std::fmt::Arguments<'_>) -> Result<()> {
    std::io::stdout().write_fmt(text)?;
    Ok(())
}

/// Whether the reader of standard output left, as `head` does.
pub fn reader_left(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

/// `print!` that fails instead of panicking.
macro_rules! out {
    ($($text:tt)*) => { $crate::output::write(format_args!($($text)*))? };
}

/// `println!` that fails instead of panicking.
macro_rules! outln {
    ($($text:tt)*) => { $crate::output::write(format_args!("{}\n", format_args!($($text)*)))? };
}

pub(crate) use {out, outln};

/// What `-o` asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Format {
    /// The table.
    Table {
        /// With the columns of lower priority.
        wide: bool,
    },
    /// The API object as JSON.
    Json,
    /// The API object as YAML.
    Yaml,
    /// Names only.
    Name,
    /// Fields named by a template.
    JsonPath(String),
}

impl Format {
    /// Reads the value of `-o`.
    pub fn parse(text: Option<&str>) -> Result<Self> {
        Ok(match text {
            None | Some("") => Self::Table { wide: false },
            Some("wide") => Self::Table { wide: true },
            Some("json") => Self::Json,
            Some("yaml") => Self::Yaml,
            Some("name") => Self::Name,
            Some(other) => match other.strip_prefix("jsonpath=") {
                Some(template) => Self::JsonPath(template.to_owned()),
                None => bail!(
                    "unknown output format {other:?}; there are: wide, json, yaml, name, jsonpath=TEMPLATE"
                ),
            },
        })
    }
}

/// A `List` of the objects, as kubectl makes of several.
pub fn list(items: Vec<Value>) -> Value {
    json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": items})
}

/// An object as text in JSON or YAML.
pub fn document(value: &Value, format: &Format) -> Result<String> {
    Ok(match format {
        Format::Yaml => serde_saphyr::to_string(value)?,
        _ => format!("{}\n", serde_json::to_string_pretty(value)?),
    })
}

/// What a JSONPath template of kubectl's simple form makes of a value: text and `{.a.b[0]['c']}`.
///
/// # Errors
/// Names the part of the template that is not supported.
pub fn json_path(template: &str, value: &Value) -> Result<String> {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        text += before;
        let Some((path, after)) = after.split_once('}') else {
            bail!("unclosed {{ in {template:?}")
        };
        rest = after;
        if let Some(literal) = path.strip_prefix('"').and_then(|path| path.strip_suffix('"')) {
            text += &literal.replace("\\n", "\n").replace("\\t", "\t");
            continue;
        }
        let found = select(path, value)?;
        let words: Vec<String> = found
            .into_iter()
            .map(|value| match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            })
            .collect();
        text += &words.join(" ");
    }
    text += rest;
    Ok(text)
}

/// The values a path leads to. `[*]` and `[?(@.key=="value")]` may lead to several.
fn select<'v>(path: &str, value: &'v Value) -> Result<Vec<&'v Value>> {
    let mut found = vec![value];
    let mut rest = path.trim_start_matches('$');
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('[') {
            let Some((inside, after)) = after.split_once(']') else {
                bail!("unclosed [ in {path:?}")
            };
            rest = after;
            found = found.into_iter().flat_map(|value| index(inside, value)).collect();
            continue;
        }
        let after = rest.strip_prefix('.').unwrap_or(rest);
        // `\.` is a dot inside of a key.
        let mut end = after.len();
        let mut previous = ' ';
        for (position, character) in after.char_indices() {
            if (character == '.' && previous != '\\') || character == '[' {
                end = position;
                break;
            }
            previous = character;
        }
        let (key, after) = after.split_at(end);
        rest = after;
        let key = key.replace("\\.", ".");
        if !key.is_empty() {
            found = found.into_iter().filter_map(|value| value.get(&key)).collect();
        }
    }
    Ok(found)
}

fn index<'v>(inside: &str, value: &'v Value) -> Vec<&'v Value> {
    if inside == "*" {
        return match value {
            Value::Array(items) => items.iter().collect(),
            Value::Object(fields) => fields.values().collect(),
            _ => Vec::new(),
        };
    }
    if let Ok(position) = inside.parse::<usize>() {
        return value.get(position).into_iter().collect();
    }
    if let Some((key, wanted)) = inside
        .strip_prefix("?(@.")
        .and_then(|test| test.strip_suffix(')'))
        .and_then(|test| test.split_once("=="))
    {
        let wanted = wanted.trim().trim_matches(['"', '\'']);
        let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
        return items.iter().filter(|item| item[key.trim()].as_str() == Some(wanted)).collect();
    }
    value.get(inside.trim_matches(['"', '\''])).into_iter().collect()
}

#[cfg(test)]
mod tests;
