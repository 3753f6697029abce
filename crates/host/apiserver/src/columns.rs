//! Printer columns, and the part of JSONPath that they and the scale subresource use: fields,
//! quoted fields, indexes, `[*]` and filters for equality.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceColumnDefinition;
use serde_json::{Value, json};

/// One step of a path.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Step {
    Field(String),
    Index(usize),
    All,
    /// Items whose field, reached by the path, equals the value.
    Where(FieldPath, String),
}

/// A parsed JSONPath.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct FieldPath(Vec<Step>);

impl FieldPath {
    /// Parses `.a.b['c'][0][?(@.type=="Ready")].d`; a part that is not understood selects nothing.
    pub(crate) fn parse(text: &str) -> Self {
        let text =
            text.trim().trim_start_matches('{').trim_end_matches('}').trim_start_matches('$');
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(inner) = rest.strip_prefix('[') {
                let end = bracket_end(inner);
                let (inside, after) = inner.split_at(end.min(inner.len()));
                steps.push(Step::bracket(inside));
                rest = after.strip_prefix(']').unwrap_or("");
            } else {
                let name_start = rest.strip_prefix('.').unwrap_or(rest);
                let (name, after) = field_name(name_start);
                if !name.is_empty() {
                    steps.push(if name == "*" { Step::All } else { Step::Field(name) });
                } else if after.len() == rest.len() {
                    break;
                }
                rest = after;
            }
        }
        Self(steps)
    }

    /// The values that the path selects.
    pub(crate) fn select<'a>(&self, root: &'a Value) -> Vec<&'a Value> {
        let mut found = vec![root];
        for step in &self.0 {
            found = found.into_iter().flat_map(|value| step.select(value)).collect();
        }
        found
    }

    /// The first value that the path selects.
    pub(crate) fn first<'a>(&self, root: &'a Value) -> Option<&'a Value> {
        self.select(root).into_iter().next()
    }

    /// Sets the value at a path that is made of fields only; makes maps on the way.
    pub(crate) fn set(&self, root: &mut Value, new: Value) {
        let mut at = root;
        for step in &self.0 {
            let Step::Field(name) = step else { return };
            at = crate::object::map_mut(at).entry(name.clone()).or_insert(Value::Null);
        }
        *at = new;
    }
}

impl Step {
    fn bracket(inside: &str) -> Self {
        let inside = inside.trim();
        if let Some(filter) = inside.strip_prefix("?(").and_then(|rest| rest.strip_suffix(')')) {
            let (path, value) = filter.split_once("==").unwrap_or((filter, ""));
            let path = FieldPath::parse(path.trim().trim_start_matches('@'));
            return Self::Where(path, unquote(value.trim()).to_owned());
        }
        if inside == "*" {
            return Self::All;
        }
        inside.parse().map_or_else(|_| Self::Field(unquote(inside).to_owned()), Self::Index)
    }

    fn select<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        match self {
            Self::Field(name) => value.get(name).into_iter().collect(),
            Self::Index(index) => value.get(index).into_iter().collect(),
            Self::All => items(value),
            Self::Where(path, wanted) => {
                let matches =
                    |item: &&Value| path.first(item).map(text_of).as_ref() == Some(wanted);
                items(value).into_iter().filter(matches).collect()
            }
        }
    }
}

fn items(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        _ => Vec::new(),
    }
}

