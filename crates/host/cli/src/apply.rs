//! `wasmbed apply`: server-side apply of every document.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::arguments::{Apply, Scope};
use crate::client::{Connection, connect};
use crate::documents::{self, Document};
use crate::get::fetch;
use crate::output::outln;

/// Name under which the server remembers which fields this command owns.
const FIELD_MANAGER: &str = "wasmbed-cli";

/// Applies all documents; goes on past one that fails, and then fails itself.
pub async fn run(scope: &Scope, apply: &Apply) -> Result<ExitCode> {
    let documents = documents::read(&apply.files)?;
    let connection = connect(scope).await?;
    let mut code = ExitCode::SUCCESS;
    for document in &documents {
        let name = document.kind.object_name(&document.name);
        match apply_one(&connection, scope, apply, document).await {
            Ok(what) => outln!("{name} {what}"),
            Err(error) => {
                let error = error.context(format!("apply {name}"));
                eprintln!("{}", crate::output::error_text(&error));
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

async fn apply_one(
    connection: &Connection,
    scope: &Scope,
    apply: &Apply,
    document: &Document,
) -> Result<&'static str> {
    let namespace = document.namespace.as_deref().unwrap_or(&connection.namespace);
    if scope.namespace.as_deref().is_some_and(|wanted| wanted != namespace)
        && document.kind.namespaced
    {
        bail!(
            "the namespace of the document, {namespace}, is not the one of the command, {}",
            connection.namespace
        );
    }
    let connection = Connection { namespace: namespace.to_owned(), ..connection.clone() };
    apply_value(&connection, document, apply.force_conflicts, apply.dry_run.is_some()).await
}

/// Applies one document in the connection's namespace, and says what that changed.
pub async fn apply_value(
    connection: &Connection,
    document: &Document,
    force: bool,
    dry: bool,
) -> Result<&'static str> {
    let path = document.kind.path(Some(&connection.namespace), Some(&document.name));
    let before = match fetch(&connection.client, &path, "application/json").await {
        Ok(value) => Some(value),
        Err(error) if is_not_found(&error) => None,
        Err(error) => return Err(error),
    };
    let mut query = format!("fieldManager={FIELD_MANAGER}&fieldValidation=Strict");
    query += &format!("&force={force}");
    if dry {
        query += "&dryRun=All";
    }
    let request = http::Request::patch(format!("{path}?{query}"))
        .header("Content-Type", "application/apply-patch+yaml")
        .header("Accept", "application/json")
        .body(serde_json::to_vec(&document.value)?)?;
    let after: Value = connection.client.request(request).await?;
    let version = |value: &Value| value["metadata"]["resourceVersion"].clone();
    Ok(match (&before, dry) {
        (None, false) => "created",
        (None, true) => "created (server dry run)",
        (Some(_), true) => "configured (server dry run)",
        (Some(before), false) if version(before) == version(&after) => "unchanged",
        (Some(_), false) => "configured",
    })
}

/// Whether the server said that there is no such object.
pub fn is_not_found(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        matches!(cause.downcast_ref::<kube::Error>(), Some(kube::Error::Api(status)) if status.code == 404)
    })
}

/// Applies one object under a field manager of its own, for commands that change a field.
pub async fn merge(connection: &Connection, path: &str, patch: &Value) -> Result<Value> {
    let request = http::Request::patch(format!("{path}?fieldManager={FIELD_MANAGER}"))
        .header("Content-Type", "application/merge-patch+json")
        .body(serde_json::to_vec(patch)?)?;
    connection.client.request(request).await.with_context(|| format!("change {path}"))
}
