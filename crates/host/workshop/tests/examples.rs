//! Every example and every template: built as its author would, prepared, run locally, and what it
//! says compared with what it is there to say.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use wasmbed_wire::{GuestReason, GuestState};
use wasmbed_workshop::{
    ApplicationFile, BuildOptions, Ending, Event, GuestLimits, Input, Language, LocalGuest,
    LocalOptions, Project, Sensor, Template, WorkshopError, build, create, explain, run,
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

/// Builds as `wasmbed build` does; nothing is written beside the sources.
fn try_build(project: &Project, from_source: bool) -> Result<Vec<u8>, WorkshopError> {
    let way = if from_source { "sources" } else { "ordinary" };
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join(way);
    let kind = match &project.language {
        Language::Rust { .. } => "rust",
        Language::C { .. } => project.name.as_str(),
    };
    let mut options = BuildOptions {
        target_folder: Some(scratch.join(kind)),
        output: Some(scratch.join(format!("{}.wasm", project.name))),
        ..BuildOptions::default()
    };
    options.from_source |= from_source;
    std::fs::create_dir_all(&scratch).unwrap();
    build(project, &options).map(|built| built.module)
}

fn built(folder: &Path, grants: &[&str]) -> LocalGuest {
    let project = Project::open(folder).unwrap();
    let module = try_build(&project, false).unwrap_or_else(|error| panic!("{error}"));
    let grants = grants.iter().map(|grant| (*grant).to_owned()).collect();
    LocalGuest { grants, ..plain_guest(&project.name, module) }
}

/// A guest that may do nothing, without limits.
fn plain_guest(name: &str, module: Vec<u8>) -> LocalGuest {
    LocalGuest {
        name: name.to_owned(),
        module,
        grants: Vec::new(),
        limits: GuestLimits::default(),
        args: Vec::new(),
        env: Vec::new(),
    }
}

/// An example with what its manifest grants.
fn example(name: &str) -> LocalGuest {
    let manifest = root().join("examples/manifests").join(format!("guest-{name}.yaml"));
    let application = ApplicationFile::read(&manifest).unwrap();
    let ApplicationFile { capabilities: grants, limits, args, env, .. } = application;
    let built = built(&root().join("examples/guests").join(name), &[]);
    LocalGuest { grants, limits, args, env, ..built }
}

fn options(board: &str) -> LocalOptions {
    LocalOptions {
        board: wasmbed_catalog::board(board).unwrap(),
        run_for: None,
        flash: None,
        sensors: Vec::new(),
        inputs: Vec::new(),
    }
}

/// Runs guests until `is_enough` of what they said, for ten seconds at most.
fn run_until(
    guests: &[LocalGuest],
    options: &LocalOptions,
    is_enough: impl Fn(&[Event]) -> bool,
) -> (Vec<Event>, Vec<Ending>) {
    let options = LocalOptions { run_for: Some(Duration::from_secs(10)), ..options.clone() };
    let (stop, stopped) = mpsc::channel();
    let mut events = Vec::new();
    let endings = run(guests, &options, &stopped, &mut |event| {
        events.push(event.clone());
        if is_enough(&events) {
            stop.send(()).unwrap();
        }
    });
    (events, endings.unwrap_or_else(|error| panic!("{error}")))
}

fn logs(events: &[Event], of: usize) -> Vec<&str> {
    let text = |event| match event {
        &Event::Log { guest, ref text } if guest == of => Some(text.as_str()),
        _ => None,
    };
    events.iter().filter_map(text).collect()
}

fn has_finished(ending: &Ending) -> bool {
    ending.state == GuestState::Finished && ending.reason == GuestReason::None
}

/// What a guest takes, for the record of a test run, and as the device says it.
fn figure(guest: &LocalGuest) -> u64 {
    let path = PathBuf::from(&guest.name);
    let mut explained = explain(&path, &guest.module, &guest.limits).unwrap();
    explained.grant(&guest.grants).unwrap();
    let fits = explained.fits();
    let boards = fits.iter().filter(|fit| fit.fits()).count();
    println!(
        "figure: guest {} {} bytes of module, {} of image, {} of RAM, fits {boards} of {} boards",
        guest.name,
        guest.module.len(),
        explained.image.len(),
        fits[0].ram_bytes,
        fits.len()
    );
    fits[0].ram_bytes
}

#[test]
fn hello_and_blinky_go_on_until_they_are_stopped() {
    let hello = built(&root().join("examples/guests/hello"), &["log", "timer"]);
    let expected_bytes = figure(&hello);
    let (events, endings) =
        run_until(&[hello], &options("stm32vldiscovery"), |events| events.len() == 2);
    assert_eq!(logs(&events, 0), ["hello 0", "hello 1"]);
    assert_ne!(endings[0].state, GuestState::Failed);
    assert_eq!(endings[0].ram_bytes.map(u64::from), Some(expected_bytes));

    let blinky = example("blinky");
    figure(&blinky);
    let (events, _) = run_until(&[blinky], &options("mps2-an385"), |events| events.len() == 5);
    let leds: Vec<(u8, bool)> = events
        .iter()
        .filter_map(|event| match event {
            Event::Led { index, is_on } => Some((*index, *is_on)),
            _ => None,
        })
        .collect();
    // 0, 1, 2, 3 in binary.
    assert_eq!(leds, [(0, true), (0, false), (1, true), (0, true)]);
}

#[test]
fn sampler_publishes_under_the_topics_that_are_granted() {
    let grants = ["clock", "log", "telemetry:late/", "timer"];
    let sampler = built(&root().join("examples/guests/sampler"), &grants);
    figure(&sampler);
    let (events, _) = run_until(&[sampler], &options("mps2-an385"), |events| events.len() == 3);
    let topics: Vec<&str> = events
        .iter()
        .filter_map(|event| match event {
            Event::Telemetry { topic, .. } => Some(topic.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(topics, ["late/mean", "late/max"]);
}

#[test]
fn thermometer_reads_its_sensor_or_says_that_there_is_none() {
    let guest = example("thermometer");
    figure(&guest);
    let guests = [guest];
    let board = options("mps2-an385");
    let warm = LocalOptions {
        sensors: vec![Sensor::parse("tmp105@0x48=-4.25").unwrap()],
        ..board.clone()
    };
    let (events, _) = run_until(&guests, &warm, |events| events.len() == 2);
    assert_eq!(logs(&events, 0), ["-4250 thousandths of a degree"]);
    assert!(events.contains(&Event::Telemetry {
        guest: 0,
        topic: "room/temperature".to_owned(),
        value: -4250
    }));
    let (events, endings) = run_until(&guests, &board, |_| false);
    assert_eq!(logs(&events, 0), ["no sensor: not there"]);
    assert!(has_finished(&endings[0]), "{endings:?}");
}

#[test]
fn two_guests_talk_to_each_other() {
    let guests = [example("chat-a"), example("chat-b")];
    guests.iter().for_each(|guest| _ = figure(guest));
    let (events, _) =
        run_until(&guests, &options("mps2-an385"), |events| logs(events, 0).len() == 2);
    assert_eq!(logs(&events, 1), ["chat-b listens"]);
    let answers = logs(&events, 0);
    assert!(answers[0].starts_with("answer to question 1 after ms: "), "{answers:?}");
    assert!(answers[1].starts_with("answer to question 2 after ms: "), "{answers:?}");
}

#[test]
fn work_computes_the_same_everywhere() {
    let work = example("work");
    figure(&work);
    let (events, endings) =
        run_until(&[work], &options("mps2-an385"), |events| !logs(events, 0).is_empty());
    let line = logs(&events, 0)[0];
    assert!(line.contains(" rounds, checksum "), "{line}");
    assert!(endings[0].fuel > 1_000_000, "{endings:?}");
}

/// Whether guests in C can be built here.
fn has_clang() -> bool {
    let project = Project::open(&root().join("examples/guests/boots")).unwrap();
    match try_build(&project, false) {
        Err(
            error @ (WorkshopError::ProgramMissing { .. } | WorkshopError::LinkerMissing { .. }),
        ) => {
            println!("\nskipped: {error}\n");
            false
        }
        _ => true,
    }
}

#[test]
fn boots_in_c_counts_over_runs() {
    if !has_clang() {
        return;
    }
    let boots = example("boots");
    figure(&boots);
    let folder = tempfile::tempdir().unwrap();
    let options =
        LocalOptions { flash: Some(folder.path().join("flash")), ..options("mps2-an385") };
    let guests = [boots];
    for expected in ["start number 1", "start number 2", "start number 3"] {
        let (events, endings) = run_until(&guests, &options, |_| false);
        assert_eq!(logs(&events, 0), [expected]);
        assert!(has_finished(&endings[0]), "{endings:?}");
    }
}

#[test]
fn plain_is_an_ordinary_program() {
    let plain = example("plain");
    figure(&plain);
    let (events, endings) = run_until(&[plain], &options("mps2-an385"), |_| false);
    assert_eq!(logs(&events, 0), ["hello, board", "hello, board!", "hello, board!!"]);
    assert!(has_finished(&endings[0]), "{endings:?}");
}

#[test]
fn guests_build_with_libraries_from_sources() {
    for name in ["hello", "plain"] {
        let project = Project::open(&root().join("examples/guests").join(name)).unwrap();
        match try_build(&project, true) {
            Ok(module) => assert!(module.starts_with(b"\0asm")),
            Err(WorkshopError::TargetMissing { target }) => {
                println!(
                    "\nskipped: no libraries of {target} from sources: cargo xtask setup --from-source\n"
                );
            }
            Err(error) => panic!("{name}: {error}"),
        }
    }
}

#[test]
fn every_template_runs_as_it_is() {
    let templates = [("rust", "on"), ("c", "on"), ("rust-std", "tried 0, ")];
    for (name, first) in templates.into_iter().filter(|(name, _)| *name != "c" || has_clang()) {
        let folder = tempfile::tempdir().unwrap();
        let project = folder.path().join("tried");
        create(&project, "tried", Template::by_name(name).unwrap()).unwrap();
        let granted = ApplicationFile::read(&project.join("app.yaml")).unwrap().capabilities;
        let grants: Vec<&str> = granted.iter().map(String::as_str).collect();
        let guest = built(&project, &grants);
        println!("figure: template {name} {} bytes of module", guest.module.len());
        let (events, _) = run_until(&[guest], &options("mps2-an385"), |events| events.len() >= 4);
        let lines = logs(&events, 0);
        assert!(lines[0].starts_with(first), "{name}: {lines:?}");
    }
}

#[test]
fn a_trap_is_told_by_the_names_of_the_module() {
    let module = wat::parse_str(
        r#"(module (memory 1)
            (func $store (param i32) (i32.store (local.get 0) (i32.const 1)))
            (func (export "run") (call $store (i32.const 0x7fffffff))))"#,
    )
    .unwrap();
    let guest = plain_guest("wild", module);
    let (_, endings) = run_until(&[guest], &options("mps2-an385"), |_| false);
    assert_eq!(endings[0].state, GuestState::Failed);
    assert_eq!(endings[0].reason, GuestReason::TrapMemoryOutOfBounds);
    let place = endings[0].place.clone().unwrap();
    assert!(place.starts_with("in function 0 (store), at 0x"), "{place}");
    assert!(place.ends_with(" in the module"), "{place}");
}

#[test]
fn what_cannot_be_run_is_refused_with_what_to_do() {
    let module = |text: &str| wat::parse_str(text).unwrap();
    let check = |guests: &[LocalGuest], expected: &str| {
        let (_stop, stopped) = mpsc::channel();
        let error = run(guests, &options("stm32vldiscovery"), &stopped, &mut |_| {});
        let error = error.unwrap_err().to_string();
        assert!(error.contains(expected), "{expected:?} is not in {error:?}");
    };
    let ended = plain_guest("ended", module(r#"(module (func (export "run")))"#));
    check(&[ended.clone(), ended.clone()], "two guests are called ended");
    let grants = vec!["logs".to_owned()];
    check(&[LocalGuest { grants, ..ended }], "\"logs\" is no capability");
    let log = r#"(module (import "wasmbed" "log" (func (param i32 i32))) (memory 1)
        (func (export "run") (call 0 (i32.const 0) (i32.const 1))))"#;
    check(&[plain_guest("log", module(log))], "--grant log");
    check(&[plain_guest("none", module("(module)"))], "exports no function `run`");
    check(&[plain_guest("text", b"hello".to_vec())], "not a valid WebAssembly module");
}

#[test]
fn a_guest_that_does_not_fit_is_refused_with_the_numbers() {
    let module = wat::parse_str(r#"(module (memory 1) (func (export "run")))"#).unwrap();
    let (_, endings) =
        run_until(&[plain_guest("large", module)], &options("stm32vldiscovery"), |_| false);
    assert_eq!(endings[0].state, GuestState::Refused);
    assert_eq!(endings[0].reason, GuestReason::ArenaTooSmall);
    let (needed, available) = endings[0].sizes.unwrap();
    assert!(needed > 65_536 && available <= 4_096, "{needed} {available}");
}

#[test]
fn limits_and_inputs_reach_the_guest() {
    let module = |text: &str| wat::parse_str(text).unwrap();
    let spin = module(r#"(module (func (export "run") (loop $again (br $again))))"#);
    let limits = GuestLimits { fuel: Some(1_000), ..GuestLimits::default() };
    let guest = LocalGuest { limits, ..plain_guest("spin", spin) };
    let (_, endings) = run_until(&[guest], &options("mps2-an385"), |_| false);
    assert_eq!(endings[0].reason, GuestReason::TrapFuelExhausted);
    assert!(endings[0].fuel <= 1_000, "{endings:?}");

    let text = r#"(module
        (import "wasmbed" "button_wait" (func $wait (param i32 i32) (result i32)))
        (import "wasmbed" "led_set" (func $set (param i32 i32) (result i32)))
        (func (export "run")
            (drop (call $set (call $wait (i32.const 3) (i32.const 5000)) (i32.const 1)))))"#;
    let grants = vec!["button".to_owned(), "led".to_owned()];
    let guest = LocalGuest { grants, ..plain_guest("press", module(text)) };
    let pressed = LocalOptions {
        inputs: vec![Input::parse_press("0@50ms").unwrap()],
        ..options("mps2-an385")
    };
    let (events, endings) = run_until(&[guest], &pressed, |_| false);
    assert_eq!(events, [Event::Led { index: 1, is_on: true }]);
    assert!(has_finished(&endings[0]), "{endings:?}");
}
