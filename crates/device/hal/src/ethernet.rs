//! What the firmware asks of an Ethernet controller.

/// An Ethernet controller that keeps frames in FIFOs of its own.
pub trait Ethernet {
    /// The station's own address, as the controller found it at reset.
    fn address(&self) -> [u8; 6];

    /// Copies the oldest frame that arrived, without its checksum; answers its length. A frame
    /// that is damaged or longer than `frame` is dropped and the next one is taken.
    fn receive(&mut self, frame: &mut [u8]) -> Option<usize>;

    /// True if a frame of full length would be taken now.
    fn can_send(&self) -> bool;

    /// Sends one frame; the controller adds padding and checksum.
    fn send(&mut self, frame: &[u8]);
}
