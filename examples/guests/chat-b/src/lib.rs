//! Answers every message of the guest `chat-a`.
#![no_std]

use wasmbed_sdk::{FOREVER, Line, entry, log, message};

entry!(run);

fn run() {
    log("chat-b listens");
    let mut buffer = [0; 64];
    while let Ok(question) = message::receive(&mut buffer, FOREVER) {
        let text = core::str::from_utf8(question.payload).unwrap_or("?");
        let answer = *Line::<48>::new().text("answer to ").text(text);
        if let Err(error) = message::send("chat/a", answer.as_str().as_bytes()) {
            log(error.text());
        }
    }
}
