//! What happens to a guest from outside, at times that the author says: buttons and messages.

use std::time::Duration;

use crate::error::WorkshopError;

#[cfg(test)]
mod tests;

/// How long a button is held: a guest that waits looks every 10 ms.
pub const PRESS: Duration = Duration::from_millis(100);

/// One thing that happens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum What {
    /// A button is pressed and released.
    Press {
        /// Which, from 0 on.
        button: u8,
    },
    /// A message comes, as if from the cloud.
    Message {
        /// Its topic.
        topic: String,
        /// What it says.
        payload: String,
    },
    /// Bytes come in over the first serial line.
    Type {
        /// The bytes.
        text: String,
    },
}

/// Something that happens so long after the start.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Input {
    /// When.
    pub at: Duration,
    /// What.
    pub what: What,
}

impl Input {
    /// Reads `BUTTON@TIME`, such as `0@2s`.
    ///
    /// # Errors
    /// [`WorkshopError::Argument`] says the form.
    pub fn parse_press(text: &str) -> Result<Input, WorkshopError> {
        let parsed = text.split_once('@').and_then(|(button, at)| {
            let button = button.parse().ok().filter(|button| *button < 32)?;
            Some(Input { at: duration(at)?, what: What::Press { button } })
        });
        parsed.ok_or_else(|| WorkshopError::Argument {
            text: text.to_owned(),
            form: "BUTTON@TIME, such as 0@2s",
        })
    }

    /// Reads `TOPIC=PAYLOAD@TIME`, such as `room/set=21@500ms`.
    ///
    /// # Errors
    /// [`WorkshopError::Argument`] says the form.
    pub fn parse_message(text: &str) -> Result<Input, WorkshopError> {
        let parsed = text.rsplit_once('@').and_then(|(message, at)| {
            let (topic, payload) = message.split_once('=')?;
            let what = What::Message { topic: topic.to_owned(), payload: payload.to_owned() };
            Some(Input { at: duration(at)?, what })
        });
        parsed.ok_or_else(|| WorkshopError::Argument {
            text: text.to_owned(),
            form: "TOPIC=PAYLOAD@TIME, such as room/set=21@500ms",
        })
    }

    /// Reads `TEXT@TIME`, such as `hello@1s`; `\n` in it is the end of a line.
    ///
    /// # Errors
    /// [`WorkshopError::Argument`] says the form.
    pub fn parse_uart(text: &str) -> Result<Input, WorkshopError> {
        let parsed = text.rsplit_once('@').and_then(|(bytes, at)| {
            let text = bytes.replace("\\n", "\n");
            Some(Input { at: duration(at)?, what: What::Type { text } })
        });
        parsed.ok_or_else(|| WorkshopError::Argument {
            text: text.to_owned(),
            form: "TEXT@TIME, such as hello\\n@1s",
        })
    }
}

/// A number of milliseconds, seconds or minutes: `500ms`, `10s`, `2m`.
pub fn duration(text: &str) -> Option<Duration> {
    let (number, unit_ms) = match text {
        text if text.ends_with("ms") => (text.strip_suffix("ms")?, 1),
        text if text.ends_with('s') => (text.strip_suffix('s')?, 1_000),
        text if text.ends_with('m') => (text.strip_suffix('m')?, 60_000),
        _ => return None,
    };
    let number: u32 = number.parse().ok()?;
    Some(Duration::from_millis(u64::from(number) * unit_ms))
}
