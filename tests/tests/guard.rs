//! What happens to a firmware that goes wrong: the same firmware that users get, on every board,
//! led astray from outside by a debugger. Each time the board must come back by itself as the
//! device it was, and say where it stopped.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;
use wasmbed_catalog::{BOARDS, Board};
use wasmbed_tests::gdb::{Gdb, Register};
use wasmbed_tests::modules;
use wasmbed_tests::platform::{Platform, is_prepared, path};

/// Wait for interrupt.
const WFI: u16 = 0xbf30;
/// The second half of what lets interrupts through again: `msr PRIMASK, Rn`.
const MSR_PRIMASK: u16 = 0x8810;
/// Numbers of exceptions.
const NMI: usize = 2;
const SYSTICK: usize = 15;
/// A branch to itself.
const FOR_EVER: u16 = 0xe7fe;

/// A board that runs and enrolled.
struct Victim<'a> {
    platform: &'a Platform,
    board: &'static Board,
    device: String,
    debugger: PathBuf,
    code: Vec<u16>,
}

impl<'a> Victim<'a> {
    #[track_caller]
    fn new(platform: &'a Platform, board: &'static Board) -> Self {
        let device = platform.boot_board(board.name, board.name);
        let object = platform.get(&format!("virtualdevice/{}", board.name));
        let uid = object["metadata"]["uid"].as_str().unwrap_or_default();
        let debugger = platform.folder().join("boards").join(uid).join("gdb.sock");
        let elf = path("WASMBED_BOARDS").join(board.name).join("firmware.elf");
        let elf = std::fs::read(&elf).unwrap_or_else(|error| panic!("{}: {error}", elf.display()));
        Self { platform, board, device, debugger, code: code(&elf, board.code.origin) }
    }

    fn status(&self) -> Value {
        self.platform.get(&format!("device/{}", self.device))["status"].clone()
    }

    /// Address of the first instruction that `matches`, behind the vectors.
    #[track_caller]
    fn find(&self, what: &str, matches: impl Fn(u16) -> bool) -> (u32, u16) {
        let place = self.code.iter().enumerate().skip(256).find(|(_, half)| matches(**half));
        let (index, half) = place.unwrap_or_else(|| panic!("{}: no {what}", self.board.name));
        (self.board.code.origin + index as u32 * 2, *half)
    }

    /// Stops the board in its loop, where interrupts may come.
    #[track_caller]
    fn stop(&self) -> Gdb {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let mut gdb = Gdb::stop(&self.debugger);
            let pc = gdb.register(Register::PC);
            let index = (pc.wrapping_sub(self.board.code.origin) / 2) as usize;
            // Asleep, it stands behind the instruction; interrupts are let through soon after.
            if index > 0 && self.code.get(index - 1) == Some(&WFI) {
                let rest = self.code.iter().skip(index).take(64);
                let ahead = rest.enumerate().find(|(_, half)| **half == MSR_PRIMASK);
                let (ahead, _) = ahead.unwrap_or_else(|| panic!("{pc:#x} lets nothing through"));
                gdb.run_to(pc + 2 * ahead as u32 + 2);
                assert_eq!(gdb.register(Register::XPSR) & 0x1ff, 0, "no handler runs");
                return gdb;
            }
            gdb.leave();
            assert!(Instant::now() < deadline, "{} never sleeps: {pc:#x}", self.board.name);
        }
    }

    /// Leads the board astray, and returns what its status says once it is back.
    #[track_caller]
    fn lead(&self, reason: &str, astray: impl Fn(&mut Gdb)) -> Value {
        let boots = self.status()["bootCount"].as_i64().unwrap_or_default();
        let mut gdb = self.stop();
        astray(&mut gdb);
        gdb.leave();
        let what = format!("device/{}", self.device);
        let next = format!("jsonpath={{.status.bootCount}}={}", boots + 1);
        self.platform.wait(&what, &next);
        self.platform.wait(&what, "condition=Connected");
        let status = self.status();
        let reset = status["lastReset"].clone();
        assert_eq!(reset["reason"], reason, "{}: {reset}", self.board.name);
        assert!(reset["time"].is_string(), "{reset}");
        println!("{}: {reset}", self.board.name);
        reset
    }
}

/// The program of an ELF file of 32 bits, as half words from its first address on.
fn code(elf: &[u8], origin: u32) -> Vec<u16> {
    let half = |at: usize| u16::from_le_bytes([elf[at], elf[at + 1]]);
    let word = |at: usize| u32::from(half(at)) | u32::from(half(at + 2)) << 16;
    let (table, length, count) = (word(28) as usize, half(42) as usize, half(44) as usize);
    let mut code = Vec::new();
    for header in (0..count).map(|index| table + index * length) {
        let (offset, address) = (word(header + 4) as usize, word(header + 12));
        let bytes = word(header + 16) as usize;
        let Some(place) = address.checked_sub(origin) else { continue };
        // What is loaded elsewhere, such as initial values of variables, is no code.
        if word(header) != 1 || word(header + 8) != address || place > 0x40_0000 {
            continue;
        }
        let place = place as usize / 2;
        code.resize(code.len().max(place + bytes / 2), 0);
        for index in 0..bytes / 2 {
            code[place + index] = half(offset + index * 2);
        }
    }
    code
}

