//! The device of `runtime`, with the TLS client of `tls`, through this gateway.

use std::cell::Cell;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use http::Method;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use wasmbed_crds::{Application, Device as DeviceObject, Enrollment};
use wasmbed_gateway::{Limits, ServerIdentity};
use wasmbed_journal::limits::SLOT_BYTES;
use wasmbed_journal::ram::RamFlash;
use wasmbed_journal::{Journal, Key};
use wasmbed_runtime::{BoardFacts, Closed, Device, Memory, ResetReason, Wants};
use wasmbed_testkit::{Choices, SimulatedPlatform, Vendor, image_of, modules};
use wasmbed_wire::Digest;

use crate::harness::{Authority, Harness};
use crate::live_api::{Caller, path_of};

/// A device on a thread of its own, on the real clock and over real TCP.
struct Board {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Board {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("the device panicked");
        }
    }
}

impl Board {
    fn start(address: SocketAddr, provisioning: Vec<u8>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().stack_size(8 << 20);
        let thread = thread.spawn(move || run(address, &provisioning, &stopped)).expect("a thread");
        Self { stop, thread: Some(thread) }
    }
}

fn started(platform: &mut SimulatedPlatform) -> Box<Device<'static, 3>> {
    let mut device = Box::new(Device::new());
    let memory = Memory { arena: vec![0; 24 * 1024].leak(), queue: vec![0; 1024].leak() };
    let facts = BoardFacts {
        board: "simulated",
        firmware: "0.1.0-test",
        dtb_digest: Digest([9; 32]),
        reset_reason: ResetReason::PowerOn,
        fault: None,
    };
    device.start(memory, facts, platform).expect("a device that starts");
    device
}

fn run(address: SocketAddr, provisioning: &[u8], stop: &AtomicBool) {
    let begun = Instant::now();
    let clock_ms = Rc::new(Cell::new(1));
    let mut flash = RamFlash::new((2 * 4096 + 4 * SLOT_BYTES) as usize);
    let mut journal = Journal::mount(&mut flash).expect("a journal");
    journal.store(&mut flash, Key::new(1), provisioning).expect("a store");
    let mut platform = SimulatedPlatform::new(flash, Rc::clone(&clock_ms), Choices::new(7));
    let mut device = started(&mut platform);
    let mut line: Option<TcpStream> = None;
    let mut waiting = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let now_ms = u64::try_from(begun.elapsed().as_millis()).expect("a short test") + 1;
        clock_ms.set(now_ms);
        let next = device.step(now_ms, &mut platform);
        match next.wants {
            Wants::Nothing => {}
            Wants::Connect { .. } => match TcpStream::connect(address) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(Duration::from_millis(1))).expect("a timeout");
                    line = Some(stream);
                    waiting.clear();
                    device.connected(now_ms);
                }
                Err(_) => device.disconnected(now_ms, Closed::Unreachable),
            },
            Wants::Disconnect => {
                if let Some(mut stream) = line.take() {
                    // The alert may not get through any more.
                    let _ = stream.write_all(device.outgoing());
                }
                device.disconnected(now_ms, Closed::Requested);
            }
            Wants::Reboot => {
                line = None;
                device = started(&mut platform);
            }
        }
        if !carry(&mut device, &mut line, &mut waiting) {
            line = None;
            device.disconnected(now_ms, Closed::ByPeer);
        }
        if line.is_none() && next.wants == Wants::Nothing && next.wake_at_ms > now_ms {
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }
}

