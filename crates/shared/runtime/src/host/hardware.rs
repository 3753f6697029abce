//! LEDs, buttons, the I2C bus and serial lines, where the board has them.

use wasmbed_abi::{self as abi, status};
use wasmbed_engine::{Args, HostOutcome, guest_slice};
use wasmbed_image::{Argument, Capability};

use super::{Answer, GuestHost, counted, plain, target_slice};
use crate::limits;
use crate::platform::{BusError, Platform};

impl<P: Platform> GuestHost<'_, '_, P> {
    #[inline(never)]
    pub(super) fn hardware(
        &mut self,
        import: u16,
        args: Args<'_>,
        memory: &mut [u8],
    ) -> HostOutcome {
        match import {
            abi::LED_COUNT => counted(Ok(self.platform.led_count().into())),
            abi::LED_SET => plain(self.led_set(args.word(0), args.word(1) != 0)),
            abi::BUTTON_COUNT => counted(Ok(self.platform.button_count().into())),
            abi::BUTTON_READ => counted(self.button_read(args.word(0))),
            abi::BUTTON_WAIT => self.button_wait(args.word(0), args.word(1)),
            abi::I2C_TRANSFER => self.i2c_transfer(args, memory),
            abi::UART_COUNT => counted(Ok(self.platform.uart_count().into())),
            abi::UART_WRITE => self.uart_write(args, memory),
            _ => self.uart_read(args, memory),
        }
    }

    fn led_set(&mut self, index: u32, is_on: bool) -> Answer {
        let count = self.platform.led_count();
        let Some(index) = u8::try_from(index).ok().filter(|index| *index < count) else {
            return Err(status::NOT_THERE);
        };
        let name = self.platform.led_name(index);
        self.permit(Capability::Led, &|argument| match argument {
            Argument::Name(granted) => name == Some(granted),
            other => other.allows_number(index.into()),
        })?;
        self.platform.led_set(index, is_on);
        Ok(status::OK)
    }

    /// The buttons of `mask` that exist, if all of those are granted.
    fn permit_buttons(&mut self, mask: u32) -> Result<u32, u32> {
        let count = u32::from(self.platform.button_count()).min(u32::BITS);
        let existing = mask & 1_u32.checked_shl(count).map_or(u32::MAX, |bit| bit - 1);
        if existing == 0 || existing != mask {
            return Err(status::NOT_THERE);
        }
        for index in (0..count).filter(|index| existing & 1 << index != 0) {
            self.permit(Capability::Button, &|argument| argument.allows_number(index))?;
        }
        Ok(existing)
    }

    fn button_read(&mut self, index: u32) -> Answer {
        let bit = 1_u32.checked_shl(index).ok_or(status::NOT_THERE)?;
        let mask = self.permit_buttons(bit)?;
        Ok(u32::from(self.platform.buttons() & mask != 0))
    }

    /// What is kept meanwhile: the buttons that were pressed at the last look. A press counts when
    /// it begins.
    fn button_wait(&mut self, mask: u32, timeout_ms: u32) -> HostOutcome {
        let mask = match self.permit_buttons(mask) {
            Ok(mask) => mask,
            Err(status) => return counted(Err(status)),
        };
        let pressed = self.platform.buttons() & mask;
        let before = if self.wait.stage == 0 { pressed } else { self.wait.kept };
        self.wait.stage = 1;
        self.wait.kept = pressed;
        let begun = pressed & !before;
        if begun != 0 {
            return counted(Ok(begun));
        }
        let again_at_ms = self.now_ms() + limits::POLL_MS;
        self.wait_until(timeout_ms, again_at_ms)
    }

    fn i2c_transfer(&mut self, args: Args<'_>, memory: &mut [u8]) -> HostOutcome {
        let address = args.word(0);
        let source = guest_slice(memory, args.word(1), args.word(2));
        let (Some(source), Some(_)) = (source, guest_slice(memory, args.word(3), args.word(4)))
        else {
            return HostOutcome::Trap;
        };
        if !self.platform.has_i2c() {
            return plain(Err(status::NOT_THERE));
        }
        let mut write = [0; abi::I2C_BYTES_MAX];
        let mut read = [0; abi::I2C_BYTES_MAX];
        let count = args.word(4) as usize;
        let (Some(write), Some(read)) = (write.get_mut(..source.len()), read.get_mut(..count))
        else {
            return plain(Err(status::REFUSED));
        };
        let Some(short) = u8::try_from(address).ok().filter(|address| *address < 0x80) else {
            return plain(Err(status::REFUSED));
        };
        write.copy_from_slice(source);
        self.apart(|host| {
            let is_meant = |argument: &Argument<'_>| argument.allows_number(address);
            if let Err(status) = host.permit(Capability::I2c, &is_meant) {
                return status;
            }
            match host.platform.i2c_transfer(short, write, read) {
                Ok(()) => {}
                Err(BusError::NoAnswer) => return status::NOT_THERE,
                Err(BusError::Failed) => return status::FAILED,
            }
            if let Some(target) = target_slice(memory, args.word(3), args.word(4)) {
                target.copy_from_slice(read);
            }
            status::OK
        })
    }

    fn permit_uart(&mut self, index: u32) -> Result<u8, u32> {
        let count = self.platform.uart_count();
        let line = u8::try_from(index).ok().filter(|line| *line < count);
        let line = line.ok_or(status::NOT_THERE)?;
        self.permit(Capability::Uart, &|argument| argument.allows_number(index))?;
        Ok(line)
    }

    fn uart_write(&mut self, args: Args<'_>, memory: &[u8]) -> HostOutcome {
        let Some(bytes) = guest_slice(memory, args.word(1), args.word(2)) else {
            return HostOutcome::Trap;
        };
        let bytes = bytes.get(..abi::STREAM_BYTES_MAX).unwrap_or(bytes);
        counted(
            self.permit_uart(args.word(0)).map(|line| self.platform.uart_write(line, bytes) as u32),
        )
    }

    fn uart_read(&mut self, args: Args<'_>, memory: &mut [u8]) -> HostOutcome {
        let Some(target) = target_slice(memory, args.word(1), args.word(2)) else {
            return HostOutcome::Trap;
        };
        let bytes = target.len().min(abi::STREAM_BYTES_MAX);
        let target = target.get_mut(..bytes).unwrap_or_default();
        // A rate counts calls, not looks.
        let permit = if self.wait.stage == 0 {
            self.permit_uart(args.word(0))
        } else {
            Ok(args.word(0) as u8)
        };
        self.wait.stage = 1;
        let line = match permit {
            Ok(line) => line,
            Err(status) => return counted(Err(status)),
        };
        let count = self.platform.uart_read(line, target);
        if count > 0 || bytes == 0 {
            return counted(Ok(count as u32));
        }
        let again_at_ms = self.now_ms() + limits::POLL_MS;
        self.wait_until(args.word(3), again_at_ms)
    }
}
