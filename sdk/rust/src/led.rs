//! The board's LEDs.

use crate::error::{Error, count, done};
use crate::imports;

/// One LED. Needs the capability `led`, which may be narrowed to one of them.
#[derive(Debug)]
pub struct Led {
    index: u32,
}

impl Led {
    /// The LED with this number, from 0 on.
    pub const fn new(index: u32) -> Led {
        Led { index }
    }

    /// LEDs that the board has.
    pub fn count() -> u32 {
        // SAFETY: the call takes nothing and gives a number.
        count(unsafe { imports::led_count() }).unwrap_or(0)
    }

    /// Switches it on or off.
    ///
    /// # Errors
    /// [`Error::NotThere`] if the board has no such LED, [`Error::Refused`] if it is not granted.
    pub fn set(&mut self, is_on: bool) -> Result<(), Error> {
        // SAFETY: the call takes and gives numbers.
        done(unsafe { imports::led_set(self.index, is_on.into()) })
    }
}

#[cfg(feature = "embedded-hal")]
impl embedded_hal::digital::ErrorType for Led {
    type Error = Error;
}

/// High is on.
#[cfg(feature = "embedded-hal")]
impl embedded_hal::digital::OutputPin for Led {
    fn set_low(&mut self) -> Result<(), Error> {
        self.set(false)
    }

    fn set_high(&mut self) -> Result<(), Error> {
        self.set(true)
    }
}

#[cfg(feature = "embedded-hal")]
impl embedded_hal::digital::Error for Error {
    fn kind(&self) -> embedded_hal::digital::ErrorKind {
        embedded_hal::digital::ErrorKind::Other
    }
}
