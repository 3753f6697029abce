//! The board's buttons.

use crate::error::{Error, count};
use crate::imports;

/// One button. Needs the capability `button`, which may be narrowed to one of them.
#[derive(Debug)]
pub struct Button {
    index: u32,
}

impl Button {
    /// The button with this number, from 0 to 31.
    pub const fn new(index: u32) -> Button {
        Button { index }
    }

    /// Buttons that the board has.
    pub fn count() -> u32 {
        // SAFETY: the call takes nothing and gives a number.
        count(unsafe { imports::button_count() }).unwrap_or(0)
    }

    /// Whether it is held down now.
    ///
    /// # Errors
    /// [`Error::NotThere`] if the board has no such button, [`Error::Refused`] if it is not granted.
    pub fn is_pressed(&mut self) -> Result<bool, Error> {
        // SAFETY: the call takes and gives numbers.
        Ok(count(unsafe { imports::button_read(self.index) })? != 0)
    }

    /// Waits until it becomes pressed: one that is held already must be released first.
    ///
    /// # Errors
    /// [`Error::Timeout`] if it was not pressed in time.
    pub fn wait(&mut self, timeout_ms: u32) -> Result<(), Error> {
        let mask = 1_u32.checked_shl(self.index).unwrap_or(0);
        wait_any(mask, timeout_ms).map(|_| ())
    }
}

/// Waits until one of the buttons in `mask` (bit 0 is button 0) becomes pressed, and answers which
/// were: one that is held already must be released first.
///
/// # Errors
/// [`Error::Timeout`] if none was pressed in time.
pub fn wait_any(mask: u32, timeout_ms: u32) -> Result<u32, Error> {
    // SAFETY: the call takes and gives numbers.
    count(unsafe { imports::button_wait(mask, timeout_ms) })
}

#[cfg(feature = "embedded-hal")]
impl embedded_hal::digital::ErrorType for Button {
    type Error = Error;
}

/// High is pressed.
#[cfg(feature = "embedded-hal")]
impl embedded_hal::digital::InputPin for Button {
    fn is_high(&mut self) -> Result<bool, Error> {
        self.is_pressed()
    }

    fn is_low(&mut self) -> Result<bool, Error> {
        Ok(!self.is_pressed()?)
    }
}
