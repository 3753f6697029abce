//! The session with the gateway: TLS, Hello to Welcome, back-off. What the messages of an open
//! session do is in [`crate::inbox`] and [`crate::outbox`].

use wasmbed_tls::{Client, Config, State, Validity};
use wasmbed_wire::limits::{NAME_BYTES_MAX, TOKEN_BYTES_MAX};
use wasmbed_wire::{
    ALPN_512, DeviceMessage, Enroll, GatewayMessage, Hello, Install, MINOR, MINOR_MESSAGES, Welcome,
};
use zeroize::Zeroize;

use crate::console::Line;
use crate::core_state::Core;
use crate::keys;
use crate::limits;
use crate::outbox::{self, Due, Sent};
use crate::platform::Platform;

/// Where the session is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phase {
    /// No connection until then. First, so that a static session takes no flash.
    Down {
        /// When to try again.
        retry_at_ms: u64,
    },
    /// The connection is gone; when to try again is not decided yet.
    Lost,
    /// The transport was asked for a connection.
    Connecting,
    /// The transport has a connection; TLS has to be started.
    Connected,
    /// TLS handshake.
    Handshake,
    /// Hello was sent, or is about to be.
    Hello,
    /// Enroll was sent, or is about to be.
    Enrolling,
    /// Welcome came.
    Ready,
    /// The transport has to close.
    Closing,
}

/// The session.
pub struct Session {
    pub phase: Phase,
    pub tls: Client,
    /// Since when the phase lasts.
    pub since_ms: u64,
    /// Connections in a row that did not last.
    attempts: u8,
    /// What the gateway asked for when it refused.
    retry_ms: u32,
    /// Whether Hello or Enroll has to be written.
    is_opening_due: bool,
    heartbeat_ms: u32,
    pub heartbeat_at_ms: u64,
    /// Last time that the transport took bytes, and whether it did since.
    progress_at_ms: u64,
    pub has_progress: bool,
    /// Whether bytes arrived for which there is no room, and since when.
    pub is_blocked: bool,
    blocked_since_ms: u64,
}

impl Session {
    pub const fn new() -> Self {
        Self {
            phase: Phase::Down { retry_at_ms: 0 },
            tls: Client::new(),
            since_ms: 0,
            attempts: 0,
            retry_ms: 0,
            is_opening_due: false,
            heartbeat_ms: 0,
            heartbeat_at_ms: 0,
            progress_at_ms: 0,
            has_progress: false,
            is_blocked: false,
            blocked_since_ms: 0,
        }
    }

    pub fn enter(&mut self, phase: Phase, now_ms: u64) {
        self.phase = phase;
        self.since_ms = now_ms;
    }

    /// Wall-clock seconds, once the gateway told them.
    fn unix_s(told: Option<(u64, u64)>, now_ms: u64) -> Option<u64> {
        let (unix_ms, at_ms) = told?;
        Some((unix_ms + now_ms.saturating_sub(at_ms)) / 1000)
    }

    /// Whether messages can be exchanged.
    pub fn is_talking(&self) -> bool {
        matches!(self.phase, Phase::Hello | Phase::Enrolling | Phase::Ready)
    }

    /// Whether the last frame is on its way.
    pub fn is_drained(&self) -> bool {
        self.tls.outgoing().is_empty()
    }

    /// When the phase is over at the latest.
    pub fn deadline_ms(&self) -> Option<u64> {
        let bound_ms = match self.phase {
            Phase::Lost | Phase::Connected => 0,
            Phase::Down { retry_at_ms } => return Some(retry_at_ms),
            Phase::Connecting => limits::CONNECT_MS_MAX,
            Phase::Handshake => limits::HANDSHAKE_MS_MAX,
            Phase::Hello | Phase::Enrolling => limits::ANSWER_MS_MAX,
            Phase::Closing => limits::CLOSE_MS_MAX,
            Phase::Ready => {
                let stall = self.progress_at_ms + limits::STALL_MS_MAX;
                let is_waiting = !self.tls.outgoing().is_empty();
                return Some(if is_waiting { stall } else { self.heartbeat_at_ms });
            }
        };
        Some(self.since_ms + bound_ms)
    }

