//! Boards by the names that people know, wherever a user names one; and what is said to other names.

use wasmbed_catalog::BOARDS;
use wasmbed_tests::modules;
use wasmbed_tests::platform::{Platform, path, prepared};

/// Checks that a message lists every board, by both names.
#[track_caller]
fn lists_all(message: &str) {
    for board in BOARDS {
        let entry = format!("{} ({})", board.name, board.display_name);
        assert!(message.contains(&entry), "{message}");
    }
}

#[test]
fn a_virtual_device_says_which_board_its_name_means() {
    if !prepared() {
        return;
    }
    let platform = Platform::start("names");
    let device = |name: &str, board: &str| {
        let mut object = modules::virtual_device(name, board);
        object["spec"]["power"] = "Off".into();
        object
    };
    for board in BOARDS {
        platform.apply(&device(board.name, board.display_name));
        let what = format!("virtualdevice/{}", board.name);
        platform.wait(&what, &format!("jsonpath={{.status.board}}={}", board.name));
        assert_eq!(platform.get(&what)["spec"]["board"], board.display_name);
    }
    let mut unknown = device("unknown", "Arduino Uno");
    unknown["spec"]["power"] = "On".into();
    platform.apply(&unknown);
    lists_all(&platform.ready_reason("virtualdevice/unknown", "BoardUnknown"));
    for refused in ["", "-", "mps2/an385", "mps2 an385 ", &"a".repeat(64)] {
        let output = platform.try_apply(&device("refused", refused));
        assert!(!output.status.success(), "{refused:?} is no name of anything");
    }
    println!("\ncases: {}", BOARDS.len() + 6);
}

#[test]
fn the_command_line_takes_the_names_that_people_know() {
    if !prepared() {
        return;
    }
    let platform = Platform::start("names-commands");
    let folder = platform.folder().to_path_buf();
    let provision = |board: &str, file: &str| {
        let flash = folder.join(file).display().to_string();
        let data = folder.display().to_string();
        let address = ["--address", "10.83.0.1:7443"];
        let rest = ["--flash", &flash, "--board", board, "--data-dir", &data];
        platform.run(&[["provision"].as_slice(), &address, &rest].concat())
    };
    let hello = path("WASMBED_GUESTS").join("hello.wasm").display().to_string();
    let run = |board: &str| {
        platform.run(&[
            "run", "--local", "--for", "100ms", "--board", board, "-g", "log", "-g", "timer",
            &hello,
        ])
    };
    for board in BOARDS {
        let output = provision(board.display_name, board.name);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{error}");
        let bytes = std::fs::metadata(folder.join(board.name)).map_or(0, |file| file.len());
        assert_eq!(bytes, u64::from(board.storage.bytes), "{}", board.name);
        let output = run(board.display_name);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("hello 0"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    }
    for output in [provision("Arduino Uno", "none"), run("Arduino Uno")] {
        assert!(!output.status.success());
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(error.contains("there is no board \"Arduino Uno\""), "{error}");
        lists_all(&error);
    }
    println!("\ncases: {}", BOARDS.len() * 2 + 2);
}
