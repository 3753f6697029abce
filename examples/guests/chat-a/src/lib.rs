//! Asks the guest `chat-b` once a second, and says how long the answer took.
#![no_std]

use wasmbed_sdk::{Line, clock_monotonic_ms, entry, log, message, wait_ms};

const PERIOD_MS: u32 = 1_000;
const PATIENCE_MS: u32 = 500;

entry!(run);

fn run() {
    let mut buffer = [0; 64];
    for count in 1.. {
        let before_ms = clock_monotonic_ms();
        let question = *Line::<32>::new().text("question ").number(count);
        if let Err(error) = message::send("chat/b", question.as_str().as_bytes()) {
            log(error.text());
        }
        match message::receive(&mut buffer, PATIENCE_MS) {
            Ok(answer) => {
                let took_ms = clock_monotonic_ms().wrapping_sub(before_ms) as u32;
                let text = core::str::from_utf8(answer.payload).unwrap_or("?");
                log(Line::<64>::new().text(text).text(" after ms: ").number(took_ms).as_str());
            }
            Err(error) => log(Line::<48>::new().text("no answer: ").text(error.text()).as_str()),
        }
        wait_ms(PERIOD_MS);
    }
}