    /// The connection is gone, or was never made.
    pub fn lost(&mut self, now_ms: u64) {
        let was_long = self.phase == Phase::Ready
            && now_ms.saturating_sub(self.since_ms) >= limits::HEALTHY_MS;
        if was_long {
            self.attempts = 0;
        }
        self.is_opening_due = false;
        self.is_blocked = false;
        self.enter(Phase::Lost, now_ms);
    }

    /// Ends the session; the transport closes after the last bytes.
    pub fn close(&mut self, now_ms: u64) {
        if self.phase == Phase::Ready && now_ms.saturating_sub(self.since_ms) >= limits::HEALTHY_MS
        {
            self.attempts = 0;
        }
        self.tls.close();
        self.is_opening_due = false;
        self.enter(Phase::Closing, now_ms);
    }

    /// Chooses when to connect again: twice as long after each failure, half of it by chance, so
    /// that a fleet does not come back at the same moment.
    #[inline(never)]
    fn back_off<P: Platform>(&mut self, now_ms: u64, platform: &mut P) {
        let longest = limits::RECONNECT_MS_MIN << self.attempts.min(8);
        let longest = longest.min(limits::RECONNECT_MS_MAX);
        self.attempts = self.attempts.saturating_add(1);
        let mut random = [0; 4];
        // Without entropy there is no session anyway; waiting the longest time harms nobody.
        let part = match platform.entropy(&mut random) {
            Ok(()) => u32::from_le_bytes(random) % (longest / 2 + 1),
            Err(_) => longest / 2,
        };
        let wait_ms = (longest / 2 + part).max(self.retry_ms);
        self.retry_ms = 0;
        self.enter(Phase::Down { retry_at_ms: now_ms + u64::from(wait_ms) }, now_ms);
    }

    /// Advances by one bounded step; answers whether there is more to do at once.
    pub fn step<P: Platform, const GUESTS: usize>(
        &mut self,
        core: &mut Core<'_, GUESTS>,
        key: &wasmbed_curve::ed25519::Key,
        now_ms: u64,
        platform: &mut P,
    ) -> bool {
        if core::mem::take(&mut self.has_progress) || self.tls.outgoing().is_empty() {
            self.progress_at_ms = now_ms;
        }
        if !self.is_blocked {
            self.blocked_since_ms = now_ms;
        }
        match self.phase {
            Phase::Lost => self.back_off(now_ms, platform),
            Phase::Down { retry_at_ms } => {
                if retry_at_ms <= now_ms && core.provisioning.is_known {
                    self.enter(Phase::Connecting, now_ms);
                }
                return false;
            }
            Phase::Connecting => {
                if self.is_late(now_ms) {
                    self.enter(Phase::Closing, now_ms);
                }
                return false;
            }
            Phase::Closing => {
                if self.is_late(now_ms) {
                    self.lost(now_ms);
                }
                return false;
            }
            Phase::Connected => return self.start_tls(now_ms, platform),
            Phase::Handshake | Phase::Hello | Phase::Enrolling | Phase::Ready => {
                return self.talk(core, key, now_ms, platform);
            }
        }
        true
    }

    fn is_late(&self, now_ms: u64) -> bool {
        self.deadline_ms().is_some_and(|deadline| deadline <= now_ms)
    }

    #[inline(never)]
    fn start_tls<P: Platform>(&mut self, now_ms: u64, platform: &mut P) -> bool {
        let mut random = [0; wasmbed_tls::limits::ENTROPY_BYTES];
        if platform.entropy(&mut random).is_err() {
            platform.console(b"no entropy: no session");
            self.close(now_ms);
            return false;
        }
        self.tls.start(&random);
        random.zeroize();
        self.enter(Phase::Handshake, now_ms);
        true
    }

