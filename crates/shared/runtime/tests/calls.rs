//! Each call of the host interface: what it does, when it is refused, and what it does with pointers
//! that lead nowhere.

use wasmbed_abi::{IMPORTS, Import, MODULE, ValueType, status};
use wasmbed_image::Config;
use wasmbed_testkit::desk::{Desk, Guest, Said};
use wasmbed_testkit::image_of;
use wasmbed_wire::{CommandOutcome, GuestReason, GuestState};

/// Declares the imports that `body` calls, by the names in the table.
fn imports_of(body: &str) -> String {
    let is_called = |import: &&Import| {
        let call = format!("(call ${}", import.name);
        [' ', ')', '\n'].iter().any(|end| body.contains(&format!("{call}{end}")))
    };
    let mut text = String::new();
    for import in IMPORTS.iter().filter(is_called) {
        let name = |ty: &ValueType| if *ty == ValueType::I32 { "i32" } else { "i64" };
        let params: Vec<_> = import.params.iter().map(name).collect();
        let result =
            import.result.as_ref().map_or(String::new(), |ty| format!("(result {})", name(ty)));
        text += &format!(
            "(import \"{}\" \"{}\" (func ${} (param {}) {result}))\n",
            import.module,
            import.name,
            import.name,
            params.join(" "),
        );
    }
    text
}

/// A module with 4,096 bytes of memory, the text `data` at 0, and `$say`, which publishes a number.
fn module(data: &str, body: &str) -> String {
    let say = "(call $telemetry (i32.const 4000) (i32.const 1) (i64.extend_i32_s (local.get 0)))";
    format!(
        r#"(module
  {imports}
  (memory 4096 4096 (pagesize 1))
  (data (i32.const 0) "{data}")
  (data (i32.const 4000) "r")
  (func $say (param i32) (drop {say}))
  (func (export "run") {body}))"#,
        imports = imports_of(&format!("{body} {say}")),
    )
}

/// Runs a guest on a desk for a while; answers the numbers that it said.
#[track_caller]
fn run(desk: &mut Desk, grants: &[&str], data: &str, body: &str) -> Vec<i64> {
    let before = desk.values("r").len();
    let mut granted = vec!["telemetry:r"];
    granted.extend(grants);
    let app = desk.install(Guest::new("guest", &granted), &module(data, body));
    desk.run_for(3_000);
    let report = desk.report(app);
    assert_eq!(report.state, GuestState::Finished, "{report:?} {:?}", desk.said);
    desk.device.remove_local(app, &mut desk.platform);
    desk.values("r")[before..].to_vec()
}

/// One call on a new desk.
#[track_caller]
fn check(grants: &[&str], data: &str, call: &str, expected: i64) {
    let said = run(&mut Desk::new(), grants, data, &format!("(call $say {call})"));
    assert_eq!(said, [expected], "{call} with {grants:?}");
}

const REFUSED: i64 = status::REFUSED as i64;
const NOT_THERE: i64 = status::NOT_THERE as i64;

