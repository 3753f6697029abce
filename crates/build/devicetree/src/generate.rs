//! Texts that depend on a board: linker script, Rust for firmware and catalog. The page of the
//! documentation is [`crate::page`]'s, QEMU's command line is made of the catalog by who starts it.

use crate::Compiled;
use crate::board::{
    Board, Chip, Clocks, GuestHardware, Pins, Protection, RESET_RECORD_BYTES, Region, Uart, Uplink,
    WatchdogDriver, guard_bytes,
};
use std::fmt::Write;

/// Address ranges that the architecture sets aside for one kind of access are this long.
const BLOCK_BYTES: u32 = 0x2000_0000;

/// Where the private peripherals of the core are, which no protection covers.
const PRIVATE_BLOCK: u32 = 0xe000_0000;

/// `memory.x` for `cortex-m-rt`. The loop's stack lies at the beginning of the RAM: what grows
/// beyond it leaves the RAM, however far it goes. Then come a guard, the stack of interrupts, and
/// everything else.
pub fn linker_script(board: &Board) -> String {
    let guests = &board.guests;
    let guard = guard_bytes(board.ram);
    let below = guests.stack_bytes + guard + guests.interrupt_stack_bytes;
    format!(
        "/* Generated from the board file of {name}. */\n\
         _interrupt_stack_bytes = {interrupt};\n\
         _loop_stack_bytes = {stack};\n\
         _loop_stack_end = {ram:#010x};\n\
         _loop_stack_start = _loop_stack_end + _loop_stack_bytes;\n\
         _stack_end = _loop_stack_start + {guard};\n\
         _stack_start = _stack_end + _interrupt_stack_bytes;\n\
         _reset_record = {ram:#010x} + {ram_bytes} - {RESET_RECORD_BYTES};\n\
         MEMORY\n{{\n  FLASH : ORIGIN = {code:#010x}, LENGTH = {code_bytes}\n  \
         RAM : ORIGIN = {statics:#010x}, LENGTH = {statics_bytes}\n}}\n",
        name = board.name,
        code = board.code.origin,
        code_bytes = board.code.bytes,
        ram = board.ram.origin,
        ram_bytes = board.ram.bytes,
        interrupt = guests.interrupt_stack_bytes,
        stack = guests.stack_bytes,
        statics = board.ram.origin + below,
        statics_bytes = board.ram.bytes - below - RESET_RECORD_BYTES,
    )
}

/// What the firmware may do where; the rest of the address space is refused.
fn regions(board: &Board) -> Vec<(Region, &'static str)> {
    let mut regions = vec![(board.code, "Code"), (board.ram, "Data")];
    let devices = board.peripherals.iter().map(|(_, base)| base - base % BLOCK_BYTES);
    let mut blocks: Vec<u32> = devices
        .filter(|block| {
            ![board.code.origin, board.ram.origin].iter().any(|m| m - m % BLOCK_BYTES == *block)
        })
        .filter(|block| *block != PRIVATE_BLOCK)
        .collect();
    blocks.sort_unstable();
    blocks.dedup();
    let blocks = blocks.into_iter().map(|origin| Region { origin, bytes: BLOCK_BYTES });
    regions.extend(blocks.map(|block| (block, "Device")));
    // The other generation keeps limits of both stacks.
    if board.protection == Protection::V7 {
        let origin = board.ram.origin + board.guests.stack_bytes;
        regions.push((Region { origin, bytes: guard_bytes(board.ram) }, "Nothing"));
    }
    regions
}

