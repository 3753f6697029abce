//! One device, one gateway, one cable and one clock, stepped in one thread.

use std::cell::Cell;
use std::rc::Rc;

use wasmbed_journal::limits::SLOT_BYTES;
use wasmbed_journal::ram::RamFlash;
use wasmbed_journal::{Journal, Key};
use wasmbed_runtime::{BoardFacts, Closed, Device, Memory, ResetReason, StartError, Wants};
use wasmbed_wire::{Digest, GuestReason, GuestState, StateReport};

use crate::applications::{Application, Vendor};
use crate::cable::Cable;
use crate::choices::Choices;
use crate::gateway::Gateway;
use crate::heard::{Beat, Heard};
use crate::platform::SimulatedPlatform;

/// Places for guests of the simulated device.
pub const GUESTS: usize = 3;

/// Image slots of the simulated device.
const SLOTS: u32 = 4;

/// Bytes of the arena.
const ARENA_BYTES: usize = 24 * 1024;

/// Steps that a busy device can do in a millisecond: time goes on even when it never rests.
const STEPS_PER_MS: u32 = 10;

/// Everything there is.
pub struct World {
    /// Keys, certificates, images.
    pub vendor: Vendor,
    /// The gateway; down when `is_gateway_up` is false.
    pub gateway: Gateway,
    /// The connection.
    pub cable: Cable,
    /// The device's hardware.
    pub platform: SimulatedPlatform,
    /// The device.
    pub device: Device<'static, GUESTS>,
    /// Whether connections to the gateway succeed.
    pub is_gateway_up: bool,
    /// Whether the device asked for a reboot since the last start.
    pub has_asked_for_reboot: bool,
    /// When the device asked for a connection.
    pub attempts_ms: Vec<u64>,
    /// Bytes of the arena of the next start.
    pub arena_bytes: usize,
    clock_ms: Rc<Cell<u64>>,
    choices: Choices,
    is_connected: bool,
    steps_in_ms: u32,
    seed: u64,
}

impl World {
    /// A provisioned device that was never started, and a gateway that knows its token.
    pub fn new(seed: u64) -> Self {
        let vendor = Vendor::new();
        let (certificate, key) = vendor.gateway_identity();
        let mut gateway = Gateway::new(certificate, key);
        gateway.token = "let-me-in".into();
        let clock_ms = Rc::new(Cell::new(1));
        let flash = RamFlash::new((2 * 4096 + SLOTS * SLOT_BYTES) as usize);
        let entropy = Choices::new(seed ^ 0x5eed);
        let platform = SimulatedPlatform::new(flash, Rc::clone(&clock_ms), entropy);
        let mut world = Self {
            vendor,
            gateway,
            cable: Cable::new(3),
            platform,
            device: Device::new(),
            is_gateway_up: true,
            has_asked_for_reboot: false,
            attempts_ms: Vec::new(),
            arena_bytes: ARENA_BYTES,
            clock_ms,
            choices: Choices::new(seed),
            is_connected: false,
            steps_in_ms: 0,
            seed,
        };
        world.provision(Some("let-me-in"));
        world
    }

    /// The same, with the device started.
    pub fn started(seed: u64) -> Self {
        let mut world = Self::new(seed);
        world.start().expect("the device starts");
        world
    }

    /// Writes the provisioning record.
    pub fn provision(&mut self, token: Option<&str>) {
        let record = self.vendor.provisioning(token);
        let flash = &mut self.platform.flash;
        let mut journal = Journal::mount(flash).expect("a journal");
        journal.store(flash, Key::new(1), &record).expect("a store");
    }

    /// Starts the device with power just come: only the flash is as it was.
    ///
    /// # Errors
    /// [`StartError`] of the device.
    pub fn start(&mut self) -> Result<(), StartError> {
        self.disconnect();
        self.platform.flash.power_on();
        self.platform.console.clear();
        self.has_asked_for_reboot = false;
        self.device = Device::new();
        let memory =
            Memory { arena: vec![0; self.arena_bytes].leak(), queue: vec![0; 1024].leak() };
        let facts = BoardFacts {
            board: "simulated",
            firmware: "0.1.0-test",
            dtb_digest: Digest([9; 32]),
            reset_reason: ResetReason::PowerOn,
            fault: None,
        };
        self.device.start(memory, facts, &mut self.platform)
    }

    /// Milliseconds since the world began.
    pub fn now_ms(&self) -> u64 {
        self.clock_ms.get()
    }

    /// Cuts the connection.
    pub fn disconnect(&mut self) {
        self.cable.cut();
        self.gateway.lose();
        if std::mem::take(&mut self.is_connected) {
            self.device.disconnected(self.clock_ms.get(), Closed::ByPeer);
        }
    }

