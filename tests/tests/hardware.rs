//! Hardware that guests may use, driven and observed from outside of the board.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use wasmbed_catalog::Board;
use wasmbed_devicetree::Compiled;
use wasmbed_tests::cli::Cli;
use wasmbed_tests::fleet::{self, Member};
use wasmbed_tests::gdb::Gdb;
use wasmbed_tests::modules;
use wasmbed_tests::platform::{Platform, boards, guest, prepared};

#[test]
fn a_guest_reads_the_temperature_that_its_sensor_is_given() {
    if !prepared() {
        return;
    }
    let platform = Platform::start("hardware");
    let with_bus: Vec<&'static Board> =
        boards().into_iter().filter(|board| board.hardware.i2c_buses > 0).collect();
    for board in &with_bus {
        let mut object = modules::virtual_device(board.name, board.name);
        object["spec"]["sensors"] =
            serde_json::json!([{"model": "tmp105", "address": 0x48, "millidegrees": -12_500}]);
        platform.apply(&object);
    }
    let member = |board: &'static Board| Member { board, device: platform.boot_known(board.name) };
    let members: Vec<Member> = with_bus.into_iter().map(member).collect();
    fleet::each(&members, |member| temperature(&platform, member));

    let mut without = modules::virtual_device("without", "stm32vldiscovery");
    without["spec"]["sensors"] = serde_json::json!([{"model": "tmp105", "address": 0x48}]);
    platform.apply(&without);
    let message = platform.ready_reason("virtualdevice/without", "BusMissing");
    assert!(message.contains("two-wire bus"), "{message}");
    println!("\ncases: {}", members.len() * 3 + 1);
}

#[track_caller]
fn temperature(cli: &Cli, member: &Member) {
    let module = guest("thermometer");
    let grants = |address: &str| ["log", "timer", "telemetry:room/", address].map(String::from);
    let apply = |address: &str| {
        let grants = grants(address);
        let grants: Vec<&str> = grants.iter().map(String::as_str).collect();
        cli.apply(&modules::granted(member.name(), &module, member.name(), &grants));
    };
    apply("i2c:0x48");
    cli.wait(&member.application(), "condition=Ready");
    cli.log_line(&member.device, |line| line.contains("-12500 thousandths"));
    cli.patch_spec(&member.emulated(), |spec| {
        spec["sensors"][0]["millidegrees"] = 37_750.into();
    });
    cli.log_line(&member.device, |line| line.contains(" 37750 thousandths"));
    apply("i2c:0x49");
    cli.log_line(&member.device, |line| line.contains("no sensor"));
}

/// What the board file says, addresses included: the catalog leaves those out.
fn facts(board: &Board) -> Compiled {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let file = root.join("boards").join(board.name).join("board.dts");
    wasmbed_devicetree::compile(&file, &root.join("dts")).unwrap_or_else(|error| panic!("{error}"))
}

/// Folder in which the emulator of a board runs.
fn folder(cli: &Cli, member: &Member) -> PathBuf {
    let uid = cli.get(&member.emulated())["metadata"]["uid"].clone();
    cli.folder().join("boards").join(uid.as_str().unwrap_or_default())
}

/// A word of a board's memory or registers, seen by a debugger.
fn word(cli: &Cli, member: &Member, address: u32) -> u32 {
    let mut gdb = Gdb::stop(&folder(cli, member).join("gdb.sock"));
    let bytes = gdb.memory(address, 4);
    gdb.leave();
    bytes.as_chunks().0.first().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// Shows the lowest bits of each message on the LEDs, then says them with the state of the buttons.
const SHOWS_NUMBERS: &str = r#"(module
  (import "wasmbed" "message_receive" (func $receive (param i32 i32 i32) (result i32)))
  (import "wasmbed" "led_set" (func $led (param i32 i32) (result i32)))
  (import "wasmbed" "button_read" (func $button (param i32) (result i32)))
  (import "wasmbed" "log" (func $log (param i32 i32)))
  (memory (export "memory") 128 (pagesize 1))
  (data (i32.const 0) "shown ? buttons ??")
  (func (export "_start") (local $number i32)
    (loop $next
      (drop (call $receive (i32.const 32) (i32.const 64) (i32.const -1)))
      (local.set $number (i32.load8_u (i32.add (i32.const 33) (i32.load8_u (i32.const 32)))))
      (i32.store8 (i32.const 6) (local.get $number))
      (if (call $led (i32.const 0) (i32.and (local.get $number) (i32.const 1))) (then unreachable))
      (if (call $led (i32.const 1) (i32.and (local.get $number) (i32.const 2))) (then unreachable))
      (i32.store8 (i32.const 16) (i32.add (i32.const 48) (call $button (i32.const 0))))
      (i32.store8 (i32.const 17) (i32.add (i32.const 48) (call $button (i32.const 1))))
      (call $log (i32.const 0) (i32.const 18))
      (br $next))))"#;

