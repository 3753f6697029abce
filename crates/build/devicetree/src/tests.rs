//! The whole way from source to facts: against `dtc`, with mistakes, and with a changed board.

use crate::{Role, Tree, compile, firmware_constants, flatten, linker_script, qemu_arguments};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

fn boards() -> Vec<PathBuf> {
    let list = fs::read_dir(root().join("boards")).unwrap();
    let files = list.map(|entry| entry.unwrap().path().join("board.dts"));
    let mut files: Vec<PathBuf> = files.filter(|file| file.is_file()).collect();
    files.sort();
    files
}

/// A folder that goes away with its test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("wasmbed-devicetree-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is in the system's folder for temporary files anyway.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn parse(text: &str) -> Result<Tree, String> {
    let folder = Folder::new();
    let path = folder.write("test.dts", text);
    crate::parse(&path, &[])
        .map_err(|error| format!("{}:{}: {}", error.place.line, error.place.column, error.message))
}

/// The `.dtb` that `dtc` makes; `None` where it is not installed.
fn dtc(file: &Path) -> Option<Vec<u8>> {
    let run = Command::new("dtc")
        .args(["-q", "-q", "-I", "dts", "-O", "dtb", "-i"])
        .arg(root().join("dts"))
        .arg(file)
        .output();
    match run {
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            Some(output.stdout)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("skipped: dtc is not installed");
            None
        }
        Err(error) => panic!("dtc: {error}"),
    }
}

#[test]
fn flattens_each_board_to_the_bytes_of_dtc() {
    for file in boards() {
        let ours = compile(&file, &root().join("dts")).unwrap_or_else(|error| panic!("{error}"));
        let Some(theirs) = dtc(&file) else { return };
        assert!(ours.dtb == theirs, "{}", file.display());
    }
}

#[test]
fn flattens_every_part_of_the_language_to_the_bytes_of_dtc() {
    const SOURCES: &[&str] = &[
        "/dts-v1/; / { };",
        "/dts-v1/; /memreserve/ 0x1000 0x20; / { a = <1>; };",
        "/dts-v1/; / { a = \"x\", \"y\\n\\x41\\101\\\"\"; b; c = [00 fF 1234]; };",
        "/dts-v1/; / { a = <0x10 020 10 'a' '\\n' (-1) 1ULL>; };",
        "/dts-v1/; / { a = /bits/ 8 <1 255>, /bits/ 16 <0xffff>, /bits/ 64 <0x123456789abcdef0>; };",
        "/dts-v1/; / { a = <(1 + 2 * 3) (1 << 4 | 3) (7 & ~2) (5 > 3 ? 10 : 20) (!0) (9 / 2) (9 % 2)>; };",
        "/dts-v1/; / { a = <((2 <= 2) && (3 != 3) || 1) (1 == 1) (0x10 >> 2 ^ 1) (10 - 3 - 2)>; };",
        "/dts-v1/; / { a = <&m &l &m>; b = &l; c = <&{/n@1}>; l: n@1 { x = <&l>; }; m: o { }; };",
        "/dts-v1/; / { p = <&k>; k: k { phandle = <7>; }; q { r = <&s>; }; s: s { }; };",
        "/dts-v1/; / { p = <&k &s>; k: k { phandle = <1>; }; s: s { }; };",
        "/dts-v1/; / { a = <1>; n { x = <1>; }; }; / { a = <2>; b; n { y; }; o { }; };",
        "/dts-v1/; / { l: n { x; y; z; }; }; &l { /delete-property/ y; w; };",
        "/dts-v1/; / { a { }; l: b { c { }; }; d { }; }; /delete-node/ &l; / { b { e; }; };",
        "/dts-v1/; / { a { x; }; b { }; }; / { /delete-node/ a; }; / { a { y; x = <3>; }; };",
        "/dts-v1/; / { clock-frequency = <1>; frequency = <2>; quency; n { frequency = <3>; }; };",
        "/dts-v1/; / { cpus { cpu@5 { reg = <5>; }; }; };",
        "/dts-v1/; // comment\n/ { /* more */ a /* x */ = /* y */ <1>; };",
        "/dts-v1/; / { a = <>, [], \"\"; #size-cells = <0>; a,b.c_d+e*f#g?h-i; };",
    ];
    let folder = Folder::new();
    for source in SOURCES {
        let file = folder.write("part.dts", source);
        let tree = crate::parse(&file, &[]).unwrap_or_else(|error| panic!("{error}"));
        let Some(theirs) = dtc(&file) else { return };
        assert!(flatten(&tree) == theirs, "{source}");
    }
}

