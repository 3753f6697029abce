//! What is left behind by objects that are gone: images that no revision names, and memories.
//!
//! An image goes at the second look only, because it is stored before its revision is written.

use std::collections::HashSet;
use std::sync::Arc;

use kube::ResourceExt;
use wasmbed_model::ids::{self, Digest};
use wasmbed_model::image_store::{ImageStore, ImageStoreError};

use crate::context::Context;

#[cfg(test)]
mod tests;

/// Looks for what is left behind now and then, for ever.
pub async fn run(context: Arc<Context>) {
    let mut suspects = HashSet::new();
    let mut period = tokio::time::interval(crate::limits::SWEEP_PERIOD);
    loop {
        period.tick().await;
        let there: HashSet<_> =
            context.caches.applications.state().iter().filter_map(|app| app.uid()).collect();
        context.attempts.retain(|uid| there.contains(uid));
        let named = context
            .caches
            .revisions
            .state()
            .iter()
            .filter_map(|revision| ids::parse_digest(&revision.spec.image_digest))
            .collect();
        let images = Arc::clone(&context.images);
        let before = std::mem::take(&mut suspects);
        let task = tokio::task::spawn_blocking(move || sweep(&*images, &named, &before));
        match task.await {
            Ok(Ok(found)) => suspects = found,
            Ok(Err(error)) => tracing::warn!(%error, "looking for surplus images"),
            Err(_) => return,
        }
    }
}

/// Removes what was suspect before and still is not named; returns what is suspect now.
fn sweep(
    images: &dyn ImageStore,
    named: &HashSet<Digest>,
    before: &HashSet<Digest>,
) -> Result<HashSet<Digest>, ImageStoreError> {
    let mut suspects = HashSet::new();
    for digest in images.list()? {
        if named.contains(&digest) {
            continue;
        }
        if before.contains(&digest) {
            images.remove(&digest)?;
            tracing::info!(%digest, "an image that no revision names is removed");
        } else {
            suspects.insert(digest);
        }
    }
    Ok(suspects)
}