#[test]
fn each_call_answers_what_the_table_says() {
    let text = "topic/apayload";
    let topic = "(i32.const 0) (i32.const 7)";
    let payload = "(i32.const 7) (i32.const 7)";
    let send = format!("(call $message_send {topic} {payload})");
    let long = "(call $message_send (i32.const 0) (i32.const 33) (i32.const 0) (i32.const 0))";
    let large = format!("(call $message_send {topic} (i32.const 7) (i32.const 257))");
    let bad = "(call $message_send (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 0))";
    let get = format!("(call $kv_get {topic} (i32.const 100) (i32.const 50))");
    let set = format!("(call $kv_set {topic} {payload})");
    let key = "(call $kv_set (i32.const 0) (i32.const 33) (i32.const 0) (i32.const 0))";
    let empty = "(call $kv_set (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))";
    let value = format!("(call $kv_set {topic} (i32.const 0) (i32.const 257))");
    let i2c = "(call $i2c_transfer (i32.const 72) (i32.const 200) (i32.const 1) (i32.const 201) (i32.const 2))";
    let i2c_long = "(call $i2c_transfer (i32.const 72) (i32.const 0) (i32.const 33) (i32.const 0) (i32.const 0))";
    let i2c_ten = "(call $i2c_transfer (i32.const 200) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1))";
    let receive = "(call $message_receive (i32.const 0) (i32.const 99) (i32.const 50))";
    let cases: &[(&[&str], &str, &str, i64)] = &[
        (&["send"], text, &send, 0),
        (&["send:topic/"], text, &send, 0),
        (&["send:other"], text, &send, REFUSED),
        (&["send:other", "send:top"], text, &send, 0),
        (&["send"], text, long, REFUSED),
        (&["send"], text, &large, REFUSED),
        (&["send"], "\\ff", bad, REFUSED),
        (&["receive"], "", receive, -i64::from(status::TIMEOUT)),
        (&["storage:100"], text, &get, -NOT_THERE),
        (&["storage:100"], text, &set, 0),
        (&["storage:14"], text, &set, 0),
        (&["storage:13"], text, &set, status::DROPPED.into()),
        (&["storage:100"], text, key, REFUSED),
        (&["storage:100"], text, empty, REFUSED),
        (&["storage:700"], text, &value, REFUSED),
        (&["storage:100"], text, "(call $kv_delete (i32.const 0) (i32.const 7))", NOT_THERE),
        (&["led"], "", "(call $led_count)", 2),
        (&["led"], "", "(call $led_set (i32.const 1) (i32.const 1))", 0),
        (&["led"], "", "(call $led_set (i32.const 2) (i32.const 1))", NOT_THERE),
        (&["led"], "", "(call $led_set (i32.const -1) (i32.const 1))", NOT_THERE),
        (&["led:0"], "", "(call $led_set (i32.const 0) (i32.const 1))", 0),
        (&["led:0"], "", "(call $led_set (i32.const 1) (i32.const 1))", REFUSED),
        (&["led:red"], "", "(call $led_set (i32.const 1) (i32.const 1))", 0),
        (&["led:red"], "", "(call $led_set (i32.const 0) (i32.const 1))", REFUSED),
        (&["button"], "", "(call $button_count)", 2),
        (&["button"], "", "(call $button_read (i32.const 0))", 0),
        (&["button:1"], "", "(call $button_read (i32.const 0))", -REFUSED),
        (&["button"], "", "(call $button_read (i32.const 2))", -NOT_THERE),
        (&["button"], "", "(call $button_read (i32.const 99))", -NOT_THERE),
        (&["button"], "", "(call $button_wait (i32.const 3) (i32.const 30))", -5),
        (&["button"], "", "(call $button_wait (i32.const 7) (i32.const 30))", -NOT_THERE),
        (&["button"], "", "(call $button_wait (i32.const 0) (i32.const 30))", -NOT_THERE),
        (&["button:0"], "", "(call $button_wait (i32.const 3) (i32.const 30))", -REFUSED),
        (&["i2c"], "", i2c, 0),
        (&["i2c:0x48"], "", i2c, 0),
        (&["i2c:0x49"], "", i2c, REFUSED),
        (&["i2c"], "", i2c_long, REFUSED),
        (&["i2c"], "", i2c_ten, REFUSED),
        (&["uart"], "", "(call $uart_count)", 1),
        (&["uart"], "", "(call $uart_write (i32.const 0) (i32.const 0) (i32.const 3))", 3),
        (&["uart"], "", "(call $uart_write (i32.const 0) (i32.const 0) (i32.const 30))", 8),
        (&["uart"], "", "(call $uart_write (i32.const 1) (i32.const 0) (i32.const 3))", -NOT_THERE),
        (&["uart:1"], "", "(call $uart_write (i32.const 0) (i32.const 0) (i32.const 3))", -REFUSED),
        (
            &["uart"],
            "",
            "(call $uart_read (i32.const 0) (i32.const 0) (i32.const 9) (i32.const 20))",
            -5,
        ),
        (
            &["uart"],
            "",
            "(call $uart_read (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 20))",
            0,
        ),
        (&[], "", "(call $stop_requested)", 0),
        (&["args"], "", "(call $args_sizes_get (i32.const 0) (i32.const 4))", 0),
        (&["random"], "", "(call $random_get (i32.const 0) (i32.const 1000))", 0),
        (&["clock"], "", "(call $clock_res_get (i32.const 0) (i32.const 0))", 0),
        (&["clock"], "", "(call $clock_time_get (i32.const 1) (i64.const 0) (i32.const 0))", 0),
        (&["clock"], "", "(call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 0))", 6),
        (&["clock"], "", "(call $clock_time_get (i32.const 2) (i64.const 0) (i32.const 0))", 58),
        (
            &["log"],
            "",
            "(call $fd_write (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))",
            8,
        ),
        (
            &["log"],
            "",
            "(call $fd_write (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 0))",
            8,
        ),
        (&[], "", "(call $fd_read (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))", 0),
        (&[], "", "(call $fd_read (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0))", 8),
        (&[], "", "(call $fd_close (i32.const 2))", 0),
        (&[], "", "(call $fd_close (i32.const 3))", 8),
        (&[], "", "(call $fd_seek (i32.const 1) (i64.const 0) (i32.const 0) (i32.const 0))", 70),
        (&[], "", "(call $fd_seek (i32.const 9) (i64.const 0) (i32.const 0) (i32.const 0))", 8),
        (&[], "", "(call $fd_fdstat_get (i32.const 1) (i32.const 0))", 0),
        (&[], "", "(call $fd_fdstat_get (i32.const 3) (i32.const 0))", 8),
        (&[], "", "(call $fd_prestat_get (i32.const 3) (i32.const 0))", 8),
        (&[], "", "(call $fd_prestat_dir_name (i32.const 3) (i32.const 0) (i32.const 0))", 8),
        (
            &["timer"],
            "",
            "(call $poll_oneoff (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))",
            28,
        ),
        (
            &["timer"],
            "",
            "(call $poll_oneoff (i32.const 0) (i32.const 0) (i32.const 9) (i32.const 0))",
            28,
        ),
        (&[], "", "(call $sched_yield)", 0),
    ];
    for (grants, data, call, expected) in cases {
        check(grants, data, call, *expected);
    }
    println!("\ncases: {}\n", cases.len());
}

