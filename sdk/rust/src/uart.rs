//! The board's serial lines for guests.

use crate::error::{Error, count};
use crate::imports;

/// One serial line. Needs the capability `uart`, which may be narrowed to one of them.
#[derive(Debug)]
pub struct Uart {
    index: u32,
}

impl Uart {
    /// The serial line with this number, from 0 on.
    pub const fn new(index: u32) -> Uart {
        Uart { index }
    }

    /// Serial lines that the board has for guests.
    pub fn count() -> u32 {
        // SAFETY: the call takes nothing and gives a number.
        count(unsafe { imports::uart_count() }).unwrap_or(0)
    }

    /// Sends bytes; answers how many were taken, which may be fewer than all.
    ///
    /// # Errors
    /// [`Error::NotThere`] if the board has no such line, [`Error::Refused`] if it is not granted.
    pub fn send(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        // SAFETY: the device reads exactly these bytes, during the call.
        let answer = unsafe { imports::uart_write(self.index, bytes.as_ptr(), bytes.len()) };
        Ok(count(answer)? as usize)
    }

    /// Waits for bytes; answers how many came.
    ///
    /// # Errors
    /// [`Error::Timeout`] if none came in time.
    pub fn receive(&mut self, buffer: &mut [u8], timeout_ms: u32) -> Result<usize, Error> {
        // SAFETY: the device writes inside of these bytes only, during the call.
        let answer = unsafe {
            imports::uart_read(self.index, buffer.as_mut_ptr(), buffer.len(), timeout_ms)
        };
        Ok((count(answer)? as usize).min(buffer.len()))
    }
}

#[cfg(feature = "embedded-io")]
mod io {
    use embedded_io::{ErrorKind, ErrorType, Read, Write};

    use super::{Error, Uart};
    use crate::time::{FOREVER, wait_ms};

    /// How long to wait for room where the line takes nothing: a byte at 9600 baud.
    const NO_ROOM_MS: u32 = 1;

    impl embedded_io::Error for Error {
        fn kind(&self) -> ErrorKind {
            match self {
                Error::NotThere => ErrorKind::NotFound,
                Error::Refused => ErrorKind::PermissionDenied,
                Error::Timeout => ErrorKind::TimedOut,
                Error::Stopping => ErrorKind::Interrupted,
                _ => ErrorKind::Other,
            }
        }
    }

    impl ErrorType for Uart {
        type Error = Error;
    }

    impl Read for Uart {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
            if buffer.is_empty() { Ok(0) } else { self.receive(buffer, FOREVER) }
        }
    }

    impl Write for Uart {
        fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
            loop {
                match self.send(bytes)? {
                    0 if !bytes.is_empty() => wait_ms(NO_ROOM_MS),
                    taken => return Ok(taken),
                }
            }
        }

        /// What was taken is sent by the device itself.
        fn flush(&mut self) -> Result<(), Error> {
            Ok(())
        }
    }
}
