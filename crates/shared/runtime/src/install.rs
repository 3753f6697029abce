//! Taking an image from the gateway: manifest, signature, chunks into a slot, digest, commit. One
//! at a time; survives a lost session at the byte where it stopped, not a reboot.

use wasmbed_curve::ed25519;
use wasmbed_image::{Header, Manifest, SIGNED_PREFIX};
use wasmbed_journal::{SlotWriter, crc32};
use wasmbed_wire::limits::PINS_MAX;
use wasmbed_wire::{
    AppId, Digest, GuestReason, GuestState, Install as InstallMessage, InstallChunk,
    InstallRequest, StateReport,
};

use crate::arena::Range;
use crate::console::Line;
use crate::core_state::{Core, Note, image_offset};
use crate::digest::{BLOCK_BYTES, BlockHash};
use crate::guests::{Detail, Guest, cut, plain_report};
use crate::late::Late;
use crate::limits;
use crate::platform::Platform;
use crate::store::{self, GenerationError};

/// How far the installation is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phase {
    /// There is none.
    Idle,
    /// The manifest is asked for.
    Manifest,
    /// Chunks arrive.
    Chunks,
    /// All of the image is in the slot, and it is what was signed.
    Whole,
}

/// The one installation in progress.
#[derive(Clone, Debug)]
pub struct Install {
    pub phase: Phase,
    /// Whether a request has to be sent.
    pub is_request_due: bool,
    /// Whether the gateway has to hear that chunks arrive.
    pub is_report_due: bool,
    /// When the last request was sent.
    pub asked_at_ms: u64,
    pub app: AppId,
    pub generation: u64,
    /// Part of the arena where the image is also put, where there is room for it beside all else.
    pub range: Option<Range>,
    manifest_bytes: u16,
    care_bytes: u16,
    image_bytes: u32,
    received_bytes: u32,
    image_crc: u32,
    digest: Digest,
    writer: Late<SlotWriter>,
    hash: BlockHash,
}

/// Why an installation ends without an image.
struct Refused {
    reason: GuestReason,
    detail: Detail,
}

impl From<GuestReason> for Refused {
    fn from(reason: GuestReason) -> Self {
        Self { reason, detail: Detail::None }
    }
}

impl From<GenerationError> for Refused {
    fn from(error: GenerationError) -> Self {
        Self::from(match error {
            GenerationError::TooLow => GuestReason::GenerationTooLow,
            GenerationError::TableFull => GuestReason::GenerationTableFull,
            GenerationError::Journal => GuestReason::StorageFailed,
        })
    }
}

impl Install {
    /// No installation. A constant, so that it comes from the flash and not over the stack.
    pub const NONE: Self = {
        Self {
            phase: Phase::Idle,
            is_request_due: false,
            is_report_due: false,
            asked_at_ms: 0,
            app: AppId([0; 16]),
            generation: 0,
            range: None,
            manifest_bytes: 0,
            care_bytes: 0,
            image_bytes: 0,
            received_bytes: 0,
            image_crc: 0,
            digest: Digest([0; 32]),
            writer: Late::Unset,
            hash: BlockHash::NONE,
        }
    };

    /// The request for what is missing next.
    pub fn request(&self) -> InstallRequest {
        let offset = (self.phase == Phase::Chunks).then_some(self.received_bytes);
        InstallRequest { app: self.app, generation: self.generation, offset }
    }

    /// The report that chunks arrive.
    pub fn report(&self) -> StateReport {
        let image = (self.phase == Phase::Chunks).then_some(self.digest);
        let state = GuestState::Installing;
        plain_report(self.app, self.generation, image, state, GuestReason::None)
    }

    fn is_for(&self, phase: Phase, app: AppId, generation: u64) -> bool {
        self.phase == phase && self.app == app && self.generation == generation
    }
}

