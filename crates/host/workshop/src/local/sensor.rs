//! A TMP105 temperature sensor, as far as a guest can tell: for trying drivers without one. The
//! temperature is what the author says on the command line.
//!
//! # Source
//! Texas Instruments SLOS393, TMP105, "Programming".

use crate::error::WorkshopError;

#[cfg(test)]
mod tests;

/// Bits 6:5 of the configuration register: 9 to 12 bits of resolution.
const RESOLUTION_SHIFT: u8 = 5;

const TEMPERATURE: u8 = 0;
const CONFIGURATION: u8 = 1;

/// A sensor on the bus.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sensor {
    address: u8,
    /// In 1/256 degree Celsius.
    temperature: i16,
    pointer: u8,
    configuration: u8,
}

impl Sensor {
    /// Reads `tmp105@ADDRESS=DEGREES`, such as `tmp105@0x48=21.5`.
    ///
    /// # Errors
    /// [`WorkshopError::Argument`] says the form.
    pub fn parse(text: &str) -> Result<Sensor, WorkshopError> {
        Sensor::read(text).ok_or_else(|| WorkshopError::Argument {
            text: text.to_owned(),
            form: "tmp105@ADDRESS=DEGREES, such as tmp105@0x48=21.5, between -55 and 127",
        })
    }

    fn read(text: &str) -> Option<Sensor> {
        let (address, degrees) = text.strip_prefix("tmp105@")?.split_once('=')?;
        let address = match address.strip_prefix("0x") {
            Some(digits) => u8::from_str_radix(digits, 16).ok()?,
            None => address.parse().ok()?,
        };
        let degrees: f64 = degrees.parse().ok()?;
        let is_possible = address < 0x80 && (-55.0..=127.0).contains(&degrees);
        let temperature = (degrees * 256.0).round() as i16;
        is_possible.then_some(Sensor { address, temperature, pointer: 0, configuration: 0 })
    }

    /// The address at which it answers.
    pub fn address(&self) -> u8 {
        self.address
    }

    /// A write and then a read; whether it took all that was written.
    pub fn transfer(&mut self, output: &[u8], input: &mut [u8]) -> bool {
        if let Some((pointer, values)) = output.split_first() {
            self.pointer = *pointer & 3;
            match (self.pointer, values) {
                (_, []) => {}
                (CONFIGURATION, [configuration]) => self.configuration = *configuration,
                // The alarm's limits are not modelled; a real one takes two bytes there.
                (CONFIGURATION | TEMPERATURE, _) => return false,
                (_, values) => return values.len() == 2,
            }
        }
        let value = match self.pointer {
            TEMPERATURE => self.shown().to_be_bytes(),
            CONFIGURATION => [self.configuration; 2],
            _ => [0; 2],
        };
        for (target, byte) in input.iter_mut().zip(value.into_iter().cycle()) {
            *target = byte;
        }
        true
    }

    /// The temperature with as many bits as the resolution has.
    fn shown(&self) -> i16 {
        let finer = self.configuration >> RESOLUTION_SHIFT & 3;
        self.temperature & (-128_i16 >> finer)
    }
}
