//! Random bytes.

use crate::error::Error;
use crate::imports;

/// Fills `target` from the entropy source that the board file names. Needs the capability `random`.
///
/// # Errors
/// [`Error::Failed`] if the source gave nothing.
pub fn random(target: &mut [u8]) -> Result<(), Error> {
    // SAFETY: the device writes exactly these bytes, during the call.
    match unsafe { imports::random_get(target.as_mut_ptr(), target.len()) } {
        0 => Ok(()),
        _ => Err(Error::Failed),
    }
}
