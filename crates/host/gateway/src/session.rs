//! One device's session as a state machine: messages, answers and time in; effects out.
//!
//! It does no I/O, keeps no bytes and knows no cluster. `connection` carries out the effects and
//! feeds back what they found.

use std::time::{Duration, Instant};

use wasmbed_wire::{
    AppId, CommandOutcome, CommandResult, DesiredEntry, DeviceMessage, Hello, InstallRequest,
    RefusedReason, StateReport,
};

mod facts;
#[cfg(test)]
mod tests;

pub(crate) use facts::{HeartbeatFacts, HelloFacts, LogFacts, MessageFacts, TelemetryFacts};

/// The waits of one session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waits {
    pub(crate) hello: Duration,
    pub(crate) heartbeat: Duration,
    pub(crate) inventory: Duration,
}

/// What the cluster says about a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// It is an enabled Device, and this is its newest session.
    Admitted { device: String, epoch: u64 },
    /// Nothing is known about it.
    Stranger,
    /// It may not have a session.
    Refused(RefusedReason),
}

/// A command that happens once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum CommandKind {
    Ping,
    Reboot,
    Restart(AppId),
    Deliver(Delivery),
}

/// A message for the guests of a device, within the bounds of `wire`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Delivery {
    pub(crate) topic: Box<str>,
    pub(crate) payload: Box<[u8]>,
}

/// What happens to a session.
#[derive(Debug)]
pub(crate) enum Input<'a> {
    /// A message arrived and could be decoded.
    Message(DeviceMessage<'a>),
    /// A frame arrived that is no message, or the stream cannot be followed.
    Garbage,
    /// A message of a newer minor version, which this one may skip.
    UnknownMessage,
    /// What the cluster said after [`Effect::Lookup`] or [`Effect::Enroll`].
    Verdict(Verdict),
    /// What the device shall hold now.
    Desired(Vec<DesiredEntry>),
    /// Someone wants this done.
    Command(CommandKind),
    /// The session must end, whatever it is doing.
    End(EndReason),
    /// Time passed.
    Tick,
}

/// Why a session is ended from the gateway's side.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum EndReason {
    /// The Device was disabled.
    Revoked,
    /// The Device was deleted: the key is a stranger's again.
    Deleted,
    /// A newer session of the same device exists.
    Superseded,
    /// The gateway stops.
    ShuttingDown,
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum CloseReason {
    HelloTimeout,
    HeartbeatTimeout,
    Malformed,
    UnexpectedMessage,
    Refused(RefusedReason),
    Ended(EndReason),
}

/// What the caller has to do next, in order.
#[derive(Debug, PartialEq)]
pub(crate) enum Effect {
    /// Ask the cluster who holds the key; answer with [`Input::Verdict`].
    Lookup(HelloFacts),
    /// Ask the cluster to enrol the key; answer with [`Input::Verdict`].
    Enroll {
        hello: HelloFacts,
        token: Option<String>,
    },
    /// Tell the device that the session stands. From here on it is live.
    SendWelcome {
        device: String,
        epoch: u64,
        minor: u8,
    },
    SendEnrollRequired,
    SendRefused(RefusedReason),
    SendDesired {
        revision: u64,
        apps: Vec<DesiredEntry>,
    },
    SendCommand {
        id: u64,
        kind: CommandKind,
    },
    /// Send the manifest or the image bytes that were asked for, if they are there.
    SendContent(InstallRequest),
    RecordReport(StateReport),
    RecordHeartbeat(HeartbeatFacts),
    RecordLog(LogFacts),
    RecordTelemetry(TelemetryFacts),
    RecordMessage(MessageFacts),
    /// The device has named every guest it holds.
    InventoryComplete,
    /// The command with this id has its result.
    Resolve {
        id: u64,
        outcome: CommandOutcome,
        uptime_ms: u64,
        receivers: Option<u8>,
    },
    /// End the connection; nothing follows.
    Close(CloseReason),
}

