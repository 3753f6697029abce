//! Request bodies: JSON or YAML into a value, with the duplicate fields that strict clients ask
//! about. Knows no schema.

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::limits;
use crate::status::Refusal;

/// A decoded body.
pub(crate) struct Decoded {
    /// The last one wins where a field is there twice.
    pub(crate) value: Value,
    /// Paths of fields that are there twice.
    pub(crate) duplicates: Vec<String>,
}

/// Decodes a JSON body.
pub(crate) fn json(bytes: &[u8]) -> Result<Decoded, Refusal> {
    let mut duplicates = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let seed = Seed { path: "", duplicates: &mut duplicates };
    let value = seed
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| Refusal::bad_request(format!("the body is not valid JSON: {error}")))?;
    Ok(Decoded { value, duplicates })
}

/// Decodes a YAML body, of which JSON is a part.
pub(crate) fn yaml(bytes: &[u8]) -> Result<Decoded, Refusal> {
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{')
        && let Ok(decoded) = json(bytes)
    {
        return Ok(decoded);
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|_| Refusal::bad_request("the body is not valid UTF-8"))?;
    let value: Value = serde_saphyr::from_str(text)
        .map_err(|error| Refusal::bad_request(format!("the body is not valid YAML: {error}")))?;
    check_depth(&value, 0)?;
    Ok(Decoded { value, duplicates: Vec::new() })
}

fn check_depth(value: &Value, depth: usize) -> Result<(), Refusal> {
    if depth > limits::DEPTH_MAX {
        return Err(Refusal::bad_request("the body is nested too deeply"));
    }
    match value {
        Value::Object(fields) => fields.values().try_for_each(|item| check_depth(item, depth + 1)),
        Value::Array(items) => items.iter().try_for_each(|item| check_depth(item, depth + 1)),
        _ => Ok(()),
    }
}

struct Seed<'a> {
    path: &'a str,
    duplicates: &'a mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        loop {
            let path = format!("{}[{}]", self.path, items.len());
            let seed = Seed { path: &path, duplicates: self.duplicates };
            match access.next_element_seed(seed)? {
                Some(item) => items.push(item),
                None => return Ok(Value::Array(items)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            let path =
                if self.path.is_empty() { name.clone() } else { format!("{}.{name}", self.path) };
            let value =
                access.next_value_seed(Seed { path: &path, duplicates: self.duplicates })?;
            if fields.insert(name, value).is_some() {
                if self.duplicates.len() >= limits::CAUSES_MAX {
                    return Err(A::Error::custom("too many duplicate fields"));
                }
                self.duplicates.push(path);
            }
        }
        Ok(Value::Object(fields))
    }
}