    fn talk<P: Platform, const GUESTS: usize>(
        &mut self,
        core: &mut Core<'_, GUESTS>,
        key: &wasmbed_curve::ed25519::Key,
        now_ms: u64,
        platform: &mut P,
    ) -> bool {
        let has_worked = self.step_tls(core, key, now_ms);
        if self.tls.state() == State::Open && self.phase == Phase::Handshake {
            core.counters.handshakes = core.counters.handshakes.wrapping_add(1);
            self.enter(Phase::Hello, now_ms);
            self.is_opening_due = true;
        }
        if self.is_talking() {
            match self.take_frame(core, now_ms, platform) {
                Taken::Nothing => {}
                Taken::Frame => return true,
                Taken::Install => {
                    self.take_install(core, platform);
                    return true;
                }
            }
        }
        if let State::Closed(why) = self.tls.state() {
            self.show_closed(why, platform);
            self.close(now_ms);
            return false;
        }
        // No room for long: a frame that began in one record and needs more than the next.
        let still_since_ms = self.progress_at_ms.min(self.blocked_since_ms);
        let is_stalled = now_ms.saturating_sub(still_since_ms) >= limits::STALL_MS_MAX;
        let is_late = if self.phase == Phase::Ready { is_stalled } else { self.is_late(now_ms) };
        if is_late {
            platform.console(b"session closed: no answer");
            self.close(now_ms);
        }
        has_worked
    }

    #[inline(never)]
    fn step_tls<const GUESTS: usize>(
        &mut self,
        core: &Core<'_, GUESTS>,
        key: &wasmbed_curve::ed25519::Key,
        now_ms: u64,
    ) -> bool {
        let Some(server_name) = core.provisioning.gateway.text() else { return false };
        let config = Config {
            key,
            pins: core.provisioning.authorities.keys(),
            server_name,
            alpn: &[ALPN_512.as_bytes()],
        };
        let unix_s = Self::unix_s(core.told, now_ms);
        self.tls.step(&config, unix_s)
    }

    #[inline(never)]
    fn show_closed<P: Platform>(&self, why: wasmbed_tls::Closed, platform: &mut P) {
        let mut line = Line::new("session closed: ");
        match why {
            wasmbed_tls::Closed::Local => line.text("by this device"),
            wasmbed_tls::Closed::Peer => line.text("by the gateway"),
            wasmbed_tls::Closed::PeerAlert(alert) => line.text("alert ").number(alert.into()),
            wasmbed_tls::Closed::Failed(error) => {
                line.text("gateway not believed, alert ").number(error.alert().into())
            }
        }
        .show(platform);
    }

    /// Handles the first whole frame, in place; answers what there was.
    #[inline(never)]
    fn take_frame<P: Platform, const GUESTS: usize>(
        &mut self,
        core: &mut Core<'_, GUESTS>,
        now_ms: u64,
        platform: &mut P,
    ) -> Taken {
        let received = self.tls.plaintext();
        let Some((prefix, rest)) = received.split_first_chunk() else { return Taken::Nothing };
        let body_bytes = usize::from(u16::from_be_bytes(*prefix));
        if body_bytes == 0 || body_bytes > wasmbed_wire::limits::FRAME_BODY_BYTES_MAX {
            platform.console(b"session closed: malformed frame");
            self.close(now_ms);
            return Taken::Nothing;
        }
        let Some(body) = rest.get(..body_bytes) else { return Taken::Nothing };
        let effect = match GatewayMessage::decode(body) {
            Ok(message) => {
                core.counters.messages = core.counters.messages.wrapping_add(1);
                if self.phase == Phase::Ready {
                    core.handle(&message, now_ms, platform);
                }
                Effect::of(self.phase, &message)
            }
            // A newer gateway may say more than this version understands.
            Err(wasmbed_wire::DecodeError::UnknownTag(_)) => Effect::Nothing,
            Err(_) => Effect::Malformed,
        };
        if matches!(effect, Effect::Install) {
            return Taken::Install;
        }
        self.tls.consume(prefix.len() + body_bytes);
        self.apply(effect, core, now_ms, platform);
        Taken::Frame
    }

    /// Handles the manifest that the first frame holds. Apart from other messages: its signature takes
    /// more stack than anything they ask for.
    #[inline(never)]
    fn take_install<P: Platform, const GUESTS: usize>(
        &mut self,
        core: &mut Core<'_, GUESTS>,
        platform: &mut P,
    ) {
        let Some((prefix, rest)) = self.tls.plaintext().split_first_chunk() else { return };
        let body_bytes = usize::from(u16::from_be_bytes(*prefix));
        if let Some(message) = rest.get(..body_bytes).and_then(install_of) {
            core.install_manifest(&message, platform);
        }
        self.tls.consume(prefix.len() + body_bytes);
    }

