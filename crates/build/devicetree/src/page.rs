//! The page of the documentation that lists what the board files say. Markdown, committed; a test
//! fails when it is stale.

use crate::Compiled;
use crate::board::{
    Board, Chip, Driver, GuestHardware, Interrupt, Region, Role, Uart, Uplink, WatchdogDriver,
};
use std::fmt::Write;

/// The whole page.
pub fn page(boards: &[Compiled]) -> String {
    let mut text = String::from(
        "# Boards\n\n\
         What the device trees in `boards/` and `dts/` say, generated from them: do not edit.\n\
         `WASMBED_UPDATE_GENERATED=1 cargo test -p wasmbed-devicetree page` writes it anew.\n\
         A board is named by its name or its display name; case, blanks and punctuation do not matter.\n\n\
         | Board | Display name | Core | Clock | Program | RAM | For guests | Guests | Uplink | Rust target |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
    );
    for compiled in boards {
        write_summary(&mut text, &compiled.board);
    }
    for compiled in boards {
        write_board(&mut text, &compiled.board);
    }
    text
}

fn write_summary(text: &mut String, board: &Board) {
    let uplink = match board.uplink {
        Uplink::Ethernet(_) => "Ethernet",
        Uplink::Serial(_) => "serial line",
    };
    let _ = writeln!(
        text,
        "| [{name}](#{name}) | {} | {} | {} | {} | {} | {} | {} | {uplink} | {} |",
        board.display_name,
        board.core.split(',').next_back().unwrap_or_default(),
        frequency(board.clock_hz),
        size(board.code.bytes),
        size(board.ram.bytes),
        size(board.guests.arena_bytes),
        board.guests.count_max,
        board.target,
        name = board.name,
    );
}

fn write_board(text: &mut String, board: &Board) {
    let _ = write!(
        text,
        "\n## {name}\n\n{}: [board file](../boards/{name}/board.dts), \
         [notes](../boards/{name}/README.md).\n\n",
        board.display_name,
        name = board.name,
    );
    text.push_str("| Memory | Addresses | Size |\n|---|---|---|\n");
    row(text, &["program", &range(board.code), &size(board.code.bytes)]);
    row(text, &["variables, stacks, guests", &range(board.ram), &size(board.ram.bytes)]);
    let guests = &board.guests;
    row(text, &["of these, the guests' arena", "-", &size(guests.arena_bytes)]);
    row(text, &["of these, the loop's stack", "-", &size(guests.stack_bytes)]);
    let interrupts = size(guests.interrupt_stack_bytes);
    row(text, &["of these, the stack of interrupts", "-", &interrupts]);
    let slots = format!(
        "{}, requests of {} bytes",
        size(board.storage.bytes),
        board.storage.request_bytes_max
    );
    row(text, &["flash of journal and images", "behind a serial port", &slots]);

    text.push_str("\n| Hardware | Role | Driver | Registers | Interrupts (priority) | Clock | Speed |\n|---|---|---|---|---|---|---|\n");
    write_hardware(text, board);

    text.push_str("\nQEMU: `-M ");
    text.push_str(&board.emulation.machine);
    text.push_str("`; serial ports in the order of its `-serial` options: ");
    let ports: Vec<String> = board
        .emulation
        .ports
        .iter()
        .map(|port| format!("{} {}", node_name(&port.path), role(port.role)))
        .collect();
    text.push_str(&ports.join(", "));
    if let Some(model) = &board.emulation.nic_model {
        let _ = write!(text, "; network card `{model}`");
    }
    text.push_str(".\n");
}

