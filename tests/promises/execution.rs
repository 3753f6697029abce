//! Promise 3: real WebAssembly applications execute on the devices.

use std::hash::{BuildHasher, RandomState};

use wasmbed_tests::cli::Cli;
use wasmbed_tests::fleet::Member;
use wasmbed_tests::modules;

/// Questions asked.
const QUESTIONS: usize = 3;

/// Checks that a guest answers, by computing, what it cannot have known before.
#[track_caller]
pub fn check(cli: &Cli, member: &Member) {
    let module = modules::binary(modules::ANSWERS);
    let capabilities = ["send:answer", "receive:question"];
    cli.apply(&modules::granted(member.name(), &module, member.name(), &capabilities));
    cli.wait(&member.object(), "jsonpath={.status.applications[0].state}=Running");
    for number in 0..QUESTIONS {
        // Each hasher is seeded by the system: nobody knows the question before it is asked.
        let question = format!("{:016x}", RandomState::new().hash_one(number));
        let answer = modules::fingerprint(question.as_bytes());
        let said = cli.wasmbed(&["send", &member.device, "question", &question]);
        assert!(said.starts_with("delivered to 1 guest"), "{said}");
        cli.message(&member.device, |line| line.ends_with(&answer));
    }
    cli.wasmbed(&["delete", &member.application()]);
    cli.wait(&member.object(), "jsonpath={.status.applications[*].name}{\"none\"}=none");
}