    fn apply<P: Platform, const GUESTS: usize>(
        &mut self,
        effect: Effect,
        core: &mut Core<'_, GUESTS>,
        now_ms: u64,
        platform: &mut P,
    ) {
        match effect {
            Effect::Nothing | Effect::Install => {}
            Effect::Welcome { epoch, unix_ms, heartbeat_ms, takes_messages } => {
                core.takes_messages = takes_messages;
                self.welcome(epoch, unix_ms, heartbeat_ms, core, now_ms, platform);
            }
            Effect::Enroll => {
                self.enter(Phase::Enrolling, now_ms);
                self.is_opening_due = true;
            }
            Effect::Refused { reason, retry_ms } => {
                Line::new("refused: ").text(reason.name()).show(platform);
                self.retry_ms = retry_ms.min(limits::RECONNECT_MS_MAX);
                self.close(now_ms);
            }
            Effect::Malformed => {
                platform.console(b"session closed: unexpected message");
                self.close(now_ms);
            }
        }
    }

    #[inline(never)]
    fn welcome<P: Platform, const GUESTS: usize>(
        &mut self,
        epoch: u64,
        unix_ms: u64,
        heartbeat_ms: u32,
        core: &mut Core<'_, GUESTS>,
        now_ms: u64,
        platform: &mut P,
    ) {
        let unix_s = unix_ms / 1000;
        let known_s = core.known_time(platform);
        // Nobody who tells an earlier time than the one that is kept makes an old certificate good.
        let is_bad = |dates: Validity| dates.check(unix_s).is_err() || dates.not_after < known_s;
        if self.tls.validity().is_some_and(is_bad) {
            platform.console(b"gateway certificate is not valid at the time it told");
            self.close(now_ms);
            return;
        }
        core.told = Some((unix_ms, now_ms));
        self.heartbeat_ms = heartbeat_ms.clamp(limits::HEARTBEAT_MS_MIN, limits::HEARTBEAT_MS_MAX);
        self.heartbeat_at_ms = now_ms;
        self.enter(Phase::Ready, now_ms);
        core.welcome(epoch, unix_s, known_s, platform);
        Line::new("session open, epoch ").number(epoch).show(platform);
    }

    /// Writes what is due into the session: one frame, which is one record, between two that arrive.
    #[inline(never)]
    pub fn fill<P: Platform, const GUESTS: usize>(
        &mut self,
        core: &mut Core<'_, GUESTS>,
        now_ms: u64,
        platform: &mut P,
    ) {
        if !self.is_talking() {
            return;
        }
        let room = self.tls.room();
        if room.len() < outbox::FRAME_BYTES_MAX {
            return;
        }
        let bytes = match self.phase {
            Phase::Ready => {
                let due = Due { is_heartbeat: self.heartbeat_at_ms <= now_ms };
                match core.next_frame(due, now_ms, room, platform) {
                    Sent::Nothing => 0,
                    Sent::Frame(bytes) => bytes,
                    Sent::Heartbeat(bytes) => {
                        self.heartbeat_at_ms = now_ms + u64::from(self.heartbeat_ms);
                        bytes
                    }
                }
            }
            _ if !core::mem::take(&mut self.is_opening_due) => 0,
            Phase::Enrolling => enroll_frame(core, room, platform),
            _ => hello_frame(core, room, platform),
        };
        self.tls.send(bytes);
    }
}

#[inline(never)]
fn enroll_frame<P: Platform, const GUESTS: usize>(
    core: &mut Core<'_, GUESTS>,
    room: &mut [u8],
    platform: &mut P,
) -> usize {
    let mut token = [0; TOKEN_BYTES_MAX];
    let token = core.provisioning.token.read(&mut core.journal, platform, &mut token);
    let Some(token) = token else { return 0 };
    let token = Some(token).filter(|token| !token.is_empty());
    outbox::frame(&DeviceMessage::Enroll(Enroll { token }), room).unwrap_or(0)
}