/// Sends back what arrives on the serial line, each byte with its lowest bit turned over.
const TURNS_BITS: &str = r#"(module
  (import "wasmbed" "uart_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasmbed" "uart_write" (func $write (param i32 i32 i32) (result i32)))
  (import "wasmbed" "timer_wait_ms" (func $wait (param i32)))
  (memory (export "memory") 64 (pagesize 1))
  (func (export "_start") (local $at i32) (local $end i32)
    (loop $next
      (local.set $end
        (call $read (i32.const 0) (i32.const 0) (i32.const 64) (i32.const -1)))
      (local.set $at (i32.const 0))
      (loop $byte
        (i32.store8 (local.get $at)
          (i32.xor (i32.const 1) (i32.load8_u (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br_if $byte (i32.lt_u (local.get $at) (local.get $end))))
      (local.set $at (i32.const 0))
      (loop $rest
        (local.set $at (i32.add (local.get $at)
          (call $write (i32.const 0) (local.get $at)
            (i32.sub (local.get $end) (local.get $at)))))
        (if (i32.lt_u (local.get $at) (local.get $end))
          (then (call $wait (i32.const 1)) (br $rest))))
      (br $next))))"#;

/// Longest wait for a byte of a serial line, on a machine that does other things besides.
const BYTE_PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn leds_serial_line_and_floating_point_unit_are_as_the_board_file_says() {
    if !prepared() {
        return;
    }
    let platform = Platform::start("hardware-outside");
    let members = fleet::boot(&platform);
    let cases = std::sync::atomic::AtomicUsize::new(0);
    fleet::each(&members, |member| {
        let facts = facts(member.board);
        let mut done = floating_point(&platform, member, &facts);
        done += leds(&platform, member, &facts);
        done += serial_line(&platform, member);
        cases.fetch_add(done, std::sync::atomic::Ordering::Relaxed);
    });
    println!("\ncases: {}", cases.into_inner());
}

/// Whether both halves of the floating-point unit may be used: bits 23:20 of CPACR, Armv7-M
/// Architecture Reference Manual (DDI 0403E), section B3.2.20.
fn floating_point(cli: &Cli, member: &Member, facts: &Compiled) -> usize {
    let has_unit = facts.board.core.ends_with('f');
    // CPACR is 0xd78 bytes behind the registers of SysTick.
    let control = word(cli, member, facts.board.systick + 0xd78);
    assert_eq!(control >> 20 & 0xf, if has_unit { 0xf } else { 0 }, "{}", member.name());
    1
}

fn leds(cli: &Cli, member: &Member, facts: &Compiled) -> usize {
    let Some(leds) = facts.board.guest_hardware.leds else { return 0 };
    let name = format!("leds-{}", member.name());
    let module = modules::binary(SHOWS_NUMBERS);
    let grants = ["log", "led", "button", "receive:show"];
    cli.apply(&modules::granted(&name, &module, member.name(), &grants));
    cli.wait(&format!("application/{name}"), "condition=Ready");
    let numbers = [1_u32, 2, 3, 0];
    for number in numbers {
        cli.wasmbed(&["send", &member.device, "show", &number.to_string()]);
        // Nobody presses a button: no emulator of these boards lets anyone do so.
        let shown = format!("shown {number} buttons 00");
        cli.log_line(&member.device, |line| line.ends_with(&shown));
        assert_eq!(word(cli, member, leds.base) & 3, number, "{}", member.name());
    }
    cli.wasmbed(&["delete", &format!("application/{name}")]);
    numbers.len() * 2
}

fn serial_line(cli: &Cli, member: &Member) -> usize {
    if member.board.hardware.uarts == 0 {
        return 0;
    }
    let name = format!("line-{}", member.name());
    let module = modules::binary(TURNS_BITS);
    cli.apply(&modules::granted(&name, &module, member.name(), &["uart", "timer"]));
    cli.wait(&format!("application/{name}"), "condition=Ready");
    let line = UnixStream::connect(folder(cli, member).join("guest.sock"));
    let mut line = line.unwrap_or_else(|error| panic!("{}: {error}", member.name()));
    line.set_read_timeout(Some(BYTE_PATIENCE)).unwrap_or_else(|error| panic!("{error}"));
    let sent: Vec<u8> = (0..=255).collect();
    // No more at a time than the board's ring holds.
    for piece in sent.chunks(100) {
        line.write_all(piece).unwrap_or_else(|error| panic!("{error}"));
        let mut heard = vec![0; piece.len()];
        line.read_exact(&mut heard).unwrap_or_else(|error| panic!("{}: {error}", member.name()));
        let turned: Vec<u8> = piece.iter().map(|byte| byte ^ 1).collect();
        assert_eq!(heard, turned, "{}", member.name());
    }
    cli.wasmbed(&["delete", &format!("application/{name}")]);
    sent.len()
}
