//! One device on a desk: no gateway, no session, only guests and what they do.

use std::cell::Cell;
use std::rc::Rc;

use sha2::{Digest as _, Sha256};
use wasmbed_image::{Config, Grants, Limits, Manifest, RestartPolicy};
use wasmbed_journal::limits::SLOT_BYTES;
use wasmbed_journal::ram::RamFlash;
use wasmbed_runtime::{BoardFacts, Device, Local, Memory, ResetReason};
use wasmbed_wire::{AppId, Digest, GuestReason, StateReport};

use crate::applications::{app_id, grants_of, image_of};
use crate::choices::Choices;
use crate::platform::SimulatedPlatform;
use crate::world::GUESTS;

/// Image slots of the device.
const SLOTS: u32 = 4;

/// What a guest said.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "fields are those of the messages in `wire`")]
pub enum Said {
    /// A line of its log.
    Log { app: AppId, text: String },
    /// A sample.
    Telemetry { app: AppId, topic: String, value: i64 },
    /// A message to the cloud.
    Message { app: AppId, topic: String, payload: Vec<u8> },
}

/// What a test says about a guest, beside its module and its grants.
#[derive(Clone, Copy, Debug)]
pub struct Guest<'a> {
    /// Name of its application.
    pub name: &'a str,
    /// What it was granted, as in an Application.
    pub grants: &'a [&'a str],
    /// Arguments and environment.
    pub config: Config<'a>,
    /// What happens when it ends.
    pub policy: RestartPolicy,
    /// Which goes first.
    pub priority: i16,
    /// Fuel of one run.
    pub fuel: Option<u64>,
    /// Generation of its manifest.
    pub generation: u64,
}

impl<'a> Guest<'a> {
    /// A guest that runs once.
    pub fn new(name: &'a str, grants: &'a [&'a str]) -> Self {
        Self {
            name,
            grants,
            config: Config::default(),
            policy: RestartPolicy::Never,
            priority: 0,
            fuel: None,
            generation: 1,
        }
    }
}

/// The device, its hardware and what its guests said so far.
pub struct Desk {
    /// The hardware.
    pub platform: SimulatedPlatform,
    /// The device.
    pub device: Device<'static, GUESTS>,
    /// All that was said.
    pub said: Vec<Said>,
    /// Whether what guests say is taken from the device.
    pub is_listening: bool,
    /// Bytes of the arena of the next start.
    pub arena_bytes: usize,
    /// Bytes of the queue of the next start.
    pub queue_bytes: usize,
    clock_ms: Rc<Cell<u64>>,
}

impl Default for Desk {
    fn default() -> Self {
        Self::new()
    }
}

impl Desk {
    /// A started device with nothing on it.
    pub fn new() -> Self {
        Self::with_arena(24 * 1024)
    }

    /// The same, with so many bytes for guests.
    pub fn with_arena(arena_bytes: usize) -> Self {
        let clock_ms = Rc::new(Cell::new(1));
        let flash = RamFlash::new((2 * 4096 + SLOTS * SLOT_BYTES) as usize);
        let platform = SimulatedPlatform::new(flash, Rc::clone(&clock_ms), Choices::new(7));
        let mut desk = Self {
            platform,
            device: Device::new(),
            said: Vec::new(),
            is_listening: true,
            arena_bytes,
            queue_bytes: 1024,
            clock_ms,
        };
        desk.start();
        desk
    }

    /// Power comes, or comes again: only the flash is as it was.
    ///
    /// # Panics
    /// If the device does not start.
    pub fn start(&mut self) {
        self.platform.flash.power_on();
        self.device = Device::new();
        let memory = Memory {
            arena: vec![0; self.arena_bytes].leak(),
            queue: vec![0; self.queue_bytes].leak(),
        };
        let facts = BoardFacts {
            board: "desk",
            firmware: "0.1.0-test",
            dtb_digest: Digest([9; 32]),
            reset_reason: ResetReason::PowerOn,
            fault: None,
        };
        self.device.start(memory, facts, &mut self.platform).expect("the device starts");
    }

