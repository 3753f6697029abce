//! Manifests from files, folders and standard input.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::kinds::Kind;

/// Bytes of one manifest file: what an API server takes, several times over.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// One object as its author wrote it.
#[derive(Debug)]
pub struct Document {
    /// Type.
    pub kind: Kind,
    /// Name.
    pub name: String,
    /// Namespace, if the document names one.
    pub namespace: Option<String>,
    /// The whole.
    pub value: Value,
}

/// Every object in these files, in order.
pub fn read(files: &[PathBuf]) -> Result<Vec<Document>> {
    let mut documents = Vec::new();
    for file in files {
        if file.as_os_str() == "-" {
            let mut text = String::new();
            std::io::stdin().take(FILE_BYTES_MAX).read_to_string(&mut text)?;
            parse("standard input", &text, &mut documents)?;
        } else if file.is_dir() {
            for path in manifests(file)? {
                read_file(&path, &mut documents)?;
            }
        } else {
            read_file(file, &mut documents)?;
        }
    }
    if documents.is_empty() {
        bail!("no objects in the files given");
    }
    Ok(documents)
}

fn manifests(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .with_context(|| format!("read {}", folder.display()))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            let extension = path.extension().and_then(|extension| extension.to_str());
            matches!(extension, Some("yaml" | "yml" | "json"))
        })
        .collect();
    found.sort();
    Ok(found)
}

fn read_file(path: &Path, documents: &mut Vec<Document>) -> Result<()> {
    let file = std::fs::File::open(path).with_context(|| format!("read {}", path.display()))?;
    let mut text = String::new();
    file.take(FILE_BYTES_MAX)
        .read_to_string(&mut text)
        .with_context(|| format!("read {}", path.display()))?;
    parse(&path.display().to_string(), &text, documents)
}

fn parse(from: &str, text: &str, documents: &mut Vec<Document>) -> Result<()> {
    let values: Vec<Value> =
        serde_saphyr::from_multiple(text).with_context(|| format!("{from} is not valid YAML"))?;
    for value in values {
        if value.is_null() {
            continue;
        }
        if value["kind"] == "List" {
            for item in value["items"].as_array().cloned().unwrap_or_default() {
                documents.push(document(from, item)?);
            }
            continue;
        }
        documents.push(document(from, value)?);
    }
    Ok(())
}

/// Reads what an object says of itself; `from` names its origin in errors.
pub fn document(from: &str, value: Value) -> Result<Document> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (version, kind) = (text(&value["apiVersion"]), text(&value["kind"]));
    if version.is_empty() || kind.is_empty() {
        bail!("{from}: a document without apiVersion or kind");
    }
    let Some(kind) = Kind::of_manifest(&version, &kind) else {
        bail!("{from}: no kind {kind:?} in {version:?} that this command knows; kubectl may");
    };
    let name = text(&value["metadata"]["name"]);
    if name.is_empty() {
        bail!("{from}: a {} without metadata.name", kind.kind);
    }
    let namespace = value["metadata"]["namespace"].as_str().map(str::to_owned);
    Ok(Document { kind, name, namespace, value })
}
