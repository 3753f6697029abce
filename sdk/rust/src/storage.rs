//! Values that outlive restarts, updates and power cuts.

use crate::error::{Error, count, done};
use crate::imports;

/// Longest key.
pub const KEY_BYTES_MAX: usize = 32;

/// Longest value.
pub const VALUE_BYTES_MAX: usize = 256;

/// The value kept under `key`. Needs the capability `storage`.
///
/// # Errors
/// [`Error::NotThere`] if there is none, [`Error::TooSmall`] if `buffer` does not hold it.
pub fn get<'a>(key: &str, buffer: &'a mut [u8]) -> Result<&'a [u8], Error> {
    // SAFETY: the device reads and writes inside of these bytes only, during the call.
    let answer =
        unsafe { imports::kv_get(key.as_ptr(), key.len(), buffer.as_mut_ptr(), buffer.len()) };
    let bytes = count(answer)? as usize;
    buffer.get(..bytes).ok_or(Error::Failed)
}

/// Keeps `value` under `key`; it is kept once this returns. Needs the capability `storage`, which
/// says how many bytes of keys and values there may be.
///
/// # Errors
/// [`Error::Dropped`] if there is no room left, [`Error::Failed`] if the flash did not take it.
pub fn set(key: &str, value: &[u8]) -> Result<(), Error> {
    // SAFETY: the device reads exactly these bytes, during the call.
    done(unsafe { imports::kv_set(key.as_ptr(), key.len(), value.as_ptr(), value.len()) })
}

/// Forgets what is kept under `key`.
///
/// # Errors
/// [`Error::NotThere`] if there is nothing.
pub fn delete(key: &str) -> Result<(), Error> {
    // SAFETY: the device reads exactly these bytes, during the call.
    done(unsafe { imports::kv_delete(key.as_ptr(), key.len()) })
}
