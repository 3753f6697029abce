//! Sources that are cut short or changed anywhere: refused with a place or accepted, never a panic,
//! and never a wait without end.

use super::{Folder, root};
use crate::{Bindings, Error, compile, firmware_constants, linker_script, page};
use std::fs;
use std::path::Path;

/// Numbers that follow from a seed: xorshift.
struct Choices(u64);

impl Choices {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

/// Goes the whole way with one source. True if it is a board.
fn accepts(path: &Path, dts: &Path) -> bool {
    match compile(path, dts) {
        Ok(compiled) => {
            let script = linker_script(&compiled.board);
            let constants = firmware_constants(&compiled);
            let page = page(&[compiled]);
            assert!(!script.is_empty() && !constants.is_empty() && !page.is_empty());
            true
        }
        Err(error) => {
            assert!(!error.message.is_empty() && !error.to_string().is_empty());
            false
        }
    }
}

/// The whole text of a board: no include is left, so damage reaches everything.
fn whole(board: &str) -> String {
    fn expand(path: &Path) -> String {
        let text = fs::read_to_string(path).unwrap();
        let mut whole = String::new();
        for line in text.lines() {
            match line.strip_prefix("/include/ \"").and_then(|rest| rest.strip_suffix('"')) {
                Some(name) => whole.push_str(&expand(&root().join("dts").join(name))),
                None => whole.push_str(line),
            }
            whole.push('\n');
        }
        whole
    }
    expand(&root().join("boards").join(board).join("board.dts"))
}

#[test]
fn survives_a_board_that_ends_anywhere() {
    let folder = Folder::new();
    let dts = root().join("dts");
    let mut cases = 0;
    for board in ["mps2-an505", "olimex-stm32-h405"] {
        let text = whole(board);
        for end in (0..text.len()).step_by(11).filter(|end| text.is_char_boundary(*end)) {
            let path = folder.write("board.dts", &text[..end]);
            // Cut inside of the last nodes' blank lines it may still be whole; before them not.
            assert!(!accepts(&path, &dts) || end + 400 > text.len(), "{board} cut at {end}");
            cases += 1;
        }
        let path = folder.write("board.dts", &text);
        assert!(accepts(&path, &dts), "{board} is a board when it is whole");
    }
    println!("\ncases: {cases}");
}

#[test]
fn survives_a_board_that_is_wrong_in_any_bytes() {
    const ROUNDS: usize = 1_500;
    let folder = Folder::new();
    let dts = root().join("dts");
    let seed = 0x5eed_0001;
    let mut choices = Choices(seed);
    let texts = ["mps2-an385", "stm32vldiscovery"].map(whole);
    // What means something in the language, and what does not.
    const WORDS: &[&[u8]] = &[
        b"}",
        b"{",
        b"<",
        b">",
        b"&",
        b"\"",
        b"'",
        b"/*",
        b"*/",
        b"//",
        b";",
        b"=",
        b"@",
        b"(",
        b")",
        b"/delete-node/",
        b"/delete-property/",
        b"/bits/ 64",
        b"#define A A\n",
        b"/include/ \"\"",
        b"0xffffffff",
        b"18446744073709551615",
        b"-1",
        b"\xff\xfe",
        b"\0",
        b"&{/}",
        b"soc",
        b"\\x",
    ];
    let mut accepted = 0;
    for round in 0..ROUNDS {
        let mut bytes = texts[round % texts.len()].clone().into_bytes();
        for _ in 0..=choices.below(3) {
            let at = choices.below(bytes.len());
            match choices.below(4) {
                0 => bytes[at] ^= 1 << choices.below(8),
                1 => drop(bytes.remove(at)),
                2 => drop(bytes.splice(at..at, WORDS[choices.below(WORDS.len())].iter().copied())),
                _ => {
                    let end = (at + choices.below(200)).min(bytes.len());
                    let piece = bytes[at..end].to_vec();
                    let target = choices.below(bytes.len());
                    drop(bytes.splice(target..target, piece));
                }
            }
        }
        let path = folder.0.join("board.dts");
        fs::write(&path, &bytes).unwrap();
        accepted += usize::from(accepts(&path, &dts));
    }
    // Changes inside of comments and blanks stay valid; most others do not.
    assert!(accepted > 0 && accepted < ROUNDS, "{accepted} of seed {seed:#x}");
    println!("\ncases: {ROUNDS}");
}

#[track_caller]
fn check(text: &str, message: &str) {
    let folder = Folder::new();
    let error: Error = crate::parse(&folder.write("test.dts", text), &[]).unwrap_err();
    assert!(error.message.ends_with(message), "{error}");
}

#[test]
fn what_grows_without_end_is_refused() {
    // Each name stands for twice the one before: a million at the end.
    let mut doubling = String::from("/dts-v1/;\n#define A0 1\n");
    for step in 1..=20 {
        let before = step - 1;
        doubling.push_str(&format!("#define A{step} (A{before} + A{before})\n"));
    }
    check(&format!("{doubling}/ {{ a = <(A20)>; }};"), " stands for too much");
    check("/dts-v1/;\n#define A A\n/ { a = <A>; };", "expression is nested too deep");

    // Every part is flat, and put into the deepest node of the part before.
    let mut deep = String::from("/dts-v1/; / { l0: n { }; };\n");
    for step in 1..1000 {
        deep.push_str(&format!("&l{} {{ l{step}: n {{ }}; }};\n", step - 1));
    }
    check(&deep, "nodes are nested too deep");

    let folder = Folder::new();
    let filler = "// ".to_string() + &"x".repeat(2 << 20);
    folder.write("large.dtsi", &filler);
    let text = "/dts-v1/;\n".to_string() + &"/include/ \"large.dtsi\"\n".repeat(9) + "/ { };";
    let error = crate::parse(&folder.write("test.dts", &text), &[]).unwrap_err();
    assert_eq!(error.message, "what is included is too large in all");
}

#[test]
fn survives_a_binding_that_is_wrong_in_any_byte() {
    let folder = Folder::new();
    let text = fs::read_to_string(root().join("dts/bindings/arm,cmsdk-uart.toml")).unwrap();
    let mut accepted = 0;
    for index in 0..text.len() {
        for byte in [b'"', b'{', b'=', b'9', b'\n', 0xff] {
            let mut bytes = text.clone().into_bytes();
            bytes[index] = byte;
            fs::write(folder.0.join("one.toml"), &bytes).unwrap();
            accepted += usize::from(Bindings::load(&folder.0).is_ok());
        }
    }
    assert!(accepted > 0);
    println!("\ncases: {}", text.len() * 6);
}
