//! Keys of the journal that the runtime uses. Provisioning and identity are fixed by contract with
//! whoever writes a fresh flash.

use wasmbed_journal::Key;

/// The provisioning record, as `wire::Provisioning`.
pub const PROVISIONING: Key = Key::new(1);
/// Seed of the device's Ed25519 key, 32 bytes.
pub const IDENTITY: Key = Key::new(2);
/// Boot count, last epoch, last command.
pub const BOOT: Key = Key::new(3);
/// Last known wall-clock time in seconds, 8 bytes.
pub const TIME: Key = Key::new(4);
/// Slots whose guest shall not run: one bit each, 2 bytes.
pub const STOPPED: Key = Key::new(5);

/// First key of the generation table, behind those of the image slots.
const GENERATION_FIRST: u8 =
    wasmbed_journal::limits::SLOT_KEY_FIRST + wasmbed_journal::limits::SLOTS_MAX;

/// Key of one part of the generation table.
pub const fn generation(index: u8) -> Key {
    Key::new(GENERATION_FIRST + index)
}

/// First key of the values that guests keep, behind the generation table.
const VALUE_FIRST: u8 = GENERATION_FIRST + crate::limits::GENERATION_KEYS;

/// Key of one value of a guest.
pub const fn value(index: u8) -> Key {
    Key::new(VALUE_FIRST + index)
}

const _: () = assert!(
    VALUE_FIRST as usize + crate::limits::VALUES_MAX as usize <= wasmbed_journal::limits::KEYS
);
