//! Brings an image from the flash into the arena in pieces, checks its CRC, and makes it an
//! instance. The digest was checked when the image came; the flash is inside the device's trust
//! boundary, so damage is all that a load has to notice. One guest at a time, one piece a step, so that the session goes on meanwhile.

use wasmbed_abi::{STOP_REQUESTED, WASI_FIRST, need_of};
use wasmbed_engine::Instance;
use wasmbed_image::{Header, Image, ImageError};
use wasmbed_journal::{Journal, crc32};
use wasmbed_wire::{GuestReason, GuestState};

use crate::arena::{self, Range};
use crate::console::Line;
use crate::core_state::{Core, image_offset, read_grants, read_head};
use crate::guests::{Detail, Guest, Parts, Stage, cut};
use crate::host::Wait;
use crate::late::Late;
use crate::limits;
use crate::platform::Platform;

/// Progress of the one load.
#[derive(Clone, Debug)]
pub struct Loader {
    guest: u8,
    offset: u32,
    crc: u32,
    is_active: bool,
}

impl Loader {
    pub const fn idle() -> Self {
        Self { guest: 0, offset: 0, crc: 0, is_active: false }
    }
}

/// Why an image is not started.
struct Refused {
    reason: GuestReason,
    detail: Detail,
}

impl Refused {
    fn new(reason: GuestReason) -> Self {
        Self { reason, detail: Detail::None }
    }
}

impl From<ImageError> for Refused {
    fn from(error: ImageError) -> Self {
        Self::new(match error {
            ImageError::Format { .. } | ImageError::Version { .. } => {
                GuestReason::ImageFormatUnsupported
            }
            _ => GuestReason::ImageMalformed,
        })
    }
}

/// Bytes of the arena that a guest takes: image, what it was granted, and what the engine needs
/// beside it.
fn range_bytes(header: &Header, care_bytes: u16) -> Option<u32> {
    let image = arena::align(header.image_bytes())?;
    let working = arena::align(header.arena_bytes())?;
    image.checked_add(working)?.checked_add(care_bytes.into())
}

