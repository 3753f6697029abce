//! VirtualDevices from their creation to their end, with the embedded API server and the installed
//! QEMU. The firmware is eight instructions that sleep, and the test plays the gateway.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube::runtime::wait::await_condition;
use kube::{Client, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wasmbed_apiserver::{ApiServer, Running};
use wasmbed_crds::{Device, Enrollment, Gateway, VirtualDevice, condition};
use wasmbed_qemu::{Config, run};

const PATIENCE: Duration = Duration::from_secs(60);

/// An ELF for a Cortex-M at address 0: stack pointer, reset vector, `wfi`, `b` back to it.
fn sleeping_firmware() -> Vec<u8> {
    let code = [0x2000_1000_u32, 0x0000_0009, 0xE7FD_BF30, 0, 0, 0, 0, 0];
    let mut elf = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let half = |elf: &mut Vec<u8>, values: &[u16]| {
        values.iter().for_each(|value| elf.extend_from_slice(&value.to_le_bytes()));
    };
    let word = |elf: &mut Vec<u8>, values: &[u32]| {
        values.iter().for_each(|value| elf.extend_from_slice(&value.to_le_bytes()));
    };
    // Executable for Arm; entry 9, program headers at 52, no sections, EABI 5.
    half(&mut elf, &[2, 40]);
    word(&mut elf, &[1, 9, 52, 0, 0x0500_0000]);
    half(&mut elf, &[52, 32, 1, 40, 0, 0]);
    word(&mut elf, &[1, 84, 0, 0, 32, 32, 5, 4]);
    word(&mut elf, &code);
    elf
}

struct Bench {
    directory: PathBuf,
    api: Running,
    client: Client,
    manager: Option<(CancellationToken, JoinHandle<Result<(), wasmbed_qemu::Error>>)>,
}

impl Bench {
    async fn new(name: &str) -> Self {
        let directory =
            std::env::temp_dir().join(format!("wasmbed-vd-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("firmware.elf"), sleeping_firmware()).unwrap();
        let mut config = wasmbed_apiserver::Config::new(directory.join("api"));
        config.crds = wasmbed_crds::all();
        let api = ApiServer::start(config).await.unwrap();
        let client = api.client();
        Self { directory, api, client, manager: None }
    }

    fn start_manager(&mut self) {
        let config = Config {
            data_directory: self.boards(),
            namespace: None,
            firmware: BTreeMap::from([("mps2-an385".into(), self.directory.join("firmware.elf"))]),
            ca_pins: vec![[1; 32]],
            signer_pins: vec![[2; 32]],
            gateway_address: None,
            captures: false,
        };
        let cancel = CancellationToken::new();
        let manager = tokio::spawn(run(config, self.client.clone(), cancel.clone()));
        self.manager = Some((cancel, manager));
    }

    async fn stop_manager(&mut self) {
        let (cancel, manager) = self.manager.take().unwrap();
        cancel.cancel();
        tokio::time::timeout(PATIENCE, manager).await.unwrap().unwrap().unwrap();
    }

    async fn end(mut self) {
        self.stop_manager().await;
        self.api.stop().await;
        std::fs::remove_dir_all(&self.directory).unwrap();
    }

    fn boards(&self) -> PathBuf {
        self.directory.join("boards")
    }

    fn of<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), "default")
    }

    async fn create<K>(&self, object: Value) -> K
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned
            + serde::Serialize,
    {
        let object = serde_json::from_value(object).unwrap();
        self.of::<K>().create(&PostParams::default(), &object).await.unwrap()
    }

    async fn gateway(&self, name: &str) {
        self.create::<Gateway>(json!({
            "apiVersion": "wasmbed.github.io/v1alpha1", "kind": "Gateway",
            "metadata": { "name": name },
            "spec": { "endpoint": { "host": "127.0.0.1", "port": 9 } },
        }))
        .await;
    }

    async fn device(&self, spec: Value) -> VirtualDevice {
        self.create(json!({
            "apiVersion": "wasmbed.github.io/v1alpha1", "kind": "VirtualDevice",
            "metadata": { "name": "one" }, "spec": spec,
        }))
        .await
    }

    async fn change(&self, spec: Value) {
        let patch = Patch::Merge(json!({ "spec": spec }));
        self.of::<VirtualDevice>().patch("one", &PatchParams::default(), &patch).await.unwrap();
    }

    /// Waits until the VirtualDevice is as wanted.
    async fn wait(&self, what: &str, is_wanted: impl Fn(&VirtualDevice) -> bool) -> VirtualDevice {
        let wanted = |device: Option<&VirtualDevice>| device.is_some_and(&is_wanted);
        let reached = await_condition(self.of::<VirtualDevice>(), "one", wanted);
        match tokio::time::timeout(PATIENCE, reached).await {
            Ok(device) => device.unwrap().unwrap(),
            Err(_) => {
                let last = self.of::<VirtualDevice>().get("one").await.unwrap();
                panic!("never: {what}; it is {:#?}", last.status)
            }
        }
    }

    /// Waits until a condition is True, or False, for this reason.
    async fn wait_for(&self, kind: &str, status: &str, reason: &str) -> VirtualDevice {
        let what = format!("{kind}={status} {reason}");
        self.wait(&what, |device| {
            let conditions = device.status.as_ref().map(|status| &*status.conditions);
            condition::find(conditions.unwrap_or_default(), kind)
                .is_some_and(|told| told.status == status && told.reason == reason)
        })
        .await
    }

    /// Plays the gateway: uses the Enrollment and makes the Device.
    async fn enroll(&self) {
        let enrollment = self.of::<Enrollment>().get("vd-one").await.unwrap();
        let key = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
        self.create::<Device>(json!({
            "apiVersion": "wasmbed.github.io/v1alpha1", "kind": "Device",
            "metadata": { "name": "d-abcdefghijklmnop", "labels": enrollment.spec.labels },
            "spec": { "publicKey": key, "board": "mps2-an385" },
        }))
        .await;
        let used = json!({ "publicKey": key, "device": "d-abcdefghijklmnop" });
        let patch = Patch::Merge(json!({ "status": { "used": 1, "uses": [used] } }));
        let api = self.of::<Enrollment>();
        api.patch_status("vd-one", &PatchParams::default(), &patch).await.unwrap();
    }
}