/// Rust for the firmware: constants, and the interrupt table that names the roles' handlers.
pub fn firmware_constants(compiled: &Compiled) -> String {
    let board = &compiled.board;
    let mut text = String::from("use wasmbed_hal::mpu::{Region, Rights};\n");
    let mut constant = |doc: &str, name: &str, kind: &str, value: String| {
        let _ = writeln!(text, "/// {doc}\npub const {name}: {kind} = {value};");
    };
    constant("Name of the board.", "NAME", "&str", format!("{:?}", board.name));
    constant("Frequency of the core.", "CLOCK_HZ", "u32", board.clock_hz.to_string());
    constant("Registers of SysTick.", "SYSTICK", "usize", format!("{:#010x}", board.systick));
    if let Some(counter) = board.counter {
        constant("Registers of the counter.", "COUNTER", "usize", format!("{counter:#010x}"));
    }
    if let Some(watchdog) = board.watchdog {
        constant(
            "Registers of the watchdog.",
            "WATCHDOG",
            "usize",
            format!("{:#010x}", watchdog.base),
        );
        let hz = watchdog.clock_hz.to_string();
        constant("Frequency that the watchdog counts at.", "WATCHDOG_HZ", "u32", hz);
    }
    let (kind, list) = region_list(&regions(board));
    constant("What may be done where.", "REGIONS", &kind, list);
    constant("First address of the RAM.", "RAM", "usize", format!("{:#010x}", board.ram.origin));
    constant("Length of the RAM.", "RAM_BYTES", "usize", board.ram.bytes.to_string());
    constant(
        "Room at the end of the RAM for the reason of a reset.",
        "RESET_RECORD_BYTES",
        "usize",
        RESET_RECORD_BYTES.to_string(),
    );
    constant("Guests at a time.", "GUEST_COUNT_MAX", "usize", board.guests.count_max.to_string());
    constant("Memory of all guests.", "ARENA_BYTES", "usize", board.guests.arena_bytes.to_string());
    constant("Stack of the loop.", "STACK_BYTES", "usize", board.guests.stack_bytes.to_string());
    constant(
        "Stack of interrupts and faults.",
        "INTERRUPT_STACK_BYTES",
        "usize",
        board.guests.interrupt_stack_bytes.to_string(),
    );
    constant("Size of the flash.", "STORAGE_BYTES", "usize", board.storage.bytes.to_string());
    constant(
        "Most data bytes of one flash request.",
        "STORAGE_REQUEST_BYTES_MAX",
        "usize",
        board.storage.request_bytes_max.to_string(),
    );
    constant(
        "SHA-256 of the compiled device tree.",
        "DTB_DIGEST",
        "[u8; 32]",
        format!("{:?}", compiled.dtb_digest),
    );
    write_uart(&mut text, "console", "The port of the console.", &board.console);
    write_uplink(&mut text, &board.uplink);
    if let Some(entropy) = &board.entropy {
        write_uart(&mut text, "entropy", "The port of the random bytes.", entropy);
    }
    write_uart(&mut text, "storage", "The port of the flash.", &board.storage.uart);
    if let Some(uart) = &board.guest_hardware.uart {
        write_uart(&mut text, "guest_uart", "The port that guests may use.", uart);
    }
    write_guest_hardware(&mut text, &board.guest_hardware);
    write_peripherals(&mut text, board);
    write_interrupts(&mut text, board, &interrupts(board));
    text
}

/// Type and value of a list of regions.
fn region_list(regions: &[(Region, &str)]) -> (String, String) {
    let list: String = regions
        .iter()
        .map(|(region, rights)| {
            format!(
                "\n    Region {{ origin: {:#010x}, bytes: {:#x}, rights: Rights::{rights} }},",
                region.origin, region.bytes
            )
        })
        .collect();
    (format!("[Region; {}]", regions.len()), format!("[{list}\n]"))
}

/// Every line that the firmware uses, with the name of its handler.
pub fn interrupts(board: &Board) -> Vec<(crate::Interrupt, &'static str)> {
    let mut lines = Vec::new();
    match &board.uplink {
        Uplink::Ethernet(ethernet) => {
            lines.extend(board.console.interrupts.iter().map(|line| (*line, "console")));
            lines.extend(ethernet.interrupts.iter().map(|line| (*line, "ethernet")));
        }
        Uplink::Serial(uart) => {
            lines.extend(uart.interrupts.iter().map(|line| (*line, "uplink")));
        }
    }
    if let Some(entropy) = &board.entropy {
        lines.extend(entropy.interrupts.iter().map(|line| (*line, "entropy")));
    }
    lines.extend(board.storage.uart.interrupts.iter().map(|line| (*line, "storage")));
    if let Some(uart) = &board.guest_hardware.uart {
        lines.extend(uart.interrupts.iter().map(|line| (*line, "guest_uart")));
    }
    lines
}

