//! The same on a real kube-apiserver, and that project's kubectl against the embedded server.

use std::process::Command;

use wasmbed_tests::control_plane::ControlPlane;
use wasmbed_tests::modules;
use wasmbed_tests::platform::{Platform, path};

/// Folder of the real programs, where this run has them.
fn programs() -> Option<std::path::PathBuf> {
    let programs = std::env::var_os("WASMBED_KUBERNETES");
    if programs.is_none() {
        println!("\nskipped: run by `cargo xtask test kubernetes`");
    }
    programs.map(Into::into)
}

fn hello() -> Vec<u8> {
    std::fs::read(path("WASMBED_GUESTS").join("hello.wasm")).unwrap_or_else(|e| panic!("{e}"))
}

#[track_caller]
fn kubectl(mut command: Command, arguments: &[&str]) -> String {
    let output = command.args(arguments).output().unwrap_or_else(|error| panic!("{error}"));
    assert!(
        output.status.success(),
        "kubectl {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_flow_of_the_demo_works_on_a_real_api_server() {
    let Some(programs) = programs() else { return };
    let plane = ControlPlane::start("plane", &programs);
    let platform = Platform::start_on_cluster("on-plane", &plane.kubeconfig());
    let device = platform.boot("board");
    let module = hello();
    platform.apply(&modules::application("app", &module, &modules::digest(&module), "board"));
    kubectl(
        plane.kubectl(),
        &["wait", "application/app", "--for=condition=Ready", "--timeout=60s"],
    );
    platform.log_line(&device, |line| line.contains("hello"));
    let path =
        format!("/apis/live.wasmbed.github.io/v1alpha1/namespaces/default/devices/{device}/log");
    assert!(kubectl(plane.kubectl(), &["get", "--raw", &path]).contains("hello"));
    let table = kubectl(plane.kubectl(), &["get", "devices"]);
    assert!(table.contains(&device), "{table}");
    kubectl(plane.kubectl(), &["delete", "application/app", "virtualdevice/board"]);
    println!("\ncases: 6");
}

#[test]
fn kubectl_works_with_the_embedded_server() {
    let Some(programs) = programs() else { return };
    let platform = Platform::start("kubectl");
    let device = platform.boot("board");
    let command = || {
        let mut command = Command::new(programs.join("kubectl"));
        command.arg("--kubeconfig").arg(platform.kubeconfig());
        command
    };
    let table = kubectl(command(), &["get", "devices"]);
    assert!(table.contains(&device), "{table}");
    let text = kubectl(command(), &["describe", "device", &device]);
    assert!(text.contains("Connected"), "{text}");
    let file = platform.folder().join("app.yaml");
    let module = hello();
    let objects = modules::application("app", &module, &modules::digest(&module), "board");
    let documents = objects["items"].as_array().cloned().unwrap_or_default();
    let text: String = documents.iter().map(|object| format!("---\n{object}\n")).collect();
    std::fs::write(&file, text).unwrap_or_else(|error| panic!("{error}"));
    let file = file.display().to_string();
    kubectl(command(), &["apply", "--server-side", "-f", &file]);
    kubectl(command(), &["wait", "application/app", "--for=condition=Ready", "--timeout=60s"]);
    kubectl(command(), &["apply", "-f", &file]);
    kubectl(command(), &["delete", "-f", &file]);
    println!("\ncases: 6");
}
