//! `wasmbed create application`: a ConfigMap with the module, and the Application that runs it.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use wasmbed_model::ids::sha256;

use crate::apply::apply_value;
use crate::arguments::{Create, CreateApplication, CreateWhat, Scope};
use crate::client::connect;
use crate::documents;
use crate::output::{self, Format};
use crate::output::{out, outln};

/// Bytes of a module that a ConfigMap can hold: 1 MiB of object, less base64 and the rest.
const MODULE_BYTES_MAX: usize = 700 * 1024;

/// Makes the objects, and prints or applies them.
pub async fn run(scope: &Scope, create: &Create) -> Result<ExitCode> {
    let CreateWhat::Application(application) = &create.what;
    let objects = objects(application)?;
    match Format::parse(application.output.as_deref())? {
        Format::Table { .. } => {}
        Format::Yaml => {
            for object in &objects {
                out!("---\n{}", output::document(object, &Format::Yaml)?);
            }
            return Ok(ExitCode::SUCCESS);
        }
        Format::Json => {
            out!("{}", output::document(&output::list(objects), &Format::Json)?);
            return Ok(ExitCode::SUCCESS);
        }
        _ => bail!("output formats here: yaml, json"),
    }
    let connection = connect(scope).await?;
    for object in objects {
        let document = documents::document("the command line", object)?;
        let what = apply_value(&connection, &document, false, false).await?;
        outln!("{} {what}", document.kind.object_name(&document.name));
    }
    Ok(ExitCode::SUCCESS)
}

fn objects(create: &CreateApplication) -> Result<Vec<Value>> {
    let module = read(&create.module)?;
    let digest: String = sha256(&module).0.iter().map(|byte| format!("{byte:02x}")).collect();
    let config_map = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": create.name},
        "binaryData": {"module.wasm": STANDARD.encode(&module)},
    });
    let mut labels = Map::new();
    for pair in create.selector.iter().flat_map(|selector| selector.split(',')) {
        let Some((key, value)) = pair.split_once('=') else {
            bail!("a selector is KEY=VALUE[,KEY=VALUE], not {pair:?}");
        };
        labels.insert(key.to_owned(), value.into());
    }
    let selector = if labels.is_empty() { json!({}) } else { json!({"matchLabels": labels}) };
    let mut spec = json!({
        "image": {"configMap": {
            "name": create.name, "key": "module.wasm", "digest": format!("sha256:{digest}")}},
        "selector": selector,
    });
    if !create.capabilities.is_empty() {
        spec["capabilities"] = json!(create.capabilities);
    }
    if let Some(fuel) = create.fuel {
        spec["limits"] = json!({"fuel": fuel});
    }
    if let Some(policy) = &create.restart_policy {
        spec["restartPolicy"] = json!(policy);
    }
    let application = json!({
        "apiVersion": "wasmbed.github.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": create.name},
        "spec": spec,
    });
    Ok(vec![config_map, application])
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let module = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
    if module.len() > MODULE_BYTES_MAX {
        bail!(
            "{} is {} bytes; a ConfigMap takes at most {MODULE_BYTES_MAX}: serve it over HTTP",
            path.display(),
            module.len()
        );
    }
    Ok(module)
}
