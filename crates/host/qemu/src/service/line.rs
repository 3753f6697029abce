//! What the spec says about a bad line, as the line takes it.

use std::time::Duration;

use wasmbed_crds::virtual_device::{Line, Partition as WantedPartition};

use crate::impairment::{CERTAIN_PPM, Impairment, Partition};

#[cfg(test)]
mod tests;

/// The impairment that the spec asks for. Where it names no seed, that of the object's UID, which is
/// random by itself.
///
/// # Errors
/// A sentence about what no API server that checks the schema lets pass.
pub(super) fn impairment(line: Option<&Line>, uid: &str) -> Result<Impairment, String> {
    let Some(line) = line else { return Ok(Impairment::default()) };
    let share = |name: &str, share: Option<&String>| {
        let ppm = share.map_or(Some(0), |share| parts_per_million(share));
        ppm.ok_or_else(|| format!("{name} of the line is no percentage"))
    };
    let delay_ms = line.delay_ms.unwrap_or(0);
    Ok(Impairment {
        loss_ppm: share("loss", line.loss.as_ref())?,
        duplicate_ppm: share("duplicate", line.duplicate.as_ref())?,
        corrupt_ppm: share("corrupt", line.corrupt.as_ref())?,
        delay: Duration::from_millis(delay_ms.into()),
        jitter: Duration::from_millis(line.jitter_ms.unwrap_or(0).min(delay_ms).into()),
        partition: match line.partition {
            WantedPartition::None => Partition::None,
            WantedPartition::Up => Partition::Up,
            WantedPartition::Down => Partition::Down,
            WantedPartition::Both => Partition::Both,
        },
        seed: line.seed.map_or_else(|| seed_of(uid), i64::cast_unsigned),
    })
}

/// FNV-1a of an object's UID.
fn seed_of(uid: &str) -> u64 {
    uid.bytes().fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

/// `0.0125%` is 125 parts of a million: four decimals, and no rounding.
fn parts_per_million(share: &str) -> Option<u32> {
    let number = share.strip_suffix('%')?;
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(decimals) || whole.len() > 3 || decimals.len() > 4 {
        return None;
    }
    let ppm = format!("{whole}{decimals:0<4}").parse::<u32>().ok()?;
    (ppm <= CERTAIN_PPM).then_some(ppm)
}
