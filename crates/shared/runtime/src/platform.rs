//! What a device needs from the hardware below it. Leaves out how bytes travel to the gateway:
//! the caller moves them between [`crate::Device`] and its transport.

use embedded_storage::nor_flash::NorFlash;

/// Hardware under a device, one implementation per kind of host: board, load generator, simulation.
pub trait Platform {
    /// Flash that holds the journal: erase size 4,096, write and read size 1.
    type Flash: NorFlash;

    /// The flash named by the board file.
    fn flash(&mut self) -> &mut Self::Flash;

    /// Fills `target` with bytes from the entropy source that the board file names.
    ///
    /// # Errors
    /// [`EntropyError`] if the board names no source or the source failed; no key is made then.
    fn entropy(&mut self, target: &mut [u8]) -> Result<(), EntropyError>;

    /// Monotonic time since boot in microseconds.
    fn now_us(&mut self) -> u64;

    /// Shows one line, without its line feed, on the board's console. Never blocks for long.
    fn console(&mut self, line: &[u8]);

    /// Arms the timer that ends a guest's slice after `slice_us`.
    fn slice_begin(&mut self, slice_us: u32);

    /// Whether the slice is over. Called at each back-edge and function entry of a guest, so on a
    /// board it is one load of a flag that the timer interrupt sets.
    fn slice_over(&mut self) -> bool;

    /// Disarms the slice timer: the guest stopped on its own.
    fn slice_end(&mut self);
}

/// The board's entropy source gave nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EntropyError;

/// Why the board came out of reset.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ResetReason {
    /// Power came, or the reason is not known to the hardware.
    PowerOn,
    /// The device was told to reboot.
    Requested,
    /// The firmware met a broken invariant.
    Panic,
    /// The processor refused an access or an instruction.
    Fault,
    /// The watchdog was not fed.
    Watchdog,
}

/// What the firmware knows about the board and itself; told to the gateway in Hello.
#[derive(Clone, Copy, Debug)]
pub struct BoardFacts<'a> {
    /// Name of the board, as in `boards/`.
    pub board: &'a str,
    /// Version of the firmware.
    pub firmware: &'a str,
    /// SHA-256 of the board's device tree blob.
    pub dtb_digest: [u8; 32],
    /// Why the board started.
    pub reset_reason: ResetReason,
}
