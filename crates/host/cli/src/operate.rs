//! Operations on one object: enable, disable, restart, reboot, ping, and the counters of a device.

use std::process::ExitCode;

use anyhow::{Result, bail};
use serde_json::{Value, json};

use crate::apply::merge;
use crate::arguments::{DeviceCommand, DeviceGroup, Scope, Target};
use crate::client::{Connection, connect};
use crate::get::fetch;
use crate::kinds;
use crate::output::outln;

const LIVE: &str = "/apis/live.wasmbed.github.io/v1alpha1";

/// Path of a live subresource of a device.
pub fn live_path(connection: &Connection, device: &str, subresource: &str) -> String {
    format!("{LIVE}/namespaces/{}/devices/{device}/{subresource}", connection.namespace)
}

/// Name of the Device that `NAME`, `device/NAME` or `virtualdevice/NAME` means.
pub async fn device_of(connection: &Connection, word: &str) -> Result<String> {
    let (kind, name) = kinds::parse_target(word, "device")?;
    match kind.kind {
        "Device" => Ok(name),
        "VirtualDevice" => {
            let path = kind.path(Some(&connection.namespace), Some(&name));
            let object = fetch(&connection.client, &path, "application/json").await?;
            match object["status"]["device"].as_str() {
                Some(device) => Ok(device.to_owned()),
                None => bail!("virtualdevice {name:?} has not enrolled as a device yet"),
            }
        }
        other => bail!("{other} has no device: name a device or a virtualdevice"),
    }
}

/// Restarts an application by changing its spec, so that devices that are away do it too.
pub async fn restart(scope: &Scope, target: &Target) -> Result<ExitCode> {
    let (kind, name) = kinds::parse_target(&target.word(), "application")?;
    if kind.kind != "Application" {
        bail!("only applications can be restarted; a device is rebooted with `wasmbed reboot`");
    }
    let connection = connect(scope).await?;
    let path = kind.path(Some(&connection.namespace), Some(&name));
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    merge(&connection, &path, &json!({"spec": {"restartedAt": now}})).await?;
    outln!("{} restarted", kind.object_name(&name));
    Ok(ExitCode::SUCCESS)
}

/// Enables or disables a device, whoever wrote the field before: the last word counts.
pub async fn device(scope: &Scope, group: &DeviceGroup) -> Result<ExitCode> {
    let (target, enabled, word) = match &group.command {
        DeviceCommand::Enable(target) => (target, true, "enabled"),
        DeviceCommand::Disable(target) => (target, false, "disabled"),
    };
    let connection = connect(scope).await?;
    let name = device_of(&connection, &target.word()).await?;
    let (kind, name) = kinds::parse_target(&name, "device")?;
    let path = kind.path(Some(&connection.namespace), Some(&name));
    merge(&connection, &path, &json!({"spec": {"enabled": enabled}})).await?;
    outln!("{} {word}", kind.object_name(&name));
    Ok(ExitCode::SUCCESS)
}

/// Reboots a device and says what the device answered.
pub async fn reboot(scope: &Scope, target: &Target) -> Result<ExitCode> {
    command(scope, target, "reboot", "rebooting").await
}

/// Asks a device to answer.
pub async fn ping(scope: &Scope, target: &Target) -> Result<ExitCode> {
    command(scope, target, "ping", "answered").await
}

async fn command(
    scope: &Scope,
    target: &Target,
    subresource: &str,
    done: &str,
) -> Result<ExitCode> {
    let connection = connect(scope).await?;
    let device = device_of(&connection, &target.word()).await?;
    let path = live_path(&connection, &device, subresource);
    let start = std::time::Instant::now();
    let request = http::Request::post(path)
        .header("Content-Type", "application/json")
        .body(b"{}".to_vec())?;
    let answer: Value = connection.client.request(request).await?;
    let outcome = answer["outcome"].as_str().unwrap_or("Unknown");
    if outcome != "Done" {
        bail!("device {device} answered: {outcome}");
    }
    outln!("device/{device} {done} ({} ms)", start.elapsed().as_millis());
    Ok(ExitCode::SUCCESS)
}

/// Prints the counters of the last heartbeat, as the gateway got them.
pub async fn counters(scope: &Scope, target: &Target) -> Result<ExitCode> {
    let connection = connect(scope).await?;
    let device = device_of(&connection, &target.word()).await?;
    let path = live_path(&connection, &device, "counters");
    let value = fetch(&connection.client, &path, "application/json").await?;
    outln!("{}", serde_json::to_string_pretty(&value)?);
    Ok(ExitCode::SUCCESS)
}