fn write_uplink(text: &mut String, uplink: &Uplink) {
    match uplink {
        Uplink::Ethernet(ethernet) => {
            let _ = writeln!(
                text,
                "/// The Ethernet controller.\npub mod ethernet {{\n    /// First register.\n    \
                 pub const BASE: usize = {:#010x};\n}}",
                ethernet.base
            );
        }
        Uplink::Serial(uart) => {
            write_uart(text, "uplink", "The port of the uplink.", uart);
        }
    }
}

fn write_uart(text: &mut String, name: &str, doc: &str, uart: &Uart) {
    let _ = writeln!(
        text,
        "/// {doc}\npub mod {name} {{\n    /// First register.\n    pub const BASE: usize = \
         {:#010x};\n    /// Frequency that the divider starts from.\n    pub const CLOCK_HZ: u32 = \
         {};\n    /// Bits per second.\n    pub const SPEED: u32 = {};\n}}",
        uart.base, uart.clock_hz, uart.speed
    );
}

fn write_guest_hardware(text: &mut String, hardware: &GuestHardware) {
    let mut pins = |name: &str, doc: &str, pins: Pins| {
        let _ = writeln!(
            text,
            "/// {doc}\npub mod {name} {{\n    /// The register.\n    pub const BASE: usize = \
             {:#010x};\n    /// How many there are.\n    pub const COUNT: u8 = {};\n}}",
            pins.base, pins.count
        );
    };
    if let Some(leds) = hardware.leds {
        pins("leds", "The lamps that guests may use.", leds);
    }
    if let Some(buttons) = hardware.buttons {
        pins("buttons", "The buttons that guests may read.", buttons);
    }
    if let Some(i2c) = hardware.i2c {
        let _ = writeln!(
            text,
            "/// The two-wire bus that guests may use.\npub mod i2c {{\n    /// First register.\n    \
             pub const BASE: usize = {:#010x};\n    /// Bits per second.\n    pub const SPEED: u32 \
             = {};\n}}",
            i2c.base, i2c.speed
        );
    }
}

fn write_peripherals(text: &mut String, board: &Board) {
    let _ = writeln!(text, "/// First registers of everything that is enabled, by label.");
    let _ = writeln!(text, "pub mod peripherals {{");
    for (label, base) in &board.peripherals {
        let name = label.to_ascii_uppercase();
        let _ = writeln!(text, "    /// `{label}`.\n    pub const {name}: usize = {base:#010x};");
    }
    let _ = writeln!(text, "}}");
}

fn write_interrupts(text: &mut String, board: &Board, lines: &[(crate::Interrupt, &str)]) {
    let shift = 8 - board.priority_bits;
    let _ = writeln!(
        text,
        "/// Every line in use: number, and priority as the controller stores it.\npub const \
         INTERRUPTS: [(u16, u8); {}] = [",
        lines.len()
    );
    for (line, _) in lines {
        let _ = writeln!(text, "    ({}, {}),", line.number, u32::from(line.priority) << shift);
    }
    let _ = writeln!(
        text,
        "];\n/// The part of the vector table that belongs to the chip.\n\
         #[unsafe(link_section = \".vector_table.interrupts\")]\n#[unsafe(no_mangle)]\n\
         pub static __INTERRUPTS: [crate::vectors::Vector; {}] = [",
        board.interrupt_count
    );
    for number in 0..board.interrupt_count {
        let handler = lines.iter().find(|(line, _)| line.number == number);
        let handler = handler.map_or("unexpected", |(_, handler)| handler);
        let _ = writeln!(text, "    crate::vectors::{handler},");
    }
    let _ = writeln!(text, "];");
}

/// Rust for the catalog: the constant `BOARDS`.
pub fn catalog_entries(boards: &[Compiled]) -> String {
    let mut text = String::from("/// Every board, by name.\npub static BOARDS: &[Board] = &[\n");
    for compiled in boards {
        write_entry(&mut text, compiled);
    }
    text.push_str("];\n");
    text
}

