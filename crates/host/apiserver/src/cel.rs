//! Validation rules in CEL (`x-kubernetes-validations`), compiled once for a definition.

use kube_cel::{CompiledSchema, ErrorKind, Validator, compile_schema};
use serde_json::Value;

use crate::limits;
use crate::status::Cause;

/// The compiled rules of one schema.
pub(crate) struct Rules {
    compiled: CompiledSchema,
    validator: Validator,
}

impl Rules {
    /// Compiles the rules of `schema`; `None` if it has none.
    ///
    /// # Errors
    /// The first rule that does not compile.
    pub(crate) fn compile(schema: &Value) -> Result<Option<Self>, String> {
        if !has_rules(schema) {
            return Ok(None);
        }
        let compiled = compile_schema(schema);
        match first_error(&compiled) {
            Some(error) => Err(error),
            None => Ok(Some(Self { compiled, validator: Validator::new() })),
        }
    }

    /// Adds the rules that `object` breaks to `causes`.
    pub(crate) fn check(&self, object: &Value, before: Option<&Value>, causes: &mut Vec<Cause>) {
        let checked = self.validator.validate_compiled(&self.compiled, object, before);
        let Err(errors) = checked else { return };
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

/// True for errors after which rules are not run, as they may rely on what is wrong.
pub(crate) fn is_blocking(cause: &Cause) -> bool {
    const BLOCKING: [&str; 5] = [
        "FieldValueRequired",
        "FieldValueNotSupported",
        "FieldValueTypeInvalid",
        "FieldValueTooLong",
        "FieldValueTooMany",
    ];
    BLOCKING.contains(&cause.reason)
}

/// What is said beside other errors about rules that were not run because of them.
pub(crate) fn unchecked() -> Cause {
    let message = "Invalid value: null: some validation rules were not checked because the object \
                   was invalid; correct the existing errors to complete validation";
    let (reason, field) = ("FieldValueInvalid", "<nil>".to_owned());
    Cause { reason, message: message.to_owned(), field }
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

fn first_error(schema: &CompiledSchema) -> Option<String> {
    let own = schema.compilation_errors().first().map(ToString::to_string);
    let below = schema.properties.values().chain(schema.items.as_deref());
    let mut below = below.chain(schema.additional_properties.as_deref());
    own.or_else(|| below.find_map(first_error))
}
