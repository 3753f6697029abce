//! Every order of the server's messages: one opens the session, all others are refused.

use wasmbed_tls::{Closed, State};

use crate::fleet::count;
use crate::hostile::begin;
use crate::leaf::LeafSpec;
use crate::server::{AUTHORITY, HANDSHAKE, Play, message};

/// Messages after ServerHello, in the one legal order.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Message {
    Extensions,
    Request,
    Certificate,
    Verify,
    Finished,
    /// Legal only when the session is open.
    Ticket,
}

use Message::{Certificate, Extensions, Finished, Request, Ticket, Verify};

const ALL: [Message; 6] = [Extensions, Request, Certificate, Verify, Finished, Ticket];
const LEGAL: [Message; 5] = [Extensions, Request, Certificate, Verify, Finished];

/// Sends `kind` with content that is right for what was sent before.
fn send(play: &mut Play, kind: Message, leaf: &[u8]) {
    match kind {
        Extensions => play.extensions(&Play::honest_extensions()),
        Request => play.request(),
        Certificate => play.certificate(leaf),
        Verify => play.verify(),
        Finished => play.finished(),
        Ticket => play.record(HANDSHAKE, &message(4, &[0; 30])),
    }
}

/// Where `order` leaves a client that follows the rules.
fn expected(order: &[Message]) -> State {
    let legal = order.iter().zip(LEGAL).take_while(|(sent, legal)| *sent == legal).count();
    let illegal = order.get(legal);
    let alert = match illegal {
        None if legal == LEGAL.len() => return State::Open,
        None => return State::Handshaking,
        Some(Ticket) if legal == LEGAL.len() => return expected(&order[..legal]),
        // The one disorder with an alert of its own: no CertificateRequest.
        Some(Certificate) if legal == 1 => wasmbed_tls::Error::NoClientAuthentication,
        Some(_) => wasmbed_tls::Error::UnexpectedMessage,
    };
    State::Closed(Closed::Failed(alert))
}

#[test]
fn one_order_of_messages_opens_the_session_and_every_other_is_refused() {
    let leaf = LeafSpec::honest().signed_by(&AUTHORITY);
    let mut cases = 0;
    let mut opened = 0;
    let mut orders: Vec<Vec<Message>> = vec![vec![]];
    while let Some(order) = orders.pop() {
        let (mut device, mut play) = begin();
        play.honest_start();
        for kind in &order {
            send(&mut play, *kind, &leaf);
        }
        device.take(&play.take_wire(), 4096);
        let state = device.client.state();
        assert_eq!(state, expected(&order), "{order:?}");
        opened += usize::from(state == State::Open);
        cases += 1;
        if order.len() < 5 {
            orders.extend(ALL.map(|next| [&order[..], &[next]].concat()));
        }
    }
    assert_eq!(opened, 1);
    count(cases);
}
