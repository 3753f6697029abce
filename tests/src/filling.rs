//! Guests that take a stated part of a board's arena.

use serde_json::Value;
use wasmbed_catalog::Board;

use crate::cli::Cli;
use crate::modules;

/// Bytes of memory beside the data: the word that the guest says.
const WORD_BYTES: usize = 32;
/// Data that takes some hundred chunks to send; more of it would show nothing else.
const DATA_BYTES_MAX: usize = 50_000;

/// A module, and what a device needs to run it.
#[derive(Clone, Debug)]
pub struct Filling {
    /// Its binary form.
    pub module: Vec<u8>,
    /// Bytes of the arena that it takes: image, stack and memory.
    pub arena_bytes: usize,
}

/// A guest that says `word` every second, and takes a part in `parts` of the board's arena:
/// half of it data that nothing could shorten, which is in the image and in memory, the rest memory.
///
/// # Panics
/// If the compiler refuses it.
pub fn part(cli: &Cli, board: &Board, word: &str, parts: usize) -> Filling {
    let wanted = board.guests.arena_bytes as usize / parts;
    let data = (wanted / 4).min(DATA_BYTES_MAX);
    let least = modules::binary(&text(word, data, WORD_BYTES + data));
    let needed = needed(cli, board, &least);
    // Blocks of the arena are aligned, so it may come out a few bytes below what is wanted.
    let memory = (WORD_BYTES + data + wanted.saturating_sub(needed)) & !15;
    let module = modules::binary(&text(word, data, memory));
    let arena_bytes = self::needed(cli, board, &module);
    assert!(
        (wanted * 9 / 10..=wanted).contains(&arena_bytes),
        "{arena_bytes} bytes, wanted {wanted} on {}",
        board.name
    );
    Filling { module, arena_bytes }
}

/// Bytes of RAM that a module takes on a board, as the compiler says.
///
/// # Panics
/// If there is no file to be written or read.
pub fn needed(cli: &Cli, board: &Board, module: &[u8]) -> usize {
    let file = cli.folder().join(format!("{}.wasm", board.name));
    std::fs::write(&file, module).unwrap_or_else(|error| panic!("{error}"));
    let text = cli.wasmbed(&["image", "inspect", &file.display().to_string(), "-o", "json"]);
    let explained: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}"));
    let boards = explained["boards"].as_array().cloned().unwrap_or_default();
    let found = boards.iter().find(|entry| entry["board"] == board.name);
    let bytes = found.and_then(|entry| entry["ramBytes"].as_u64()).unwrap_or_default();
    usize::try_from(bytes).unwrap_or_default()
}

fn text(word: &str, data_bytes: usize, memory_bytes: usize) -> String {
    assert!(word.len() <= WORD_BYTES, "{word}");
    let seed = word.bytes().fold(1_u32, |seed, byte| seed.rotate_left(5) ^ u32::from(byte));
    let data: String = (0..data_bytes)
        .scan(seed, |state, _| {
            *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Some(format!("\\{:02x}", *state >> 24))
        })
        .collect();
    format!(
        r#"(module
          (import "wasmbed" "log" (func $log (param i32 i32)))
          (import "wasmbed" "timer_wait_ms" (func $wait (param i32)))
          (memory (export "memory") {memory_bytes} (pagesize 1))
          (data (i32.const 0) "{word}")
          (data (i32.const {WORD_BYTES}) "{data}")
          (func (export "_start")
            (loop $again
              (call $log (i32.const 0) (i32.const {length}))
              (call $wait (i32.const 1000))
              (br $again))))"#,
        length = word.len()
    )
}