fn pid(device: &VirtualDevice) -> Option<i64> {
    device.status.as_ref().and_then(|status| status.pid)
}

fn is_alive(pid: i64) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

#[tokio::test]
async fn a_virtual_device_from_its_creation_to_its_end() {
    let mut bench = Bench::new("life").await;
    bench.start_manager();
    bench.gateway("main").await;
    let created = bench.device(json!({ "board": "mps2-an385", "labels": { "site": "lab" } })).await;
    let device = bench.wait_for("Powered", "True", "EmulatorRunning").await;
    let first = pid(&device).unwrap();
    assert!(is_alive(first));
    let directory = bench.boards().join(created.uid().unwrap());
    assert!(directory.join("flash.bin").exists());
    assert!(!directory.join("token").exists(), "the token stays in the flash only");

    let enrollment = bench.of::<Enrollment>().get("vd-one").await.unwrap();
    assert_eq!(enrollment.spec.max_uses, 1);
    let label = |name: &str| enrollment.spec.labels.get(name).map(String::as_str);
    assert_eq!((label("site"), label("wasmbed.github.io/alias")), (Some("lab"), Some("one")));
    bench.wait_for("Ready", "False", "Enrolling").await;
    bench.enroll().await;
    let device = bench.wait_for("Ready", "True", "AsExpected").await;
    let status = device.status.unwrap();
    assert_eq!(status.device.as_deref(), Some("d-abcdefghijklmnop"));
    assert!(Path::new(&status.console_log.unwrap()).exists());

    let killed = rustix::process::Pid::from_raw(first.try_into().unwrap()).unwrap();
    rustix::process::kill_process(killed, rustix::process::Signal::KILL).unwrap();
    let device = bench
        .wait("restarted", |device| {
            let status = device.status.clone().unwrap_or_default();
            status.restarts == 1 && status.pid.is_some_and(|pid| pid != first)
        })
        .await;
    assert_eq!(device.status.as_ref().unwrap().crash.as_ref().unwrap().reason, "Killed");

    // Each change of the time presses the button once; a start is worth a press.
    for reset_at in ["2026-11-22T10:00:00Z", "2026-11-22T10:00:01Z"] {
        bench.change(json!({ "resetAt": reset_at })).await;
        let device = bench
            .wait("reset", |device| {
                let status = device.status.clone().unwrap_or_default();
                status.reset_at.is_some() && status.reset_at == device.spec.reset_at
            })
            .await;
        assert!(pid(&device).is_some_and(is_alive));
    }
    let patch = Patch::Merge(json!({ "spec": { "line": { "loss": "101%" } } }));
    let devices = bench.of::<VirtualDevice>();
    assert!(devices.patch("one", &PatchParams::default(), &patch).await.is_err());
    let patch = Patch::Merge(json!({ "spec": { "line": { "delayMs": 1, "jitterMs": 2 } } }));
    assert!(devices.patch("one", &PatchParams::default(), &patch).await.is_err());
    let line = json!({ "loss": "5%", "delayMs": 50, "jitterMs": 10, "partition": "Up" });
    bench.change(json!({ "line": line })).await;

    bench.change(json!({ "power": "Off" })).await;
    let off = bench.wait_for("Powered", "False", "PoweredOff").await;
    assert_eq!(pid(&off), None);
    assert!(!is_alive(pid(&device).unwrap()));
    let flash = std::fs::read(directory.join("flash.bin")).unwrap();
    bench.change(json!({ "power": "On", "cable": "Out" })).await;
    bench.wait_for("Powered", "True", "EmulatorRunning").await;
    assert!(std::fs::read(directory.join("flash.bin")).unwrap() == flash);

    // A new manager goes on with what the old one left: the same flash, the same Device.
    bench.stop_manager().await;
    let left = bench.wait_for("Powered", "Unknown", "ManagerStopped").await;
    assert_eq!(pid(&left), None);
    bench.start_manager();
    let again = bench.wait("started again", |device| pid(device).is_some_and(is_alive)).await;
    assert_eq!(again.status.unwrap().device.as_deref(), Some("d-abcdefghijklmnop"));
    assert!(std::fs::read(directory.join("flash.bin")).unwrap() == flash);

    let devices = bench.of::<VirtualDevice>();
    devices.delete("one", &DeleteParams::default()).await.unwrap();
    let gone = await_condition(devices, "one", |device: Option<&VirtualDevice>| device.is_none());
    tokio::time::timeout(PATIENCE, gone).await.unwrap().unwrap();
    assert!(!directory.exists());
    assert!(bench.of::<Enrollment>().get_opt("vd-one").await.unwrap().is_none());
    assert!(bench.of::<Device>().get_opt("d-abcdefghijklmnop").await.unwrap().is_none());
    bench.end().await;
}