    /// One step of everything.
    pub fn step(&mut self) {
        let now_ms = self.clock_ms.get();
        let next = self.device.step(now_ms, &mut self.platform);
        if matches!(next.wants, Wants::Connect { .. }) {
            self.attempts_ms.push(now_ms);
        }
        match next.wants {
            Wants::Nothing => {}
            Wants::Connect { .. } if self.is_gateway_up && !self.cable.is_out => {
                self.cable.cut();
                self.gateway.accept();
                self.is_connected = true;
                self.device.connected(now_ms);
            }
            Wants::Connect { .. } => self.device.disconnected(now_ms, Closed::Unreachable),
            Wants::Disconnect => {
                self.carry();
                self.cable.cut();
                self.gateway.lose();
                self.is_connected = false;
                self.device.disconnected(now_ms, Closed::Requested);
            }
            Wants::Reboot => self.has_asked_for_reboot = true,
        }
        let has_carried = self.carry();
        if !self.is_gateway_up || self.cable.is_out {
            self.disconnect();
        }
        self.steps_in_ms = if has_carried { self.steps_in_ms + 1 } else { 0 };
        if self.steps_in_ms >= STEPS_PER_MS || (!has_carried && next.wants != Wants::Nothing) {
            self.steps_in_ms = 0;
            self.clock_ms.set(now_ms + 1);
        } else if !has_carried {
            let arrival = self.cable.next_at_ms().unwrap_or(u64::MAX);
            let target = next.wake_at_ms.min(arrival).min(now_ms + 1000);
            self.clock_ms.set(target.max(now_ms + 1));
        }
    }

    /// Moves bytes both ways; answers whether any moved.
    fn carry(&mut self) -> bool {
        let now_ms = self.clock_ms.get();
        let mut has_moved = false;
        if self.is_connected {
            let bytes = self.device.outgoing();
            // A transport takes what it has room for, not always all.
            let count = bytes.len().min(1 + self.choices.below(600) as usize);
            if count > 0 {
                self.cable.send_up(now_ms, &bytes[..count], &mut self.choices);
                self.device.sent(count);
                has_moved = true;
            }
        }
        let mut is_closed = false;
        while let Some(bytes) = self.cable.take_up(now_ms) {
            has_moved = true;
            is_closed |= !self.gateway.receive(&bytes);
        }
        let bytes = self.gateway.outgoing();
        self.cable.send_down(now_ms, &bytes, &mut self.choices);
        while let Some(bytes) = self.cable.front_down(now_ms) {
            let taken = self.device.received(bytes);
            self.cable.take_down(taken);
            if taken == 0 {
                break;
            }
            has_moved = true;
        }
        let is_drained = self.cable.next_at_ms().is_none();
        if is_closed || (self.gateway.is_closing() && is_drained) {
            self.disconnect();
        }
        has_moved
    }

    /// Steps until `condition` holds.
    ///
    /// # Panics
    /// If it does not within two simulated minutes.
    #[track_caller]
    pub fn run_until(&mut self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        let deadline_ms = self.now_ms() + 120_000;
        while !condition(self) {
            if self.now_ms() > deadline_ms {
                let tail = self.gateway.heard.len().saturating_sub(12);
                let heard = &self.gateway.heard[tail..];
                let console = &self.platform.console;
                let console = &console[console.len().saturating_sub(20)..];
                panic!("seed {}: no {what}; heard {heard:#?}, console {console:#?}", self.seed);
            }
            self.step();
        }
    }

    /// Steps for some simulated time.
    pub fn run_for(&mut self, duration_ms: u64) {
        let end_ms = self.now_ms() + duration_ms;
        while self.now_ms() < end_ms {
            self.step();
        }
    }

    /// Steps until a session stands and its inventory is over.
    #[track_caller]
    pub fn run_to_session(&mut self) {
        let sessions = self.gateway.sessions;
        self.run_until("session", |world| {
            world.gateway.sessions > sessions && world.gateway.has_session()
        });
    }

    /// Deploys, and steps until the device reports this state of that generation.
    #[track_caller]
    pub fn deploy_until(&mut self, application: &Application, state: GuestState) -> StateReport {
        self.gateway.deploy(application);
        self.run_to_state(application, state)
    }

    /// Steps until the device newly reports this state of this generation.
    #[track_caller]
    pub fn run_to_state(&mut self, application: &Application, state: GuestState) -> StateReport {
        let from = self.gateway.heard.len();
        let find = |world: &Self| {
            world.gateway.heard[from.min(world.gateway.heard.len())..].iter().find_map(|heard| {
                match heard {
                    Heard::Report(report)
                        if report.app == application.app
                            && report.generation == application.generation
                            && report.state == state =>
                    {
                        Some(*report)
                    }
                    _ => None,
                }
            })
        };
        self.run_until(&format!("report {state:?}"), |world| find(world).is_some());
        find(self).expect("it was found a moment ago")
    }

    /// Deploys what must be refused, and checks the reason.
    #[track_caller]
    pub fn deploy_refused(
        &mut self,
        application: &Application,
        reason: GuestReason,
    ) -> StateReport {
        let report = self.deploy_until(application, GuestState::Refused);
        assert_eq!(report.reason, reason, "seed {}", self.seed);
        report
    }

    /// The next heartbeat.
    #[track_caller]
    pub fn next_beat(&mut self) -> Beat {
        let from = self.gateway.heard.len();
        let find = |world: &Self| {
            world.gateway.heard[from..].iter().find_map(|heard| match heard {
                Heard::Heartbeat(beat) => Some(beat.clone()),
                _ => None,
            })
        };
        self.run_until("heartbeat", |world| find(world).is_some());
        find(self).expect("it was found a moment ago")
    }

    /// Log lines of an application so far.
    pub fn logs(&self, application: &Application) -> Vec<String> {
        self.gateway
            .heard
            .iter()
            .filter_map(|heard| match heard {
                Heard::Log { app, text, .. } if *app == application.app => Some(text.clone()),
                _ => None,
            })
            .collect()
    }
}
