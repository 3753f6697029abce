//! Carries one device's session: bytes to messages, effects to bytes, and wishes of others to both.
//!
//! What follows from what is decided in `session`; whether a key may enter, in `admission`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use k8s_openapi::jiff::Timestamp;
use kube::runtime::events::Recorder;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use wasmbed_crds::Device;
use wasmbed_wire::limits::{FRAME_BODY_BYTES_MAX, FRAME_HEADER_BYTES};
use wasmbed_wire::{
    AppCommand, Command, DecodeError, Deliver, DeviceMessage, EnrollRequired, Frames,
    GatewayMessage, PublicKey, Refused, RefusedReason, Seq, StateReport, Welcome, encode_frame,
};

use crate::admission::{Admission, AdmissionError, Admissions};
use crate::cluster::Cluster;
use crate::device_status::{Ended, Facts};
use crate::images::Images;
use crate::limits::{self, Limits};
use crate::listener::HandshakeTurn;
use crate::mailbox::{CommandAnswer, CommandOrder, Mailbox, Wish};
use crate::metrics::{self, Metrics};
use crate::registry::{LastHeartbeat, LiveDevice, Registry, SessionHandle, TelemetryEntry, lock};
use crate::session::{
    CloseReason, CommandKind, Delivery, Effect, EndReason, HelloFacts, Input, Session, Verdict,
    Waits, retry_ms,
};
use crate::status_writer::StatusWriter;
use crate::tls::DeviceTls;

mod content;

/// What every connection uses.
pub(crate) struct Service {
    /// Name of this process, and of its Lease.
    pub(crate) process: String,
    pub(crate) limits: Limits,
    pub(crate) tls: DeviceTls,
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) images: Images,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) writer: Arc<StatusWriter>,
    /// Held while a token is used.
    pub(crate) redeeming: Mutex<()>,
    pub(crate) events: Recorder,
}

const FRAME_BYTES_MAX: usize = FRAME_HEADER_BYTES + FRAME_BODY_BYTES_MAX;

/// Why a connection is over although its session did not say so.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Broken {
    /// The stream ended or failed.
    Transport,
    /// What was sent stayed unread.
    SlowPeer,
    /// The session had to end while the peer left what it was sent unread.
    Ended(EndReason),
    /// The session said so.
    Closed(CloseReason),
}

/// Tells a peer of an unknown major version what is spoken here.
pub(crate) async fn refuse_version(
    service: &Service,
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
) {
    metrics::count(&service.metrics.refusals, RefusedReason::VersionUnsupported.name());
    let message = GatewayMessage::Refused(refusal(RefusedReason::VersionUnsupported));
    let sending = async {
        write_frame(&mut stream, &message).await?;
        stream.shutdown().await
    };
    // Whether it arrives is the peer's concern.
    let _ = timeout(service.limits.hello_timeout, sending).await;
}

/// Serves one device from the end of its handshake to the end of its connection.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    service: Arc<Service>,
    stream: S,
    key: PublicKey,
    peer: SocketAddr,
    turn: HandshakeTurn,
    shutdown: CancellationToken,
) {
    let waits = Waits {
        hello: service.limits.hello_timeout,
        heartbeat: heartbeat_wait(&service),
        inventory: limits::INVENTORY_WAIT,
    };
    let session = Session::new(service.cluster.namespace.clone(), waits, Instant::now());
    let mut connection = Connection {
        service: &service,
        stream,
        key,
        session,
        mailbox: Arc::default(),
        live: None,
        admitted: None,
        pending: Vec::new(),
        turn: Some(turn),
    };
    let broken = match connection.run(&shutdown).await {
        Err(broken) => broken,
        Ok(never) => match never {},
    };
    connection.finish(broken, peer).await;
}

/// How long a device may be silent, by the Gateway's spec where there is one.
fn heartbeat_wait(service: &Service) -> Duration {
    let seconds = service.cluster.gateway().map(|gateway| gateway.spec.heartbeat_timeout_seconds);
    seconds
        .and_then(|seconds| u64::try_from(seconds).ok())
        .map_or(service.limits.heartbeat_timeout, Duration::from_secs)
}

enum Never {}