#[derive(Debug)]
enum Phase {
    AwaitHello {
        deadline: Instant,
    },
    /// The cluster is asked; the device has nothing to say.
    Deciding {
        hello: HelloFacts,
        stranger: bool,
    },
    AwaitEnroll {
        hello: HelloFacts,
        deadline: Instant,
    },
    Live(Live),
    Closed,
}

#[derive(Debug)]
struct Live {
    silent_until: Instant,
    inventory_until: Option<Instant>,
    /// The Ping that is not answered yet, and until when it has to be: a device that speaks may still
    /// hear nothing.
    unheard: Option<(u64, Instant)>,
    revision: u64,
    apps: Vec<DesiredEntry>,
    next_command: u64,
}

/// A session, from the end of the TLS handshake to its close.
#[derive(Debug)]
pub(crate) struct Session {
    phase: Phase,
    waits: Waits,
    namespace: String,
}

impl Session {
    /// A session in which the device has not said anything yet.
    pub(crate) fn new(namespace: String, waits: Waits, now: Instant) -> Self {
        Self { phase: Phase::AwaitHello { deadline: now + waits.hello }, waits, namespace }
    }

    /// When [`Input::Tick`] is due at the latest.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::AwaitHello { deadline } | Phase::AwaitEnroll { deadline, .. } => Some(*deadline),
            Phase::Live(live) => {
                let unheard = live.unheard.map(|(_, until)| until);
                let others = [live.inventory_until, unheard].into_iter().flatten();
                Some(others.fold(live.silent_until, Instant::min))
            }
            Phase::Deciding { .. } | Phase::Closed => None,
        }
    }

    /// Changes how long a live device may be silent, from its next message on.
    pub(crate) fn set_heartbeat_wait(&mut self, wait: Duration) {
        self.waits.heartbeat = wait;
    }

    /// Advances by one input. The caller owns the clock and carries out the effects in order.
    pub(crate) fn step(&mut self, input: Input<'_>, now: Instant) -> Vec<Effect> {
        let phase = std::mem::replace(&mut self.phase, Phase::Closed);
        let (phase, effects) = match (phase, input) {
            (Phase::Closed, _) => (Phase::Closed, Vec::new()),
            (_, Input::End(reason)) => end(reason),
            (_, Input::Garbage) => refuse(RefusedReason::Malformed, CloseReason::Malformed),
            (Phase::AwaitHello { .. }, Input::Message(DeviceMessage::Hello(hello))) => {
                self.greet(&hello)
            }
            (Phase::AwaitEnroll { hello, .. }, Input::Message(DeviceMessage::Enroll(enroll))) => {
                let token = enroll.token.map(str::to_owned);
                let effect = Effect::Enroll { hello: hello.clone(), token };
                (Phase::Deciding { hello, stranger: true }, vec![effect])
            }
            (Phase::Deciding { hello, stranger }, Input::Verdict(verdict)) => {
                self.decide(hello, stranger, verdict, now)
            }
            (Phase::AwaitHello { deadline } | Phase::AwaitEnroll { deadline, .. }, Input::Tick)
                if deadline <= now =>
            {
                (Phase::Closed, vec![Effect::Close(CloseReason::HelloTimeout)])
            }
            (Phase::Live(live), input) => self.live(live, input, now),
            // A known message in the wrong phase: the peer is broken, and a stranger gets no
            // further than Enroll.
            (_, Input::Message(_) | Input::UnknownMessage) => {
                refuse(RefusedReason::UnexpectedMessage, CloseReason::UnexpectedMessage)
            }
            // These concern live sessions; a desired set is asked for again after Welcome.
            (phase, Input::Tick | Input::Desired(_) | Input::Command(_) | Input::Verdict(_)) => {
                (phase, Vec::new())
            }
        };
        self.phase = phase;
        effects
    }

    fn greet(&self, hello: &Hello<'_>) -> (Phase, Vec<Effect>) {
        if hello.minor_min > hello.minor_max || hello.minor_min > wasmbed_wire::MINOR {
            return refused(RefusedReason::VersionUnsupported);
        }
        if hello.namespace != self.namespace {
            return refused(RefusedReason::WrongNamespace);
        }
        if !is_label(hello.board) || !hello.firmware.bytes().all(|byte| byte.is_ascii_graphic()) {
            return refuse(RefusedReason::Malformed, CloseReason::Malformed);
        }
        let hello = HelloFacts::from(hello);
        let effect = Effect::Lookup(hello.clone());
        (Phase::Deciding { hello, stranger: false }, vec![effect])
    }

    fn decide(
        &self,
        hello: HelloFacts,
        stranger: bool,
        verdict: Verdict,
        now: Instant,
    ) -> (Phase, Vec<Effect>) {
        match verdict {
            Verdict::Admitted { device, epoch } => {
                let live = Live {
                    silent_until: now + self.waits.heartbeat,
                    inventory_until: Some(now + self.waits.inventory),
                    unheard: None,
                    revision: 0,
                    apps: Vec::new(),
                    // Unique over all sessions, so that a device never mistakes a new command
                    // for one it has carried out.
                    next_command: (epoch << 32) | 1,
                };
                let minor = hello.minor();
                (Phase::Live(live), vec![Effect::SendWelcome { device, epoch, minor }])
            }
            Verdict::Stranger if !stranger => {
                let deadline = now + self.waits.hello;
                (Phase::AwaitEnroll { hello, deadline }, vec![Effect::SendEnrollRequired])
            }
            // Enrolled and forgotten at once: someone deleted the Device in between.
            Verdict::Stranger => refused(RefusedReason::Busy),
            Verdict::Refused(reason) => refused(reason),
        }
    }

    fn live(&self, mut live: Live, input: Input<'_>, now: Instant) -> (Phase, Vec<Effect>) {
        if matches!(input, Input::Message(_) | Input::UnknownMessage) {
            live.silent_until = now + self.waits.heartbeat;
        }
        let effects = match input {
            Input::Message(DeviceMessage::Hello(_) | DeviceMessage::Enroll(_)) => {
                return refuse(RefusedReason::UnexpectedMessage, CloseReason::UnexpectedMessage);
            }
            Input::Message(DeviceMessage::Heartbeat(heartbeat)) => {
                let mut effects = vec![Effect::RecordHeartbeat(HeartbeatFacts::from(&heartbeat))];
                if live.inventory_until.take().is_some() {
                    effects.push(Effect::InventoryComplete);
                } else if live.unheard.is_none() {
                    let (id, effect) = live.command(CommandKind::Ping);
                    live.unheard = Some((id, now + self.waits.heartbeat));
                    effects.push(effect);
                }
                effects
            }
            Input::Message(DeviceMessage::StateReport(report)) => {
                vec![Effect::RecordReport(report)]
            }
            Input::Message(DeviceMessage::Log(log)) => vec![Effect::RecordLog((&log).into())],
            Input::Message(DeviceMessage::Telemetry(sample)) => {
                vec![Effect::RecordTelemetry((&sample).into())]
            }
            Input::Message(DeviceMessage::Message(message)) => {
                vec![Effect::RecordMessage((&message).into())]
            }
            Input::Message(DeviceMessage::CommandResult(result)) => {
                live.unheard = live.unheard.filter(|(id, _)| *id != result.id);
                resolve(&live, result)
            }
            Input::Message(DeviceMessage::InstallRequest(request)) => content(&live, request),
            Input::Desired(apps) => live.desire(apps),
            Input::Command(kind) => vec![live.command(kind).1],
            Input::Tick
                if live.silent_until <= now
                    || live.unheard.is_some_and(|(_, until)| until <= now) =>
            {
                return (
                    Phase::Closed,
                    vec![Effect::Close(CloseReason::HeartbeatTimeout)],
                );
            }
            Input::Tick if live.inventory_until.is_some_and(|until| until <= now) => {
                live.inventory_until = None;
                vec![Effect::InventoryComplete]
            }
            Input::Tick
            | Input::UnknownMessage
            | Input::Verdict(_)
            // Handled for every phase before this one is asked.
            | Input::Garbage
            | Input::End(_) => Vec::new(),
        };
        (Phase::Live(live), effects)
    }
}

