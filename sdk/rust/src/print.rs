//! Formatted lines, for guests that can afford them: 3 KB of module where `Line` costs 0.7 KB, and a
//! stack for calls in circles.

use core::fmt::Write;

use crate::text::Line;

/// Longest line that a device keeps.
const LINE_BYTES: usize = 256;

impl<const BYTES: usize> Write for Line<BYTES> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.text(text);
        Ok(())
    }
}

/// What [`crate::println!`] does. What is longer than a line is cut.
#[doc(hidden)]
pub fn print_line(text: core::fmt::Arguments<'_>) {
    if let Some(text) = text.as_str() {
        return crate::log(text);
    }
    let mut line = Line::<LINE_BYTES>::new();
    // A line takes what fits; a value that refuses to be formatted ends it.
    let _ = line.write_fmt(text);
    crate::log(line.as_str());
}

/// Writes one formatted line to the device's log. Needs 256 bytes of stack for it.
#[macro_export]
macro_rules! println {
    () => { $crate::log("") };
    ($($text:tt)*) => { $crate::print_line(::core::format_args!($($text)*)) };
}
