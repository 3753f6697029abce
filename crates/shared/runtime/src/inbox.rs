//! What a message of the gateway does in an open session. Welcome, EnrollRequired and Refused are
//! the session's own business.

use wasmbed_image::Capability;
use wasmbed_wire::{AppId, CommandOutcome, GatewayMessage};

use crate::core_state::{CommandEntry, Core};
use crate::guests::Stage;
use crate::platform::{Platform, has};

/// What a command does to a guest.
#[derive(Clone, Copy)]
enum Verb {
    Start,
    Stop,
    Restart,
    Remove,
}

impl<const GUESTS: usize> Core<'_, GUESTS> {
    /// Acts on one message.
    #[inline(never)]
    pub fn handle<P: Platform>(
        &mut self,
        message: &GatewayMessage<'_>,
        now_ms: u64,
        platform: &mut P,
    ) {
        match message {
            GatewayMessage::DesiredState(desired) => self.desire(desired),
            GatewayMessage::InstallChunk(chunk) => self.install_chunk(chunk, platform),
            GatewayMessage::Start(command) => {
                self.command(command.id, now_ms, |core| {
                    core.act(Verb::Start, command.app, platform)
                });
            }
            GatewayMessage::Stop(command) => {
                self.command(command.id, now_ms, |core| {
                    core.act(Verb::Stop, command.app, platform)
                });
            }
            GatewayMessage::Restart(command) => {
                let verb = Verb::Restart;
                self.command(command.id, now_ms, |core| core.act(verb, command.app, platform));
            }
            GatewayMessage::Remove(command) => {
                let verb = Verb::Remove;
                self.command(command.id, now_ms, |core| core.act(verb, command.app, platform));
            }
            GatewayMessage::Ping(command) => {
                self.command(command.id, now_ms, |_| CommandOutcome::Done);
            }
            GatewayMessage::Reboot(command) => {
                self.command(command.id, now_ms, |core| core.reboot(command.id, platform));
            }
            GatewayMessage::Deliver(command) if !has::<P>(Capability::Receive) => {
                self.command(command.id, now_ms, |_| CommandOutcome::NoReceiver);
            }
            GatewayMessage::Deliver(command) => {
                let id = command.id;
                let mut receivers = 0;
                self.command(id, now_ms, |core| {
                    let (outcome, count) = core.deliver(command, now_ms);
                    receivers = count;
                    outcome
                });
                if let Some(entry) = self.results.iter_mut().find(|entry| entry.id == id) {
                    entry.receivers = entry.receivers.or(Some(receivers));
                }
            }
            GatewayMessage::Install(_)
            | GatewayMessage::Welcome(_)
            | GatewayMessage::Refused(_)
            | GatewayMessage::EnrollRequired(_) => {}
        }
    }

    /// Carries a command out once. One that was carried out before only gets its result again.
    fn command(&mut self, id: u64, now_ms: u64, run: impl FnOnce(&mut Self) -> CommandOutcome) {
        if let Some(entry) = self.results.iter_mut().find(|entry| entry.id == id && id != 0) {
            entry.is_due = true;
            return;
        }
        let is_repeated = id <= self.boot.last_command;
        let outcome = if is_repeated { CommandOutcome::NotAllowed } else { run(self) };
        self.boot.last_command = self.boot.last_command.max(id);
        // The oldest result goes; one that was sent before one that was not.
        let place = self.results.iter_mut().min_by_key(|entry| (entry.is_due, entry.id));
        if let Some(entry) = place {
            *entry = CommandEntry { is_due: true, id, outcome, uptime_ms: now_ms, receivers: None };
        }
    }

    #[inline(never)]
    fn act<P: Platform>(&mut self, verb: Verb, app: AppId, platform: &mut P) -> CommandOutcome {
        let Some(index) = self.find(app) else { return CommandOutcome::NoSuchApp };
        let is_stored = self.guests.get(index).is_some_and(|guest| guest.stage == Stage::Stored);
        let is_refused = match verb {
            Verb::Start => !is_stored,
            // What is not wanted any more goes with the next step; before anything is known to be
            // wanted, nothing goes.
            Verb::Remove => !self.is_desired_known,
            Verb::Stop | Verb::Restart => false,
        };
        if is_refused {
            return CommandOutcome::NotAllowed;
        }
        self.amend_desired(verb, app);
        match verb {
            Verb::Start => self.start_guest(index, platform),
            Verb::Stop => self.stop_guest(index, platform),
            Verb::Restart => {
                self.start_guest(index, platform);
                self.restart_guest(index);
            }
            Verb::Remove => {}
        }
        CommandOutcome::Done
    }

    /// A command holds until the gateway says again what it wants: else it would be undone at once.
    fn amend_desired(&mut self, verb: Verb, app: AppId) {
        for entry in self.desired.iter_mut().filter(|entry| entry.app == app) {
            match verb {
                Verb::Start | Verb::Restart => entry.is_run_wanted = true,
                Verb::Stop => entry.is_run_wanted = false,
                Verb::Remove => entry.is_held = false,
            }
        }
    }

    /// Keeps that the restart is wanted, so that it is not taken for a failure and the same
    /// command does not restart the board again.
    #[inline(never)]
    fn reboot<P: Platform>(&mut self, id: u64, platform: &mut P) -> CommandOutcome {
        let record = crate::store::BootRecord {
            last_command: id.max(self.boot.last_command),
            is_commanded: true,
            ..self.boot
        };
        if record.write(&mut self.journal, platform).is_err() {
            return CommandOutcome::Failed;
        }
        self.boot = record;
        self.count_store();
        self.is_reboot_requested = true;
        CommandOutcome::Done
    }
}