/// Moves bytes between the device and its connection; false once that is closed.
fn carry(
    device: &mut Device<'static, 3>,
    line: &mut Option<TcpStream>,
    waiting: &mut Vec<u8>,
) -> bool {
    let Some(stream) = line else { return true };
    let outgoing = device.outgoing();
    if !outgoing.is_empty() {
        let count = outgoing.len();
        if stream.write_all(outgoing).is_err() {
            return false;
        }
        device.sent(count);
    }
    if waiting.is_empty() {
        let mut chunk = [0; 512];
        match stream.read(&mut chunk) {
            Ok(0) => return false,
            Ok(count) => waiting.extend_from_slice(&chunk[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return false,
        }
    }
    let taken = device.received(waiting);
    waiting.drain(..taken);
    true
}

/// Waits until the device's status shows `NAME STATE` of its first application.
async fn until_state(harness: &Harness, device: &str, wanted: &str) -> DeviceObject {
    harness
        .until(device, |device: &DeviceObject| {
            let status = device.status.as_ref();
            let first = status.and_then(|status| status.applications.first());
            first.is_some_and(|app| format!("{} {}", app.name, app.state) == wanted)
        })
        .await
}

/// Waits until the device's log holds `wanted`.
async fn until_logged(caller: &Caller<'_>, device: &str, wanted: &str) {
    let reading = async {
        loop {
            let (_, text) = caller.text(Method::GET, &path_of(device, "log")).await;
            if text.contains(wanted) {
                return;
            }
        }
    };
    tokio::time::timeout(crate::peer::PATIENCE, reading).await.expect("logged in time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_enrols_installs_runs_and_obeys() {
    let vendor = Vendor::new();
    let (certificate, key) = vendor.gateway_identity();
    let leaf = ServerIdentity::from_pkcs8(vec![certificate], key);
    let harness = Harness::start_showing(leaf, Authority::new("unused"), Limits::default()).await;
    harness.enrollment("one", "let-me-in", json!({ "labels": { "site": "lab" } })).await;
    let _board =
        Board::start(harness.gateway.device_address, vendor.provisioning(Some("let-me-in")));
    let enrollment: Enrollment = harness
        .until("one", |enrollment: &Enrollment| {
            enrollment.status.as_ref().is_some_and(|status| !status.uses.is_empty())
        })
        .await;
    let device = enrollment.status.expect("used").uses[0].device.clone();
    let object = harness.until_connected(&device, "True SessionOpen").await;
    assert_eq!(object.spec.board, "simulated");

    let image = image_of(&modules::counter(20));
    let sign = |app: wasmbed_wire::AppId| {
        let signed = vendor.application_with("ticker", 1, &image, |manifest| {
            manifest.app_uid = app.0;
        });
        (signed.manifest, signed.signature)
    };
    harness.signed_application("ticker", &image, 8_000, sign).await;
    let object = until_state(&harness, &device, "ticker Running").await;
    let running = &object.status.expect("written").applications[0];
    let digest = wasmbed_model::ids::sha256(&image).to_string();
    assert_eq!((running.generation, running.image_digest.as_ref()), (1, Some(&digest)));

    let caller = Caller::proxy(&harness);
    until_logged(&caller, &device, " ticker ").await;
    let (status, answer) = caller.json(Method::POST, &path_of(&device, "ping")).await;
    assert_eq!((status, &answer["outcome"]), (200, &"Done".into()), "{answer}");
    let (status, counters) = caller.json(Method::GET, &path_of(&device, "counters")).await;
    assert_eq!(status, 200, "{counters}");
    assert_eq!(counters["counters"]["handshakes"], 1);

    let applications: Api<Application> = harness.api();
    let suspend = Patch::Merge(json!({ "spec": { "suspend": true } }));
    applications.patch("ticker", &PatchParams::default(), &suspend).await.expect("patched");
    until_state(&harness, &device, "ticker Stopped").await;
    let resume = Patch::Merge(json!({ "spec": { "suspend": false } }));
    applications.patch("ticker", &PatchParams::default(), &resume).await.expect("patched");
    until_state(&harness, &device, "ticker Running").await;

    let (status, answer) = caller.json(Method::POST, &path_of(&device, "reboot")).await;
    assert_eq!((status, &answer["outcome"]), (200, &"Done".into()), "{answer}");
    let rebooted = |device: &DeviceObject| {
        let status = device.status.as_ref();
        status.is_some_and(|status| {
            status.boot_count == Some(2)
                && status.applications.first().is_some_and(|app| app.state == "Running")
        })
    };
    harness.until(&device, rebooted).await;

    let devices: Api<DeviceObject> = harness.api();
    let revoke = Patch::Merge(json!({ "spec": { "enabled": false } }));
    devices.patch(&device, &PatchParams::default(), &revoke).await.expect("patched");
    harness.until_connected(&device, "False Disabled").await;
}
