//! Promise 5: the whole workflow runs end to end.

use wasmbed_tests::cli::Cli;
use wasmbed_tests::filling;
use wasmbed_tests::fleet::Member;
use wasmbed_tests::modules;
use wasmbed_tests::platform::guest;

/// Checks that an application is applied, prepared, installed and run, that its log and the device's
/// counters can be read, that it is updated, suspended, resumed and removed, and that the device
/// reports each of these.
#[track_caller]
pub fn check(cli: &Cli, member: &Member) {
    let name = member.name();
    let deploy = |module: &[u8]| {
        cli.apply(&modules::application(name, module, &modules::digest(module), name));
        cli.wait(&member.application(), "condition=Prepared");
        cli.wait(&member.application(), "condition=Ready");
        let application = cli.get(&member.application());
        let revision = application["status"]["currentRevision"].as_str().unwrap_or_default();
        let revision = cli.get(&format!("applicationrevision/{revision}"));
        let held = cli.get(&member.object())["status"]["applications"][0].clone();
        assert_eq!(held["state"], "Running", "{held}");
        assert_eq!(held["imageDigest"], revision["spec"]["imageDigest"], "{held}");
    };
    deploy(&guest("hello"));
    cli.log_line(&member.device, |line| line.contains(" hello "));
    let counters = cli.wasmbed(&["counters", &member.device]);
    assert!(counters.contains("uptimeMs"), "{counters}");
    cli.wasmbed(&["ping", &member.device]);

    let update = filling::part(cli, member.board, "updated", 3);
    deploy(&update.module);
    cli.log_line(&member.device, |line| line.ends_with(" updated"));
    for (suspend, state) in [(true, "Stopped"), (false, "Running")] {
        cli.patch_spec(&member.application(), |spec| spec["suspend"] = suspend.into());
        let state = format!("jsonpath={{.status.applications[0].state}}={state}");
        cli.wait(&member.object(), &state);
    }
    cli.wasmbed(&["delete", &member.application()]);
    cli.wait(&member.object(), "jsonpath={.status.applications[*].name}{\"none\"}=none");
}