#[test]
fn says_where_a_source_is_wrong() {
    const WRONG: &[(&str, &str)] = &[
        ("", "1:1: no root node"),
        ("/ { };", "1:1: expected /dts-v1/;"),
        ("/dts-v1/;", "1:1: no root node"),
        ("/dts-v1/; / {", "1:14: expected a name"),
        ("/dts-v1/; / { }", "1:16: expected ;"),
        ("/dts-v1/;\n/ {\n  a = <1\n};", "4:1: expected a number"),
        ("/dts-v1/; / { a = <&gone>; };", "1:20: no node is called gone"),
        ("/dts-v1/; / { a = &gone; };", "1:19: no node is called gone"),
        ("/dts-v1/; / { }; &gone { };", "1:18: no node is called gone"),
        ("/dts-v1/; / { a; a; };", "1:18: property a is here twice"),
        ("/dts-v1/; / { n { }; n { }; };", "1:22: node n is here twice"),
        ("/dts-v1/; / { n { }; a; };", "1:22: properties must stand before child nodes"),
        ("/dts-v1/; / { l: n { }; l: o { }; };", "1:28: label l names two nodes"),
        ("/dts-v1/; / { a = <0x100000000>; };", "1:20: 0x100000000 does not fit 32 bits"),
        ("/dts-v1/; / { a = <(1 / 0)>; };", "1:23: division by zero"),
        ("/dts-v1/; / { a = <08>; };", "1:20: 08 is not a number"),
        ("/dts-v1/; / { a = <NAME>; };", "1:20: NAME is not defined"),
        ("/dts-v1/; / { a@1 = <1>; };", "1:15: a property name has no @"),
        ("/dts-v1/; / { a = \"x; };", "1:19: text does not end"),
        ("/dts-v1/; / { a = [0]; };", "1:20: expected two hexadecimal digits"),
        ("/dts-v1/; /* / { };", "1:11: comment does not end"),
        ("/dts-v1/; /plugin/; / { };", "1:11: /plugin/ is not supported"),
        (
            "/dts-v1/; /include/ \"gone.dtsi\" / { };",
            "1:21: no file gone.dtsi beside this one or in dts/",
        ),
        (
            "/dts-v1/; / { n { phandle = <1>; }; m { phandle = <1>; }; };",
            "1:37: handle 0x1 is there twice",
        ),
    ];
    for (source, expected) in WRONG {
        assert_eq!(parse(source).err().as_deref(), Some(*expected), "{source}");
    }
}

#[test]
fn reads_defines_and_includes() {
    let folder = Folder::new();
    folder.write("inner.h", "#define BASE 0x40000000 // base\n#define UART (BASE + 0x4000)\n");
    let path = folder.write(
        "outer.dts",
        "/dts-v1/;\n#include \"inner.h\"\n/ { #address-cells = <1>; a = <UART (BASE | 1)>; };",
    );
    let tree = crate::parse(&path, &[]).unwrap();
    let bytes = tree.root.property("a").unwrap().bytes();
    assert_eq!(bytes, [0x40, 0, 0x40, 0, 0x40, 0, 0, 1]);
    assert_eq!(tree.sources.len(), 2);
    let looped = folder.write("loop.dts", "/dts-v1/;\n/include/ \"loop.dts\"\n/ { };");
    let error = crate::parse(&looped, &[]).unwrap_err();
    assert_eq!(error.message, "includes are nested too deep");
}

#[test]
fn survives_a_board_file_that_is_wrong_in_any_one_byte() {
    let folder = Folder::new();
    let text = fs::read_to_string(root().join("boards/mps2-an385/board.dts")).unwrap();
    let dts = root().join("dts");
    let mut accepted = 0;
    for index in (0..text.len()).step_by(3) {
        for byte in [b'}', b'<', b'&', b'0', b' '] {
            let mut broken = text.clone().into_bytes();
            broken[index] = byte;
            let path = folder.write("board.dts", &String::from_utf8_lossy(&broken));
            accepted += usize::from(compile(&path, &dts).is_ok());
        }
    }
    // Changes inside of comments and blanks stay valid; most others do not.
    assert!(accepted > 0);
}

/// A copy of the mps2-an385 with `extra` at its end.
fn changed(extra: &str) -> Result<crate::Compiled, String> {
    let folder = Folder::new();
    let text = fs::read_to_string(root().join("boards/mps2-an385/board.dts")).unwrap();
    let path = folder.write("board.dts", &format!("{text}\n{extra}"));
    compile(&path, &root().join("dts")).map_err(|error| error.message)
}

#[test]
fn everything_follows_when_a_port_moves_and_the_ram_shrinks() {
    let before = changed("").unwrap();
    let after = changed(
        "&zbt_data { reg = <0x20000000 0x100000>; };\n\
         &uart0 { reg = <0x4000c000 0x1000>; interrupts = <22 1>, <23 1>; };",
    )
    .unwrap();
    assert_ne!(before.dtb_digest, after.dtb_digest);
    assert_eq!(before.board.ram.bytes, 0x40_0000);
    assert_eq!(after.board.ram.bytes, 0x10_0000);
    let script = linker_script(&after.board);
    assert!(script.contains("RAM : ORIGIN = 0x20000000, LENGTH = 1048576"), "{script}");
    let constants = firmware_constants(&after);
    let console = constants.split("pub mod console").nth(1).unwrap();
    assert!(console.contains("BASE: usize = 0x4000c000"), "{constants}");
    assert!(constants.contains("(22, 32)"), "{constants}");
    let table: Vec<&str> = constants.split("__INTERRUPTS").nth(1).unwrap().lines().collect();
    assert_eq!(table[1 + 22].trim(), "crate::vectors::console,");
    assert_eq!(table[1].trim(), "crate::vectors::unexpected,");
}

