//! Facts about the boards, generated from `boards/*/board.dts` when this crate is built.
//!
//! Types only are written by hand. What a device needs to know of its own board (addresses,
//! interrupt numbers) is generated into the firmware instead and is not here.
#![no_std]

use core::fmt;

/// One kind of hardware that the firmware runs on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Board {
    /// Folder below `boards/`, as in Hello and in resources: `mps2-an385`.
    pub name: &'static str,
    /// Name as people know it: `Arm MPS2 AN385`.
    pub display_name: &'static str,
    /// Processor core as the board file says it: `arm,cortex-m3`.
    pub core: &'static str,
    /// Rust target of the firmware: `thumbv7m-none-eabi`.
    pub target: &'static str,
    /// Frequency of the processor clock.
    pub clock_hz: u32,
    /// Memory that holds the program.
    pub code: Region,
    /// Memory that holds variables, stack and guests.
    pub ram: Region,
    /// NOR flash of the journal and the images.
    pub storage: Storage,
    /// What guests may have on this board.
    pub guests: Guests,
    /// Hardware that guests may use.
    pub hardware: Hardware,
    /// How this board reaches its gateway.
    pub uplink: Uplink,
    /// How QEMU emulates this board.
    pub qemu: Qemu,
    /// Bytes of the compiled device tree.
    pub dtb_bytes: u32,
    /// SHA-256 of the compiled device tree, as the firmware reports it in Hello.
    pub dtb_digest: [u8; 32],
}

/// A range of addresses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Region {
    /// First address.
    pub origin: u32,
    /// Length in bytes.
    pub bytes: u32,
}

/// Geometry of the NOR flash behind the role [`SerialRole::Flash`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Storage {
    /// Whole size; a host keeps it as one file of this length.
    pub bytes: u32,
    /// Unit of an erase.
    pub erase_block_bytes: u32,
    /// Most data bytes in one read or program request.
    pub request_bytes_max: u32,
}

/// Room for guests, fixed when the firmware is built.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Guests {
    /// Guests that may be installed at a time.
    pub count_max: u8,
    /// Bytes of RAM that all guests share: image, stack and memory.
    pub arena_bytes: u32,
    /// Bytes of the largest image that the storage holds.
    pub image_bytes_max: u32,
}

/// How much of what guests may use there is; 0 where the board has none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Hardware {
    /// Lamps.
    pub leds: u8,
    /// Buttons.
    pub buttons: u8,
    /// Two-wire buses.
    pub i2c_buses: u8,
    /// Serial ports without a role in the firmware.
    pub uarts: u8,
}

/// The way to the gateway.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Uplink {
    /// An Ethernet controller that carries TCP/IP.
    Ethernet,
    /// A serial line that carries `link` frames; the console is one of its channels.
    Serial,
}

/// What a serial port is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SerialRole {
    /// Plain text out, no input expected.
    Console,
    /// Random bytes in, as many as are read.
    Entropy,
    /// Requests of `link::flash` out, answers in.
    Flash,
    /// Frames of `link`, both ways.
    Uplink,
    /// Whatever guests say and hear.
    Guest,
    /// Not connected on this board.
    Unused,
}

/// What QEMU must be told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Qemu {
    /// Program, `qemu-system-arm`.
    pub program: &'static str,
    /// Value of `-M`.
    pub machine: &'static str,
    /// Role of each `-serial` option, in order; nothing after the last used one.
    pub serials: &'static [SerialRole],
    /// Value of `model=` of `-net nic`, where the board has Ethernet.
    pub nic_model: Option<&'static str>,
}

include!(concat!(env!("OUT_DIR"), "/boards.rs"));

/// Finds a board by its name or by its display name; case, blanks and punctuation do not matter.
///
/// # Errors
/// [`UnknownBoard`], which says which boards there are.
///
/// # Examples
/// `board("mps2-an385")`, `board("STM32VLDISCOVERY")`, `board("Arm MPS2 AN385")`.
pub fn board(name: &str) -> Result<&'static Board, UnknownBoard<'_>> {
    BOARDS
        .iter()
        .find(|board| board.name == name)
        .or_else(|| BOARDS.iter().find(|board| same(board.name, name)))
        .or_else(|| BOARDS.iter().find(|board| same(board.display_name, name)))
        .ok_or(UnknownBoard(name))
}

/// Nothing is called so, in any of the two ways; shown with the boards that there are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UnknownBoard<'a>(pub &'a str);

impl fmt::Display for UnknownBoard<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "there is no board {:?}; there are: ", self.0)?;
        for (index, board) in BOARDS.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(formatter, "{comma}{} ({})", board.name, board.display_name)?;
        }
        Ok(())
    }
}

impl core::error::Error for UnknownBoard<'_> {}

/// Compares two names by their letters and digits only.
fn same(left: &str, right: &str) -> bool {
    letters(left).eq(letters(right))
}

fn letters(text: &str) -> impl Iterator<Item = u8> {
    text.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase())
}

#[cfg(test)]
mod tests;
