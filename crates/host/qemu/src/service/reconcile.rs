//! Brings one VirtualDevice closer to its spec.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;

use kube::ResourceExt;
use kube::api::{Api, ListParams};
use kube::runtime::controller::Action;
use kube::runtime::finalizer::{Error as FinalizerError, Event, finalizer};
use kube::runtime::reflector::ObjectRef;
use tokio_util::task::AbortOnDropHandle;
use wasmbed_catalog::Board as BoardFacts;
use wasmbed_crds::virtual_device::{Cable, Power};
use wasmbed_crds::{Gateway, VirtualDevice};
use wasmbed_model::condition::reasons;

use super::status::{self, Outcome};
use super::{Context, RETRY_DELAY, ReconcileError, enrolment, line};
use crate::board::{Board, BoardConfig};
use crate::impairment::Impairment;
use crate::provision::{Provision, provision};

const FINALIZER: &str = "wasmbed.github.io/qemu";

/// Directory of a board. UIDs are never used again, so nothing of another one is ever found there.
pub(super) fn directory(context: &Context, uid: &str) -> PathBuf {
    context.config.data_directory.join(uid)
}

/// One reconciliation; errors are retried by the controller.
pub(super) async fn reconcile(
    device: Arc<VirtualDevice>,
    context: Arc<Context>,
) -> Result<Action, ReconcileError> {
    let namespace = device.namespace().ok_or(ReconcileError::Incomplete("namespace"))?;
    let api: Api<VirtualDevice> = Api::namespaced(context.client.clone(), &namespace);
    let done = finalizer(&api, FINALIZER, device, |event| async {
        match event {
            Event::Apply(device) => apply(&context, &device).await,
            Event::Cleanup(device) => remove(&context, &device).await,
        }
    });
    match done.await {
        Ok(action) => Ok(action),
        Err(FinalizerError::ApplyFailed(error) | FinalizerError::CleanupFailed(error)) => {
            Err(error)
        }
        Err(FinalizerError::AddFinalizer(error) | FinalizerError::RemoveFinalizer(error)) => {
            Err(ReconcileError::Api("write the finalizer", error))
        }
        Err(_) => Err(ReconcileError::Incomplete("name")),
    }
}

/// What a board needs and the spec does not say by itself.
struct Plan {
    facts: &'static BoardFacts,
    firmware: PathBuf,
    gateway_name: String,
    gateway_address: String,
    line: Impairment,
}

/// Why there can be no board; to be shown in the status.
struct Refusal {
    reason: &'static str,
    message: String,
}

async fn apply(context: &Arc<Context>, device: &VirtualDevice) -> Result<Action, ReconcileError> {
    let uid = device.uid().ok_or(ReconcileError::Incomplete("uid"))?;
    let enrollment = enrolment::find(context, device).await?;
    let enrolled = enrollment.as_ref().and_then(enrolment::device_name);
    if device.spec.power == Power::Off {
        context.fleet.stop(&uid).await;
        status::write(context, device, || Some(Outcome::Off), enrolled).await?;
        return Ok(Action::await_change());
    }
    let plan = match plan(context, device).await? {
        Ok(plan) => plan,
        Err(Refusal { reason, message }) => {
            context.fleet.stop(&uid).await;
            let outcome = || Some(Outcome::Refused { reason, message });
            status::write(context, device, outcome, enrolled).await?;
            // The firmware may be built later; nothing tells when.
            return Ok(Action::requeue(RETRY_DELAY));
        }
    };
    if context.fleet.status(&uid).is_none() {
        start(context, device, &uid, &plan).await?;
    }
    context.fleet.set_gateway(&uid, &plan.gateway_address);
    context.fleet.set_plugged(&uid, device.spec.cable == Cable::In);
    if context.fleet.set_impairment(&uid, plan.line) {
        tracing::info!(device = device.name_any(), line = ?plan.line, "line of a board");
    }
    if let Some(reset_at) = &device.spec.reset_at {
        context.fleet.reset(&uid, reset_at).await?;
    }
    let millidegrees = device.spec.sensors.iter().map(|sensor| sensor.millidegrees).collect();
    context.fleet.set_temperatures(&uid, millidegrees);
    status::write(context, device, || outcome(context, &uid), enrolled).await?;
    Ok(Action::await_change())
}

fn outcome(context: &Context, uid: &str) -> Option<Outcome> {
    context.fleet.status(uid).map(|status| Outcome::Board(Box::new(status)))
}

