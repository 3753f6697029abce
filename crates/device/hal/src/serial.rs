//! What the firmware asks of a serial port.

/// A serial port whose interrupt moves bytes between the line and two rings.
pub trait Serial {
    /// Takes the oldest byte that arrived. A full receive ring pushes back to the line where the
    /// line can be held, and loses bytes where it cannot.
    fn read(&self) -> Option<u8>;

    /// True if [`Serial::read`] would give a byte.
    fn has_received(&self) -> bool;

    /// True if [`Serial::write`] would take a byte.
    fn has_room(&self) -> bool;

    /// Queues as many bytes as there is room for; answers how many.
    fn write(&self, bytes: &[u8]) -> usize;

    /// True if everything queued was given to the line.
    fn is_idle(&self) -> bool;

    /// Sends without queue and without interrupt, for the fault handlers: what is queued goes
    /// first, and interrupts must be off.
    fn write_now(&self, bytes: &[u8]);
}