#[inline(never)]
fn hello_frame<P: Platform, const GUESTS: usize>(
    core: &mut Core<'_, GUESTS>,
    room: &mut [u8],
    platform: &mut P,
) -> usize {
    let mut namespace = [0; NAME_BYTES_MAX];
    let namespace = core.provisioning.namespace.read(&mut core.journal, platform, &mut namespace);
    let (Some(namespace), Some(facts)) = (namespace, core.facts.value()) else { return 0 };
    let message = DeviceMessage::Hello(Hello {
        board: facts.board,
        firmware: facts.firmware,
        dtb_digest: facts.dtb_digest,
        minor_min: 0,
        minor_max: MINOR,
        budget: core.budget(),
        boot_count: core.boot.count,
        reset_reason: facts.reset_reason,
        fault: facts.fault,
        namespace,
        image_format: Core::<GUESTS>::image_format(),
        last_epoch: core.boot.last_epoch,
        host_calls: Some(host_calls::<P>()),
    });
    outbox::frame(&message, room).unwrap_or(0)
}

/// What of the host interface this firmware was linked with.
const fn host_calls<P: Platform>() -> u32 {
    let capabilities = P::CAPABILITIES & !wasmbed_wire::HOST_WASI;
    if P::HAS_WASI { capabilities | wasmbed_wire::HOST_WASI } else { capabilities }
}

/// The manifest in a frame.
#[inline(never)]
fn install_of(body: &[u8]) -> Option<Install<'_>> {
    match GatewayMessage::decode(body) {
        Ok(GatewayMessage::Install(message)) => Some(message),
        _ => None,
    }
}

/// What a step took.
enum Taken {
    Nothing,
    Frame,
    /// Nothing yet: the first frame holds a manifest.
    Install,
}

/// What a message does to the session, free of the buffer it lay in.
enum Effect {
    Nothing,
    Install,
    Welcome { epoch: u64, unix_ms: u64, heartbeat_ms: u32, takes_messages: bool },
    Enroll,
    Refused { reason: wasmbed_wire::RefusedReason, retry_ms: u32 },
    Malformed,
}

impl Effect {
    fn of(phase: Phase, message: &GatewayMessage<'_>) -> Self {
        match (phase, message) {
            (_, GatewayMessage::Refused(refused)) => {
                Self::Refused { reason: refused.reason, retry_ms: refused.retry_ms }
            }
            (
                Phase::Hello | Phase::Enrolling,
                GatewayMessage::Welcome(Welcome { epoch, unix_ms, heartbeat_ms, minor, .. }),
            ) => Self::Welcome {
                epoch: *epoch,
                unix_ms: *unix_ms,
                heartbeat_ms: *heartbeat_ms,
                takes_messages: *minor >= MINOR_MESSAGES,
            },
            (Phase::Hello, GatewayMessage::EnrollRequired(_)) => Self::Enroll,
            (_, GatewayMessage::Welcome(_) | GatewayMessage::EnrollRequired(_)) => Self::Malformed,
            (Phase::Ready, GatewayMessage::Install(_)) => Self::Install,
            (Phase::Ready, _) => Self::Nothing,
            // Anything else before Welcome: the gateway is broken, and a device never guesses.
            _ => Self::Malformed,
        }
    }
}

impl<const GUESTS: usize> Core<'_, GUESTS> {
    /// The last wall-clock second that the journal knows; 0 if it knows none.
    fn known_time<P: Platform>(&mut self, platform: &mut P) -> u64 {
        crate::store::read_time(&mut self.journal, platform).unwrap_or(0)
    }

    /// A session began: everything held is reported, and what is wanted is not known yet.
    fn welcome<P: Platform>(&mut self, epoch: u64, unix_s: u64, known_s: u64, platform: &mut P) {
        self.is_desired_known = false;
        for guest in &mut self.guests {
            guest.is_report_due = guest.is_held;
        }
        for refusal in &mut self.refusals {
            refusal.is_report_due = refusal.is_held;
        }
        self.install.is_request_due = false;
        if epoch > self.boot.last_epoch {
            self.boot.last_epoch = epoch;
            if self.boot.write(&mut self.journal, platform).is_ok() {
                self.count_store();
            }
        }
        let value = unix_s.to_le_bytes();
        if unix_s >= known_s + limits::TIME_STORE_S
            && self.journal.store(platform.flash(), keys::TIME, &value).is_ok()
        {
            self.count_store();
        }
    }
}
