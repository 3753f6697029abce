//! Label and field selectors.

use std::collections::HashMap;

use serde_json::Value;

use crate::columns::FieldPath;
use crate::kind::Kind;
use crate::limits;
use crate::object;
use crate::status::Refusal;
use crate::store::Key;

/// One condition on a label.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Requirement {
    Exists(String),
    Missing(String),
    In(String, Vec<String>),
    /// Holds for objects without the label too, as in Kubernetes.
    NotIn(String, Vec<String>),
    /// Both sides are whole numbers; with `true`, the label's is the greater one.
    Beyond(String, i64, bool),
}

/// One condition on a field.
#[derive(Clone, Debug)]
struct FieldRequirement {
    field: Field,
    value: String,
    is_equal: bool,
}

#[derive(Clone, Debug)]
enum Field {
    Name,
    Namespace,
    Path(FieldPath),
}

/// Conditions that select objects of a list or watch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<FieldRequirement>,
}

impl Selector {
    /// Parses `labelSelector` and `fieldSelector`.
    pub(crate) fn parse(kind: &Kind, labels: &str, fields: &str) -> Result<Self, Refusal> {
        if labels.len() + fields.len() > limits::SELECTOR_BYTES_MAX {
            return Err(Refusal::bad_request("selector is too long"));
        }
        Ok(Self {
            labels: parse_labels(labels).map_err(|why| {
                Refusal::bad_request(format!("unable to parse requirement: {why}"))
            })?,
            fields: parse_fields(kind, fields)?,
        })
    }

    /// True if it selects everything.
    pub(crate) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// The name that the selector pins, if it does.
    pub(crate) fn name(&self) -> Option<&str> {
        self.fields.iter().find_map(|one| match one.field {
            Field::Name if one.is_equal => Some(one.value.as_str()),
            _ => None,
        })
    }

    /// True if the object is selected.
    pub(crate) fn matches(&self, key: &Key, json: &[u8]) -> bool {
        if self.is_empty() {
            return true;
        }
        let by_key = self.fields.iter().all(|one| match one.field {
            Field::Name => (one.value == key.name) == one.is_equal,
            Field::Namespace => (one.value == key.namespace) == one.is_equal,
            Field::Path(_) => true,
        });
        by_key && self.matches_paths(json) && self.matches_labels(json)
    }

    fn matches_paths(&self, json: &[u8]) -> bool {
        if !self.fields.iter().any(|one| matches!(one.field, Field::Path(_))) {
            return true;
        }
        let Ok(object) = serde_json::from_slice::<Value>(json) else { return false };
        self.fields.iter().all(|one| {
            let Field::Path(path) = &one.field else { return true };
            let found = match path.first(&object) {
                Some(Value::String(text)) => text.clone(),
                None | Some(Value::Null) => String::new(),
                Some(other) => other.to_string(),
            };
            (found == one.value) == one.is_equal
        })
    }

    fn matches_labels(&self, json: &[u8]) -> bool {
        if self.labels.is_empty() {
            return true;
        }
        let object::Labels(labels) = object::labels(json);
        self.labels.iter().all(|requirement| requirement.holds(&labels))
    }
}

impl Requirement {
    fn holds(&self, labels: &HashMap<String, String>) -> bool {
        match self {
            Self::Exists(key) => labels.contains_key(key),
            Self::Missing(key) => !labels.contains_key(key),
            Self::In(key, values) => labels.get(key).is_some_and(|value| values.contains(value)),
            Self::Beyond(key, bound, is_greater) => {
                let number = labels.get(key).and_then(|value| value.parse::<i64>().ok());
                number.is_some_and(|one| if *is_greater { one > *bound } else { one < *bound })
            }
            Self::NotIn(key, values) => labels.get(key).is_none_or(|value| !values.contains(value)),
        }
    }
}

fn parse_fields(kind: &Kind, text: &str) -> Result<Vec<FieldRequirement>, Refusal> {
    let terms = text.split(',').map(str::trim).filter(|term| !term.is_empty());
    terms
        .map(|term| {
            let (name, value, is_equal) = if let Some((name, value)) = term.split_once("!=") {
                (name, value, false)
            } else if let Some((name, value)) = term.split_once("==") {
                (name, value, true)
            } else if let Some((name, value)) = term.split_once('=') {
                (name, value, true)
            } else {
                let message = format!("invalid field selector: \"{term}\": can't understand");
                return Err(Refusal::bad_request(message));
            };
            let field = match name.trim() {
                "metadata.name" => Field::Name,
                "metadata.namespace" => Field::Namespace,
                name => {
                    let known = kind.selectable.iter().find(|(known, _)| known == name);
                    let (_, path) = known.ok_or_else(|| {
                        Refusal::bad_request(format!("field label not supported: {name}"))
                    })?;
                    Field::Path(path.clone())
                }
            };
            Ok(FieldRequirement { field, value: value.trim().to_owned(), is_equal })
        })
        .collect()
}

