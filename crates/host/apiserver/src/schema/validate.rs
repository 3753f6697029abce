//! Checks a value against a schema, in the words of Kubernetes.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::Value;

use super::prune::join;
use super::{Bounds, ListType, Schema, Type};
use crate::limits;
use crate::status::Cause;

impl Schema {
    /// Adds what is wrong with `value` to `causes`, up to their bound.
    pub(crate) fn validate(&self, value: &Value, path: &str, causes: &mut Vec<Cause>) {
        if causes.len() >= limits::CAUSES_MAX {
            return;
        }
        if value.is_null() && self.is_nullable {
            return;
        }
        if !self.accepts_type(value) {
            let expected = self.type_name();
            let found = type_name_of(value);
            causes.push(Cause {
                reason: "FieldValueTypeInvalid",
                message: format!(
                    "Invalid value: \"{found}\": {path} in body must be of type {expected}: \"{found}\""
                ),
                field: path.to_owned(),
            });
            return;
        }
        self.bounds.check(value, path, causes);
        match value {
            Value::Object(fields) => {
                for (name, field) in fields {
                    if let Some(schema) = self.field(name) {
                        schema.validate(field, &join(path, name), causes);
                    }
                }
            }
            Value::Array(items) => {
                self.validate_list(items, path, causes);
                if let Some(schema) = &self.items {
                    for (index, item) in items.iter().enumerate() {
                        schema.validate(item, &format!("{path}[{index}]"), causes);
                    }
                }
            }
            _ => {}
        }
    }

    fn validate_list(&self, items: &[Value], path: &str, causes: &mut Vec<Cause>) {
        let identity = |item: &Value| match &self.list_type {
            ListType::Atomic => None,
            ListType::Set => Some(item.to_string()),
            ListType::Map(keys) => {
                let parts = keys.iter().map(|key| (key, item.get(key)));
                Some(format!("{:?}", parts.collect::<Vec<_>>()))
            }
        };
        let mut seen = std::collections::HashSet::new();
        for (index, item) in items.iter().enumerate() {
            let Some(identity) = identity(item) else { return };
            if !seen.insert(identity) {
                let shown = match &self.list_type {
                    ListType::Map(keys) => {
                        let parts = keys
                            .iter()
                            .filter_map(|key| Some((key.clone(), item.get(key)?.clone())));
                        Value::Object(parts.collect())
                    }
                    _ => item.clone(),
                };
                causes.push(Cause {
                    reason: "FieldValueDuplicate",
                    message: format!("Duplicate value: {shown}"),
                    field: format!("{path}[{index}]"),
                });
            }
        }
    }

    fn accepts_type(&self, value: &Value) -> bool {
        match self.kind {
            Type::Any => true,
            Type::Object => value.is_object(),
            Type::Array => value.is_array(),
            Type::String => value.is_string(),
            Type::Integer => is_integer(value),
            Type::Number => value.is_number(),
            Type::Boolean => value.is_boolean(),
            Type::IntOrString => value.is_string() || is_integer(value),
        }
    }

    fn type_name(&self) -> &'static str {
        match self.kind {
            Type::Any => "any",
            Type::Object => "object",
            Type::Array => "array",
            Type::String => "string",
            Type::Integer => "integer",
            Type::Number => "number",
            Type::Boolean => "boolean",
            Type::IntOrString => "integer,string",
        }
    }
}

fn is_integer(value: &Value) -> bool {
    value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
}

fn type_name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) if is_integer(value) => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

impl Bounds {
    fn check(&self, value: &Value, path: &str, causes: &mut Vec<Cause>) {
        if !self.allowed.is_empty() && !self.allowed.contains(value) {
            let allowed: Vec<String> = self.allowed.iter().map(Value::to_string).collect();
            causes.push(Cause {
                reason: "FieldValueNotSupported",
                message: format!(
                    "Unsupported value: {value}: supported values: {}",
                    allowed.join(", ")
                ),
                field: path.to_owned(),
            });
        }
        match value {
            Value::Object(fields) => self.check_object(fields, path, causes),
            Value::Array(items) => self.check_array(items, path, causes),
            Value::String(text) => self.check_string(text, path, causes),
            Value::Number(_) => self.check_number(value, path, causes),
            _ => {}
        }
        self.check_junctors(value, path, causes);
    }

    fn check_object(
        &self,
        fields: &serde_json::Map<String, Value>,
        path: &str,
        causes: &mut Vec<Cause>,
    ) {
        for name in self.required.iter().filter(|name| !fields.contains_key(*name)) {
            let message = "Required value".to_owned();
            causes.push(Cause { reason: "FieldValueRequired", message, field: join(path, name) });
        }
        let count = fields.len() as u64;
        if self.properties_max.is_some_and(|max| count > max) {
            let bound = self.properties_max.unwrap_or(0);
            let message = format!("Too many: {count}: must have at most {bound} items");
            causes.push(Cause { reason: "FieldValueTooMany", message, field: path.to_owned() });
        }
        if let Some(bound) = self.properties_min.filter(|min| count < *min) {
            causes.push(invalid(path, &count, &format!("should have at least {bound} properties")));
        }
    }