    /// Milliseconds since the desk was made.
    pub fn now_ms(&self) -> u64 {
        self.clock_ms.get()
    }

    /// Installs a module in the text format.
    ///
    /// # Panics
    /// If it cannot be prepared or is not taken.
    #[track_caller]
    pub fn install(&mut self, guest: Guest<'_>, module: &str) -> AppId {
        self.try_install(guest, &image_of(module)).expect("it is taken")
    }

    /// Installs an image.
    ///
    /// # Errors
    /// Why the device does not take it.
    pub fn try_install(&mut self, guest: Guest<'_>, image: &[u8]) -> Result<AppId, GuestReason> {
        let app = app_id(guest.name);
        let manifest = Manifest {
            namespace: "default",
            app_name: guest.name,
            app_uid: app.0,
            generation: guest.generation,
            image_digest: Sha256::digest(image).into(),
            image_bytes: image.len() as u32,
            grants: if guest.grants == ["all"] { Grants::all() } else { grants_of(guest.grants) },
            config: guest.config,
            limits: Limits { memory_bytes: 65_536, stack_bytes: 4096, fuel: guest.fuel },
            restart_policy: guest.policy,
            priority: guest.priority,
        };
        let mut bytes = [0; wasmbed_image::limits::MANIFEST_BYTES_MAX];
        let count = manifest.encode(&mut bytes).expect("a manifest that fits");
        self.device.install_local(&bytes[..count], image, &mut self.platform)?;
        Ok(app)
    }

    /// One step, and time to the next one.
    pub fn step(&mut self) {
        let now_ms = self.clock_ms.get();
        let next = self.device.step(now_ms, &mut self.platform);
        while self.is_listening && self.listen() {}
        if next.wake_at_ms > now_ms {
            self.clock_ms.set(next.wake_at_ms.min(now_ms + 1000));
        }
    }

    /// Takes one thing that was said.
    pub fn listen(&mut self) -> bool {
        let said = self.device.take_local(|local| match local {
            Local::Log { app, text, .. } => {
                Said::Log { app, text: String::from_utf8_lossy(text).into_owned() }
            }
            Local::Telemetry { app, topic, value, .. } => {
                Said::Telemetry { app, topic: topic.into(), value }
            }
            Local::Message { app, topic, payload, .. } => {
                Said::Message { app, topic: topic.into(), payload: payload.into() }
            }
        });
        let has_more = said.is_some();
        self.said.extend(said);
        has_more
    }

    /// Steps for some simulated time; a busy guest makes it pass one step a millisecond.
    pub fn run_for(&mut self, duration_ms: u64) {
        let end_ms = self.now_ms() + duration_ms;
        while self.now_ms() < end_ms {
            let before_ms = self.now_ms();
            self.step();
            if self.now_ms() == before_ms {
                self.clock_ms.set(before_ms + 1);
            }
        }
    }

    /// What the device reports of an application.
    ///
    /// # Panics
    /// If it holds no such application.
    #[track_caller]
    pub fn report(&self, app: AppId) -> StateReport {
        self.device.local_reports().find(|report| report.app == app).expect("a report")
    }

    /// Values of the samples under this topic.
    pub fn values(&self, wanted: &str) -> Vec<i64> {
        let value = |said: &Said| match said {
            Said::Telemetry { topic, value, .. } if topic == wanted => Some(*value),
            _ => None,
        };
        self.said.iter().filter_map(value).collect()
    }

    /// Lines of all logs.
    pub fn lines(&self) -> Vec<&str> {
        let mut lines = Vec::new();
        for said in &self.said {
            if let Said::Log { text, .. } = said {
                lines.push(text.as_str());
            }
        }
        lines
    }
}
