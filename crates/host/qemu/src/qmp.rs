//! A client of the QEMU Machine Protocol: one command at a time, events beside.
//!
//! # Source
//! QEMU 10.0, docs/interop/qmp-spec.rst.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;

use crate::limits::{QMP_ANSWER_TIMEOUT, QMP_EVENTS_MAX, QMP_LINE_BYTES_MAX};

#[cfg(test)]
mod tests;

/// Why a QMP command has no result.
#[derive(Debug, thiserror::Error)]
pub enum QmpError {
    /// The connection failed or ended; QEMU is gone.
    #[error("qmp connection")]
    Connection(#[from] io::Error),
    /// QEMU did not answer in time; it is stuck.
    #[error("no answer to {command} in time")]
    Timeout {
        /// The command.
        command: String,
    },
    /// QEMU said no.
    #[error("{command}: {class}: {description}")]
    Refused {
        /// The command.
        command: String,
        /// QEMU's class of the error.
        class: String,
        /// QEMU's words.
        description: String,
    },
    /// What came is not QMP, or is longer than [`QMP_LINE_BYTES_MAX`].
    #[error("not a qmp message")]
    Malformed(#[source] Option<serde_json::Error>),
}

/// Something that happened in the machine: `RESET`, `SHUTDOWN`, `STOP`, …
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Event {
    /// Its name.
    #[serde(rename = "event")]
    pub name: String,
    /// What QEMU says about it.
    #[serde(default)]
    pub data: Value,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Line {
    Greeting {
        #[serde(rename = "QMP")]
        _qmp: Value,
    },
    Event(Event),
    Failure {
        error: Failure,
        id: Option<u64>,
    },
    Result {
        #[serde(rename = "return")]
        value: Value,
        id: Option<u64>,
    },
}

#[derive(Debug, Deserialize)]
struct Failure {
    class: String,
    desc: String,
}

/// A connection to a running QEMU.
#[derive(Debug)]
pub struct Qmp {
    ids: AtomicU64,
    /// Locked for the whole of a command, so that answers cannot be mixed up.
    line: Mutex<(OwnedWriteHalf, mpsc::Receiver<Answer>)>,
}

type Answer = (Option<u64>, Result<Value, Failure>);

impl Qmp {
    /// Greets the QEMU at the other end of `stream`. Events go to the receiver, which ends with QEMU;
    /// a full one loses events, and says so in the log.
    ///
    /// # Errors
    /// [`QmpError`] if that is not a QEMU which answers.
    pub async fn open(stream: UnixStream) -> Result<(Self, mpsc::Receiver<Event>), QmpError> {
        let (read, write) = stream.into_split();
        let mut read = BufReader::new(read);
        let greeting = timeout(QMP_ANSWER_TIMEOUT, read_line(&mut read)).await;
        let greeting = greeting
            .map_err(|_| QmpError::Timeout { command: "greeting".into() })??
            .ok_or_else(ended)?;
        if !matches!(greeting, Line::Greeting { .. }) {
            return Err(QmpError::Malformed(None));
        }
        let (answers, answer) = mpsc::channel(1);
        let (events, event) = mpsc::channel(QMP_EVENTS_MAX);
        tokio::spawn(read_lines(read, answers, events));
        let qmp = Self { ids: AtomicU64::new(1), line: Mutex::new((write, answer)) };
        qmp.execute("qmp_capabilities", Value::Null).await?;
        Ok((qmp, event))
    }

    /// Executes `command`; `arguments` is an object, or null for none.
    ///
    /// # Errors
    /// [`QmpError`].
    pub async fn execute(&self, command: &str, arguments: Value) -> Result<Value, QmpError> {
        self.execute_within(QMP_ANSWER_TIMEOUT, command, arguments).await
    }

    async fn execute_within(
        &self,
        patience: Duration,
        command: &str,
        arguments: Value,
    ) -> Result<Value, QmpError> {
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let mut message = json!({ "execute": command, "id": id });
        if let (Some(fields), false) = (message.as_object_mut(), arguments.is_null()) {
            fields.insert("arguments".into(), arguments);
        }
        let mut line = self.line.lock().await;
        let (write, answers) = &mut *line;
        let exchange = async {
            write.write_all(format!("{message}\n").as_bytes()).await?;
            loop {
                let (answer_id, result) = answers.recv().await.ok_or_else(ended)?;
                // One that is older belongs to a command that timed out.
                if answer_id == Some(id) {
                    return result.map_err(|failure| QmpError::Refused {
                        command: command.into(),
                        class: failure.class,
                        description: failure.desc,
                    });
                }
            }
        };
        let answered = timeout(patience, exchange).await;
        answered.map_err(|_| QmpError::Timeout { command: command.into() })?
    }
}

fn ended() -> QmpError {
    QmpError::Connection(io::ErrorKind::UnexpectedEof.into())
}

async fn read_lines(
    mut read: BufReader<OwnedReadHalf>,
    answers: mpsc::Sender<Answer>,
    events: mpsc::Sender<Event>,
) {
    loop {
        match read_line(&mut read).await {
            Ok(Some(Line::Event(event))) => {
                if let Err(mpsc::error::TrySendError::Full(event)) = events.try_send(event) {
                    tracing::warn!(event = event.name, "qmp event lost");
                }
            }
            Ok(Some(Line::Result { value, id })) => {
                if answers.send((id, Ok(value))).await.is_err() {
                    return;
                }
            }
            Ok(Some(Line::Failure { error, id })) => {
                if answers.send((id, Err(error))).await.is_err() {
                    return;
                }
            }
            Ok(Some(Line::Greeting { .. })) => {}
            Ok(None) => return,
            Err(error) => {
                tracing::debug!(%error, "qmp ended");
                return;
            }
        }
    }
}

async fn read_line(read: &mut (impl AsyncBufRead + Unpin)) -> Result<Option<Line>, QmpError> {
    let mut text = Vec::new();
    let limit = QMP_LINE_BYTES_MAX as u64;
    if read.take(limit).read_until(b'\n', &mut text).await? == 0 {
        return Ok(None);
    }
    if text.last() != Some(&b'\n') {
        return Err(QmpError::Malformed(None));
    }
    serde_json::from_slice(&text).map(Some).map_err(|error| QmpError::Malformed(Some(error)))
}