/// `str Rt, [Rn]` or `ldr Rt, [Rn]`: the number of Rn.
fn base_of(half: u16) -> Register {
    Register::general((half >> 3 & 7) as u8)
}

fn hang(victim: &Victim<'_>) {
    let (place, _) = victim.find("branch to itself", |half| half == FOR_EVER);
    let reset = victim.lead("Watchdog", |gdb| gdb.set(Register::PC, place));
    assert_eq!(reset["fault"]["kind"], "Stuck");
    assert_eq!(reset["fault"]["pc"], format!("{place:#010x}"), "{}", victim.board.name);
}

fn execute_data(victim: &Victim<'_>) {
    let place = victim.board.ram.origin + victim.board.ram.bytes / 2;
    let reset = victim.lead("HardFault", |gdb| gdb.set(Register::PC, place));
    assert_eq!(reset["fault"]["kind"], "ExecutionRefused");
    assert_eq!(reset["fault"]["pc"], format!("{place:#010x}"));
}

fn exhaust_the_stack(victim: &Victim<'_>) {
    // The loop's stack is at the start of the RAM: 8 bytes are left, and at least 16 are pushed.
    let (place, _) = victim.find("push", |half| half & 0xfff0 == 0xb5f0);
    let reset = victim.lead("StackOverflow", |gdb| {
        gdb.set(Register::SP, victim.board.ram.origin + 8);
        gdb.set(Register::PC, place);
    });
    let is_checked = victim.board.core.contains("m33");
    let kind = if is_checked { "StackOverflow" } else { "AccessRefused" };
    assert_eq!(reset["fault"]["kind"], kind);
    assert!(reset["fault"]["pc"].is_null(), "nothing could be saved: {reset}");
}

fn touch_what_is_not_its_own(victim: &Victim<'_>) {
    let (store, half) = victim.find("store", |half| half & 0xffc0 == 0x6000);
    let target = victim.board.code.origin + 0x1000;
    let reset = victim.lead("HardFault", |gdb| {
        gdb.set(base_of(half), target);
        gdb.set(Register::PC, store);
    });
    assert_eq!(reset["fault"]["kind"], "AccessRefused", "the program is not written");
    assert_eq!(reset["fault"]["address"], format!("{target:#010x}"));
    assert_eq!(reset["fault"]["pc"], format!("{store:#010x}"));
    // Where the program is at 0 it may be read.
    let (touch, half) = match victim.board.code.origin {
        0 => (store, half),
        _ => victim.find("load", |half| half & 0xffc0 == 0x6800),
    };
    let reset = victim.lead("HardFault", |gdb| {
        gdb.set(base_of(half), 0);
        gdb.set(Register::PC, touch);
    });
    assert_eq!(reset["fault"]["kind"], "AccessRefused", "nothing is at 0");
    assert_eq!(reset["fault"]["address"], "0x00000000");
}

/// The interrupts that should say where the loop hangs hang themselves: the chip resets all the same.
fn hang_all(victim: &Victim<'_>) {
    let vector = |number: usize| {
        (u32::from(victim.code[number * 2]) | u32::from(victim.code[number * 2 + 1]) << 16) & !1
    };
    let (place, _) = victim.find("branch to itself", |half| half == FOR_EVER);
    victim.lead("PowerOn", |gdb| {
        // The program of these boards is in RAM under QEMU, which the debugger may write.
        for number in [NMI, SYSTICK] {
            gdb.set_memory(vector(number), &FOR_EVER.to_le_bytes());
        }
        gdb.set(Register::PC, place);
    });
}

#[test]
fn a_firmware_that_goes_wrong_comes_back_and_says_where_it_stopped() {
    if !is_prepared() {
        println!("\nskipped: run by `cargo xtask test e2e`");
        return;
    }
    let platform = Platform::start("guard");
    for board in BOARDS {
        platform.apply(&modules::virtual_device(board.name, board.name));
    }
    std::thread::scope(|scope| {
        for board in BOARDS {
            let platform = &platform;
            scope.spawn(move || {
                let victim = Victim::new(platform, board);
                hang(&victim);
                execute_data(&victim);
                exhaust_the_stack(&victim);
                touch_what_is_not_its_own(&victim);
                if board.name.starts_with("mps2") {
                    hang_all(&victim);
                }
            });
        }
    });
    let described = platform.wasmbed(&["describe", "devices"]);
    assert!(described.contains("kind: "), "{described}");
    println!("\ncases: {}", 6 * 5 + 4);
}
