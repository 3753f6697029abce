//! Tables as kubectl prints them: capitals, left-aligned, three spaces apart.

use serde_json::Value;

/// A table of text cells.
#[derive(Default)]
pub struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Starts a table with these columns.
    pub fn new<T: Into<String>>(head: impl IntoIterator<Item = T>) -> Self {
        Self { head: head.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The text. Column widths are at least those of `widths`, which grows to the ones used, so
    /// that rows that come later stand under the same heads.
    pub fn text(&self, with_head: bool, widths: &mut Vec<usize>) -> String {
        let lines: Vec<&Vec<String>> =
            with_head.then_some(&self.head).into_iter().chain(&self.rows).collect();
        for line in &lines {
            widths.resize(widths.len().max(line.len()), 0);
            for (width, cell) in widths.iter_mut().zip(line.iter()) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut text = String::new();
        for line in lines {
            let mut written = String::new();
            for (cell, width) in line.iter().zip(widths.iter()) {
                written += &format!("{cell:<width$}   ");
            }
            text += written.trim_end();
            text.push('\n');
        }
        text
    }
}

/// Reads a `meta.k8s.io/v1` Table, or one event's part of it.
pub fn from_server(value: &Value, wide: bool, with_namespace: bool, with_labels: bool) -> Table {
    let empty = Vec::new();
    let columns = value["columnDefinitions"].as_array().unwrap_or(&empty);
    let shown: Vec<usize> = (0..columns.len())
        .filter(|index| wide || columns[*index]["priority"].as_i64().unwrap_or(0) == 0)
        .collect();
    let mut head: Vec<String> = Vec::new();
    if with_namespace {
        head.push("NAMESPACE".into());
    }
    head.extend(
        shown.iter().map(|index| columns[*index]["name"].as_str().unwrap_or("").to_uppercase()),
    );
    if with_labels {
        head.push("LABELS".into());
    }
    let mut table = Table::new(head);
    for row in value["rows"].as_array().unwrap_or(&empty) {
        let metadata = &row["object"]["metadata"];
        let mut cells = Vec::new();
        if with_namespace {
            cells.push(metadata["namespace"].as_str().unwrap_or("").to_owned());
        }
        cells.extend(shown.iter().map(|index| cell(&row["cells"][*index])));
        if with_labels {
            cells.push(labels(&metadata["labels"]));
        }
        table.row(cells);
    }
    table
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "<none>".into(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Labels in one cell, `<none>` if there are none.
pub fn labels(value: &Value) -> String {
    let pairs: Vec<String> = value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    if pairs.is_empty() { "<none>".into() } else { pairs.join(",") }
}
