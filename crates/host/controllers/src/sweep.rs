//! Images that no revision names go away, at the second look.
//!
//! At the second only, because an image is stored before its revision is written.

use std::collections::HashSet;
use std::sync::Arc;

use kube::runtime::reflector::Store;
use wasmbed_crds::ApplicationRevision;
use wasmbed_model::ids::{self, Digest};
use wasmbed_model::image_store::{ImageStore, ImageStoreError};

#[cfg(test)]
mod tests;

/// Looks for surplus images now and then, for ever.
pub async fn run(images: Arc<dyn ImageStore>, revisions: Store<ApplicationRevision>) {
    let mut suspects = HashSet::new();
    let mut period = tokio::time::interval(crate::limits::SWEEP_PERIOD);
    loop {
        period.tick().await;
        let named = revisions
            .state()
            .iter()
            .filter_map(|revision| ids::parse_digest(&revision.spec.image_digest))
            .collect();
        let images = Arc::clone(&images);
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