async fn plan(
    context: &Context,
    device: &VirtualDevice,
) -> Result<Result<Plan, Refusal>, ReconcileError> {
    let facts = match wasmbed_catalog::board(&device.spec.board) {
        Ok(facts) => facts,
        Err(error) => {
            let message = error.to_string();
            return Ok(Err(Refusal { reason: reasons::BOARD_UNKNOWN, message }));
        }
    };
    if facts.hardware.i2c_buses == 0 && !device.spec.sensors.is_empty() {
        let message = format!("{} has no two-wire bus that guests may use", facts.name);
        return Ok(Err(Refusal { reason: reasons::BUS_MISSING, message }));
    }
    let uid = device.uid().unwrap_or_default();
    let line = match line::impairment(device.spec.line.as_ref(), &uid) {
        Ok(line) => line,
        Err(message) => return Ok(Err(Refusal { reason: reasons::LINE_INVALID, message })),
    };
    let firmware = context.config.firmware.get(facts.name).filter(|path| path.is_file());
    let Some(firmware) = firmware.cloned() else {
        let message = format!("there is no firmware for {}", facts.name);
        return Ok(Err(Refusal { reason: reasons::FIRMWARE_MISSING, message }));
    };
    let gateway = match gateway(context, device).await? {
        Ok(gateway) => gateway,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let endpoint = &gateway.spec.endpoint;
    let address = format!("{}:{}", endpoint.host, endpoint.port);
    Ok(Ok(Plan {
        facts,
        firmware,
        gateway_name: gateway.name_any(),
        gateway_address: context.config.gateway_address.clone().unwrap_or(address),
        line,
    }))
}

/// The Gateway that the spec names, or the only one there is.
async fn gateway(
    context: &Context,
    device: &VirtualDevice,
) -> Result<Result<Gateway, Refusal>, ReconcileError> {
    let namespace = device.namespace().unwrap_or_default();
    let api: Api<Gateway> = Api::namespaced(context.client.clone(), &namespace);
    let undecided = |message| Ok(Err(Refusal { reason: reasons::GATEWAY_UNDECIDED, message }));
    let failed = |error| ReconcileError::Api("read the gateways", error);
    if let Some(wanted) = &device.spec.gateway_ref {
        return match api.get_opt(&wanted.name).await.map_err(failed)? {
            Some(gateway) => Ok(Ok(gateway)),
            None => undecided(format!("there is no Gateway {}", wanted.name)),
        };
    }
    let mut gateways = api.list(&ListParams::default()).await.map_err(failed)?.items;
    match (gateways.pop(), gateways.len()) {
        (None, _) => undecided("there is no Gateway".into()),
        (Some(only), 0) => Ok(Ok(only)),
        (Some(_), others) => {
            undecided(format!("there are {} Gateways; name one in gatewayRef", others + 1))
        }
    }
}

async fn start(
    context: &Arc<Context>,
    device: &VirtualDevice,
    uid: &str,
    plan: &Plan,
) -> Result<(), ReconcileError> {
    let directory = directory(context, uid);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
    let namespace = device.namespace().unwrap_or_default();
    let name = format!("{namespace}/{}", device.name_any());
    let mut config = BoardConfig::new(*plan.facts, &name, &directory, &plan.gateway_address);
    config.firmware = Some(plan.firmware.clone());
    config.is_plugged = device.spec.cable == Cable::In;
    config.impairment = plan.line;
    config.sensors = device.spec.sensors.iter().map(|sensor| sensor.address).collect();
    config.capture = context.config.captures.then(|| directory.join("wire.pcap"));
    if !config.flash_path().exists() {
        let token = enrolment::prepare(context, device, &directory).await?;
        provision(
            &config,
            &Provision {
                ca_pins: context.config.ca_pins.clone(),
                signer_pins: context.config.signer_pins.clone(),
                gateway_name: format!("{}.{namespace}", plan.gateway_name),
                namespace,
                token: Some(token),
            },
        )?;
    }
    enrolment::forget_token(&directory)?;
    let board = Board::start(config).await?;
    let reporter = report_changes(Arc::clone(context), ObjectRef::from_obj(device), &board);
    context.fleet.insert(uid, board, plan.line, device.spec.reset_at.clone(), reporter);
    Ok(())
}

/// Writes the status each time the board's own changes.
fn report_changes(
    context: Arc<Context>,
    reference: ObjectRef<VirtualDevice>,
    board: &Board,
) -> AbortOnDropHandle<()> {
    let mut changes = board.status();
    AbortOnDropHandle::new(tokio::spawn(async move {
        while changes.changed().await.is_ok() {
            let Some(device) = context.known.get(&reference) else { continue };
            let Some(uid) = device.uid() else { continue };
            let written = status::write(&context, &device, || outcome(&context, &uid), None).await;
            if let Err(error) = written {
                // The next change or reconciliation writes it.
                tracing::warn!(device = device.name_any(), %error, "status of a board");
            }
        }
    }))
}

/// Undoes all that was made for a VirtualDevice: its key is destroyed, so its Device is of no use.
async fn remove(context: &Arc<Context>, device: &VirtualDevice) -> Result<Action, ReconcileError> {
    let uid = device.uid().ok_or(ReconcileError::Incomplete("uid"))?;
    context.fleet.stop(&uid).await;
    enrolment::remove(context, device).await?;
    match fs::remove_dir_all(directory(context, &uid)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    context.fleet.forget(&uid);
    Ok(Action::await_change())
}
