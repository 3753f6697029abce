//! Order, merging and bounds of wishes.

use tokio::sync::oneshot;

use super::{CommandOrder, Mailbox, Wish};
use crate::limits;
use crate::session::{CommandKind, EndReason};

fn order() -> CommandOrder {
    CommandOrder { kind: CommandKind::Ping, answer: oneshot::channel().0 }
}

#[test]
fn the_end_comes_first_and_reviews_are_merged() {
    let mailbox = Mailbox::default();
    mailbox.command(order()).expect("room");
    mailbox.review();
    mailbox.review();
    assert!(matches!(mailbox.take(), Some(Wish::Review)));
    assert!(matches!(mailbox.take(), Some(Wish::Command(_))));
    assert!(mailbox.take().is_none());
    mailbox.review();
    mailbox.end(EndReason::Revoked);
    mailbox.end(EndReason::ShuttingDown);
    assert!(matches!(mailbox.take(), Some(Wish::End(EndReason::Revoked))));
    assert!(matches!(mailbox.take(), Some(Wish::End(EndReason::Revoked))));
}

#[test]
fn commands_are_bounded() {
    let mailbox = Mailbox::default();
    for _ in 0..limits::COMMANDS_QUEUED_MAX {
        mailbox.command(order()).expect("room");
    }
    assert!(mailbox.command(order()).is_err());
}

#[tokio::test]
async fn waiting_for_the_end_loses_no_other_wish() {
    let mailbox = Mailbox::default();
    mailbox.review();
    tokio::select! {
        biased;
        _ = mailbox.ended() => panic!("nobody ended it"),
        () = std::future::ready(()) => {}
    }
    assert!(matches!(mailbox.take(), Some(Wish::Review)));
}
