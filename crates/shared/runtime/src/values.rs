//! Values that guests keep: one record of the journal each, so that a power cut leaves the old one
//! or the new one. They belong to an application, not to an image of it.
//!
//! # Layout
//! Application 16, length of the key 1, key, value.

use wasmbed_abi::{KEY_BYTES_MAX, VALUE_BYTES_MAX, status};
use wasmbed_journal::{Error, Journal};
use wasmbed_wire::AppId;

use crate::keys;
use crate::limits;
use crate::platform::Platform;

/// Bytes of a record before the key.
const HEAD_BYTES: usize = 17;

/// Longest record.
const RECORD_BYTES_MAX: usize = HEAD_BYTES + KEY_BYTES_MAX + VALUE_BYTES_MAX;

const _: () = assert!(RECORD_BYTES_MAX <= wasmbed_journal::limits::VALUE_BYTES_MAX);

/// What a look at all values found.
#[derive(Default)]
struct Found {
    /// Where the value is.
    index: Option<u8>,
    /// Bytes of its key and value.
    bytes: u32,
    /// A place that holds none.
    free: Option<u8>,
    /// Bytes of keys and values of the application, this one included.
    own_bytes: u32,
    /// Bytes of the log that all values take.
    log_bytes: u32,
}

fn status_of(error: Error) -> u32 {
    match error {
        Error::Full | Error::TooLarge => status::DROPPED,
        _ => status::FAILED,
    }
}

/// Looks for a value.
#[inline(never)]
fn find<P: Platform>(
    journal: &mut Journal,
    platform: &mut P,
    app: AppId,
    key: &[u8],
) -> Result<Found, Error> {
    let mut found = Found::default();
    let mut head = [0; HEAD_BYTES + KEY_BYTES_MAX];
    for index in 0..limits::VALUES_MAX {
        let Some(bytes) = journal.peek(platform.flash(), keys::value(index), &mut head)? else {
            found.free = found.free.or(Some(index));
            continue;
        };
        let pair_bytes = bytes.saturating_sub(HEAD_BYTES) as u32;
        found.log_bytes += pair_bytes + limits::VALUE_OVERHEAD_BYTES;
        let (owner, rest) = head.split_at(16);
        if owner != app.0 {
            continue;
        }
        found.own_bytes += pair_bytes;
        let [length, name @ ..] = rest else { continue };
        if usize::from(*length) == key.len() && name.get(..key.len()) == Some(key) {
            found.index = Some(index);
            found.bytes = pair_bytes;
        }
    }
    Ok(found)
}

/// Copies a value into `target`; answers its bytes, or a status.
#[inline(never)]
pub fn get<P: Platform>(
    journal: &mut Journal,
    platform: &mut P,
    app: AppId,
    key: &[u8],
    target: &mut [u8],
) -> Result<usize, u32> {
    let found = find(journal, platform, app, key).map_err(status_of)?;
    let index = found.index.ok_or(status::NOT_THERE)?;
    let skipped = HEAD_BYTES + key.len();
    match journal.fetch_behind(platform.flash(), keys::value(index), skipped, target) {
        Ok(bytes) => bytes.ok_or(status::FAILED),
        Err(Error::TooLarge) => Err(status::TOO_SMALL),
        Err(error) => Err(status_of(error)),
    }
}

/// Keeps a value, if the application then has at most `allowed_bytes`. One that is kept already is
/// not written again: that would only wear the flash.
#[inline(never)]
pub fn set<P: Platform>(
    journal: &mut Journal,
    platform: &mut P,
    app: AppId,
    [key, value]: [&[u8]; 2],
    allowed_bytes: u16,
) -> Result<bool, u32> {
    let found = find(journal, platform, app, key).map_err(status_of)?;
    let pair_bytes = (key.len() + value.len()) as u32;
    let index = found.index.or(found.free).ok_or(status::DROPPED)?;
    let own_bytes = found.own_bytes - found.bytes + pair_bytes;
    let old = found.index.map_or(0, |_| found.bytes + limits::VALUE_OVERHEAD_BYTES);
    let log_bytes = found.log_bytes - old + pair_bytes + limits::VALUE_OVERHEAD_BYTES;
    if own_bytes > allowed_bytes.into() || log_bytes > limits::VALUES_BYTES_MAX {
        return Err(status::DROPPED);
    }
    let place = keys::value(index);
    if found.index.is_some() && found.bytes == pair_bytes {
        let skipped = HEAD_BYTES + key.len();
        if journal.holds(platform.flash(), place, skipped, value).map_err(status_of)? {
            return Ok(false);
        }
    }
    let parts = [&app.0[..], &[key.len() as u8], key, value];
    journal.store_parts(platform.flash(), place, &parts).map_err(status_of)?;
    Ok(true)
}

/// Forgets a value.
#[inline(never)]
pub fn delete<P: Platform>(
    journal: &mut Journal,
    platform: &mut P,
    app: AppId,
    key: &[u8],
) -> Result<(), u32> {
    let found = find(journal, platform, app, key).map_err(status_of)?;
    let index = found.index.ok_or(status::NOT_THERE)?;
    journal.remove(platform.flash(), keys::value(index)).map_err(status_of)
}

/// Forgets all values of an application that is removed.
#[inline(never)]
pub fn forget<P: Platform>(
    journal: &mut Journal,
    platform: &mut P,
    app: AppId,
) -> Result<(), Error> {
    let mut owner = [0; 16];
    for index in 0..limits::VALUES_MAX {
        let key = keys::value(index);
        if journal.peek(platform.flash(), key, &mut owner)?.is_some() && owner == app.0 {
            journal.remove(platform.flash(), key)?;
        }
    }
    Ok(())
}
