//! Starts a real control plane, prints the path of its kubeconfig, and ends it when its standard
//! input ends.

use std::io::Read;

use wasmbed_tests::control_plane::ControlPlane;

fn main() {
    let Some(programs) = std::env::args_os().nth(1) else {
        eprintln!(
            "usage: control-plane FOLDER, with the programs of `cargo xtask setup --kubernetes`"
        );
        std::process::exit(2);
    };
    let plane = ControlPlane::start("control-plane", programs.as_ref());
    println!("{}", plane.kubeconfig().display());
    // Whoever started this closes the pipe, or ends and so closes it.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
