//! What no single node can be blamed for, said at the node that is most likely wrong.

use super::{
    Board, Clocks, Driver, Guests, Interrupt, Protection, RESET_RECORD_BYTES, Reader, Region, Uart,
    Uplink, guard_bytes, is_enabled,
};
use crate::error::Error;
use crate::tree::Node;

/// Frequencies that the driver of a clock control sets up, all in Hz.
struct Setup {
    /// What it starts from.
    source: u32,
    core: u32,
    /// Ports below [`FAST_BUS`].
    slow_bus: u32,
    fast_bus: u32,
}

/// First address of the fast bus, on all STM32 that have a driver.
///
/// # Source
/// ST RM0041 section 2.3 and RM0090 section 2.3, "Memory map": APB2 begins there.
const FAST_BUS: u32 = 0x4001_0000;

const fn setup(clocks: Clocks) -> Setup {
    match clocks {
        Clocks::Stm32f1 => Setup {
            source: 8_000_000,
            core: 24_000_000,
            slow_bus: 24_000_000,
            fast_bus: 24_000_000,
        },
        Clocks::Stm32f4 => Setup {
            source: 12_000_000,
            core: 168_000_000,
            slow_bus: 42_000_000,
            fast_bus: 84_000_000,
        },
    }
}

/// Checks what several nodes say together.
pub fn check(board: &Board, reader: &Reader<'_>) -> Result<(), Error> {
    let ports = ports(board);
    check_roles(&ports, reader)?;
    check_lines(board, &ports, reader)?;
    check_overlaps(reader)?;
    if let Some(clocks) = board.clocks {
        check_clocks(board, clocks, &ports, reader)?;
    }
    check_memory(board, reader)
}

/// Every port with a role, with the property that gives it.
fn ports(board: &Board) -> Vec<(&'static str, &Uart)> {
    let mut ports: Vec<(&str, &Uart)> = vec![("wasmbed,console", &board.console)];
    ports.extend(board.entropy.as_ref().map(|uart| ("wasmbed,entropy", uart)));
    ports.push(("wasmbed,flash", &board.storage.uart));
    ports.extend(board.guest_hardware.uart.as_ref().map(|uart| ("wasmbed,guest-uart", uart)));
    ports
}

fn check_roles(ports: &[(&str, &Uart)], reader: &Reader<'_>) -> Result<(), Error> {
    for (index, (key, uart)) in ports.iter().enumerate() {
        if let Some((other, _)) = ports[..index].iter().find(|(_, known)| known.path == uart.path) {
            let message = format!("{key} and {other} are the same port {}", uart.path);
            let error = Error::new(&reader.property(reader.chosen()?, key)?.place, message);
            return Err(error.advise("give one of them another port"));
        }
    }
    Ok(())
}

/// A line leads to one handler.
fn check_lines(board: &Board, ports: &[(&str, &Uart)], reader: &Reader<'_>) -> Result<(), Error> {
    let mut taken: Vec<(u16, String)> = Vec::new();
    let mut take = |path: &str, lines: &[Interrupt]| -> Result<(), Error> {
        for line in lines {
            if let Some((_, other)) = taken.iter().find(|(number, _)| *number == line.number) {
                let interrupts = reader.property(reader.node(path)?, "interrupts")?;
                let message = format!("interrupt {} is that of {other} too", line.number);
                let error = Error::new(&interrupts.place, message);
                return Err(error.advise("look both up in the manual of the chip"));
            }
            taken.push((line.number, path.to_string()));
        }
        Ok(())
    };
    for (_, uart) in ports {
        take(&uart.path, &uart.interrupts)?;
    }
    match &board.uplink {
        Uplink::Ethernet(ethernet) => take(&ethernet.path, &ethernet.interrupts),
        // A serial uplink carries the console, whose port was looked at above.
        Uplink::Serial(_) => Ok(()),
    }
}

/// No two blocks of registers or memories share an address.
fn check_overlaps(reader: &Reader<'_>) -> Result<(), Error> {
    let mut known: Vec<(Region, &Node)> = Vec::new();
    let soc = reader.node("/soc")?;
    for node in soc.children().filter(|node| node.property("reg").is_some() && is_enabled(node)) {
        let reg = reader.property(node, "reg")?;
        let region = reader.region(node)?;
        let end = |region: Region| u64::from(region.origin) + u64::from(region.bytes);
        if region.bytes == 0 || end(region) > 1 << 32 {
            let message =
                format!("{} is empty, or ends beyond the 32 bits of an address", node.name);
            return Err(Error::new(&reg.place, message).advise("correct address or length"));
        }
        let overlaps = |other: Region| {
            u64::from(region.origin) < end(other) && u64::from(other.origin) < end(region)
        };
        if let Some((_, other)) = known.iter().find(|(other, _)| overlaps(*other)) {
            let message = format!("{} overlaps {}", node.name, other.name);
            return Err(Error::new(&reg.place, message).advise("correct address or length of one"));
        }
        known.push((region, node));
    }
    Ok(())
}