#[test]
fn an_import_that_was_not_granted_is_refused_by_the_device_as_well() {
    let mut cases = 0;
    for import in IMPORTS.iter() {
        let zeros = import.params.iter().map(|ty| match ty {
            ValueType::I32 => "(i32.const 0)",
            ValueType::I64 => "(i64.const 0)",
        });
        let call = format!("(call ${} {})", import.name, zeros.collect::<Vec<_>>().join(" "));
        let body = if import.result.is_some() { format!("(drop {call})") } else { call };
        let image = image_of(&format!(
            "(module {} (memory 8 8 (pagesize 1)) (func (export \"run\") {body}))",
            imports_of(&body)
        ));
        let mut desk = Desk::new();
        let app = desk.try_install(Guest::new("guest", &[]), &image).unwrap();
        desk.run_for(100);
        let report = desk.report(app);
        let expected = match import.capability {
            Some(_) => GuestReason::ImportRefused,
            None => GuestReason::None,
        };
        let reason =
            if report.state == GuestState::Refused { report.reason } else { GuestReason::None };
        assert_eq!(reason, expected, "{}: {report:?}", import.name);
        cases += 1;
    }
    println!("\ncases: {cases}\n");
}

/// Pointers and lengths in every place of every call: the guest traps or gets an answer, and the
/// device goes on.
#[test]
fn a_pointer_that_leads_nowhere_traps_and_harms_nobody() {
    let hostile = [0, 1, 63, 64, 4095, 4096, 0x7fff_ffff, u32::MAX - 7, u32::MAX];
    let mut cases = 0;
    let mut desk = Desk::new();
    for import in IMPORTS.iter().filter(|import| !import.params.is_empty()) {
        let waits = ["timer_wait_ms", "message_receive", "button_wait", "uart_read"];
        for place in 0..import.params.len() {
            if waits.contains(&import.name) && place + 1 == import.params.len() {
                continue;
            }
            for value in hostile {
                let arguments = import.params.iter().enumerate().map(|(index, ty)| {
                    let value = if index == place { value } else { 16 };
                    let last = waits.contains(&import.name) && index + 1 == import.params.len();
                    let value = if last { 1 } else { value };
                    match ty {
                        ValueType::I32 => format!("(i32.const {})", value as i32),
                        ValueType::I64 => format!("(i64.const {value})"),
                    }
                });
                let arguments: Vec<_> = arguments.collect();
                let call = format!("(call ${} {})", import.name, arguments.join(" "));
                let body = if import.result.is_some() { format!("(drop {call})") } else { call };
                let image = image_of(&format!(
                    "(module {} (memory 4096 4096 (pagesize 1)) (func (export \"run\") {body}))",
                    imports_of(&body)
                ));
                let app = desk.try_install(Guest::new("guest", &["all"]), &image).unwrap();
                desk.run_for(60);
                let report = desk.report(app);
                let is_over = matches!(report.state, GuestState::Finished | GuestState::Failed);
                let is_explained = matches!(
                    report.reason,
                    GuestReason::None | GuestReason::TrapHostCall | GuestReason::ExitedWithError
                );
                assert!(is_over && is_explained, "{body}: {report:?}");
                desk.device.remove_local(app, &mut desk.platform);
                cases += 1;
            }
        }
    }
    println!("\ncases: {cases}\n");
}

