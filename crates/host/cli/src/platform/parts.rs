//! What the roles of one process share, and how each of them is started.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio_util::sync::CancellationToken;
use wasmbed_controllers::image_store::ImageDirectory;
use wasmbed_gateway::LiveConfig;
use wasmbed_model::image_store::ImageStore;
use wasmbed_pki::fleet::FRONT_PROXY_NAME;
use wasmbed_pki::{DirectoryStore, Fleet};

use super::cluster::FrontProxy;
use super::data_dir::DataDir;
use super::{default_boards, gateway, live_api, now_s};
use crate::arguments::Settings;

/// What the roles of one process share.
pub struct Parts {
    /// Folder of everything that is kept.
    pub data: DataDir,
    /// Keys and certificates.
    pub fleet: Arc<Fleet>,
    /// Device images by digest.
    pub images: Arc<dyn ImageStore>,
    /// Client of the control plane.
    pub client: kube::Client,
    /// Namespace of the gateway.
    pub namespace: String,
    /// Ends every role.
    pub shutdown: CancellationToken,
}

/// Opens the keys below a data folder.
pub fn fleet(data: &DataDir) -> Result<Arc<Fleet>> {
    let store = DirectoryStore::open(data.join("pki")).context("open the key store")?;
    Ok(Arc::new(Fleet::open(Arc::new(store), now_s()).context("open the keys of the fleet")?))
}

/// Opens the images below a data folder.
pub fn images(data: &DataDir) -> Result<Arc<dyn ImageStore>> {
    let store = ImageDirectory::open(data.join("images"));
    Ok(Arc::new(store.context("open the image store")?))
}

/// The front proxy of the embedded API server.
pub fn own_front_proxy(fleet: &Fleet) -> Result<FrontProxy> {
    let authority = CertificateDer::from_pem_slice(fleet.front_proxy_ca_pem().as_bytes())
        .context("the front-proxy authority cannot be read")?;
    Ok(FrontProxy { authorities: vec![authority], names: vec![FRONT_PROXY_NAME.to_owned()] })
}

impl Parts {
    /// Starts the gateway. Devices come once [`Self::enter`] has said where it is.
    pub async fn start_gateway(
        &self,
        settings: &Settings,
        front_proxy: FrontProxy,
    ) -> Result<wasmbed_gateway::Running> {
        let (name, namespace) = (settings.gateway.clone(), self.namespace.clone());
        let live_names = live_api::names(&self.namespace);
        let device_identity =
            gateway::follow(Arc::clone(&self.fleet), self.shutdown.clone(), move |fleet| {
                Ok(fleet.gateway(&name, &namespace, now_s())?)
            })?;
        let live_identity =
            gateway::follow(Arc::clone(&self.fleet), self.shutdown.clone(), move |fleet| {
                Ok(fleet.live_server(&live_names, now_s())?.server)
            })?;
        let config = wasmbed_gateway::Config {
            namespace: self.namespace.clone(),
            gateway: settings.gateway.clone(),
            process: format!("{}-{}", settings.gateway, short_host_name()),
            device_address: settings.gateway_address,
            device_identity,
            live: Some(LiveConfig {
                address: settings.live_address,
                identity: live_identity,
                front_proxy_authorities: front_proxy.authorities,
                front_proxy_names: front_proxy.names,
                advertised_address: None,
            }),
            health_address: Some(settings.health_address),
            limits: wasmbed_gateway::Limits::default(),
        };
        let (client, images) = (self.client.clone(), Arc::clone(&self.images));
        wasmbed_gateway::start(config, client, images, self.shutdown.clone())
            .await
            .context("start the gateway")
    }

    /// Has the Gateway's object say where devices connect.
    pub async fn enter(&self, settings: &Settings, address: SocketAddr) -> Result<()> {
        gateway::ensure_object(&self.client, &self.namespace, &settings.gateway, address).await
    }

    /// Waits until the Gateway's object says where this process serves live data.
    pub async fn entered(&self, settings: &Settings, live: Option<SocketAddr>) -> Result<()> {
        let live = live.map(|address| address.to_string());
        gateway::shows(&self.client, &self.namespace, &settings.gateway, live.as_deref()).await
    }
}

impl Parts {
    /// The controllers, ready to be run.
    pub fn controllers(&self) -> Result<impl Future<Output = Result<()>> + Send + 'static> {
        let config = wasmbed_controllers::Config {
            namespace: Some(self.namespace.clone()),
            images: Arc::clone(&self.images),
            signer: Arc::new(self.fleet.image_signer().context("open the image signer")?),
            instance: format!("controllers-{}", short_host_name()),
        };
        let (client, shutdown) = (self.client.clone(), self.shutdown.clone());
        Ok(async move { Ok(wasmbed_controllers::run(config, client, shutdown).await?) })
    }

    /// The QEMU manager, ready to be run. Without an address of the gateway, boards connect where
    /// its object says.
    pub fn qemu(
        &self,
        settings: &Settings,
        gateway: Option<SocketAddr>,
    ) -> Result<impl Future<Output = Result<()>> + Send + 'static> {
        let config = wasmbed_qemu::Config {
            data_directory: self.data.join("boards"),
            namespace: Some(self.namespace.clone()),
            firmware: firmware(&settings.boards.clone().unwrap_or_else(default_boards)),
            ca_pins: self.fleet.ca_pins(),
            signer_pins: self.fleet.signer_pins(),
            gateway_address: gateway.map(|address| address.to_string()),
            captures: settings.capture,
        };
        let (client, shutdown) = (self.client.clone(), self.shutdown.clone());
        Ok(async move { Ok(wasmbed_qemu::run(config, client, shutdown).await?) })
    }
}

/// The firmware of each board that the folder has one for.
fn firmware(folder: &Path) -> BTreeMap<String, PathBuf> {
    let found: BTreeMap<String, PathBuf> = wasmbed_catalog::BOARDS
        .iter()
        .map(|board| (board.name.to_owned(), folder.join(board.name).join("firmware.elf")))
        .filter(|(_, path)| path.is_file())
        .collect();
    if found.is_empty() {
        tracing::warn!(folder = %folder.display(), "no firmware: no VirtualDevice can boot");
    }
    found
}

/// The machine's name as far as it can be part of an object's name.
fn short_host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().to_lowercase();
    let plain: String =
        name.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').take(40).collect();
    let plain = plain.trim_matches('-');
    if plain.is_empty() { "0".to_owned() } else { plain.to_owned() }
}
