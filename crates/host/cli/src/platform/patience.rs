//! Waits for the API server: the roles of a platform are started in any order, and at any time.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio_util::sync::CancellationToken;

use crate::arguments::Scope;
use crate::client::connect;

/// Wait before the second try; it doubles with each further one.
const RETRY_DELAY_MIN: Duration = Duration::from_millis(100);
/// Longest wait between two tries: nobody waits longer for a role after its API server came.
const RETRY_DELAY_MAX: Duration = Duration::from_secs(2);
/// Longest time for one try, so that a server that takes connections and says nothing is named.
const TRY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a role waits in all. Chosen: a machine or a cluster that boots is there by then, and
/// whatever started the role learns that it waits in vain.
const WAIT_MAX: Duration = Duration::from_secs(300);
/// How often the log says what is waited for.
const LOG_PERIOD: Duration = Duration::from_secs(10);

/// Tries until it works, or nothing if the role is told to stop before.
///
/// # Errors
/// The last one, when the patience is at its end.
pub async fn until<T, F>(
    what: &str,
    shutdown: &CancellationToken,
    mut attempt: impl FnMut() -> F,
) -> Result<Option<T>>
where
    F: Future<Output = Result<T>>,
{
    let start = Instant::now();
    let (mut delay, mut said) = (RETRY_DELAY_MIN, None::<Instant>);
    loop {
        let tried = tokio::select! {
            () = shutdown.cancelled() => return Ok(None),
            tried = tokio::time::timeout(TRY_TIMEOUT, attempt()) => tried,
        };
        let error = match tried.context("no answer").and_then(|result| result) {
            Ok(value) => return Ok(Some(value)),
            Err(error) if start.elapsed() >= WAIT_MAX => {
                return Err(error.context(format!("{what} for {} s", WAIT_MAX.as_secs())));
            }
            Err(error) => error,
        };
        if said.is_none_or(|said| said.elapsed() >= LOG_PERIOD) {
            said = Some(Instant::now());
            tracing::warn!(reason = format!("{error:#}"), "{what}");
        }
        tokio::select! {
            () = shutdown.cancelled() => return Ok(None),
            () = tokio::time::sleep(delay) => {}
        }
        delay = (delay * 2).min(RETRY_DELAY_MAX);
    }
}

/// A client of the API server, once it answers and serves our resources.
///
/// The kubeconfig is the one of `scope`, else the one that the API server role writes into `folder`.
/// It is read again for each try: a server that is started anew may be elsewhere.
///
/// # Errors
/// As [`until`].
pub async fn api_server(
    scope: &Scope,
    folder: Option<&Path>,
    shutdown: &CancellationToken,
) -> Result<Option<kube::Client>> {
    let mut scope = scope.clone();
    if scope.kubeconfig.is_none() {
        scope.kubeconfig = folder.map(|folder| folder.join("kubeconfig"));
    }
    until("waiting for the API server", shutdown, || async {
        let client = connect(&scope).await?.client;
        let resources = format!("{}/{}", wasmbed_crds::GROUP, wasmbed_crds::VERSION);
        client
            .list_api_group_resources(&resources)
            .await
            .with_context(|| format!("ask for {resources}"))?;
        Ok(client)
    })
    .await
}
