//! The command line of QEMU for one board, from the facts of the catalog.
//!
//! All sockets are named relative to the directory of the board, in which QEMU runs: the path of
//! that directory may be longer than the address of a socket.

use std::ffi::OsString;
use std::path::Path;

use wasmbed_catalog::{Board, SerialRole};

#[cfg(test)]
mod tests;

pub(crate) const QMP_SOCKET: &str = "qmp.sock";
pub(crate) const FLASH_SOCKET: &str = "flash.sock";
pub(crate) const UPLINK_SOCKET: &str = "uplink.sock";
pub(crate) const CABLE_SOCKET: &str = "cable.sock";
pub(crate) const GUEST_SOCKET: &str = "guest.sock";
/// Where a debugger connects.
pub(crate) const GDB_SOCKET: &str = "gdb.sock";
/// Character device of the port that guests use.
pub(crate) const GUEST_PORT: &str = "guest";
pub(crate) const ENTROPY_PIPE: &str = "entropy.pipe";

/// Arguments for `board`, which is left stopped until it is told to continue.
///
/// # Source
/// QEMU 10.0 manual, "Invocation"; `-nic` knows no stream, so it is `-netdev` and `-net nic`.
pub(crate) fn arguments(
    board: &Board,
    name: &str,
    firmware: Option<&Path>,
    sensors: &[u8],
    extra: &[String],
) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = Vec::new();
    let mut add = |parts: &[&str]| arguments.extend(parts.iter().map(OsString::from));
    // A comma would begin another option of -name.
    add(&["-name", &name.replace(',', ",,")]);
    add(&["-M", board.qemu.machine, "-nodefaults", "-display", "none", "-S"]);
    add(&["-chardev", &format!("socket,id=qmp,path={QMP_SOCKET},server=off")]);
    add(&["-mon", "chardev=qmp,mode=control"]);
    for (index, role) in board.qemu.serials.iter().enumerate() {
        match chardev(*role, index) {
            Some((id, chardev)) => {
                add(&["-chardev", &chardev, "-serial", &format!("chardev:{id}")]);
            }
            None => add(&["-serial", "null"]),
        }
    }
    match board.qemu.nic_model {
        Some(model) => {
            let address = format!("addr.type=unix,addr.path={CABLE_SOCKET},reconnect-ms=500");
            add(&["-netdev", &format!("stream,id=cable,server=off,{address}")]);
            let mac = "02:00:0a:53:00:02";
            add(&["-net", &format!("nic,model={model},netdev=cable,macaddr={mac}")]);
        }
        None => add(&["-net", "none"]),
    }
    for (index, address) in sensors.iter().enumerate() {
        let id = sensor_id(index);
        add(&["-device", &format!("tmp105,id={id},address={address:#x}")]);
    }
    extra.iter().for_each(|argument| add(&[argument]));
    if let Some(firmware) = firmware {
        arguments.push("-kernel".into());
        arguments.push(firmware.into());
    }
    arguments
}

/// Name of a sensor among QEMU's devices.
pub(crate) fn sensor_id(index: usize) -> String {
    format!("sensor{index}")
}

/// Name and character device of what is at the other end of a serial port; nothing for one that is
/// not used.
fn chardev(role: SerialRole, index: usize) -> Option<(String, String)> {
    let name = if role == SerialRole::Guest { GUEST_PORT.into() } else { format!("serial{index}") };
    let id = format!("id={name}");
    // It is stopped until these are connected, so nothing is lost at start; the time between two
    // tries matters only once a server was restarted.
    let socket = |path| format!("socket,{id},path={path},server=off,reconnect-ms=100");
    let chardev = match role {
        SerialRole::Console => format!("stdio,{id},signal=off"),
        SerialRole::Entropy => format!("file,{id},path=/dev/null,input-path={ENTROPY_PIPE}"),
        SerialRole::Flash => socket(FLASH_SOCKET),
        SerialRole::Uplink => socket(UPLINK_SOCKET),
        // Whoever wants to talk to a guest connects here; without anyone, its bytes go nowhere.
        SerialRole::Guest => format!("socket,{id},path={GUEST_SOCKET},server=on,wait=off"),
        SerialRole::Unused => return None,
    };
    Some((name, chardev))
}
