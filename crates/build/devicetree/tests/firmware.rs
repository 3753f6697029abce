//! The ELF of the firmware follows its board file: a copy with a moved port and less RAM is built
//! for real. Needs the Rust target of the board; without it the test says so and is skipped.

use object::{Object, ObjectSection, ObjectSymbol};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "thumbv7m-none-eabi";

/// What is changed in the copy.
const CHANGES: &str = r#"
&zbt_data { reg = <0x20000000 0x100000>; };
/delete-node/ &uart0;
/ {
	soc {
		uart0: serial@4000c000 {
			compatible = "arm,cmsdk-uart";
			reg = <0x4000c000 0x1000>;
			interrupts = <22 1>, <23 1>;
			interrupt-names = "rx", "tx";
			clocks = <&sysclk>;
			current-speed = <115200>;
		};
	};
};
"#;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

fn has_target() -> bool {
    let run = Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]).output();
    run.is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}

/// Builds the firmware for a board file; in a folder of its own, so that nobody else's is replaced.
fn build(board: &Path, folder: &Path) -> Vec<u8> {
    let run = Command::new(env!("CARGO"))
        .current_dir(root())
        .env("WASMBED_BOARD", board)
        .args(["build", "--quiet", "--package", "wasmbed-firmware", "--profile", "firmware"])
        .args(["--target", TARGET, "--target-dir"])
        .arg(folder)
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    fs::read(folder.join(TARGET).join("firmware/wasmbed-firmware")).unwrap()
}

#[test]
fn the_elf_follows_a_port_that_moves_and_ram_that_shrinks() {
    if !has_target() {
        eprintln!("skipped: no Rust target {TARGET}");
        return;
    }
    let folder = root().join("target/board-file");
    fs::create_dir_all(&folder).unwrap();
    let original = fs::read_to_string(root().join("boards/mps2-an385/board.dts")).unwrap();
    let copy = folder.join("board.dts");
    fs::write(&copy, format!("{original}{CHANGES}")).unwrap();

    let elf = build(&copy, &folder);
    let file = object::File::parse(&*elf).unwrap();
    let symbol = |name: &str| {
        let symbol = file.symbols().find(|symbol| symbol.name() == Ok(name));
        symbol.unwrap_or_else(|| panic!("no symbol {name}")).address()
    };
    // The last 32 bytes of the RAM keep the reason of a reset.
    assert_eq!(symbol("_reset_record"), 0x2010_0000 - 32);

    // A base is a constant: it stands with the code that uses it, or in a table.
    let constants: Vec<u8> = [".text", ".rodata", ".data"]
        .into_iter()
        .flat_map(|name| file.section_by_name(name).unwrap().data().unwrap())
        .copied()
        .collect();
    let holds = |word: u32| constants.windows(4).any(|window| window == word.to_le_bytes());
    assert!(holds(0x4000_c000), "the console's new base is not in the firmware");
    assert!(!holds(0x4000_4000), "the console's old base still is");

    let vectors = file.section_by_name(".vector_table").unwrap().data().unwrap();
    let entry = |line: usize| &vectors[(16 + line) * 4..][..4];
    assert_eq!(entry(22), entry(23));
    assert_ne!(entry(22), entry(0), "line 0 belongs to nobody now");
    assert_eq!(entry(0), entry(1));
}
