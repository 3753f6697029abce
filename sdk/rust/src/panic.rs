//! What happens at a panic: its place is logged, without formatting, and the guest traps.

use crate::text::Line;

/// Bytes of the line: a path, a line number, and few words.
const LINE_BYTES: usize = 96;

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    let mut line = Line::<LINE_BYTES>::new();
    line.text("panic");
    if let Some(place) = info.location() {
        line.text(" at ").text(place.file()).text(":").number(place.line());
    }
    crate::log(line.as_str());
    core::arch::wasm32::unreachable()
}
