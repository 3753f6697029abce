//! The embedded API server of `wasmbed up`.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use kube::config::Kubeconfig;
use wasmbed_apiserver::{ApiServer, Config, Running, Token};

use super::data_dir::DataDir;

/// User of the kubeconfig that is written for the owner of the machine.
const ADMINISTRATOR: &str = "admin";
/// Random bytes of a bearer token.
const TOKEN_BYTES: usize = 32;

/// Starts the server on the folder's database and writes `kubeconfig` beside it. Where any port
/// will do, the one of the last start is taken if it is free: who is connected finds the server
/// again.
pub async fn start(data: &DataDir, listen: SocketAddr) -> Result<Running> {
    let mut config = Config::new(data.join("api"));
    config.listen = if listen.port() == 0 { last_address(data, listen) } else { listen };
    config.crds = wasmbed_crds::all();
    config.tokens = vec![Token {
        token: token(data)?,
        user: ADMINISTRATOR.to_owned(),
        groups: vec!["system:masters".to_owned()],
    }];
    let running = ApiServer::start(config).await.context("start the API server")?;
    let kubeconfig =
        running.kubeconfig(ADMINISTRATOR).context("the API server knows no administrator")?;
    data.write_private("kubeconfig", &kubeconfig)?;
    Ok(running)
}

/// The address with the port that the folder's kubeconfig names, if that can be had.
fn last_address(data: &DataDir, listen: SocketAddr) -> SocketAddr {
    let port = || -> Option<u16> {
        let last = Kubeconfig::read_from(data.join("kubeconfig")).ok()?;
        let server = last.clusters.first()?.cluster.as_ref()?.server.clone()?;
        server.parse::<http::Uri>().ok()?.port_u16()
    };
    let last = port().map(|port| SocketAddr::new(listen.ip(), port));
    last.filter(|address| std::net::TcpListener::bind(address).is_ok()).unwrap_or(listen)
}

/// The administrator's token: made at first start, the same from then on.
fn token(data: &DataDir) -> Result<String> {
    let path = data.join("admin.token");
    match std::fs::read_to_string(&path) {
        Ok(token) if !token.trim().is_empty() => return Ok(token.trim().to_owned()),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    }
    let mut bytes = [0; TOKEN_BYTES];
    rustls::crypto::aws_lc_rs::default_provider()
        .secure_random
        .fill(&mut bytes)
        .map_err(|_| anyhow::anyhow!("the system has no random bytes"))?;
    let token: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    data.write_private("admin.token", &token)?;
    Ok(token)
}