fn parse_labels(text: &str) -> Result<Vec<Requirement>, String> {
    split_terms(text).into_iter().map(|term| parse_term(term.trim())).collect()
}

/// Splits at commas outside parentheses.
fn split_terms(text: &str) -> Vec<&str> {
    if text.trim().is_empty() {
        return Vec::new();
    }
    let mut depth = 0_i32;
    text.split(|symbol| {
        match symbol {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        symbol == ',' && depth <= 0
    })
    .collect()
}

fn parse_term(term: &str) -> Result<Requirement, String> {
    if let Some(key) = term.strip_prefix('!') {
        return Ok(Requirement::Missing(key_of(key)?));
    }
    for (operator, is_equal) in [("!=", false), ("==", true), ("=", true)] {
        if let Some((key, value)) = term.split_once(operator) {
            let (key, value) = (key_of(key)?, value_of(value)?);
            return Ok(if is_equal {
                Requirement::In(key, vec![value])
            } else {
                Requirement::NotIn(key, vec![value])
            });
        }
    }
    for (operator, is_greater) in [('>', true), ('<', false)] {
        if let Some((key, value)) = term.split_once(operator) {
            let bound = value.trim().parse();
            let bound = bound.map_err(|_| format!("\"{term}\": the value must be a number"))?;
            return Ok(Requirement::Beyond(key_of(key)?, bound, is_greater));
        }
    }
    let Some((head, list)) = term.split_once('(') else {
        return Ok(Requirement::Exists(key_of(term)?));
    };
    let list =
        list.trim_end().strip_suffix(')').ok_or_else(|| format!("\"{term}\": missing ')'"))?;
    let values = list.split(',').map(value_of).collect::<Result<Vec<_>, _>>()?;
    match head.split_whitespace().collect::<Vec<_>>()[..] {
        [key, "in"] => Ok(Requirement::In(key_of(key)?, values)),
        [key, "notin"] => Ok(Requirement::NotIn(key_of(key)?, values)),
        _ => Err(format!("\"{term}\": expected 'in' or 'notin'")),
    }
}

fn key_of(text: &str) -> Result<String, String> {
    let key = text.trim();
    let allowed = |symbol: char| symbol.is_ascii_alphanumeric() || "-_./".contains(symbol);
    if key.is_empty() || key.len() > 317 || !key.chars().all(allowed) {
        return Err(format!("<nil>: Invalid value: \"{key}\": not a label key"));
    }
    Ok(key.to_owned())
}

fn value_of(text: &str) -> Result<String, String> {
    let value = text.trim();
    let allowed = |symbol: char| symbol.is_ascii_alphanumeric() || "-_.".contains(symbol);
    if value.len() > 63 || !value.chars().all(allowed) {
        return Err(format!("values[0]: Invalid value: \"{value}\": not a label value"));
    }
    Ok(value.to_owned())
}

#[cfg(test)]
mod tests {
    //! Set syntax, case by case.

    use super::parse_labels;

    #[test]
    fn labels_are_selected_by_set_syntax() {
        let labels = [("app", "web"), ("tier", "x"), ("size", "3")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()));
        let labels = labels.into_iter().collect();
        for (text, holds) in [
            ("", true),
            ("app=web", true),
            ("app==web,tier!=y", true),
            ("app in (web, db),tier", true),
            ("app notin (web)", false),
            ("size>2", true),
            ("size<3", false),
            ("app>2", false),
            ("other notin (web)", true),
            ("other!=web", true),
            ("!other", true),
            ("!app", false),
            ("other", false),
        ] {
            let requirements = parse_labels(text).unwrap();
            assert_eq!(requirements.iter().all(|one| one.holds(&labels)), holds, "{text}");
        }
        for broken in ["app in web)", "app in (web", "=x", "a b", "app xin (y)", "a=b=c"] {
            assert!(parse_labels(broken).is_err(), "{broken}");
        }
    }
}