    fn check_array(&self, items: &[Value], path: &str, causes: &mut Vec<Cause>) {
        let count = items.len() as u64;
        if let Some(bound) = self.items_max.filter(|max| count > *max) {
            let message = format!("Too many: {count}: must have at most {bound} items");
            causes.push(Cause { reason: "FieldValueTooMany", message, field: path.to_owned() });
        }
        if let Some(bound) = self.items_min.filter(|min| count < *min) {
            causes.push(invalid(path, &count, &format!("should have at least {bound} items")));
        }
        if self.has_unique_items {
            let mut seen = std::collections::HashSet::new();
            if !items.iter().all(|item| seen.insert(item.to_string())) {
                causes.push(invalid(path, &"array", "shouldn't contain duplicates"));
            }
        }
    }

    fn check_string(&self, text: &str, path: &str, causes: &mut Vec<Cause>) {
        let count = text.chars().count() as u64;
        if let Some(bound) = self.length_max.filter(|max| count > *max) {
            let message = format!("Too long: may not be more than {bound} bytes");
            causes.push(Cause { reason: "FieldValueTooLong", message, field: path.to_owned() });
        }
        let shown = Value::from(text).to_string();
        if let Some(bound) = self.length_min.filter(|min| count < *min) {
            causes.push(invalid(path, &shown, &format!("should be at least {bound} chars long")));
        }
        match &self.pattern {
            Some(Ok(pattern)) if !pattern.is_match(text) => {
                causes.push(invalid(path, &shown, &format!("should match '{}'", pattern.as_str())));
            }
            Some(Err(error)) => {
                causes.push(invalid(path, &shown, &format!("pattern of the schema: {error}")));
            }
            _ => {}
        }
        if !is_formatted(&self.format, text) {
            let why = format!("must be of type {}: {shown}", self.format);
            causes.push(invalid(path, &shown, &why));
        }
    }

    fn check_number(&self, value: &Value, path: &str, causes: &mut Vec<Cause>) {
        let Some(number) = value.as_f64() else { return };
        if let Some(bound) = self.minimum
            && (number < bound || (self.is_minimum_exclusive && number <= bound))
        {
            let relation = if self.is_minimum_exclusive { "" } else { " or equal to" };
            let why = format!("should be greater than{relation} {bound}");
            causes.push(invalid(path, value, &why));
        }
        if let Some(bound) = self.maximum
            && (number > bound || (self.is_maximum_exclusive && number >= bound))
        {
            let relation = if self.is_maximum_exclusive { "" } else { " or equal to" };
            let why = format!("should be less than{relation} {bound}");
            causes.push(invalid(path, value, &why));
        }
        if let Some(factor) = self.multiple_of.filter(|factor| *factor > 0.0)
            && (number / factor).fract() != 0.0
        {
            causes.push(invalid(path, value, &format!("should be a multiple of {factor}")));
        }
        if self.format == "int32"
            && value.as_i64().is_none_or(|number| i32::try_from(number).is_err())
        {
            causes.push(invalid(path, value, "must be of type int32"));
        }
    }

    fn check_junctors(&self, value: &Value, path: &str, causes: &mut Vec<Cause>) {
        let holds = |schema: &Schema| {
            let mut below = Vec::new();
            schema.validate(value, path, &mut below);
            below.is_empty()
        };
        for schema in &self.all_of {
            schema.validate(value, path, causes);
        }
        if !self.any_of.is_empty() && !self.any_of.iter().any(holds) {
            causes.push(invalid(path, &"", "must validate at least one schema (anyOf)"));
        }
        if !self.one_of.is_empty() && self.one_of.iter().filter(|schema| holds(schema)).count() != 1
        {
            causes.push(invalid(path, &"", "must validate one and only one schema (oneOf)"));
        }
        if self.not.as_ref().is_some_and(|schema| holds(schema)) {
            causes.push(invalid(path, &"", "must not validate the schema (not)"));
        }
    }
}

fn invalid(path: &str, value: &dyn std::fmt::Display, why: &str) -> Cause {
    Cause {
        reason: "FieldValueInvalid",
        message: format!("Invalid value: {value}: {path} in body {why}"),
        field: path.to_owned(),
    }
}

fn is_formatted(format: &str, text: &str) -> bool {
    match format {
        // Kubernetes' MicroTime: exactly six digits of a second.
        "micro-time" => {
            let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
            let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
            digits == 6 && text.parse::<jiff::Timestamp>().is_ok()
        }
        "date-time" => text.parse::<jiff::Timestamp>().is_ok(),
        "date" => text.parse::<jiff::civil::Date>().is_ok(),
        "duration" => text.parse::<jiff::SignedDuration>().is_ok(),
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "uuid" => uuid::Uuid::try_parse(text).is_ok(),
        "byte" => {
            use base64::Engine as _;
            base64::engine::general_purpose::STANDARD.decode(text).is_ok()
        }
        // Formats that Kubernetes does not know are not checked there either.
        _ => true,
    }
}
