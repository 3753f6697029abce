//! Validation rules in CEL (`x-kubernetes-validations`), compiled once for a definition.

use kube_cel::{CompiledSchema, ErrorKind, compile_schema, validate_compiled};
use serde_json::Value;

use crate::limits;
use crate::status::Cause;

/// The compiled rules of one schema.
pub(crate) struct Rules(CompiledSchema);

impl Rules {
    /// Compiles the rules of `schema`; `None` if it has none.
    ///
    /// # Errors
    /// The first rule that does not compile.
    pub(crate) fn compile(schema: &Value) -> Result<Option<Self>, String> {
        if !has_rules(schema) {
            return Ok(None);
        }
        Ok(Some(Self(compile_schema(schema))))
    }

    /// Adds the rules that `object` breaks to `causes`.
    pub(crate) fn check(&self, object: &Value, before: Option<&Value>, causes: &mut Vec<Cause>) {
        let Err(errors) = validate_compiled(&self.0, object, before) else { return };
        for error in errors.as_slice() {
            if causes.len() >= limits::CAUSES_MAX {
                return;
            }
            let field = error.field_path.clone();
            causes.push(Cause {
                reason: reason(&error.kind),
                message: format!("Invalid value: {}", error.message),
                field,
            });
        }
    }
}

fn reason(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::CompilationFailure | ErrorKind::InvalidRule => "InternalError",
        _ => "FieldValueInvalid",
    }
}

fn has_rules(schema: &Value) -> bool {
    match schema {
        Value::Object(fields) => {
            fields.contains_key("x-kubernetes-validations") || fields.values().any(has_rules)
        }
        Value::Array(items) => items.iter().any(has_rules),
        _ => false,
    }
}