#[test]
fn values_are_kept_over_restarts_and_updates_until_the_application_is_removed() {
    let mut desk = Desk::new();
    let set = r#"
      (call $say (call $kv_set (i32.const 0) (i32.const 3) (i32.const 3) (i32.const 5)))
      (call $say (call $kv_set (i32.const 0) (i32.const 3) (i32.const 3) (i32.const 5)))
      (call $say (call $kv_get (i32.const 0) (i32.const 3) (i32.const 100) (i32.const 4)))"#;
    let get = r#"
      (call $say (call $kv_get (i32.const 0) (i32.const 3) (i32.const 100) (i32.const 5)))
      (call $say (i32.load8_u (i32.const 104)))"#;
    let grants = ["telemetry", "storage:100"];
    let guest = Guest::new("keeper", &grants);
    let steps = desk.platform.flash.steps();
    let app = desk.install(guest, &module("keyvalue", set));
    desk.run_for(100);
    assert_eq!(desk.values("r"), [0, 0, -i64::from(status::TOO_SMALL)]);
    assert!(desk.platform.flash.steps() > steps);
    desk.start();
    desk.install(Guest { generation: 2, ..guest }, &module("keyvalue", get));
    desk.run_for(100);
    assert_eq!(desk.values("r")[3..], [5, i64::from(b'e')]);
    // Another application finds nothing under the same key.
    desk.install(Guest::new("other", &grants), &module("keyvalue", get));
    desk.run_for(100);
    assert_eq!(desk.values("r")[5..], [-NOT_THERE, 0]);
    desk.device.remove_local(app, &mut desk.platform);
    desk.install(Guest { generation: 3, ..guest }, &module("keyvalue", get));
    desk.run_for(100);
    assert_eq!(desk.values("r")[7..], [-NOT_THERE, 0]);
}

#[test]
fn storage_is_full_at_the_granted_bytes_and_at_what_the_journal_has() {
    let fill = |count: u32, value_bytes: u32| {
        format!(
            r#"(local $n i32)
      (loop $next
        (i32.store8 (i32.const 0) (i32.add (local.get $n) (i32.const 65)))
        (call $say (call $kv_set (i32.const 0) (i32.const 1) (i32.const 8) (i32.const {value_bytes})))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $n) (i32.const {count}))))"#
        )
    };
    // 101 bytes a value.
    let said = run(&mut Desk::new(), &["storage:303"], "", &fill(4, 100));
    assert_eq!(said, [0, 0, 0, 1]);
    // The device keeps 960 bytes with 27 for each value, and 16 values.
    let said = run(&mut Desk::new(), &["storage:768"], "", &fill(5, 200));
    assert_eq!(said, [0, 0, 0, 1, 1]);
    let said = run(&mut Desk::new(), &["storage:768"], "", &fill(18, 1));
    assert_eq!(said, [[0; 16].as_slice(), &[1, 1]].concat());
}

