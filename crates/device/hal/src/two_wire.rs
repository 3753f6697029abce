//! A two-wire (I2C) bus whose lines the program drives one bit at a time: controller side, 7-bit
//! addresses, one controller. Leaves out arbitration and 10-bit addresses.
//!
//! # Source
//! NXP UM10204, I2C-bus specification and user manual, revision 7, sections 3.1.4 to 3.1.10.

/// The two lines. Both are open drain: `true` lets go, and the line is high if nobody holds it.
pub trait Lines {
    /// Lets the clock line go, or pulls it low.
    fn set_clock(&mut self, is_high: bool);

    /// Lets the data line go, or pulls it low.
    fn set_data(&mut self, is_high: bool);

    /// Whether the clock line is high.
    fn clock(&self) -> bool;

    /// Whether the data line is high.
    fn data(&self) -> bool;

    /// Half a period of the clock.
    fn pause(&self);
}

/// Why a transfer ended early. The bus is free again in every case but [`BusError::Stuck`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BusError {
    /// Nobody has this address.
    NoAnswer,
    /// The target took only some of the bytes.
    Refused,
    /// A line stays low: a target holds it, or the wire is broken.
    Stuck,
}

/// Half periods that a target may hold the clock. Chosen: at 100 kHz 5 ms, more than sensors take,
/// and few enough instructions for one call of a guest.
const STRETCH_PAUSES_MAX: u32 = 1_000;

/// Clocks that free a target which was left in the middle of a byte: its eight bits and the answer.
const CLEARING_CLOCKS: u32 = 9;

/// Writes `output` to the target, then reads `input` from it; an empty one is left out. With both
/// empty the target is only asked whether it is there.
///
/// # Errors
/// [`BusError`]; bytes of `input` behind the failure are not changed.
pub fn transfer(
    lines: &mut impl Lines,
    address: u8,
    output: &[u8],
    input: &mut [u8],
) -> Result<(), BusError> {
    let result = exchange(lines, address, output, input);
    match result {
        Err(BusError::Stuck) => clear(lines),
        _ => stop(lines).and(result),
    }
}

fn exchange(
    lines: &mut impl Lines,
    address: u8,
    output: &[u8],
    input: &mut [u8],
) -> Result<(), BusError> {
    if !output.is_empty() || input.is_empty() {
        start(lines)?;
        send(lines, address << 1, BusError::NoAnswer)?;
        for byte in output {
            send(lines, *byte, BusError::Refused)?;
        }
    }
    if let Some((last, rest)) = input.split_last_mut() {
        start(lines)?;
        send(lines, address << 1 | 1, BusError::NoAnswer)?;
        for byte in rest {
            *byte = receive(lines, true)?;
        }
        *last = receive(lines, false)?;
    }
    Ok(())
}

/// Start, or start again: data falls while the clock is high.
fn start(lines: &mut impl Lines) -> Result<(), BusError> {
    lines.set_data(true);
    lines.pause();
    release_clock(lines)?;
    if !lines.data() {
        return Err(BusError::Stuck);
    }
    lines.set_data(false);
    lines.pause();
    lines.set_clock(false);
    Ok(())
}

/// Stop: data rises while the clock is high.
fn stop(lines: &mut impl Lines) -> Result<(), BusError> {
    lines.set_clock(false);
    lines.set_data(false);
    lines.pause();
    release_clock(lines)?;
    lines.set_data(true);
    lines.pause();
    if lines.data() { Ok(()) } else { Err(BusError::Stuck) }
}

/// Clocks until whoever holds the data line lets go, then stops.
fn clear(lines: &mut impl Lines) -> Result<(), BusError> {
    lines.set_data(true);
    for _ in 0..CLEARING_CLOCKS {
        lines.set_clock(false);
        lines.pause();
        if release_clock(lines).is_err() {
            break;
        }
    }
    // The transfer failed, whatever became of the bus.
    let _ = stop(lines);
    Err(BusError::Stuck)
}

fn release_clock(lines: &mut impl Lines) -> Result<(), BusError> {
    lines.set_clock(true);
    lines.pause();
    for _ in 0..STRETCH_PAUSES_MAX {
        if lines.clock() {
            return Ok(());
        }
        lines.pause();
    }
    Err(BusError::Stuck)
}

fn send(lines: &mut impl Lines, byte: u8, refused: BusError) -> Result<(), BusError> {
    for bit in (0..8).rev() {
        lines.set_data(byte >> bit & 1 != 0);
        clock_bit(lines)?;
    }
    lines.set_data(true);
    // The target answers by holding the data line.
    if clock_bit(lines)? { Err(refused) } else { Ok(()) }
}

fn receive(lines: &mut impl Lines, is_more_wanted: bool) -> Result<u8, BusError> {
    lines.set_data(true);
    let mut byte = 0;
    for _ in 0..8 {
        byte = byte << 1 | u8::from(clock_bit(lines)?);
    }
    lines.set_data(!is_more_wanted);
    clock_bit(lines)?;
    lines.set_data(true);
    Ok(byte)
}

/// One clock; what the data line was while it was high.
fn clock_bit(lines: &mut impl Lines) -> Result<bool, BusError> {
    lines.pause();
    release_clock(lines)?;
    let is_high = lines.data();
    lines.set_clock(false);
    Ok(is_high)
}

#[cfg(test)]
mod tests;
