//! Deliberate faults of the log, so that the tests can show that the power-cut harness notices
//! them. Outside of tests every one is off and compiles to nothing.

/// One way to break the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mutant {
    /// Trusts a blank header without looking at the bytes behind it.
    NoBlankCheck,
    /// Does not check the data of the last record at mount.
    NoLastChecksum,
    /// Trusts a record header without its checksum.
    NoHeaderChecksum,
    /// Copies into the other segment without erasing it.
    NoErase,
    /// Programs the segment header before the copy.
    HeaderFirst,
    /// Appends behind a torn record.
    KeepTornTail,
    /// Goes on with the index after a failed program.
    ErrorKeepsIndex,
}

#[cfg(test)]
thread_local! {
    static ACTIVE: core::cell::Cell<Option<Mutant>> = const { core::cell::Cell::new(None) };
}

/// Whether `mutant` is active in this thread.
#[inline(always)]
pub fn on(mutant: Mutant) -> bool {
    #[cfg(test)]
    return ACTIVE.with(|active| active.get() == Some(mutant));
    #[cfg(not(test))]
    {
        let _ = mutant;
        false
    }
}

/// Makes `mutant` the active one of this thread.
#[cfg(test)]
pub fn activate(mutant: Option<Mutant>) {
    ACTIVE.with(|active| active.set(mutant));
}
