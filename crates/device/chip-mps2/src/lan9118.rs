//! LAN9118 Ethernet controller, FIFO mode. The interrupt only wakes the loop, which drains the
//! FIFOs itself. Leaves out the PHY: the link is taken as it negotiated itself.

use core::ptr::NonNull;
use wasmbed_hal::Ethernet;
use wasmbed_hal::register::{ReadOnly, ReadWrite, WriteOnly};

/// Register block of the LAN9118.
///
/// # Source
/// SMSC LAN9118 datasheet 1.5, section 5.3 "System control and status registers".
#[repr(C)]
pub struct Registers {
    /// 0x00 Frames that arrived, four bytes a read.
    receive_data: ReadOnly<u32>,
    _aliases_0: [u32; 7],
    /// 0x20 Commands and frames to send.
    send_data: WriteOnly<u32>,
    _aliases_1: [u32; 7],
    /// 0x40 Status of the frame that is read next; a read takes it.
    receive_status: ReadOnly<u32>,
    _receive_peek: u32,
    /// 0x48 Status of a frame that was sent; a read takes it.
    send_status: ReadOnly<u32>,
    _send_peek: u32,
    /// 0x50 Identity, upper half.
    identity: ReadOnly<u32>,
    /// 0x54 Interrupt line.
    interrupt_line: ReadWrite<u32>,
    /// 0x58 Interrupts that came; writing a one clears it.
    interrupt_status: ReadWrite<u32>,
    /// 0x5C Interrupts that are wanted.
    interrupt_enable: ReadWrite<u32>,
    _reserved_0: u32,
    /// 0x64 Always [`BYTE_ORDER`].
    byte_order: ReadOnly<u32>,
    /// 0x68 FIFO levels that raise interrupts.
    fifo_levels: ReadWrite<u32>,
    /// 0x6C Receive configuration.
    receive_config: ReadWrite<u32>,
    /// 0x70 Transmit configuration. Bit 1: on.
    send_config: ReadWrite<u32>,
    /// 0x74 Hardware configuration. Bit 0: reset. Bits 19:16: transmit FIFO, in KB. Bit 20: store and forward.
    hardware: ReadWrite<u32>,
    /// 0x78 Receive data path. Bit 31: skip the current frame.
    receive_path: ReadWrite<u32>,
    /// 0x7C Fill of the receive FIFOs. Bits 23:16: statuses. Bits 15:0: bytes.
    receive_fill: ReadOnly<u32>,
    /// 0x80 Fill of the transmit FIFOs. Bits 23:16: statuses. Bits 15:0: free bytes.
    send_fill: ReadOnly<u32>,
    /// 0x84 Power. Bit 0: ready.
    power: ReadWrite<u32>,
    _reserved_1: [u32; 7],
    /// 0xA4 Command to the MAC. Bit 31: busy. Bit 30: read.
    mac_command: ReadWrite<u32>,
    /// 0xA8 Data from or for the MAC.
    mac_data: ReadWrite<u32>,
    /// 0xAC Automatic flow control.
    flow: ReadWrite<u32>,
}

const _: () = {
    assert!(core::mem::offset_of!(Registers, receive_status) == 0x40);
    assert!(core::mem::offset_of!(Registers, identity) == 0x50);
    assert!(core::mem::offset_of!(Registers, byte_order) == 0x64);
    assert!(core::mem::offset_of!(Registers, mac_command) == 0xa4);
    assert!(core::mem::offset_of!(Registers, flow) == 0xac);
};

const BYTE_ORDER: u32 = 0x8765_4321;
const IDENTITY: u32 = 0x0118;
const RESET: u32 = 1 << 0;
/// Store and forward, 5 KB for transmission: the datasheet's default split.
const HARDWARE: u32 = 1 << 20 | 5 << 16;
/// Flow control levels of the datasheet's section 5.3.22 for that split.
const FLOW: u32 = 0x006e_3740;
/// Line on, active high, push-pull. With any other value the line stays asserted.
const LINE: u32 = 0x111;
/// A frame is in the receive FIFO.
const FRAME_ARRIVED: u32 = 1 << 3;
const SEND_ON: u32 = 1 << 1;
const SKIP_FRAME: u32 = 1 << 31;
const MAC_BUSY: u32 = 1 << 31;
const MAC_READ: u32 = 1 << 30;
const MAC_CONTROL: u32 = 1;
const MAC_ADDRESS_HIGH: u32 = 2;
const MAC_ADDRESS_LOW: u32 = 3;
/// Full duplex, transmitter and receiver on.
const MAC_ON: u32 = 1 << 20 | 1 << 3 | 1 << 2;
/// The receive status says that the frame is damaged.
const FRAME_ERROR: u32 = 1 << 15;
/// First and last segment of a frame.
const WHOLE_FRAME: u32 = 0x3000;
/// The receive length counts the checksum.
const CHECKSUM_BYTES: usize = 4;
/// Room that one frame needs: 1,514 bytes and two command words, rounded up.
const SEND_ROOM_BYTES: u32 = 1536;
/// Reads before a reset or a MAC command counts as failed; the datasheet promises 100 us.
const POLLS_MAX: u32 = 100_000;

/// Why the controller cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StartError {
    /// Nothing like a LAN9118 answers at this address.
    NotThere,
    /// It did not come out of its reset.
    Stuck,
}

/// One controller.
pub struct Lan9118 {
    registers: NonNull<Registers>,
}

// SAFETY: the loop owns the controller; the interrupt only clears `interrupt_enable`, in one write.
unsafe impl Sync for Lan9118 {}
// SAFETY: as above.
unsafe impl Send for Lan9118 {}

