//! Hardware that guests may use, driven and observed from outside of the board.

use wasmbed_catalog::Board;
use wasmbed_tests::modules;
use wasmbed_tests::platform::{Platform, board_with, guest, prepared};

#[test]
fn a_guest_reads_the_temperature_that_its_sensor_is_given() {
    if !prepared() {
        return;
    }
    let has_bus = |board: &Board| board.hardware.i2c_buses > 0;
    let Some(board) = board_with("a two-wire bus", has_bus) else { return };
    let platform = Platform::start("hardware");
    let mut object = modules::virtual_device("board", board.name);
    object["spec"]["sensors"] =
        serde_json::json!([{"model": "tmp105", "address": 0x48, "millidegrees": -12_500}]);
    platform.apply(&object);
    let device = platform.boot_known("board");
    let module = guest("thermometer");
    let mut objects = modules::application("app", &module, &modules::digest(&module), "board");
    objects["items"][1]["spec"]["capabilities"] =
        serde_json::json!(["log", "timer", "telemetry:room/", "i2c:0x48"]);
    platform.apply(&objects);
    platform.wait("application/app", "condition=Ready");
    platform.log_line(&device, |line| line.contains("-12500 thousandths"));
    platform.patch_spec("virtualdevice/board", |spec| {
        spec["sensors"][0]["millidegrees"] = 37_750.into();
    });
    platform.log_line(&device, |line| line.contains(" 37750 thousandths"));

    objects["items"][1]["spec"]["capabilities"] =
        serde_json::json!(["log", "timer", "telemetry:room/", "i2c:0x49"]);
    platform.apply(&objects);
    platform.log_line(&device, |line| line.contains("no sensor"));

    let mut without = modules::virtual_device("small", "stm32vldiscovery");
    without["spec"]["sensors"] = serde_json::json!([{"model": "tmp105", "address": 0x48}]);
    platform.apply(&without);
    let message = platform.ready_reason("virtualdevice/small", "BusMissing");
    assert!(message.contains("two-wire bus"), "{message}");
    println!("\ncases: 4");
}
