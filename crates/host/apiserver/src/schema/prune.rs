//! Drops what a schema does not know, and fills in what it has a default for.

use serde_json::Value;

use super::{Schema, Type};

/// Fields that every whole Kubernetes object has, whether its schema names them or not.
const OBJECT_FIELDS: [&str; 3] = ["apiVersion", "kind", "metadata"];

impl Schema {
    /// Removes unknown fields and adds their paths to `unknown`.
    pub(crate) fn prune(&self, value: &mut Value, path: &str, unknown: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                if self.kind == Type::Any && self.keeps_unknown && self.properties.is_empty() {
                    return;
                }
                let names: Vec<String> = fields.keys().cloned().collect();
                for name in names {
                    let below = join(path, &name);
                    match (self.field(&name), fields.get_mut(&name)) {
                        (Some(schema), Some(field)) => schema.prune(field, &below, unknown),
                        _ if self.keeps_unknown => {}
                        _ if self.is_embedded && OBJECT_FIELDS.contains(&name.as_str()) => {}
                        _ => {
                            fields.shift_remove(&name);
                            unknown.push(below);
                        }
                    }
                }
            }
            Value::Array(items) => {
                let Some(schema) = &self.items else { return };
                for (index, item) in items.iter_mut().enumerate() {
                    schema.prune(item, &format!("{path}[{index}]"), unknown);
                }
            }
            _ => {}
        }
    }

    /// Removes nulls where there may be none: they count as missing.
    pub(crate) fn drop_nulls(&self, value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.retain(|name, value| {
                    let schema = self.properties.get(name);
                    !value.is_null() || schema.is_none_or(Self::accepts_null)
                });
                for (name, field) in fields.iter_mut() {
                    if let Some(schema) = self.field(name) {
                        schema.drop_nulls(field);
                    }
                }
            }
            Value::Array(items) => {
                let Some(schema) = &self.items else { return };
                items.iter_mut().for_each(|item| schema.drop_nulls(item));
            }
            _ => {}
        }
    }

    /// Fills in defaults; a null where none may be counts as missing.
    pub(crate) fn fill(&self, value: &mut Value) {
        self.drop_nulls(value);
        self.fill_missing(value);
    }

    fn fill_missing(&self, value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for (name, schema) in &self.properties {
                    let Some(default) = &schema.default else { continue };
                    fields.entry(name).or_insert_with(|| default.clone());
                }
                for (name, field) in fields.iter_mut() {
                    if let Some(schema) = self.field(name) {
                        schema.fill_missing(field);
                    }
                }
            }
            Value::Array(items) => {
                let Some(schema) = &self.items else { return };
                items.iter_mut().for_each(|item| schema.fill_missing(item));
            }
            _ => {}
        }
    }
}

/// `path.name`, with names that hold dots or slashes in brackets, as Kubernetes prints them.
pub(crate) fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else if name.contains(['.', '/']) {
        format!("{path}[{name}]")
    } else {
        format!("{path}.{name}")
    }
}
