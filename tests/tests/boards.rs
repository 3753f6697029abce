//! Every board at once on one platform: it boots, enrols with a key of its own, runs the same
//! application, and keeps key and application over a power cut.

use wasmbed_tests::modules;
use wasmbed_tests::platform::{Platform, is_prepared, path};

#[test]
fn every_board_enrols_runs_an_application_and_survives_a_power_cut() {
    if !is_prepared() {
        println!("\nskipped: run by `cargo xtask test e2e`");
        return;
    }
    let platform = Platform::start("boards");
    let boards = wasmbed_catalog::BOARDS;
    assert_eq!(boards.len(), 6, "the boards that the project promises");
    for board in boards {
        platform.apply(&modules::virtual_device(board.name, board.name));
    }
    let devices: Vec<String> =
        boards.iter().map(|board| platform.boot_board(board.name, board.name)).collect();
    let module = std::fs::read(path("WASMBED_GUESTS").join("hello.wasm"))
        .unwrap_or_else(|error| panic!("{error}"));
    let mut objects = modules::application("app", &module, &modules::digest(&module), "");
    objects["items"][1]["spec"]["selector"] = serde_json::json!({});
    platform.apply(&objects);
    platform.wait("application/app", "condition=Ready");
    platform.wait("application/app", "jsonpath={.status.counts.running}=6");
    for (board, device) in boards.iter().zip(&devices) {
        let object = platform.get(&format!("device/{device}"));
        assert_eq!(object["spec"]["board"], board.name, "{device}");
        platform.log_line(device, |line| line.contains("hello"));
    }
    for board in boards {
        let what = format!("virtualdevice/{}", board.name);
        platform.patch_spec(&what, |spec| spec["power"] = "Off".into());
        platform.wait(&what, "condition=Powered=False");
        platform.patch_spec(&what, |spec| spec["power"] = "On".into());
    }
    for (board, device) in boards.iter().zip(&devices) {
        assert_eq!(&platform.boot_board(board.name, board.name), device, "the key was kept");
        platform.wait(&format!("device/{device}"), "condition=Connected");
        let running = "jsonpath={.status.applications[0].state}=Running";
        platform.wait(&format!("device/{device}"), running);
        platform.log_line(device, |line| line.contains("hello"));
    }
    println!("\ncases: {}", boards.len() * 4);
}