#[test]
fn qemu_arguments_follow_when_a_role_moves_to_another_port() {
    let before = changed("").unwrap();
    let serials = |board: &crate::Board| -> Vec<String> {
        qemu_arguments(board)
            .into_iter()
            .filter(|a| a.starts_with("chardev") || a == "null")
            .collect()
    };
    assert_eq!(
        serials(&before.board),
        ["chardev:console", "chardev:entropy", "chardev:flash", "chardev:guest"]
    );
    let after = changed(
        "&uart4 { current-speed = <115200>; status = \"okay\"; };\n\
         / { chosen { wasmbed,console = &uart4; }; };",
    )
    .unwrap();
    assert_eq!(
        serials(&after.board),
        ["null", "chardev:entropy", "chardev:flash", "chardev:guest", "chardev:console"]
    );
    assert_eq!(after.board.emulation.ports[4].role, Role::Console);
}

#[test]
fn refuses_boards_that_no_driver_can_serve() {
    const WRONG: &[(&str, &str)] = &[
        ("/ { fan { compatible = \"acme,fan\"; }; };", "no binding for acme,fan"),
        ("&uart0 { speed = <1>; };", "property speed is not in the binding"),
        ("&uart0 { status = \"off\"; };", "status is okay or disabled"),
        (
            "&uart0 { status = \"disabled\"; };",
            "wasmbed,console is /soc/serial@40004000, whose status is not okay",
        ),
        ("&uart0 { /delete-property/ reg; };", "property reg is missing"),
        ("&uart0 { reg = <1>; };", "reg needs groups of 2 cells: address, then length"),
        ("&uart0 { interrupts = <0 3>; };", "interrupts has 1 entries, not 2"),
        (
            "/ { chosen { wasmbed,leds = &uart4; }; };",
            "wasmbed,leds is /soc/serial@40009000, whose status is not okay",
        ),
        (
            "/ { chosen { wasmbed,i2c = &leds; }; };",
            "wasmbed,i2c is /soc/gpio@40028000, which has no driver; it must be a arm,versatile-i2c",
        ),
        (
            "/ { chosen { wasmbed,guest-uart = &uart0; }; };",
            "wasmbed,guest-uart and wasmbed,console are the same port /soc/serial@40004000",
        ),
        ("&leds { ngpios = <0>; };", "ngpios is 0, not within 1 and 32"),
        ("&uart0 { interrupts = <0 9>, <1 3>; };", "priority 9 of 8 does not exist"),
        ("&uart0 { interrupts = <0 3>, <99 3>; };", "interrupt 99 of 32 does not exist"),
        (
            "&uart0 { interrupt-names = \"rx\", \"up\"; };",
            "interrupt-names is \"up\", not one of rx, tx",
        ),
        ("&uart0 { current-speed = <300>; };", "current-speed is 300, not within 1200 and 1500000"),
        (
            "/ { chosen { wasmbed,console = &uart2; }; };",
            "wasmbed,flash and wasmbed,console are the same port /soc/serial@40006000",
        ),
        (
            "/ { chosen { wasmbed,console = &eth0; }; };",
            "wasmbed,console is /soc/ethernet@40200000, which has no serial driver",
        ),
        (
            "&zbt_data { reg = <0x20000000 0x8000>; };",
            "arena and stacks want 541696 of 32768 bytes of RAM",
        ),
        ("&storage { size = <100000>; };", "size is not a multiple of erase-block-size"),
        (
            "/ { chosen { wasmbed,uplink = <1>; }; };",
            "wasmbed,uplink needs a reference such as &label",
        ),
        ("&cpu0 { compatible = \"arm,cortex-m9\"; };", "no binding for arm,cortex-m9"),
    ];
    for (extra, expected) in WRONG {
        assert_eq!(changed(extra).err().as_deref(), Some(*expected), "{extra}");
    }
}

#[test]
fn a_mistake_is_shown_with_its_line() {
    let folder = Folder::new();
    let path = folder.write("board.dts", "/dts-v1/;\n/ {\n\ta = <&gone>;\n};\n");
    let shown = crate::parse(&path, &[]).unwrap_err().to_string();
    let lines: Vec<&str> = shown.lines().collect();
    assert!(lines[0].ends_with("board.dts:3:7: no node is called gone"), "{shown}");
    assert_eq!(lines[1..], ["    \ta = <&gone>;", "    \t     ^"]);
}

#[test]
fn each_board_is_called_like_its_folder() {
    for file in boards() {
        let folder = file.parent().unwrap().file_name().unwrap().to_str().unwrap();
        let board = compile(&file, &root().join("dts")).unwrap().board;
        assert_eq!(board.name, folder);
    }
}
