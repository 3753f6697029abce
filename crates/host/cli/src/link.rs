//! `wasmbed link`: a real board on serial devices of this machine, connected to a gateway.
//!
//! Runs until it is told to end, without an API server: the bridge is the QEMU manager's own.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail};
use tokio::sync::broadcast::error::RecvError;
use wasmbed_qemu::{
    Console, DeskLine, DeskService, FlashError, FlashFile, Impairment, LineEnd, Uplink,
    UplinkConfig,
};

use crate::arguments::Link;
use crate::output::outln;
use crate::platform::{log, signals};

/// Bridges until SIGINT or SIGTERM.
pub async fn run(link: &Link) -> Result<ExitCode> {
    log::start();
    if link.gateway.rsplit_once(':').is_none_or(|(_, port)| port.parse::<u16>().is_err()) {
        bail!("the gateway is HOST:PORT, not {:?}", link.gateway);
    }
    let cancel = signals::shutdown()?;
    let console = console(&link.console)?;
    let mut lines = console.follow();
    let _flash = start_flash(link)?;
    let entropy = |device| DeskLine::start(device, link.baud, DeskService::Entropy);
    let _entropy = link.entropy_serial.as_deref().map(entropy).transpose()?;
    let config = UplinkConfig {
        end: LineEnd::Device { path: link.serial.clone(), baud: link.baud },
        gateway: link.gateway.clone(),
        is_plugged: true,
        impairment: Impairment::default(),
        capture: link.capture.clone(),
    };
    let uplink = Uplink::start(config, console.clone()).context("start the bridge")?;
    loop {
        tokio::select! {
            () = cancel.cancelled() => break,
            line = lines.recv(), if console.path().is_none() => match line {
                Ok(line) => outln!("{line}"),
                Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "console lines"),
                // The console lives as long as we do.
                Err(RecvError::Closed) => break,
            },
        }
    }
    uplink.stop().await;
    Ok(ExitCode::SUCCESS)
}

fn console(path: &Path) -> Result<Console> {
    if path == Path::new("-") {
        return Ok(Console::unkept());
    }
    Console::open(path).with_context(|| format!("open {}", path.display()))
}

fn start_flash(link: &Link) -> Result<Option<DeskLine>> {
    let (Some(device), Some(path), Some(name)) = (&link.flash_serial, &link.flash, &link.board)
    else {
        return Ok(None);
    };
    let board = wasmbed_catalog::board(name).map_err(|error| anyhow!("{error}"))?;
    let file = match FlashFile::open(path, board.storage.bytes) {
        Err(FlashError::File(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            FlashFile::create(path, board.storage.bytes)
        }
        other => other,
    };
    let file = file.with_context(|| format!("open {}", path.display()))?;
    let socket = path.with_extension("sock");
    let line = DeskLine::start(device, link.baud, DeskService::Flash { file, socket });
    Ok(Some(line.context("serve the flash")?))
}