impl Live {
    fn command(&mut self, kind: CommandKind) -> (u64, Effect) {
        let id = self.next_command;
        self.next_command += 1;
        (id, Effect::SendCommand { id, kind })
    }

    /// The first set is always sent, even when it is empty: the device then knows that it is.
    fn desire(&mut self, apps: Vec<DesiredEntry>) -> Vec<Effect> {
        if self.revision > 0 && self.apps == apps {
            return Vec::new();
        }
        self.revision += 1;
        self.apps.clone_from(&apps);
        vec![Effect::SendDesired { revision: self.revision, apps }]
    }
}

/// A device gets only what it shall hold; what it asks for by an older set is asked for again.
fn content(live: &Live, request: InstallRequest) -> Vec<Effect> {
    let wanted = live
        .apps
        .iter()
        .any(|entry| entry.app == request.app && entry.generation == request.generation);
    if wanted { vec![Effect::SendContent(request)] } else { Vec::new() }
}

fn resolve(live: &Live, result: CommandResult) -> Vec<Effect> {
    // An id that was never given out answers nothing.
    if result.id >= live.next_command {
        return Vec::new();
    }
    let CommandResult { id, outcome, uptime_ms, receivers } = result;
    vec![Effect::Resolve { id, outcome, uptime_ms, receivers }]
}

