//! Why a device did not do what it was asked for.

/// What a call answered instead of doing its work. The numbers are `status` in docs/abi.md.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(i32)]
pub enum Error {
    /// The device had no room: what was sent is lost, and counted as such.
    Dropped = 1,
    /// The Application does not grant it for this topic, pin or address, or it is out of bounds.
    Refused = 2,
    /// The hardware or the storage failed.
    Failed = 3,
    /// The board has none, the key is absent, or nobody answers at the address.
    NotThere = 4,
    /// The time was over.
    Timeout = 5,
    /// More often than the Application grants.
    TooOften = 6,
    /// The buffer is too small. Nothing was taken.
    TooSmall = 7,
    /// The device wants the guest to end.
    Stopping = 8,
}

impl Error {
    /// What it says, in a few words.
    pub const fn text(self) -> &'static str {
        match self {
            Error::Dropped => "dropped",
            Error::Refused => "refused",
            Error::Failed => "failed",
            Error::NotThere => "not there",
            Error::Timeout => "timeout",
            Error::TooOften => "too often",
            Error::TooSmall => "buffer too small",
            Error::Stopping => "stopping",
        }
    }

    const fn of(status: i32) -> Error {
        match status {
            1 => Error::Dropped,
            2 => Error::Refused,
            4 => Error::NotThere,
            5 => Error::Timeout,
            6 => Error::TooOften,
            7 => Error::TooSmall,
            8 => Error::Stopping,
            // A number of a later device: all that is known is that it was not done.
            _ => Error::Failed,
        }
    }
}

impl core::fmt::Display for Error {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str(self.text())
    }
}

impl core::error::Error for Error {}

/// The answer of a call that gives a status.
pub(crate) const fn done(status: i32) -> Result<(), Error> {
    match status {
        0 => Ok(()),
        status => Err(Error::of(status)),
    }
}

/// The answer of a call that gives a count, or a negated status.
pub(crate) const fn count(answer: i32) -> Result<u32, Error> {
    if answer < 0 { Err(Error::of(answer.wrapping_neg())) } else { Ok(answer as u32) }
}

#[cfg(test)]
mod tests;