/// Offset of the bracket that closes, past quoted text and nested brackets.
fn bracket_end(text: &str) -> usize {
    let (mut depth, mut quote) = (0_usize, None);
    for (at, symbol) in text.char_indices() {
        match (quote, symbol) {
            (Some(open), _) if symbol == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(symbol),
            (None, '[') => depth += 1,
            (None, ']') if depth == 0 => return at,
            (None, ']') => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

/// A field name up to the next dot or bracket; a backslash takes the next symbol literally.
fn field_name(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut symbols = text.char_indices();
    while let Some((at, symbol)) = symbols.next() {
        match symbol {
            '.' | '[' => return (name, text.split_at(at).1),
            '\\' => name.extend(symbols.next().map(|(_, next)| next)),
            _ => name.push(symbol),
        }
    }
    (name, "")
}

fn unquote(text: &str) -> &str {
    text.trim_matches(|symbol| symbol == '\'' || symbol == '"')
}

/// One column of a Table.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    name: String,
    kind: String,
    format: String,
    description: String,
    priority: i32,
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    Path(FieldPath),
    /// Number of entries of the map or list at the path.
    Count(FieldPath),
}

impl Column {
    /// A column that shows the value at `path`.
    pub(crate) fn at(name: &str, kind: &str, path: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: kind.to_owned(),
            format: if name == "Name" { "name".to_owned() } else { String::new() },
            description: String::new(),
            priority: 0,
            source: Source::Path(FieldPath::parse(path)),
        }
    }

    /// A column that counts the entries at `path`.
    pub(crate) fn count(name: &str, path: &str) -> Self {
        let source = Source::Count(FieldPath::parse(path));
        Self { source, ..Self::at(name, "integer", path) }
    }

    /// Columns of a custom resource: its name, then its own, else its age.
    pub(crate) fn custom(own: &[CustomResourceColumnDefinition]) -> Vec<Self> {
        let mut columns = vec![Self::at("Name", "string", ".metadata.name")];
        columns.extend(own.iter().map(|column| Self {
            name: column.name.clone(),
            kind: column.type_.clone(),
            format: column.format.clone().unwrap_or_default(),
            description: column.description.clone().unwrap_or_else(|| {
                format!(
                    "Custom resource definition column (in JSONPath format): {}",
                    column.json_path
                )
            }),
            priority: column.priority.unwrap_or(0),
            source: Source::Path(FieldPath::parse(&column.json_path)),
        }));
        if own.is_empty() {
            columns.push(Self::at("Age", "date", ".metadata.creationTimestamp"));
        }
        columns
    }

    /// The column's entry in `columnDefinitions`.
    pub(crate) fn definition(&self) -> Value {
        json!({
            "name": self.name, "type": self.kind, "format": self.format,
            "description": self.description, "priority": self.priority,
        })
    }

    /// The cell of one object.
    pub(crate) fn cell(&self, object: &Value) -> Value {
        let path = match &self.source {
            Source::Count(path) => {
                let count = path.first(object).map_or(0, |value| items(value).len());
                return json!(count);
            }
            Source::Path(path) => path,
        };
        let found = path.select(object);
        match found[..] {
            [] => Value::Null,
            [value] if self.kind == "date" => age(value),
            [value] => self.show(value),
            _ => {
                let shown: Vec<String> = found.into_iter().map(text_of).collect();
                json!(shown.join(","))
            }
        }
    }

    fn show(&self, value: &Value) -> Value {
        match (self.kind.as_str(), value) {
            (_, Value::Null) => Value::Null,
            ("integer" | "number", Value::Number(_)) | ("boolean", Value::Bool(_)) => value.clone(),
            _ => json!(text_of(value)),
        }
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The time since a timestamp, as kubectl shows ages.
fn age(value: &Value) -> Value {
    let Some(then) = value.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok()) else {
        return json!("<unknown>");
    };
    let seconds = jiff::Timestamp::now().as_second() - then.as_second();
    json!(human(seconds))
}

/// A duration in the two largest fitting units.
///
/// # Source
/// `k8s.io/apimachinery/pkg/util/duration`, `HumanDuration`, 0.36.
fn human(seconds: i64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    const YEAR: i64 = 365 * DAY;
    let pair = |large: i64, large_unit: &str, small: i64, small_unit: &str| {
        let rest = seconds % large / small;
        let head = format!("{}{large_unit}", seconds / large);
        if rest == 0 { head } else { format!("{head}{rest}{small_unit}") }
    };
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1..0 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        120..600 => pair(MINUTE, "m", 1, "s"),
        600..10_800 => format!("{}m", seconds / MINUTE),
        10_800..28_800 => pair(HOUR, "h", MINUTE, "m"),
        28_800..172_800 => format!("{}h", seconds / HOUR),
        172_800..691_200 => pair(DAY, "d", HOUR, "h"),
        691_200..63_072_000 => format!("{}d", seconds / DAY),
        63_072_000..252_288_000 => pair(YEAR, "y", DAY, "d"),
        _ => format!("{}y", seconds / YEAR),
    }
}

#[cfg(test)]
mod tests;