/// Whether a board's name can be the value of a label, where it will end up.
fn is_label(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_outer = |byte: Option<&u8>| byte.is_some_and(|byte| *byte != b'-');
    let bytes = text.as_bytes();
    bytes.iter().copied().all(is_inner) && is_outer(bytes.first()) && is_outer(bytes.last())
}

fn end(reason: EndReason) -> (Phase, Vec<Effect>) {
    let close = CloseReason::Ended(reason);
    match reason {
        EndReason::Revoked => refuse(RefusedReason::Revoked, close),
        EndReason::Superseded => refuse(RefusedReason::Superseded, close),
        EndReason::ShuttingDown => refuse(RefusedReason::ShuttingDown, close),
        EndReason::Deleted => (Phase::Closed, vec![Effect::Close(close)]),
    }
}

fn refused(reason: RefusedReason) -> (Phase, Vec<Effect>) {
    refuse(reason, CloseReason::Refused(reason))
}

fn refuse(reason: RefusedReason, close: CloseReason) -> (Phase, Vec<Effect>) {
    (Phase::Closed, vec![Effect::SendRefused(reason), Effect::Close(close)])
}

/// How long a device shall wait before it tries again, by the reason of the refusal.
pub(crate) const fn retry_ms(reason: RefusedReason) -> u32 {
    match reason {
        RefusedReason::ShuttingDown => 1_000,
        RefusedReason::Busy
        | RefusedReason::PendingApproval
        | RefusedReason::ControlPlaneUnavailable
        | RefusedReason::Malformed
        | RefusedReason::UnexpectedMessage => 5_000,
        RefusedReason::PairingClosed | RefusedReason::Superseded => 15_000,
        // Someone has to act before another attempt can end differently.
        RefusedReason::Revoked
        | RefusedReason::TokenUnknown
        | RefusedReason::TokenExpired
        | RefusedReason::TokenUsedUp => 30_000,
        RefusedReason::VersionUnsupported
        | RefusedReason::WrongNamespace
        | RefusedReason::Other(_) => 300_000,
    }
}
