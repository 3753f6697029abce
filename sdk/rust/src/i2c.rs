//! The board's I2C bus.

use crate::error::{Error, done};
use crate::imports;

/// Most bytes of one transfer, each way.
pub const TRANSFER_BYTES_MAX: usize = 32;

/// The bus. Needs the capability `i2c`, which may be narrowed to one address.
#[derive(Debug, Default)]
pub struct I2c;

impl I2c {
    /// The board's bus for guests.
    pub const fn new() -> I2c {
        I2c
    }

    /// Writes `output` to the device at a 7-bit address, then reads `input` from it, without
    /// letting the bus go between.
    ///
    /// # Errors
    /// [`Error::NotThere`] if nobody answers or the board has no bus, [`Error::Refused`] if the
    /// address is not granted or there are more than [`TRANSFER_BYTES_MAX`] bytes.
    pub fn transfer(&mut self, address: u8, output: &[u8], input: &mut [u8]) -> Result<(), Error> {
        // SAFETY: the device reads and writes inside of these bytes only, during the call.
        done(unsafe {
            imports::i2c_transfer(
                address.into(),
                output.as_ptr(),
                output.len(),
                input.as_mut_ptr(),
                input.len(),
            )
        })
    }
}

#[cfg(feature = "embedded-hal")]
mod hal {
    use embedded_hal::i2c::{ErrorKind, ErrorType, NoAcknowledgeSource, Operation};

    use super::{Error, I2c, TRANSFER_BYTES_MAX};

    impl embedded_hal::i2c::Error for Error {
        fn kind(&self) -> ErrorKind {
            match self {
                Error::NotThere => ErrorKind::NoAcknowledge(NoAcknowledgeSource::Unknown),
                Error::Failed => ErrorKind::Bus,
                _ => ErrorKind::Other,
            }
        }
    }

    impl ErrorType for I2c {
        type Error = Error;
    }

    impl embedded_hal::i2c::I2c for I2c {
        fn read(&mut self, address: u8, input: &mut [u8]) -> Result<(), Error> {
            self.transfer(address, &[], input)
        }

        fn write(&mut self, address: u8, output: &[u8]) -> Result<(), Error> {
            self.transfer(address, output, &mut [])
        }

        fn write_read(
            &mut self,
            address: u8,
            output: &[u8],
            input: &mut [u8],
        ) -> Result<(), Error> {
            self.transfer(address, output, input)
        }

        /// Some writes and then at most one read, which is what the bus does in one go; anything
        /// else is [`Error::Refused`], and nothing was sent.
        fn transaction(
            &mut self,
            address: u8,
            operations: &mut [Operation<'_>],
        ) -> Result<(), Error> {
            let mut output = [0; TRANSFER_BYTES_MAX];
            let mut output_bytes = 0;
            let (last, writes) = match operations.split_last_mut() {
                Some((Operation::Read(input), writes)) => (Some(input), writes),
                _ => (None, operations),
            };
            for operation in writes {
                let Operation::Write(bytes) = operation else { return Err(Error::Refused) };
                let target = output.get_mut(output_bytes..output_bytes + bytes.len());
                target.ok_or(Error::Refused)?.copy_from_slice(bytes);
                output_bytes += bytes.len();
            }
            let output = output.get(..output_bytes).unwrap_or(&[]);
            match last {
                Some(input) => self.transfer(address, output, input),
                None => self.transfer(address, output, &mut []),
            }
        }
    }
}