#[tokio::test]
async fn what_cannot_be_emulated_says_why_and_is_once_it_can() {
    let mut bench = Bench::new("refused").await;
    bench.start_manager();
    let mut cases = 0;
    for (board, reason, name) in [
        ("abacus", "BoardUnknown", None),
        ("stm32vldiscovery", "FirmwareMissing", Some("stm32vldiscovery")),
        ("STM32VLDISCOVERY", "FirmwareMissing", Some("stm32vldiscovery")),
        ("Olimex STM32-H405", "FirmwareMissing", Some("olimex-stm32-h405")),
    ] {
        bench.device(json!({ "board": board })).await;
        let status = bench.wait_for("Ready", "False", reason).await.status.unwrap();
        assert_eq!(status.board.as_deref(), name, "{board}");
        if name.is_none() {
            let told = condition::find(&status.conditions, "Ready").unwrap();
            let list = "mps2-an385 (Arm MPS2 AN385), ";
            assert!(told.message.contains(list), "{}", told.message);
        }
        let devices = bench.of::<VirtualDevice>();
        devices.delete("one", &DeleteParams::default()).await.unwrap();
        let gone =
            await_condition(devices, "one", |device: Option<&VirtualDevice>| device.is_none());
        tokio::time::timeout(PATIENCE, gone).await.unwrap().unwrap();
        cases += 1;
    }
    bench.device(json!({ "board": "Arm MPS2 AN385" })).await;
    bench.wait_for("Ready", "False", "GatewayUndecided").await;
    assert!(bench.of::<Enrollment>().get_opt("vd-one").await.unwrap().is_none());
    bench.gateway("main").await;
    bench.wait_for("Powered", "True", "EmulatorRunning").await;
    bench.gateway("other").await;
    bench.wait_for("Ready", "False", "GatewayUndecided").await;
    bench.change(json!({ "gatewayRef": { "name": "other" } })).await;
    bench.wait_for("Powered", "True", "EmulatorRunning").await;
    println!("\ncases: {}\n", cases + 4);
    bench.end().await;
}
