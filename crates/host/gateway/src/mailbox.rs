//! What others want of a session: to end, to look at its device or its desired set again, or to
//! carry out a command.
//!
//! Wishes that can be merged are merged, so a mailbox never grows: only commands queue, up to a
//! bound.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};
use wasmbed_wire::CommandOutcome;

use crate::limits;
use crate::session::{CommandKind, EndReason};

#[cfg(test)]
mod tests;

/// What a device answered to a command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct CommandAnswer {
    pub(crate) outcome: CommandOutcome,
    /// Milliseconds since boot, by the device's clock, when it was carried out.
    pub(crate) uptime_ms: u64,
    /// For a message: guests that have it.
    pub(crate) receivers: Option<u8>,
}

/// One command and where its answer goes. Dropped unanswered, the sender learns that.
#[derive(Debug)]
pub(crate) struct CommandOrder {
    pub(crate) kind: CommandKind,
    pub(crate) answer: oneshot::Sender<CommandAnswer>,
}

/// The next thing a session has to do.
#[derive(Debug)]
pub(crate) enum Wish {
    End(EndReason),
    /// The device's object, or what its applications say, has changed.
    Review,
    Command(CommandOrder),
}

#[derive(Debug, Default)]
struct Content {
    end: Option<EndReason>,
    review: bool,
    commands: VecDeque<CommandOrder>,
}

/// The wishes that one session has not carried out yet.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    content: Mutex<Content>,
    arrived: Notify,
}

impl Mailbox {
    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the session. The first reason counts.
    pub(crate) fn end(&self, reason: EndReason) {
        self.content().end.get_or_insert(reason);
        self.arrived.notify_one();
    }

    /// Has the session look at the cluster's state again.
    pub(crate) fn review(&self) {
        self.content().review = true;
        self.arrived.notify_one();
    }

    /// Queues a command, or gives it back when the queue is full.
    pub(crate) fn command(&self, order: CommandOrder) -> Result<(), CommandOrder> {
        {
            let mut content = self.content();
            if content.commands.len() >= limits::COMMANDS_QUEUED_MAX {
                return Err(order);
            }
            content.commands.push_back(order);
        }
        self.arrived.notify_one();
        Ok(())
    }

    /// Takes the most urgent wish.
    pub(crate) fn take(&self) -> Option<Wish> {
        let mut content = self.content();
        if let Some(reason) = content.end {
            return Some(Wish::End(reason));
        }
        if std::mem::take(&mut content.review) {
            return Some(Wish::Review);
        }
        content.commands.pop_front().map(Wish::Command)
    }

    /// Waits until something may have arrived. Only the session itself waits.
    pub(crate) async fn arrival(&self) {
        self.arrived.notified().await;
    }

    /// Waits until the session has to end, and leaves every wish in place.
    pub(crate) async fn ended(&self) -> EndReason {
        loop {
            if let Some(reason) = self.content().end {
                return reason;
            }
            self.arrived.notified().await;
        }
    }
}