#[test]
fn a_value_survives_a_power_cut_at_any_byte_as_the_old_or_the_new_one() {
    let set = |value: u8| {
        format!(
            r#"(i32.store8 (i32.const 8) (i32.const {value}))
      (call $say (call $kv_set (i32.const 0) (i32.const 3) (i32.const 8) (i32.const 1)))"#
        )
    };
    let get = r#"(drop (call $kv_get (i32.const 0) (i32.const 3) (i32.const 100) (i32.const 5)))
      (call $say (i32.load8_u (i32.const 100)))"#;
    let grants = ["telemetry", "storage:100"];
    let guest = Guest::new("keeper", &grants);
    let mut cases = 0;
    let mut seen = [0, 0];
    for cut in 0..140 {
        let mut desk = Desk::new();
        desk.install(guest, &module("key", &set(1)));
        desk.run_for(50);
        desk.install(Guest { generation: 2, ..guest }, &module("key", &set(2)));
        let tear = wasmbed_journal::ram::Tear::Ordered;
        desk.platform.flash.cut_after(cut, tear, cut + 1);
        desk.run_for(50);
        let had_answer = desk.values("r").len() == 2 && desk.values("r")[1] == 0;
        desk.start();
        desk.install(Guest { generation: 3, ..guest }, &module("key", get));
        desk.run_for(50);
        let kept = *desk.values("r").last().unwrap();
        assert!(kept == 1 || kept == 2, "cut {cut}: {kept}");
        assert!(!had_answer || kept == 2, "cut {cut}: what was answered is kept");
        seen[kept as usize - 1] += 1;
        cases += 1;
    }
    assert!(seen[0] > 10 && seen[1] > 10, "{seen:?}");
    println!("\ncases: {cases}\n");
}

/// Receives messages for ever, and says their length and last byte.
const RECEIVER: &str = r#"
  (local $n i32)
  (loop $next
    (local.set $n (call $message_receive (i32.const 100) (i32.const 300) (i32.const -1)))
    (call $say (local.get $n))
    (call $say (i32.load8_u (i32.add (i32.const 99) (local.get $n))))
    (br $next))"#;

#[test]
fn a_message_reaches_the_cloud_and_every_guest_that_was_granted_its_topic() {
    let mut desk = Desk::new();
    let send =
        "(call $say (call $message_send (i32.const 0) (i32.const 4) (i32.const 4) (i32.const 2)))";
    desk.install(Guest::new("near", &["telemetry", "receive:ro"]), &module("", RECEIVER));
    desk.install(Guest::new("deaf", &["telemetry", "receive:other"]), &module("", RECEIVER));
    desk.run_for(50);
    let sender =
        desk.install(Guest::new("sender", &["telemetry", "send"]), &module("roomhi", send));
    desk.run_for(50);
    let (topic, payload) = ("room".to_owned(), b"hi".to_vec());
    assert!(desk.said.contains(&Said::Message { app: sender, topic, payload }));
    let mut values = desk.values("r");
    values.sort_unstable();
    assert_eq!(values, [0, 7, i64::from(b'i')]);
    assert_eq!(desk.device.deliver_local("room", b"x"), CommandOutcome::Done);
    assert_eq!(desk.device.deliver_local("nobody", b"x"), CommandOutcome::NoReceiver);
    desk.run_for(50);
    assert_eq!(desk.values("r")[3..], [6, i64::from(b'x')]);
}

#[test]
fn a_guest_that_does_not_receive_loses_messages_and_they_are_counted() {
    let mut desk = Desk::new();
    let sleep = "(call $timer_wait_ms (i32.const 1000))
      (call $say (call $message_receive (i32.const 0) (i32.const 3) (i32.const 0)))
      (call $say (call $message_receive (i32.const 0) (i32.const 99) (i32.const 0)))";
    let app =
        desk.install(Guest::new("slow", &["telemetry", "timer", "receive"]), &module("", sleep));
    desk.run_for(50);
    let outcomes: Vec<_> = (0..6).map(|_| desk.device.deliver_local("t", b"0123")).collect();
    let (done, full) = (CommandOutcome::Done, CommandOutcome::QueueFull);
    assert_eq!(outcomes, [done, done, done, done, full, full]);
    assert_eq!(desk.device.local_dropped()[2], 2);
    desk.run_for(2_000);
    // The second look finds the message that was too large for the first; three more die with it.
    assert_eq!(desk.values("r"), [-i64::from(status::TOO_SMALL), 6]);
    assert_eq!(desk.report(app).state, GuestState::Finished);
    assert_eq!(desk.device.local_dropped()[2], 5);
    assert_eq!(desk.device.deliver_local("t", b""), CommandOutcome::NoReceiver);
}

/// Sends six messages of 200 bytes that begin with their number, and says what became of each.
const SIX: &str = r#"(local $n i32)
      (loop $next
        (i32.store8 (i32.const 8) (local.get $n))
        (call $say (call $message_send (i32.const 0) (i32.const 1) (i32.const 8) (i32.const 200)))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $n) (i32.const 6))))"#;

