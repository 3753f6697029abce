//! The whole way from source to facts: against `dtc`, with mistakes, and with a changed board.

mod damage;
mod mistakes;

use crate::{Role, Tree, compile, firmware_constants, flatten, linker_script, page};
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

/// The `.dtb` that `dtc` makes, and what it warns of; `None` where it is not installed.
fn dtc(file: &Path) -> Option<(Vec<u8>, String)> {
    let run = Command::new("dtc")
        .args(["-I", "dts", "-O", "dtb", "-i"])
        .arg(root().join("dts"))
        .arg(file)
        .output();
    match run {
        Ok(output) => {
            let warnings = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{warnings}");
            Some((output.stdout, warnings))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("\nskipped: dtc is not installed; `cargo xtask setup` does it");
            None
        }
        Err(error) => panic!("dtc: {error}"),
    }
}

#[test]
fn flattens_each_board_to_the_bytes_of_dtc() {
    for file in boards() {
        let ours = compile(&file, &root().join("dts")).unwrap_or_else(|error| panic!("{error}"));
        let Some((theirs, warnings)) = dtc(&file) else { return };
        assert!(ours.dtb == theirs, "{}", file.display());
        assert_eq!(warnings, "", "{}", file.display());
    }
    println!("\ncases: {}", boards().len());
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
        let Some((theirs, _)) = dtc(&file) else { return };
        assert!(flatten(&tree) == theirs, "{source}");
    }
    println!("\ncases: {}", SOURCES.len());
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

/// A copy of the mps2-an385 with `extra` at its end.
fn changed(extra: &str) -> Result<crate::Compiled, crate::Error> {
    changed_board("mps2-an385", extra)
}

/// A copy of a board with `extra` at its end.
fn changed_board(name: &str, extra: &str) -> Result<crate::Compiled, crate::Error> {
    let folder = Folder::new();
    let text = fs::read_to_string(root().join("boards").join(name).join("board.dts")).unwrap();
    let path = folder.write("board.dts", &format!("{text}\n{extra}"));
    compile(&path, &root().join("dts"))
}

#[test]
fn everything_follows_when_a_port_moves_and_the_ram_shrinks() {
    let before = changed("").unwrap();
    let after = changed(
        "&zbt_data { reg = <0x20000000 0x100000>; };\n\
         /delete-node/ &uart0;\n\
         / { soc { uart0: serial@4000c000 { compatible = \"arm,cmsdk-uart\"; \
         reg = <0x4000c000 0x1000>; interrupts = <22 1>, <23 1>; interrupt-names = \"rx\", \"tx\"; \
         clocks = <&sysclk>; current-speed = <115200>; }; }; };",
    )
    .unwrap();
    assert_ne!(before.dtb_digest, after.dtb_digest);
    assert_eq!(before.board.ram.bytes, 0x40_0000);
    assert_eq!(after.board.ram.bytes, 0x10_0000);
    let script = linker_script(&after.board);
    // The loop's stack, the guard, the stack of interrupts and the reset record are apart.
    let statics = 0x10_0000 - 0x4000 - 0x400 - 0x400 - 32;
    let line = format!("RAM : ORIGIN = 0x20004800, LENGTH = {statics}");
    assert!(script.contains(&line), "{script}");
    assert!(script.contains("_loop_stack_end = 0x20000000;"), "{script}");
    let constants = firmware_constants(&after);
    let console = constants.split("pub mod console").nth(1).unwrap();
    assert!(console.contains("BASE: usize = 0x4000c000"), "{constants}");
    assert!(constants.contains("(22, 32)"), "{constants}");
    let table: Vec<&str> = constants.split("__INTERRUPTS").nth(1).unwrap().lines().collect();
    assert_eq!(table[1 + 22].trim(), "crate::vectors::console,");
    assert_eq!(table[1].trim(), "crate::vectors::unexpected,");
}

/// `ORIGIN BYTES RIGHTS` of each region that the firmware of a board allows or forbids.
fn regions(board: &str) -> Vec<String> {
    let file = root().join("boards").join(board).join("board.dts");
    let compiled = compile(&file, &root().join("dts")).unwrap_or_else(|error| panic!("{error}"));
    let constants = firmware_constants(&compiled);
    let list = constants.split("pub const REGIONS").nth(1).unwrap().split("];").next().unwrap();
    list.lines()
        .filter_map(|line| line.trim().strip_prefix("Region { origin: "))
        .map(|line| {
            let line = line.replace(", bytes: ", " ").replace(", rights: Rights::", " ");
            line.trim_end_matches(" },").to_owned()
        })
        .collect()
}

#[test]
fn what_may_be_done_where_follows_the_board() {
    let check = |board: &str, expected: &[&str]| assert_eq!(regions(board), expected, "{board}");
    check(
        "mps2-an500",
        &[
            "0x00000000 0x400000 Code",
            "0x20000000 0x400000 Data",
            "0x40000000 0x20000000 Device",
            "0xa0000000 0x20000000 Device",
            "0x20004000 0x400 Nothing",
        ],
    );
    check(
        "mps2-an505",
        &["0x10000000 0x400000 Code", "0x38000000 0x400000 Data", "0x40000000 0x20000000 Device"],
    );
    check(
        "olimex-stm32-h405",
        &[
            "0x08000000 0x100000 Code",
            "0x20000000 0x20000 Data",
            "0x40000000 0x20000000 Device",
            "0x20001800 0x400 Nothing",
        ],
    );
}

#[test]
fn serial_options_follow_when_a_role_moves_to_another_port() {
    use Role::{Console, Entropy, Flash, Guest, Unused};
    let before = changed("").unwrap();
    let roles = |board: &crate::Board| -> Vec<Role> {
        board.emulation.ports.iter().map(|port| port.role).collect()
    };
    assert_eq!(roles(&before.board), [Console, Entropy, Flash, Guest]);
    let after = changed(
        "&uart4 { current-speed = <115200>; status = \"okay\"; };\n\
         / { chosen { wasmbed,console = &uart4; }; };",
    )
    .unwrap();
    assert_eq!(roles(&after.board), [Unused, Entropy, Flash, Guest, Console]);
}

#[test]
fn each_board_is_called_like_its_folder() {
    for file in boards() {
        let folder = file.parent().unwrap().file_name().unwrap().to_str().unwrap();
        let board = compile(&file, &root().join("dts")).unwrap().board;
        assert_eq!(board.name, folder);
    }
}

#[test]
fn the_page_of_the_documentation_says_what_the_board_files_say() {
    let dts = root().join("dts");
    let compiled: Vec<crate::Compiled> =
        boards().iter().map(|file| compile(file, &dts).unwrap()).collect();
    let text = page(&compiled);
    let committed = root().join("docs/boards.md");
    if std::env::var_os("WASMBED_UPDATE_GENERATED").is_some() {
        fs::write(&committed, &text).unwrap();
    }
    let known = fs::read_to_string(&committed).unwrap_or_default();
    assert!(known == text, "docs/boards.md: run this test with WASMBED_UPDATE_GENERATED=1");
}
