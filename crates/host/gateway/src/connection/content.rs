//! Answers a device's request for a manifest or for image bytes.

use tokio::io::{AsyncRead, AsyncWrite};
use wasmbed_wire::limits::CHUNK_BYTES_MAX;
use wasmbed_wire::{GatewayMessage, Install, InstallChunk, InstallRequest};

use super::{Broken, Chain, Connection};

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<'_, S> {
    /// Sends what was asked for. What is not there is not answered: the device asks again.
    pub(super) async fn send_content(&mut self, request: InstallRequest) -> Result<(), Broken> {
        let InstallRequest { app, generation, offset } = request;
        let plan = self.service.cluster.plan();
        let Some(content) = plan.content(&app, generation) else { return Ok(()) };
        let Some(offset) = offset else {
            let (manifest, signature) = (&content.manifest[..], &content.signature[..]);
            let install = Install { app, generation, manifest, signature };
            return self.send(&GatewayMessage::Install(install)).await;
        };
        let image = match self.service.images.read(content.image_digest).await {
            Ok(image) => image,
            Err(error) => {
                self.service.metrics.image_errors.inc();
                tracing::warn!(error = %Chain(&error), "read an image for a device");
                return Ok(());
            }
        };
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        // An offset at or past the end gets an empty chunk: nothing is there, and nothing will be.
        let rest = image.get(start..).unwrap_or_default();
        let bytes = rest.get(..CHUNK_BYTES_MAX).unwrap_or(rest);
        self.service.metrics.image_bytes_sent.inc_by(bytes.len() as u64);
        if let Some(standing) = &self.live {
            let device = standing.device.name.as_str();
            tracing::debug!(device, %app, offset, bytes = bytes.len(), "image chunk");
        }
        let chunk = InstallChunk { app, generation, offset, bytes };
        self.send(&GatewayMessage::InstallChunk(chunk)).await
    }
}