/// The same, with a pause behind each that lets a receiver keep up.
fn slow_six() -> String {
    SIX.replace("(local.set $n", "(call $timer_wait_ms (i32.const 20)) (local.set $n")
}

#[test]
fn while_the_gateway_is_away_the_oldest_messages_to_it_make_room() {
    let mut desk = Desk::new();
    desk.is_listening = false;
    let grants = ["telemetry:r", "send", "timer"];
    desk.install(Guest::new("sender", &grants), &module("t", &slow_six()));
    desk.run_for(500);
    while desk.listen() {}
    let numbers = desk.said.iter().filter_map(|said| match said {
        Said::Message { payload, .. } => Some(payload[0]),
        _ => None,
    });
    let numbers: Vec<_> = numbers.collect();
    let dropped = desk.device.local_dropped()[2] as usize;
    assert_eq!(desk.values("r"), [0; 6]);
    assert_eq!((numbers.last(), numbers.len() + dropped), (Some(&5), 6), "{numbers:?}");
    assert!(dropped > 0 && numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
}

#[test]
fn messages_between_guests_go_on_while_the_gateway_is_away() {
    let mut desk = Desk::new();
    desk.is_listening = false;
    let receive = r#"(loop $next
        (drop (call $message_receive (i32.const 100) (i32.const 300) (i32.const -1)))
        (drop (call $kv_set (i32.const 102) (i32.const 1) (i32.const 0) (i32.const 0)))
        (br $next))"#;
    let grants = ["telemetry", "receive", "storage:100"];
    desk.install(Guest::new("near", &grants), &module("", receive));
    desk.run_for(20);
    let grants = ["telemetry", "send", "timer"];
    desk.install(Guest::new("sender", &grants), &module("t", &slow_six()));
    desk.run_for(500);
    let mut keys = 0;
    for index in 0..16 {
        let mut head = [0; 18];
        let flash = &mut desk.platform.flash;
        let mut journal = wasmbed_journal::Journal::mount(flash).unwrap();
        let key = wasmbed_journal::Key::new(32 + index);
        keys += u32::from(journal.peek(flash, key, &mut head).unwrap().is_some());
    }
    assert_eq!(keys, 6, "each message arrived");
}

#[test]
fn a_message_that_no_room_can_be_made_for_is_dropped_and_says_so() {
    let mut desk = Desk::new();
    desk.is_listening = false;
    // Samples are never thrown away for a message.
    let body = r#"(local $i i32)
      (loop $fill
        (call $say (i32.const 7))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $fill (i32.lt_u (local.get $i) (i32.const 22))))
      (local.set $i (call $message_send
        (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 200)))
      (drop (call $kv_set (i32.const 0) (i32.const 1) (i32.const 8) (local.get $i)))"#;
    let grants = ["telemetry:r", "send", "storage:100"];
    let app = desk.install(Guest::new("sender", &grants), &module("t", body));
    desk.run_for(200);
    assert_eq!(desk.report(app).state, GuestState::Finished);
    assert_eq!(desk.device.local_dropped()[2], 1);
    while desk.listen() {}
    assert!(!desk.said.iter().any(|said| matches!(said, Said::Message { .. })));
    assert_eq!(desk.values("r").len(), 22);
}

#[test]
fn rates_hold_within_a_run_and_over_restarts() {
    let mut desk = Desk::new();
    let body = r#"
      (call $say (call $led_set (i32.const 0) (i32.const 1)))
      (call $say (call $led_set (i32.const 0) (i32.const 0)))
      (call $say (call $led_set (i32.const 0) (i32.const 1)))
      (call $say (call $led_set (i32.const 1) (i32.const 1)))
      (call $timer_wait_ms (i32.const 500))
      (call $say (call $led_set (i32.const 0) (i32.const 1)))
      (call $say (call $led_set (i32.const 0) (i32.const 1)))"#;
    let grants = ["telemetry", "timer", "led:0@2/s", "led:1"];
    let guest =
        Guest { policy: wasmbed_image::RestartPolicy::Always, ..Guest::new("led", &grants) };
    desk.install(guest, &module("", body));
    desk.run_for(600);
    let too_often = i64::from(status::TOO_OFTEN);
    assert_eq!(desk.values("r"), [0, 0, too_often, 0, 0, too_often]);
    assert_eq!(desk.platform.leds, [true, true]);
    // The restart comes a second later: the bucket is full again by then, and not more than full.
    desk.run_for(1_000);
    assert_eq!(desk.values("r")[6..9], [0, 0, too_often]);
}

