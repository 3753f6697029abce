//! A device without a gateway: what a person at a desk gives it and takes from it, by the same code
//! that runs guests on boards. Only for hosts, behind the feature `local`; nothing is signed here.

use sha2::{Digest as _, Sha256};
use wasmbed_image::Manifest;
use wasmbed_wire::{
    AppId, CommandOutcome, Deliver, GuestCounters, GuestReason, Install as InstallMessage,
    InstallChunk, StateReport,
};

use crate::core_state::Refusal;
use crate::device::Device;
use crate::install::{Install, Phase};
use crate::outbox::counters_of;
use crate::platform::Platform;
use crate::queue::Kind;

/// What a guest said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "fields are those of the messages in `wire`")]
pub enum Local<'a> {
    /// A line of its log.
    Log { app: AppId, uptime_ms: u64, text: &'a [u8] },
    /// A sample.
    Telemetry { app: AppId, uptime_ms: u64, topic: &'a str, value: i64 },
    /// A message to the cloud; guests of this device got theirs already.
    Message { app: AppId, uptime_ms: u64, topic: &'a str, payload: &'a [u8] },
}

impl<const GUESTS: usize> Device<'_, GUESTS> {
    /// Installs an image under a manifest that nobody signed, for any namespace, and starts it. A
    /// guest of the same application is replaced if its generation is not higher.
    ///
    /// # Errors
    /// Why it is not taken. Whether it starts is in [`Device::local_reports`] after steps.
    pub fn install_local<P: Platform>(
        &mut self,
        manifest: &[u8],
        image: &[u8],
        platform: &mut P,
    ) -> Result<(), GuestReason> {
        let core = &mut self.core;
        let decoded = Manifest::decode(manifest).map_err(|_| GuestReason::ManifestMalformed)?;
        let (app, generation) = (AppId(decoded.app_uid), decoded.generation);
        if decoded.image_digest != Sha256::digest(image)[..] {
            return Err(GuestReason::DigestMismatch);
        }
        let signature = [0; 64];
        let message = InstallMessage { app, generation, manifest, signature: &signature };
        core.install_begin(app, generation, platform);
        if core.install.phase == Phase::Manifest {
            core.install_unsigned(&message, platform);
        }
        let mut offset = 0;
        for bytes in image.chunks(wasmbed_wire::limits::CHUNK_BYTES_MAX) {
            core.install_chunk(&InstallChunk { app, generation, offset, bytes }, platform);
            offset += bytes.len() as u32;
        }
        core.install_end(platform);
        let is_unfinished = core.install.phase != Phase::Idle;
        core.install = Install::NONE;
        match core.refusals.iter().find(|refusal| refusal.is_held && refusal.app == app) {
            Some(refusal) => Err(refusal.reason),
            None if is_unfinished => Err(GuestReason::DigestMismatch),
            None => Ok(()),
        }
    }

    /// The state of each guest, and of what was refused.
    pub fn local_reports(&self) -> impl Iterator<Item = StateReport> + '_ {
        let core = &self.core;
        let guests = core.guests.iter().filter(|guest| guest.is_held);
        let refusals = core.refusals.iter().filter(|refusal| refusal.is_held);
        guests.map(|guest| guest.report(core.now_ms)).chain(refusals.map(Refusal::report))
    }

    /// What each guest counted.
    pub fn local_counters(&self) -> impl Iterator<Item = GuestCounters> + '_ {
        self.core.guests.iter().filter(|guest| guest.is_held).map(counters_of)
    }

    /// Lines, samples and messages that were thrown away.
    pub fn local_dropped(&self) -> [u32; 3] {
        let queue = &self.core.queue;
        [queue.logs_dropped, queue.telemetry_dropped, queue.messages_dropped]
    }

    /// Takes the next thing that a guest said; `None` if there is nothing.
    pub fn take_local<T>(&mut self, take: impl FnOnce(Local<'_>) -> T) -> Option<T> {
        let record = self.core.queue.next()?;
        let (app, uptime_ms) = (record.app, record.uptime_ms);
        let text = |bytes| core::str::from_utf8(bytes).unwrap_or_default();
        let taken = take(match record.kind {
            Kind::Telemetry => {
                let (topic, value) = (text(record.payload), record.value);
                Local::Telemetry { app, uptime_ms, topic, value }
            }
            Kind::Message => {
                let (topic, payload) = record.message();
                Local::Message { app, uptime_ms, topic: text(topic), payload }
            }
            Kind::Log | Kind::OpenLog => Local::Log { app, uptime_ms, text: record.payload },
        });
        self.core.queue.drop_next();
        Some(taken)
    }

    /// Gives a message to every running guest that was granted its topic, as the cloud would.
    pub fn deliver_local(&mut self, topic: &str, payload: &[u8]) -> CommandOutcome {
        let now_ms = self.core.now_ms;
        self.core.deliver(&Deliver { id: 0, topic, payload }, now_ms).0
    }

    /// Stops a guest with grace, as the cloud would; false if there is none.
    pub fn stop_local<P: Platform>(&mut self, app: AppId, platform: &mut P) -> bool {
        let Some(index) = self.core.find(app) else { return false };
        self.core.stop_guest(index, platform);
        true
    }

    /// Removes an application, its images and its values; a guest that can learn that it shall end
    /// is only asked to, and this has to be called again.
    pub fn remove_local<P: Platform>(&mut self, app: AppId, platform: &mut P) {
        if let Some(index) = self.core.find(app) {
            self.core.remove_guest(index, platform);
        }
        self.core.forget_removed();
    }

    /// Tells the device the time, as a gateway would.
    pub fn tell_time_local(&mut self, unix_ms: u64, now_ms: u64) {
        self.core.told = Some((unix_ms, now_ms));
    }
}