impl<const GUESTS: usize> Core<'_, GUESTS> {
    /// Finds room for a guest whose image begins with `header`.
    ///
    /// # Errors
    /// What is needed and what is there, in bytes.
    pub fn place(&self, header: &Header, care_bytes: u16) -> Result<Range, Detail> {
        let size = |needed_bytes, available_bytes| Detail::Size { needed_bytes, available_bytes };
        let capacity = self.arena.len() as u32;
        let needed = range_bytes(header, care_bytes);
        let needed = needed.ok_or(size(u32::MAX, capacity))?;
        arena::place(capacity, self.ranges(), needed).map_err(|hole| {
            let available = if needed > capacity { capacity } else { hole };
            size(needed, available)
        })
    }

    /// Reads the manifest of a guest whose is not known yet; answers whether there was one. Apart from
    /// other loading: a manifest takes much of the stack.
    #[inline(never)]
    pub fn read_manifest<P: Platform>(&mut self, now_ms: u64, platform: &mut P) -> bool {
        let Some(index) = self.guests.iter().position(Guest::needs_manifest) else { return false };
        let Some(guest) = self.guests.get_mut(index) else { return false };
        let is_sound = read_head(platform, guest);
        guest.has_manifest = true;
        guest.is_report_due = true;
        if !is_sound {
            let refused = Refused::new(GuestReason::StorageFailed);
            self.refuse_start(index, refused, now_ms, platform);
        }
        true
    }

    /// Does a piece of loading; answers whether there was one to do.
    #[inline(never)]
    pub fn load_step<P: Platform>(&mut self, now_ms: u64, platform: &mut P) -> bool {
        let Some(index) = self.guest_to_load() else { return false };
        let stage = self.guests.get(index).map(|guest| guest.stage);
        let result = match stage {
            Some(Stage::Loaded) => self.instantiate(index, now_ms, platform),
            _ => self.load_piece(index, platform),
        };
        if let Err(refused) = result {
            self.loader = Loader::idle();
            self.refuse_start(index, refused, now_ms, platform);
        }
        true
    }

    /// The guest that the loader works for, or else the first that waits.
    fn guest_to_load(&self) -> Option<usize> {
        let current = usize::from(self.loader.guest);
        let is_waiting = |guest: &Guest| {
            !guest.needs_manifest() && matches!(guest.stage, Stage::Waiting | Stage::Loaded)
        };
        if self.loader.is_active && self.guests.get(current).is_some_and(is_waiting) {
            return Some(current);
        }
        self.guests.iter().position(is_waiting)
    }

    #[inline(never)]
    fn load_piece<P: Platform>(&mut self, index: usize, platform: &mut P) -> Result<(), Refused> {
        if !self.loader.is_active || usize::from(self.loader.guest) != index {
            return self.load_begin(index, platform);
        }
        let failed = |_| Refused::new(GuestReason::StorageFailed);
        let Some(guest) = self.guests.get_mut(index) else { return Ok(()) };
        let Some(range) = guest.range else { return Ok(()) };
        let Parts { image, .. } = cut(&mut self.arena, range, guest.image_bytes, guest.care_bytes);
        let offset = self.loader.offset as usize;
        let rest = image.get_mut(offset..).unwrap_or_default();
        let bytes = rest.len().min(limits::LOAD_PIECE_BYTES);
        let piece = rest.get_mut(..bytes).unwrap_or_default();
        let from = image_offset(guest.manifest_bytes) + self.loader.offset;
        Journal::image_read(platform.flash(), guest.slot, from, piece).map_err(failed)?;
        self.loader.offset += bytes as u32;
        let is_whole = self.loader.offset == guest.image_bytes;
        self.loader.crc = crc32(self.loader.crc, piece);
        if !is_whole {
            return Ok(());
        }
        self.loader.is_active = false;
        if self.loader.crc != guest.image_crc {
            return Err(Refused::new(GuestReason::StorageFailed));
        }
        guest.stage = Stage::Loaded;
        Ok(())
    }

    #[inline(never)]
    fn load_begin<P: Platform>(&mut self, index: usize, platform: &mut P) -> Result<(), Refused> {
        let failed = |_| Refused::new(GuestReason::StorageFailed);
        let Some(guest) = self.guests.get(index) else { return Ok(()) };
        let (slot, manifest_bytes) = (guest.slot, guest.manifest_bytes);
        let (image_bytes, care_bytes) = (guest.image_bytes, guest.care_bytes);
        let mut head = [0; Header::BYTES];
        let from = image_offset(manifest_bytes);
        Journal::image_read(platform.flash(), slot, from, &mut head).map_err(failed)?;
        let header = Header::decode(&head)?;
        if header.image_bytes() != u64::from(image_bytes) {
            return Err(Refused::new(GuestReason::ImageMalformed));
        }
        let range = self
            .place(&header, care_bytes)
            .map_err(|detail| Refused { reason: GuestReason::ArenaTooSmall, detail })?;
        if let Some(guest) = self.guests.get_mut(index) {
            guest.range = Some(range);
        }
        self.loader = Loader { guest: index as u8, offset: 0, crc: 0, is_active: true };
        Ok(())
    }

    /// Makes the image in the arena an instance, after what the manifest grants was checked.
    #[inline(never)]
    fn instantiate<P: Platform>(
        &mut self,
        index: usize,
        now_ms: u64,
        platform: &mut P,
    ) -> Result<(), Refused> {
        let Some(guest) = self.guests.get_mut(index) else { return Ok(()) };
        let Some(range) = guest.range else { return Ok(()) };
        let Parts { image, care, working } =
            cut(&mut self.arena, range, guest.image_bytes, guest.care_bytes);
        // Rates go on counting through restarts.
        if !guest.has_care && !read_grants(platform, guest, care) {
            return Err(Refused::new(GuestReason::StorageFailed));
        }
        guest.has_care = true;
        guest.learns_stop = check_imports::<P>(&Image::parse(image)?, guest)?;
        let instance = Instance::load(image, working)
            .map_err(|_| Refused::new(GuestReason::ImageMalformed))?;
        guest.instance = Late::Set(instance);
        guest.wait = Wait::NONE;
        guest.stage = Stage::Ready;
        guest.has_run = false;
        guest.fuel_used = 0;
        guest.is_fuel_counted = false;
        guest.slices = 0;
        guest.host_calls = 0;
        guest.started_at_ms = now_ms;
        Ok(())
    }

    #[inline(never)]
    fn refuse_start<P: Platform>(
        &mut self,
        index: usize,
        refused: Refused,
        now_ms: u64,
        platform: &mut P,
    ) {
        let Some(guest) = self.guests.get_mut(index) else { return };
        guest.unload();
        guest.set_state(GuestState::Refused, refused.reason, refused.detail);
        let mut line = Line::new("guest ");
        line.id(&guest.app.0).text(" refused: ").text(refused.reason.name()).show(platform);
        if guest.previous.is_some() {
            self.roll_back(index, now_ms, platform);
        } else if refused.reason == GuestReason::StorageFailed {
            // The storage may be back later; what it holds then is checked again.
            guest.stage = Stage::BackOff { retry_at_ms: now_ms + limits::STORAGE_RETRY_MS };
        }
    }
}

/// Each import must exist here and be granted. Answers whether the guest can learn that it shall
/// end.
fn check_imports<P: Platform>(image: &Image<'_>, guest: &Guest) -> Result<bool, Refused> {
    let mut learns_stop = false;
    for index in 0..image.header.imports {
        let refused = Refused::new(GuestReason::ImportRefused);
        let Some(number) = image.import(index) else { return Err(refused) };
        let is_linked = P::HAS_WASI || number < WASI_FIRST;
        let capabilities = guest.capabilities & P::CAPABILITIES;
        if !is_linked || !need_of(number).is_some_and(|need| need.is_met_by(capabilities)) {
            return Err(refused);
        }
        learns_stop |= number == STOP_REQUESTED;
    }
    Ok(learns_stop)
}