#[test]
fn a_log_beyond_its_rate_is_dropped_and_counted() {
    let mut desk = Desk::new();
    let body = "(call $log (i32.const 0) (i32.const 1))".repeat(5);
    desk.install(Guest::new("talker", &["telemetry", "log@3/m"]), &module("a", &body));
    desk.run_for(50);
    assert_eq!(desk.lines(), ["a", "a", "a"]);
    assert_eq!(desk.device.local_dropped()[0], 2);
}

#[test]
fn hardware_is_reached_and_waited_for() {
    let mut desk = Desk::new();
    let said = run(
        &mut desk,
        &["i2c"],
        "\\02",
        r#"(call $say (call $i2c_transfer
        (i32.const 72) (i32.const 0) (i32.const 1) (i32.const 100) (i32.const 2)))
      (call $say (i32.load16_u (i32.const 100)))
      (call $say (call $i2c_transfer
        (i32.const 16) (i32.const 0) (i32.const 1) (i32.const 100) (i32.const 2)))"#,
    );
    assert_eq!(said, [0, 0x0403, NOT_THERE]);
    let wait = "(call $say (call $button_wait (i32.const 3) (i32.const -1)))
      (call $say (call $uart_read (i32.const 0) (i32.const 0) (i32.const 9) (i32.const 5000)))
      (call $say (i32.load8_u (i32.const 1)))";
    let app =
        desk.install(Guest::new("waiter", &["telemetry", "button", "uart"]), &module("", wait));
    desk.platform.buttons.1 = 1;
    desk.run_for(200);
    assert_eq!(desk.values("r").len(), 3, "a button that was pressed before does not count");
    desk.platform.buttons.1 = 3;
    desk.run_for(200);
    assert_eq!(desk.values("r")[3..], [2]);
    desk.platform.uart = Some((Vec::new(), b"abc".to_vec()));
    desk.run_for(200);
    assert_eq!(desk.values("r")[4..], [3, i64::from(b'b')]);
    assert_eq!(desk.report(app).state, GuestState::Finished);
    // The same on a board that has none of it.
    desk.platform.leds.clear();
    desk.platform.buttons.0 = 0;
    desk.platform.i2c = None;
    desk.platform.uart = None;
    let said = run(
        &mut desk,
        &["led", "button", "i2c", "uart"],
        "",
        r#"(call $say (call $led_count))
      (call $say (call $led_set (i32.const 0) (i32.const 1)))
      (call $say (call $button_wait (i32.const 1) (i32.const 10)))
      (call $say (call $i2c_transfer
        (i32.const 72) (i32.const 0) (i32.const 1) (i32.const 100) (i32.const 2)))
      (call $say (call $uart_write (i32.const 0) (i32.const 0) (i32.const 1)))"#,
    );
    assert_eq!(said, [0, NOT_THERE, -NOT_THERE, NOT_THERE, -NOT_THERE]);
}