fn write_hardware(text: &mut String, board: &Board) {
    let core = "-";
    row(
        text,
        &[
            "systick",
            "time",
            "hal::systick",
            &hex(board.systick),
            core,
            &frequency(board.clock_hz),
            core,
        ],
    );
    if let Some(counter) = board.counter {
        let clock = frequency(board.clock_hz);
        row(text, &["timer", "counter", "chip-mps2::timer", &hex(counter), core, &clock, core]);
    }
    if let Some(watchdog) = &board.watchdog {
        let driver = match watchdog.driver {
            WatchdogDriver::Cmsdk => "chip-mps2::watchdog",
            WatchdogDriver::Stm32 => "chip-stm32::watchdog",
        };
        let clock = frequency(watchdog.clock_hz);
        row(text, &["watchdog", "watchdog", driver, &hex(watchdog.base), core, &clock, core]);
    }
    let is_shared =
        matches!(&board.uplink, Uplink::Serial(uart) if uart.path == board.console.path);
    write_uart(text, &board.console, if is_shared { "uplink and console" } else { "console" });
    if let Some(entropy) = &board.entropy {
        write_uart(text, entropy, "entropy");
    }
    write_uart(text, &board.storage.uart, "flash of journal and images");
    if let Some(uart) = &board.guest_hardware.uart {
        write_uart(text, uart, "for guests");
    }
    if let Uplink::Ethernet(ethernet) = &board.uplink {
        let lines = lines(&ethernet.interrupts);
        let registers = hex(ethernet.base);
        row(
            text,
            &[
                node_name(&ethernet.path),
                "uplink",
                "chip-mps2::lan9118",
                &registers,
                &lines,
                core,
                core,
            ],
        );
    }
    write_guest_hardware(text, &board.guest_hardware);
    if board.chip == Chip::Stm32 {
        let control = board.peripherals.iter().find(|(label, _)| label == "rcc");
        let registers = control.map_or_else(String::new, |(_, base)| hex(*base));
        row(text, &["rcc", "clocks and pins", "chip-stm32::rcc", &registers, core, core, core]);
    }
}

fn write_guest_hardware(text: &mut String, hardware: &GuestHardware) {
    let core = "-";
    for (name, pins) in [("LEDs", hardware.leds), ("buttons", hardware.buttons)] {
        let Some(pins) = pins else { continue };
        let what = format!("{} {name}", pins.count);
        row(text, &[&what, "for guests", "chip-mps2::fpgaio", &hex(pins.base), core, core, core]);
    }
    if let Some(i2c) = hardware.i2c {
        let speed = format!("{} bit/s", i2c.speed);
        let registers = hex(i2c.base);
        row(
            text,
            &["two-wire bus", "for guests", "chip-mps2::sbcon", &registers, core, core, &speed],
        );
    }
}

fn write_uart(text: &mut String, uart: &Uart, role: &str) {
    let driver = match uart.driver {
        Driver::CmsdkUart => "chip-mps2::uart",
        Driver::Stm32Usart => "chip-stm32::usart",
    };
    let speed = format!("{} bit/s", uart.speed);
    let clock = frequency(uart.clock_hz);
    let lines = lines(&uart.interrupts);
    row(text, &[node_name(&uart.path), role, driver, &hex(uart.base), &lines, &clock, &speed]);
}

fn row(text: &mut String, cells: &[&str]) {
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

fn node_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Console => "(console)",
        Role::Entropy => "(entropy)",
        Role::Flash => "(flash)",
        Role::Uplink => "(uplink)",
        Role::Guest => "(guests)",
        Role::Unused => "(unused)",
    }
}

fn lines(interrupts: &[Interrupt]) -> String {
    let lines: Vec<String> =
        interrupts.iter().map(|line| format!("{} ({})", line.number, line.priority)).collect();
    lines.join(", ")
}

fn hex(address: u32) -> String {
    format!("`{address:#010x}`")
}

fn range(region: Region) -> String {
    let last = region.origin.wrapping_add(region.bytes).wrapping_sub(1);
    format!("`{:#010x}` to `{last:#010x}`", region.origin)
}

fn frequency(hz: u32) -> String {
    format!("{} MHz", f64::from(hz) / 1e6)
}

/// In the largest unit that leaves no rest.
fn size(bytes: u32) -> String {
    match bytes {
        _ if bytes.is_multiple_of(1 << 20) => format!("{} MB", bytes >> 20),
        _ if bytes.is_multiple_of(1 << 10) => format!("{} KB", bytes >> 10),
        _ => format!("{bytes} B"),
    }
}