fn write_entry(text: &mut String, compiled: &Compiled) {
    let board = &compiled.board;
    let uplink = match board.uplink {
        Uplink::Ethernet(_) => "Ethernet",
        Uplink::Serial(_) => "Serial",
    };
    let serials: Vec<String> =
        board.emulation.ports.iter().map(|port| format!("SerialRole::{:?}", port.role)).collect();
    let _ = writeln!(
        text,
        "    Board {{\n        name: {:?},\n        display_name: {:?},\n        core: {:?},\n        \
         target: {:?},\n        clock_hz: {},\n        code: Region {{ origin: {:#010x}, bytes: {} \
         }},\n        ram: Region {{ origin: {:#010x}, bytes: {} }},",
        board.name,
        board.display_name,
        board.core,
        board.target,
        board.clock_hz,
        board.code.origin,
        board.code.bytes,
        board.ram.origin,
        board.ram.bytes,
    );
    let _ = writeln!(
        text,
        "        storage: Storage {{ bytes: {}, erase_block_bytes: {}, request_bytes_max: {} }},\n        \
         guests: Guests {{ count_max: {}, arena_bytes: {}, image_bytes_max: 65536 }},\n        \
         hardware: Hardware {{ leds: {}, buttons: {}, i2c_buses: {}, uarts: {} }},\n        \
         uplink: Uplink::{uplink},",
        board.storage.bytes,
        board.storage.erase_block_bytes,
        board.storage.request_bytes_max,
        board.guests.count_max,
        board.guests.arena_bytes,
        board.guest_hardware.leds.map_or(0, |pins| pins.count),
        board.guest_hardware.buttons.map_or(0, |pins| pins.count),
        u8::from(board.guest_hardware.i2c.is_some()),
        u8::from(board.guest_hardware.uart.is_some()),
    );
    let _ = writeln!(
        text,
        "        qemu: Qemu {{\n            program: {:?},\n            machine: {:?},\n            \
         serials: &[{}],\n            nic_model: {:?},\n        }},\n        dtb_bytes: {},\n        \
         dtb_digest: {:?},\n    }},",
        board.emulation.program,
        board.emulation.machine,
        serials.join(", "),
        board.emulation.nic_model,
        compiled.dtb.len(),
        compiled.dtb_digest,
    );
}

/// Cargo configuration values that choose drivers in the firmware: name and value.
pub fn firmware_choices(board: &Board) -> Vec<(&'static str, &'static str)> {
    let chip = match board.chip {
        Chip::Mps2 => "mps2",
        Chip::Stm32 => "stm32",
    };
    let uplink = match board.uplink {
        Uplink::Ethernet(_) => "ethernet",
        Uplink::Serial(_) => "serial",
    };
    let mut choices = vec![("board_chip", chip), ("board_uplink", uplink)];
    choices.extend(board.clocks.map(|clocks| match clocks {
        Clocks::Stm32f1 => ("board_clocks", "stm32f1"),
        Clocks::Stm32f4 => ("board_clocks", "stm32f4"),
    }));
    choices.extend(board.counter.map(|_| ("board_counter", "cmsdk")));
    choices.push(match board.protection {
        Protection::V7 => ("board_protection", "v7"),
        Protection::V8 => ("board_protection", "v8"),
    });
    choices.push(match board.watchdog.map(|watchdog| watchdog.driver) {
        Some(WatchdogDriver::Cmsdk) => ("board_watchdog", "cmsdk"),
        Some(WatchdogDriver::Stm32) => ("board_watchdog", "stm32"),
        None => ("board_watchdog", "none"),
    });
    choices.extend(board.entropy.as_ref().map(|_| ("board_entropy", "serial")));
    let hardware = &board.guest_hardware;
    choices.extend(hardware.leds.map(|_| ("board_leds", "fpgaio")));
    choices.extend(hardware.buttons.map(|_| ("board_buttons", "fpgaio")));
    choices.extend(hardware.i2c.map(|_| ("board_i2c", "versatile")));
    choices.extend(hardware.uart.as_ref().map(|_| ("board_guest_uart", "serial")));
    choices
}