#[test]
fn a_wasi_program_gets_arguments_environment_time_and_lines() {
    let mut desk = Desk::new();
    let body = r#"
      (drop (call $args_sizes_get (i32.const 200) (i32.const 204)))
      (call $say (i32.load (i32.const 200)))
      (call $say (i32.load (i32.const 204)))
      (drop (call $args_get (i32.const 210) (i32.const 300)))
      (call $say (i32.load8_u (i32.load (i32.const 218))))
      (drop (call $environ_sizes_get (i32.const 200) (i32.const 204)))
      (call $say (i32.load (i32.const 200)))
      (drop (call $environ_get (i32.const 210) (i32.const 400)))
      (call $say (i32.load8_u (i32.load (i32.const 210))))
      ;; Parts of lines at 0: "one\ntw" and "o\n", then "rest".
      (i32.store (i32.const 500) (i32.const 0)) (i32.store (i32.const 504) (i32.const 6))
      (i32.store (i32.const 508) (i32.const 6)) (i32.store (i32.const 512) (i32.const 2))
      (call $say (call $fd_write (i32.const 1) (i32.const 500) (i32.const 2) (i32.const 600)))
      (call $say (i32.load (i32.const 600)))
      (i32.store (i32.const 500) (i32.const 8)) (i32.store (i32.const 504) (i32.const 4))
      (call $say (call $fd_write (i32.const 2) (i32.const 500) (i32.const 1) (i32.const 600)))
      (drop (call $clock_time_get (i32.const 0) (i64.const 1) (i32.const 600)))
      (drop (call $telemetry (i32.const 4000) (i32.const 1) (i64.load (i32.const 600))))
      (call $proc_exit (i32.const 3))"#;
    let grants = ["telemetry", "args", "clock", "log"];
    let config = Config { args: b"-v\0x\0", environ: b"A=1\0" };
    let guest = Guest { config, ..Guest::new("tool", &grants) };
    desk.run_for(20);
    let now_ms = desk.now_ms();
    desk.device.tell_time_local(1_800_000_000_000, now_ms);
    let app = desk.install(guest, &module("one\\0atwo\\0arest", body));
    desk.run_for(50);
    let values = desk.values("r");
    assert_eq!(values[..8], [3, 10, i64::from(b'x'), 1, i64::from(b'A'), 0, 8, 0]);
    let passed_ns = values[8] - 1_800_000_000_000_000_000;
    assert!((0..100_000_000).contains(&passed_ns), "{passed_ns}");
    assert_eq!(desk.lines(), ["one", "two", "rest"]);
    let report = desk.report(app);
    assert_eq!((report.state, report.reason), (GuestState::Failed, GuestReason::ExitedWithError));
    assert_eq!(report.exit_code, Some(3));
}

#[test]
fn poll_oneoff_waits_for_the_earliest_clock_and_knows_nothing_else() {
    let mut desk = Desk::new();
    // Two subscriptions at 0: clocks, 300 ms and 100 ms; the third at 96 is a descriptor.
    let body = r#"
      (i64.store (i32.const 0) (i64.const 7)) (i32.store (i32.const 16) (i32.const 1))
      (i64.store (i32.const 24) (i64.const 300000000))
      (i64.store (i32.const 48) (i64.const 9)) (i32.store (i32.const 64) (i32.const 1))
      (i64.store (i32.const 72) (i64.const 100000000))
      (i32.store8 (i32.const 104) (i32.const 1))
      (call $say (call $poll_oneoff
        (i32.const 0) (i32.const 1000) (i32.const 2) (i32.const 900)))
      (call $say (i32.load (i32.const 900)))
      (call $say (i32.load (i32.const 1000)))
      (drop (call $telemetry (i32.const 4000) (i32.const 1) (call $clock_monotonic_ms)))
      (call $say (call $poll_oneoff
        (i32.const 48) (i32.const 1000) (i32.const 2) (i32.const 900)))
      (call $say (i32.load (i32.const 900)))
      (call $say (i32.load16_u (i32.const 1008)))"#;
    let start_ms = desk.now_ms();
    let said = run(&mut desk, &["timer", "clock"], "", body);
    assert_eq!(said[..3], [0, 1, 9]);
    let waited = said[3] - start_ms as i64;
    assert!((100..120).contains(&waited), "{waited}");
    assert_eq!(said[4..], [0, 1, 58]);
}

#[test]
fn the_document_of_the_interface_lists_exactly_these_imports() {
    let text = include_str!("../../../../docs/abi.md");
    for import in &IMPORTS {
        let name = |ty: &ValueType| if *ty == ValueType::I32 { "i32" } else { "i64" };
        let params: Vec<_> = import.params.iter().map(name).collect();
        let result = import.result.as_ref().map_or("", |ty| name(ty));
        let capability = import.capability.map_or("none", |one| one.name());
        let arrow = if result.is_empty() { String::new() } else { format!(" -> {result}") };
        let row = format!(
            "| {} | `{}` | `({}){arrow}` | {capability} |",
            import.number,
            import.name,
            params.join(", "),
        );
        assert!(text.contains(&row), "docs/abi.md has no row {row}");
    }
    let rows = text.lines().filter(|line| line.starts_with("| ") && line.contains("` | `("));
    assert_eq!(rows.count(), IMPORTS.len());
    assert!(text.contains(MODULE));
}
