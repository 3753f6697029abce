//! Server-side apply: merges a configuration into an object by schema, tells conflicts, and removes
//! what its manager no longer names.
//!
//! # Source
//! `sigs.k8s.io/structured-merge-diff/v6`: `merge/update.go`, `typed/merge.go`.

use serde_json::{Map, Value};

use crate::fields::{Difference, Element, FieldSet, element_of, index};
use crate::kind::Kind;
use crate::managed::{Manager, Managers, Operation, strip};
use crate::schema::{ListType, Schema};
use crate::status::{Cause, Refusal};

/// Applies `config` to `live`; the result carries the new managedFields.
///
/// # Errors
/// 409 with one cause a field that another manager owns with another value, unless `is_forced`.
pub(crate) fn apply(
    kind: &Kind,
    live: &Value,
    config: &Value,
    manager: &Manager,
    is_forced: bool,
) -> Result<Value, Refusal> {
    let mut wanted = FieldSet::of(&kind.schema, config);
    strip(kind, &mut wanted, &manager.subresource);
    let mut managers = Managers::of(live);
    let last = managers.get(manager);
    // A null is owned, but says nothing about the value.
    let mut values = config.clone();
    kind.schema.drop_nulls(&mut values);
    let mut result = merge(Some(&kind.schema), live, &values);
    let mut owned = wanted.clone();
    for entry in managers.0.iter().filter(|entry| entry.manager != *manager) {
        owned.add(&entry.fields);
    }
    last.prune(&owned, Some(&kind.schema), &mut result);
    let mut difference = Difference::of(&kind.schema, live, &result);
    strip(kind, &mut difference.written, &manager.subresource);
    strip(kind, &mut difference.removed, &manager.subresource);
    if !is_forced {
        refuse_conflicts(&managers, manager, &difference.written)?;
    }
    let mut taken = difference.written;
    taken.add(&difference.removed);
    managers.take_from_others(manager, &taken);
    managers.set(manager, wanted);
    managers.write_to(&mut result);
    Ok(result)
}

fn refuse_conflicts(
    managers: &Managers,
    manager: &Manager,
    written: &FieldSet,
) -> Result<(), Refusal> {
    let mut causes = Vec::new();
    let mut shown = Vec::new();
    for entry in managers.0.iter().filter(|entry| entry.manager != *manager) {
        let fields = entry.fields.common(written).show();
        if fields.is_empty() {
            continue;
        }
        let who = describe(&entry.manager);
        shown.push(match &fields[..] {
            [field] => format!("conflict with {who}: {field}"),
            _ => format!("conflicts with {who}:\n- {}", fields.join("\n- ")),
        });
        causes.extend(fields.into_iter().map(|field| Cause {
            reason: "FieldManagerConflict",
            message: format!("conflict with {who}"),
            field,
        }));
    }
    if causes.is_empty() {
        return Ok(());
    }
    let count = causes.len();
    let plural = if count == 1 { "" } else { "s" };
    let message = format!("Apply failed with {count} conflict{plural}: {}", shown.join("\n"));
    Err(Refusal::new(409, "Conflict", message).with_causes(&causes))
}

fn describe(manager: &Manager) -> String {
    let mut text = format!("\"{}\"", manager.name);
    if !manager.subresource.is_empty() {
        text.push_str(&format!(" with subresource \"{}\"", manager.subresource));
    }
    if manager.operation == Operation::Update {
        text.push_str(&format!(" using {}", manager.api_version));
    }
    text
}

/// `config` on top of `live`.
fn merge(schema: Option<&Schema>, live: &Value, config: &Value) -> Value {
    match (live, config) {
        (Value::Object(old), Value::Object(new))
            if !schema.is_some_and(|schema| schema.is_atomic_map) =>
        {
            let mut fields = old.clone();
            for (name, value) in new {
                let below = schema.and_then(|schema| schema.field(name));
                let merged = match old.get(name) {
                    Some(before) => merge(below, before, value),
                    None => value.clone(),
                };
                fields.insert(name.clone(), merged);
            }
            Value::Object(fields)
        }
        (Value::Array(_), Value::Array(new)) => match schema {
            Some(schema) if schema.list_type != ListType::Atomic => merge_list(schema, live, new),
            _ => config.clone(),
        },
        _ => config.clone(),
    }
}

/// Items of both; those of `config` in its order, those of `live` alone where they were.
fn merge_list(schema: &Schema, live: &Value, config: &[Value]) -> Value {
    let name = |item: &Value| element_of(&schema.list_type, item);
    let (old, wanted) = (index(schema, Some(live)), config.iter().map(name).collect::<Vec<_>>());
    let mut rest = live.as_array().map_or(&[][..], Vec::as_slice);
    let mut merged = Vec::with_capacity(rest.len() + config.len());
    let mut done: Vec<&Option<Element>> = Vec::new();
    let mut take_unwanted = |done: &[&Option<Element>], merged: &mut Vec<Value>, is_last: bool| {
        while let Some((item, after)) = rest.split_first() {
            let element = name(item);
            if !wanted.contains(&element) {
                merged.push(item.clone());
            } else if !is_last && !done.contains(&&element) {
                return;
            }
            rest = after;
        }
    };
    for (item, element) in config.iter().zip(&wanted) {
        take_unwanted(&done, &mut merged, false);
        let before = element.as_ref().and_then(|element| old.get(element));
        let below = schema.items.as_deref();
        merged.push(before.map_or_else(|| item.clone(), |before| merge(below, before, item)));
        done.push(element);
    }
    take_unwanted(&done, &mut merged, true);
    Value::Array(merged)
}

/// An object that holds nothing but what tells it apart: what an apply creates from.
pub(crate) fn blank(config: &Value) -> Value {
    let mut fields = Map::new();
    for name in ["apiVersion", "kind"] {
        if let Some(value) = config.get(name) {
            fields.insert(name.to_owned(), value.clone());
        }
    }
    fields.insert("metadata".to_owned(), Value::Object(Map::new()));
    Value::Object(fields)
}

#[cfg(test)]
mod tests;