struct Connection<'a, S> {
    service: &'a Service,
    stream: S,
    key: PublicKey,
    session: Session,
    mailbox: Arc<Mailbox>,
    live: Option<Standing>,
    /// What admission found, until Welcome makes it the standing session.
    admitted: Option<(Box<Device>, Box<Facts>)>,
    pending: Vec<(u64, CommandOrder)>,
    turn: Option<HandshakeTurn>,
}

/// A session that stands.
struct Standing {
    device: Arc<LiveDevice>,
    epoch: u64,
    boot_count: u32,
    /// Whether the cache has shown the Device; before, its absence means nothing.
    is_cached: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<'_, S> {
    async fn run(&mut self, shutdown: &CancellationToken) -> Result<Never, Broken> {
        let mut frames = Frames::new([0; FRAME_BYTES_MAX]);
        let mut chunk = [0; FRAME_BYTES_MAX];
        let mailbox = Arc::clone(&self.mailbox);
        loop {
            while let Some(wish) = mailbox.take() {
                self.grant(wish).await?;
            }
            let deadline = self.session.deadline();
            let deadline =
                deadline.unwrap_or_else(|| Instant::now() + self.service.limits.hello_timeout);
            let count = tokio::select! {
                biased;
                () = shutdown.cancelled() => {
                    mailbox.end(EndReason::ShuttingDown);
                    continue;
                }
                () = mailbox.arrival() => continue,
                () = tokio::time::sleep_until(deadline.into()) => {
                    self.advance(Input::Tick).await?;
                    continue;
                }
                read = self.stream.read(&mut chunk) => read.map_err(|_| Broken::Transport)?,
            };
            let mut bytes = chunk.get(..count).unwrap_or_default();
            if bytes.is_empty() {
                return Err(Broken::Transport);
            }
            while !bytes.is_empty() {
                let Ok(taken) = frames.push(bytes) else {
                    self.advance(Input::Garbage).await?;
                    return Err(Broken::Closed(CloseReason::Malformed));
                };
                bytes = bytes.get(taken..).unwrap_or_default();
                if let Some(body) = frames.body() {
                    let effects = self.receive(body);
                    frames.take();
                    self.perform(effects).await?;
                }
            }
        }
    }

    fn receive(&mut self, body: &[u8]) -> Vec<Effect> {
        let input = match DeviceMessage::decode(body) {
            Ok(message) => {
                metrics::count(&self.service.metrics.messages_received, message.name());
                Input::Message(message)
            }
            Err(DecodeError::UnknownTag(_)) => Input::UnknownMessage,
            Err(_) => Input::Garbage,
        };
        self.session.step(input, Instant::now())
    }

    async fn advance(&mut self, input: Input<'_>) -> Result<(), Broken> {
        let effects = self.session.step(input, Instant::now());
        self.perform(effects).await
    }

    async fn grant(&mut self, wish: Wish) -> Result<(), Broken> {
        match wish {
            Wish::End(reason) => self.advance(Input::End(reason)).await,
            Wish::Review => self.review().await,
            Wish::Command(order) => {
                // Who no longer waits for the answer does not want it done either.
                self.pending.retain(|(_, order)| !order.answer.is_closed());
                if order.answer.is_closed() || self.pending.len() >= limits::COMMANDS_PENDING_MAX {
                    return Ok(());
                }
                let input = Input::Command(order.kind.clone());
                let effects = self.session.step(input, Instant::now());
                if let Some(Effect::SendCommand { id, .. }) = effects.first() {
                    self.pending.push((*id, order));
                }
                self.perform(effects).await
            }
        }
    }

    /// Looks at the Device and at what it shall hold, as the caches show them now.
    async fn review(&mut self) -> Result<(), Broken> {
        let cluster = &self.service.cluster;
        let Some(standing) = self.live.as_mut().filter(|_| cluster.is_synced()) else {
            return Ok(());
        };
        self.session.set_heartbeat_wait(heartbeat_wait(self.service));
        let Some(device) = cluster.device(&standing.device.name) else {
            if standing.is_cached {
                return self.advance(Input::End(EndReason::Deleted)).await;
            }
            return Ok(());
        };
        standing.is_cached = true;
        if !device.spec.enabled || device.metadata.deletion_timestamp.is_some() {
            return self.advance(Input::End(EndReason::Revoked)).await;
        }
        let desired = {
            let mut facts = lock(&standing.device.facts);
            let desired = cluster.plan().desired(&device, &facts);
            let is_denied = device.status.as_ref().is_some_and(|status| facts.is_denied_by(status));
            if facts.withhold(desired.withheld) || is_denied {
                self.service.writer.changed(&standing.device.name);
            }
            desired.entries
        };
        self.advance(Input::Desired(desired)).await
    }