impl<const GUESTS: usize> Core<'_, GUESTS> {
    /// Begins to install what the gateway announced.
    #[inline(never)]
    pub fn install_begin<P: Platform>(&mut self, app: AppId, generation: u64, platform: &mut P) {
        self.install = Install::NONE;
        let known = store::check_generation(&mut self.journal, platform, app, generation);
        if let Err(error) = known {
            let refused = Refused::from(error);
            self.refuse(app, generation, None, refused.reason, refused.detail);
            return;
        }
        self.install.phase = Phase::Manifest;
        self.install.app = app;
        self.install.generation = generation;
        self.install.is_request_due = true;
    }

    /// Forgets the installation; its slot was never committed.
    pub fn install_abort(&mut self) {
        self.install = Install::NONE;
    }

    /// Ends the installation, and remembers why so that it is not tried again.
    #[inline(never)]
    fn install_refuse<P: Platform>(&mut self, refused: Refused, platform: &mut P) {
        let (app, generation) = (self.install.app, self.install.generation);
        let (digest, phase) = (self.install.digest, self.install.phase);
        let digest = (phase == Phase::Chunks).then_some(digest);
        let mut line = Line::new("install ");
        line.id(&app.0).text(" refused: ").text(refused.reason.name()).show(platform);
        self.install = Install::NONE;
        self.refuse(app, generation, digest, refused.reason, refused.detail);
    }

    /// Takes the manifest.
    #[inline(never)]
    pub fn install_manifest<P: Platform>(
        &mut self,
        message: &InstallMessage<'_>,
        platform: &mut P,
    ) {
        if !self.install.is_for(Phase::Manifest, message.app, message.generation) {
            return;
        }
        let result = if self.is_signed(message, platform) {
            self.take_manifest(message, false, platform)
        } else {
            Err(GuestReason::SignatureInvalid.into())
        };
        self.install_manifest_end(result, platform);
    }

    /// Takes a manifest that nobody signed.
    #[cfg(feature = "local")]
    pub fn install_unsigned<P: Platform>(
        &mut self,
        message: &InstallMessage<'_>,
        platform: &mut P,
    ) {
        let result = self.take_manifest(message, true, platform);
        self.install_manifest_end(result, platform);
    }

    fn install_manifest_end<P: Platform>(&mut self, result: Result<(), Refused>, platform: &mut P) {
        match result {
            Ok(()) => {
                self.install.phase = Phase::Chunks;
                self.install.is_request_due = true;
                self.install.is_report_due = true;
            }
            Err(refused) => self.install_refuse(refused, platform),
        }
    }

    /// Whether a pinned key vouches for the manifest. Apart from what uses the manifest, so that
    /// the curve has the stack to itself.
    #[inline(never)]
    fn is_signed<P: Platform>(&mut self, message: &InstallMessage<'_>, platform: &mut P) -> bool {
        let Some(signature) = message.signature.first_chunk() else { return false };
        let parts = [SIGNED_PREFIX, message.manifest];
        (0..PINS_MAX).any(|index| {
            let pin = self.provisioning.signer(index, &mut self.journal, platform);
            pin.is_some_and(|pin| ed25519::verify(&pin, &parts, signature).is_ok())
        })
    }

    #[inline(never)]
    fn take_manifest<P: Platform>(
        &mut self,
        message: &InstallMessage<'_>,
        is_local: bool,
        platform: &mut P,
    ) -> Result<(), Refused> {
        let manifest =
            Manifest::decode(message.manifest).map_err(|_| GuestReason::ManifestMalformed)?;
        let namespace = manifest.namespace;
        let is_announced = (is_local
            || self.provisioning.is_own_namespace(&mut self.journal, platform, namespace))
            && manifest.app_uid == message.app.0
            && manifest.generation == message.generation;
        if !is_announced {
            return Err(GuestReason::ManifestMismatch.into());
        }
        if manifest.image_bytes > limits::IMAGE_BYTES_MAX {
            let (needed_bytes, available_bytes) = (manifest.image_bytes, limits::IMAGE_BYTES_MAX);
            let detail = Detail::Size { needed_bytes, available_bytes };
            return Err(Refused { reason: GuestReason::NoImageSlot, detail });
        }
        if (manifest.image_bytes as usize) < Header::BYTES {
            return Err(GuestReason::ImageMalformed.into());
        }
        let slot = self.free_slot().ok_or(GuestReason::NoImageSlot)?;
        let failed = |_| GuestReason::StorageFailed;
        // A slot that no guest uses but that holds an image is left over from an older state.
        self.journal.image_remove(platform.flash(), slot).map_err(failed)?;
        let mut writer = self.journal.image_begin(platform.flash(), slot).map_err(failed)?;
        let manifest_bytes = message.manifest.len() as u16;
        for bytes in [&manifest_bytes.to_le_bytes()[..], message.manifest, message.signature] {
            writer.append(platform.flash(), bytes).map_err(failed)?;
        }
        self.install.manifest_bytes = manifest_bytes;
        self.install.care_bytes = manifest.grants.arena_bytes() as u16;
        self.install.image_bytes = manifest.image_bytes;
        self.install.digest = Digest(manifest.image_digest);
        self.install.writer = Late::Set(writer);
        self.install.hash = BlockHash::START;
        Ok(())
    }

    /// Takes a piece of the image.
    #[inline(never)]
    pub fn install_chunk<P: Platform>(&mut self, message: &InstallChunk<'_>, platform: &mut P) {
        // An answer to a request that was repeated may come twice: only the next byte counts.
        if !self.install.is_for(Phase::Chunks, message.app, message.generation)
            || message.offset != self.install.received_bytes
            || message.bytes.is_empty()
        {
            return;
        }
        match self.take_chunk(message.bytes, platform) {
            Ok(()) if self.install.received_bytes < self.install.image_bytes => {
                self.install.is_request_due = true;
            }
            Ok(()) => self.install.phase = Phase::Whole,
            Err(refused) => self.install_refuse(refused, platform),
        }
    }

    #[inline(never)]
    fn take_chunk<P: Platform>(&mut self, bytes: &[u8], platform: &mut P) -> Result<(), Refused> {
        let missing = self.install.image_bytes - self.install.received_bytes;
        if bytes.len() as u32 > missing {
            return Err(GuestReason::DigestMismatch.into());
        }
        // Before the end, what is behind the last whole block of the hash is asked for again.
        let is_last = bytes.len() as u32 == missing;
        let whole = if is_last { bytes.len() } else { bytes.len() / BLOCK_BYTES * BLOCK_BYTES };
        let bytes = bytes.get(..whole).unwrap_or(bytes);
        if self.install.received_bytes == 0 && bytes.len() >= Header::BYTES {
            self.stage_begin(bytes);
        }
        let writer = self.install.writer.value_mut().ok_or(GuestReason::StorageFailed)?;
        writer.append(platform.flash(), bytes).map_err(|_| GuestReason::StorageFailed)?;
        self.install.hash.update(bytes);
        self.install.image_crc = crc32(self.install.image_crc, bytes);
        if let Some(range) = self.install.range {
            let (image_bytes, care_bytes) = (self.install.image_bytes, self.install.care_bytes);
            let image = cut(&mut self.arena, range, image_bytes, care_bytes).image;
            let start = self.install.received_bytes as usize;
            if let Some(target) = image.get_mut(start..start + bytes.len()) {
                target.copy_from_slice(bytes);
            }
        }
        self.install.received_bytes += bytes.len() as u32;
        let digest = || self.install.hash.finish(bytes, self.install.image_bytes);
        if is_last && digest() != self.install.digest.0 {
            return Err(GuestReason::DigestMismatch.into());
        }
        Ok(())
    }

    /// Puts the image into the arena as it arrives, if there is room: it starts sooner then. Where
    /// there is none, it is loaded from the flash once the old one is gone.
    #[inline(never)]
    fn stage_begin(&mut self, head: &[u8]) {
        let Ok(header) = Header::decode(head) else { return };
        if header.image_bytes() == u64::from(self.install.image_bytes) {
            self.install.range = self.place(&header, self.install.care_bytes).ok();
        }
    }

    /// Ends the installation of a whole image. In a call of its own, not in that of the last chunk: a
    /// journal that is compacted takes much of the stack.
    pub fn install_end<P: Platform>(&mut self, platform: &mut P) {
        if self.install.phase != Phase::Whole {
            return;
        }
        let remembered = self.install_remember(platform);
        match remembered.and_then(|()| self.install_commit(platform)) {
            Ok((index, slot)) => self.replace_guest(index, slot, platform),
            Err(refused) => self.install_refuse(refused, platform),
        }
    }

    /// Remembers the generation, so that a lower one is never taken.
    #[inline(never)]
    fn install_remember<P: Platform>(&mut self, platform: &mut P) -> Result<(), Refused> {
        let (app, generation) = (self.install.app, self.install.generation);
        if store::keep_generation(&mut self.journal, platform, app, generation)? {
            self.count_store();
        }
        Ok(())
    }

    /// Makes the image one that exists; answers the place of its guest, and its slot.
    #[inline(never)]
    fn install_commit<P: Platform>(&mut self, platform: &mut P) -> Result<(usize, u8), Refused> {
        let (app, generation) = (self.install.app, self.install.generation);
        let writer = self.install.writer.value().copied();
        let writer = writer.ok_or(GuestReason::StorageFailed)?;
        let index = self.find(app).or_else(|| self.guests.iter().position(|g| !g.is_held));
        let index = index.ok_or(GuestReason::TooManyGuests)?;
        let note = Note { app, generation, image_crc: self.install.image_crc }.encode();
        self.journal
            .image_commit(platform.flash(), &writer, &note)
            .map_err(|_| GuestReason::StorageFailed)?;
        self.count_store();
        self.keep_wanted(writer.slot(), true, platform);
        Ok((index, writer.slot()))
    }

    /// Puts the new image into the guest's place; the one before it is kept until this one proved
    /// healthy.
    #[inline(never)]
    fn replace_guest<P: Platform>(&mut self, index: usize, slot: u8, platform: &mut P) {
        // Two images back is one too many, whatever became of the last one.
        self.drop_previous(index, platform);
        self.empty_mailbox(index);
        let install = &mut self.install;
        let wanted = self.desired.iter().find(|entry| entry.is_held && entry.app == install.app);
        let is_wanted = wanted.is_none_or(|entry| entry.is_run_wanted);
        let restart_token = wanted.map(|entry| entry.restart_token);
        let Some(guest) = self.guests.get_mut(index) else { return };
        let previous = guest.is_held.then_some(guest.as_previous());
        *guest = Guest::EMPTY;
        guest.hold(install.app);
        guest.is_wanted = is_wanted;
        guest.is_report_due = true;
        guest.slot = slot;
        guest.generation = install.generation;
        guest.digest = install.digest;
        guest.image_crc = install.image_crc;
        guest.image_bytes = install.image_bytes;
        guest.manifest_bytes = install.manifest_bytes;
        guest.care_bytes = install.care_bytes;
        guest.range = install.range.take();
        guest.restart_token = restart_token;
        guest.previous = previous;
        let app = install.app;
        *install = Install::NONE;
        let mut line = Line::new("installed ");
        line.id(&guest.app.0).text(" generation ").number(guest.generation).show(platform);
        if is_wanted {
            guest.request_start();
        } else {
            guest.unload();
            self.keep_wanted(slot, false, platform);
            self.drop_previous(index, platform);
        }
        for refusal in &mut self.refusals {
            refusal.is_held &= refusal.app != app;
        }
    }
}

const _: () = assert!(
    image_offset(wasmbed_wire::limits::MANIFEST_BYTES_MAX as u16) as usize
        == limits::SLOT_HEAD_BYTES_MAX
);