/// The driver knows one way to start the clocks; a tree that promises another is wrong.
fn check_clocks(
    board: &Board,
    clocks: Clocks,
    ports: &[(&str, &Uart)],
    reader: &Reader<'_>,
) -> Result<(), Error> {
    let setup = setup(clocks);
    let kind = match clocks {
        Clocks::Stm32f1 => "st,stm32f1-rcc",
        Clocks::Stm32f4 => "st,stm32f4-rcc",
    };
    let wrong = |node: &Node, what: &str, is_hz: u32, must_hz: u32| {
        let message = format!("{what} has {is_hz} Hz, and the driver makes it {must_hz} Hz");
        let error = Error::new(&reader.property(node, "clocks")?.place, message);
        Err(error.advise(format!(
            "say {must_hz} in the clock that it names, or change the driver in chip-stm32"
        )))
    };
    let control = reader.compatible(kind)?;
    let source_hz = reader.clock_hz(control)?;
    if source_hz != setup.source {
        return wrong(control, "the source of the clocks", source_hz, setup.source);
    }
    if board.clock_hz != setup.core {
        return wrong(reader.cpu()?, "the core", board.clock_hz, setup.core);
    }
    for (_, uart) in ports.iter().filter(|(_, uart)| uart.driver == Driver::Stm32Usart) {
        let must_hz = if uart.base < FAST_BUS { setup.slow_bus } else { setup.fast_bus };
        if uart.clock_hz != must_hz {
            return wrong(reader.node(&uart.path)?, &uart.path, uart.clock_hz, must_hz);
        }
    }
    Ok(())
}

/// Guests, stacks and flash fit what there is.
fn check_memory(board: &Board, reader: &Reader<'_>) -> Result<(), Error> {
    let guests = reader.compatible("wasmbed,guests")?;
    let Guests { arena_bytes, stack_bytes, interrupt_stack_bytes, .. } = board.guests;
    let guard_bytes = guard_bytes(board.ram);
    let reserved = u64::from(guard_bytes + RESET_RECORD_BYTES);
    let stacks = u64::from(stack_bytes) + u64::from(interrupt_stack_bytes);
    let wanted = u64::from(arena_bytes) + stacks + reserved;
    if wanted > u64::from(board.ram.bytes) {
        let message = format!("arena and stacks want {wanted} of {} bytes of RAM", board.ram.bytes);
        let error = Error::new(&reader.property(guests, "arena-size")?.place, message);
        return Err(error.advise("make arena-size or a stack smaller"));
    }
    if !stack_bytes.is_multiple_of(guard_bytes) {
        let message = format!("the stack of the loop is no multiple of {guard_bytes} bytes");
        let error = Error::new(&reader.property(guests, "stack-size")?.place, message);
        return Err(error.advise("a guard of that size comes behind it"));
    }
    check_protection(board, reader)?;
    if !board.storage.bytes.is_multiple_of(board.storage.erase_block_bytes) {
        let storage = reader.compatible("wasmbed,serial-flash")?;
        let message = "size is not a multiple of erase-block-size";
        let error = Error::new(&reader.property(storage, "size")?.place, message);
        return Err(error.advise("two log segments of 4096, then slots of 65536 bytes"));
    }
    Ok(())
}

/// The older memory protection knows only powers of two.
fn check_protection(board: &Board, reader: &Reader<'_>) -> Result<(), Error> {
    let has_powers = board.protection == Protection::V7;
    for (key, region) in [("wasmbed,code", board.code), ("wasmbed,ram", board.ram)] {
        let is_aligned = region.bytes.is_power_of_two() && region.origin % region.bytes == 0;
        if has_powers && !is_aligned {
            let message = format!("{key} cannot be protected: no power of two, or not aligned");
            let error = Error::new(&reader.property(reader.chosen()?, key)?.place, message);
            return Err(error.advise("say less of it in the node of the memory"));
        }
    }
    Ok(())
}