    async fn perform(&mut self, effects: Vec<Effect>) -> Result<(), Broken> {
        // The verdict of a lookup is the only input that effects cause, so one level suffices.
        let mut effects = std::collections::VecDeque::from(effects);
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Lookup(hello) => {
                    let verdict = self.ask(&hello, None).await?;
                    effects.extend(self.session.step(Input::Verdict(verdict), Instant::now()));
                }
                Effect::Enroll { hello, token } => {
                    let verdict = self.ask(&hello, Some(token)).await?;
                    if matches!(verdict, Verdict::Admitted { .. }) {
                        self.service.metrics.enrollments.inc();
                    }
                    effects.extend(self.session.step(Input::Verdict(verdict), Instant::now()));
                }
                Effect::Close(reason) => return Err(Broken::Closed(reason)),
                Effect::SendWelcome { device, epoch, minor } => {
                    self.welcome(&device, epoch, minor).await?;
                }
                effect @ (Effect::SendEnrollRequired
                | Effect::SendRefused(_)
                | Effect::SendDesired { .. }
                | Effect::SendCommand { .. }
                | Effect::SendContent(_)) => self.send_effect(effect).await?,
                Effect::RecordReport(report) => {
                    let place = report.image.zip(report.offset);
                    let module_offset = match place {
                        Some((image, offset)) => {
                            self.service.images.module_offset(image, offset).await
                        }
                        None => None,
                    };
                    self.report(report, module_offset);
                }
                effect => self.record(effect),
            }
        }
        Ok(())
    }

    /// Asks the cluster about the key: who holds it, or (with `enroll`) to enrol it.
    async fn ask(
        &mut self,
        hello: &HelloFacts,
        enroll: Option<Option<String>>,
    ) -> Result<Verdict, Broken> {
        let admissions = Admissions {
            cluster: &self.service.cluster,
            process: &self.service.process,
            redeeming: &self.service.redeeming,
            events: &self.service.events,
        };
        let sessions_max = admissions.cluster.sessions_max(self.service.limits.connections_max);
        if self.service.registry.session_count() >= sessions_max {
            return Ok(Verdict::Refused(RefusedReason::Busy));
        }
        let key = self.key;
        let asking = async {
            match enroll {
                None => admissions.lookup(&key, hello).await,
                Some(token) => admissions.enroll(&key, hello, token.as_deref()).await,
            }
        };
        // Boxed: the futures of API calls are large, and an idle session must not carry them.
        let asked = timeout(self.service.limits.handshake_timeout, Box::pin(asking)).await;
        Ok(match asked {
            Ok(Ok(Admission::Admitted { device, facts })) => {
                let name = device.metadata.name.clone().unwrap_or_default();
                let epoch = facts.epoch;
                self.admitted = Some((device, facts));
                Verdict::Admitted { device: name, epoch }
            }
            Ok(Ok(Admission::Stranger)) => Verdict::Stranger,
            Ok(Ok(Admission::Refused(reason))) => Verdict::Refused(reason),
            Ok(Err(AdmissionError::Contended { .. })) => Verdict::Refused(RefusedReason::Busy),
            Ok(Err(error)) => {
                tracing::warn!(error = %Chain(&error), "decide about a device");
                Verdict::Refused(RefusedReason::ControlPlaneUnavailable)
            }
            Err(_) => Verdict::Refused(RefusedReason::ControlPlaneUnavailable),
        })
    }

    /// Makes the session stand, tells the device, and sends what it shall hold.
    async fn welcome(&mut self, name: &str, epoch: u64, minor: u8) -> Result<(), Broken> {
        let Some((device, facts)) = self.admitted.take() else {
            return Err(Broken::Closed(CloseReason::Refused(RefusedReason::Busy)));
        };
        let live = self.service.registry.enter(name);
        let handle = SessionHandle { epoch, minor, mailbox: Arc::clone(&self.mailbox) };
        if !self.service.registry.attach(&live, handle) {
            return Err(Broken::Closed(CloseReason::Ended(EndReason::Superseded)));
        }
        let boot_count = facts.boot_count();
        *lock(&live.facts) = *facts;
        *lock(&live.written) = Some(device);
        *lock(&live.heartbeat) = None;
        self.live = Some(Standing { device: live, epoch, boot_count, is_cached: false });
        self.turn = None;
        self.service.metrics.sessions.inc();
        tracing::info!(device = name, epoch, "session open");
        let heartbeat_ms = self.service.limits.heartbeat_interval.as_millis();
        self.send(&GatewayMessage::Welcome(Welcome {
            epoch,
            unix_ms: unix_ms(),
            device: name,
            heartbeat_ms: u32::try_from(heartbeat_ms).unwrap_or(u32::MAX),
            minor,
        }))
        .await?;
        // The first desired set follows once the cache shows the device.
        self.mailbox.review();
        Ok(())
    }

    async fn send_effect(&mut self, effect: Effect) -> Result<(), Broken> {
        match effect {
            Effect::SendEnrollRequired => {
                self.send(&GatewayMessage::EnrollRequired(EnrollRequired {})).await
            }
            Effect::SendRefused(reason) => {
                metrics::count(&self.service.metrics.refusals, reason.name());
                self.send(&GatewayMessage::Refused(refusal(reason))).await
            }
            Effect::SendDesired { revision, apps } => {
                let apps = Seq::Items(&apps);
                let state = wasmbed_wire::DesiredState { revision, apps };
                self.send(&GatewayMessage::DesiredState(state)).await
            }
            Effect::SendCommand { id, kind } => {
                let message = match &kind {
                    CommandKind::Ping => GatewayMessage::Ping(Command { id }),
                    CommandKind::Reboot => GatewayMessage::Reboot(Command { id }),
                    CommandKind::Restart(app) => {
                        GatewayMessage::Restart(AppCommand { id, app: *app })
                    }
                    CommandKind::Deliver(Delivery { topic, payload }) => {
                        GatewayMessage::Deliver(Deliver { id, topic, payload })
                    }
                };
                self.send(&message).await
            }
            Effect::SendContent(request) => self.send_content(request).await,
            _ => Ok(()),
        }
    }

    async fn send(&mut self, message: &GatewayMessage<'_>) -> Result<(), Broken> {
        metrics::count(&self.service.metrics.messages_sent, message.name());
        let writing =
            timeout(self.service.limits.write_timeout, write_frame(&mut self.stream, message));
        tokio::select! {
            biased;
            written = writing => match written {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err(Broken::Transport),
                Err(_) => Err(Broken::SlowPeer),
            },
            reason = self.mailbox.ended() => Err(Broken::Ended(reason)),
        }
    }

    /// Keeps what the device said of a guest.
    fn report(&self, report: StateReport, module_offset: Option<u32>) {
        let Some(standing) = &self.live else { return };
        let now = Timestamp::now();
        let device = standing.device.name.as_str();
        tracing::debug!(device, app = %report.app, state = ?report.state, "guest report");
        if lock(&standing.device.facts).report(report, module_offset, now) {
            self.service.writer.changed(&standing.device.name);
        }
    }

    /// Keeps what the device said.
    fn record(&mut self, effect: Effect) {
        let Some(standing) = &self.live else { return };
        let device = &standing.device;
        let received_ms = unix_ms();
        let is_changed = match effect {
            Effect::InventoryComplete => lock(&device.facts).inventory_complete(),
            Effect::RecordHeartbeat(facts) => {
                *lock(&device.heartbeat) = Some(LastHeartbeat { received_ms, facts });
                false
            }
            Effect::RecordLog(line) => {
                device.push_log(received_ms, standing.boot_count, line);
                false
            }
            Effect::RecordTelemetry(sample) => {
                lock(&device.telemetry).push(TelemetryEntry { received_ms, sample });
                false
            }
            Effect::RecordMessage(message) => {
                let lost = device.push_message(received_ms, standing.boot_count, message);
                self.service.metrics.messages_lost.inc_by(lost.into());
                false
            }
            Effect::Resolve { id, outcome, uptime_ms, receivers } => {
                if let Some(index) = self.pending.iter().position(|(pending, _)| *pending == id) {
                    let (_, order) = self.pending.swap_remove(index);
                    // Who asked may be gone.
                    let _ = order.answer.send(CommandAnswer { outcome, uptime_ms, receivers });
                }
                false
            }
            _ => false,
        };
        if is_changed {
            self.service.writer.changed(&standing.device.name);
        }
    }

    /// Ends the connection, and says in the Device's status why.
    async fn finish(mut self, broken: Broken, peer: SocketAddr) {
        let closing = timeout(Duration::from_secs(1), self.stream.shutdown());
        let word = word(broken);
        let Some(standing) = self.live.take() else {
            tracing::debug!(%peer, reason = word, "connection ended before a session stood");
            metrics::count(&self.service.metrics.handshake_failures, word);
            let _ = closing.await;
            return;
        };
        let device = &standing.device;
        self.service.metrics.sessions.dec();
        metrics::count(&self.service.metrics.sessions_ended, word);
        tracing::info!(device = device.name, epoch = standing.epoch, reason = word, "session over");
        // A newer session owns facts and status by now, if this one was superseded.
        if self.service.registry.detach(device, standing.epoch) {
            let ended = match broken {
                Broken::Transport => Ended::ByPeer,
                Broken::SlowPeer => Ended::SlowPeer,
                Broken::Ended(reason) => Ended::Session(CloseReason::Ended(reason)),
                Broken::Closed(reason) => Ended::Session(reason),
            };
            if ended == Ended::Session(CloseReason::Ended(EndReason::Deleted)) {
                self.service.registry.forget(&device.name);
            } else if lock(&device.facts).close(ended) {
                self.service.writer.changed(&device.name);
            }
        }
        let _ = closing.await;
    }
}