impl Lan9118 {
    /// Takes the block that the board file places at `base`.
    ///
    /// # Safety
    /// `base` must be this peripheral, mapped for the whole run; one taker drives it, and others
    /// may only call [`Lan9118::interrupt`].
    pub const unsafe fn new(base: usize) -> Self {
        // SAFETY: the caller promises an address that is mapped, so it is not zero.
        Self { registers: unsafe { NonNull::new_unchecked(base as *mut Registers) } }
    }

    fn registers(&self) -> &Registers {
        // SAFETY: `new` promises a mapping that outlives `self`. All fields are volatile cells,
        // so hardware may change them under a shared reference.
        unsafe { self.registers.as_ref() }
    }

    /// Resets and configures the controller. Its interrupt line may be unmasked afterwards, not
    /// before.
    ///
    /// # Errors
    /// [`StartError`] if it is not there or does not answer.
    pub fn start(&self) -> Result<(), StartError> {
        let registers = self.registers();
        if registers.byte_order.read() != BYTE_ORDER || registers.identity.read() >> 16 != IDENTITY
        {
            return Err(StartError::NotThere);
        }
        registers.hardware.write(RESET);
        if !(0..POLLS_MAX).any(|_| registers.hardware.read() & RESET == 0) {
            return Err(StartError::Stuck);
        }
        registers.hardware.write(HARDWARE);
        registers.flow.write(FLOW);
        registers.interrupt_enable.write(0);
        registers.interrupt_line.write(LINE);
        registers.interrupt_status.write(u32::MAX);
        registers.fifo_levels.write(0);
        registers.receive_config.write(0);
        registers.send_config.write(SEND_ON);
        self.mac_write(MAC_CONTROL, MAC_ON).ok_or(StartError::Stuck)?;
        self.registers().interrupt_enable.write(FRAME_ARRIVED);
        Ok(())
    }

    /// To be called by the controller's interrupt: silences the line until the loop has drained
    /// the FIFO.
    pub fn interrupt(&self) {
        self.registers().interrupt_enable.write(0);
    }

    /// Tells the interrupt to come again. True if a frame is there already, so that the loop must
    /// not sleep.
    pub fn listen(&self) -> bool {
        let registers = self.registers();
        // The mark is set on arrival only: clear it, then look, then ask to be woken.
        registers.interrupt_status.write(FRAME_ARRIVED);
        let is_there = registers.receive_fill.read() & 0x00ff_0000 != 0;
        registers.interrupt_enable.write(FRAME_ARRIVED);
        is_there
    }

    fn mac_wait(&self) -> Option<()> {
        (0..POLLS_MAX).any(|_| self.registers().mac_command.read() & MAC_BUSY == 0).then_some(())
    }

    fn mac_write(&self, register: u32, value: u32) -> Option<()> {
        self.mac_wait()?;
        self.registers().mac_data.write(value);
        self.registers().mac_command.write(MAC_BUSY | register);
        self.mac_wait()
    }

    fn mac_read(&self, register: u32) -> u32 {
        let registers = self.registers();
        let Some(()) = self.mac_wait() else { return 0 };
        registers.mac_command.write(MAC_BUSY | MAC_READ | register);
        self.mac_wait().map_or(0, |()| registers.mac_data.read())
    }

    fn skip_frame(&self, bytes: usize) {
        let registers = self.registers();
        let words = bytes.div_ceil(4);
        // The datasheet allows the fast way from four words on only.
        if words < 4 {
            for _ in 0..words {
                registers.receive_data.read();
            }
            return;
        }
        registers.receive_path.write(SKIP_FRAME);
        (0..POLLS_MAX).any(|_| registers.receive_path.read() & SKIP_FRAME == 0);
    }
}

impl Ethernet for Lan9118 {
    fn address(&self) -> [u8; 6] {
        let [a, b, c, d] = self.mac_read(MAC_ADDRESS_LOW).to_le_bytes();
        let [e, f, ..] = self.mac_read(MAC_ADDRESS_HIGH).to_le_bytes();
        [a, b, c, d, e, f]
    }

    fn receive(&mut self, frame: &mut [u8]) -> Option<usize> {
        let registers = self.registers();
        while registers.receive_fill.read() & 0x00ff_0000 != 0 {
            let status = registers.receive_status.read();
            let stored = (status >> 16 & 0x3fff) as usize;
            let bytes = stored.saturating_sub(CHECKSUM_BYTES);
            if status & FRAME_ERROR != 0 || bytes == 0 || bytes > frame.len() {
                self.skip_frame(stored);
                continue;
            }
            // The checksum's words follow the frame and are taken too.
            for index in 0..stored.div_ceil(4) {
                let word = registers.receive_data.read().to_le_bytes();
                let start = index * 4;
                for (target, byte) in frame[..bytes].iter_mut().skip(start).zip(word) {
                    *target = byte;
                }
            }
            return Some(bytes);
        }
        None
    }

    fn can_send(&self) -> bool {
        let registers = self.registers();
        // Statuses of frames that left are of no use, but a full status FIFO stops the sender.
        while registers.send_fill.read() & 0x00ff_0000 != 0 {
            registers.send_status.read();
        }
        registers.send_fill.read() & 0xffff >= SEND_ROOM_BYTES
    }

    fn send(&mut self, frame: &[u8]) {
        let registers = self.registers();
        let bytes = frame.len() as u32;
        registers.send_data.write(WHOLE_FRAME | bytes);
        registers.send_data.write(bytes);
        for word in frame.chunks(4) {
            let mut padded = [0; 4];
            padded[..word.len()].copy_from_slice(word);
            registers.send_data.write(u32::from_le_bytes(padded));
        }
    }
}