/// A word for the metrics and the log.
fn word(broken: Broken) -> &'static str {
    match broken {
        Broken::Transport => "ConnectionClosed",
        Broken::SlowPeer => "SlowPeer",
        Broken::Closed(CloseReason::HelloTimeout) => "HelloTimeout",
        Broken::Closed(CloseReason::HeartbeatTimeout) => "HeartbeatTimeout",
        Broken::Closed(CloseReason::Malformed) => "Malformed",
        Broken::Closed(CloseReason::UnexpectedMessage) => "UnexpectedMessage",
        Broken::Closed(CloseReason::Refused(reason)) => reason.name(),
        Broken::Ended(reason) | Broken::Closed(CloseReason::Ended(reason)) => match reason {
            EndReason::Revoked => "Revoked",
            EndReason::Deleted => "Deleted",
            EndReason::Superseded => "Superseded",
            EndReason::ShuttingDown => "ShuttingDown",
        },
    }
}

fn refusal(reason: RefusedReason) -> Refused {
    Refused {
        reason,
        retry_ms: retry_ms(reason),
        major_min: wasmbed_wire::MAJOR,
        major_max: wasmbed_wire::MAJOR,
    }
}

async fn write_frame(
    stream: &mut (impl AsyncWrite + Unpin),
    message: &GatewayMessage<'_>,
) -> std::io::Result<()> {
    let mut frame = [0; FRAME_BYTES_MAX];
    let body_bytes = message.encode(&mut frame[FRAME_HEADER_BYTES..]).map(<[u8]>::len);
    let framed = body_bytes.ok().and_then(|bytes| encode_frame(&mut frame, bytes));
    // Every message this gateway makes fits a frame; one that does not is our own mistake.
    let Some(framed) = framed else {
        return Err(std::io::Error::other(format!("message {} exceeds a frame", message.name())));
    };
    // One write is one record, so a small device has the whole frame in one piece.
    stream.write_all(framed).await?;
    stream.flush().await
}

/// Milliseconds since 1970.
fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// An error with all its sources, for the log.
struct Chain<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
