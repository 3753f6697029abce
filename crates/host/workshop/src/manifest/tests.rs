//! What is read from a manifest, and what is written into it.
use super::*;

const MANIFEST: &str = "\
kind: ConfigMap
binaryData:
  module.wasm: \"\" # set by `wasmbed build`
---
kind: Application
metadata:
  name: blinky
spec:
  image:
    configMap:
      digest: sha256:00 # set by `wasmbed build`
  # digest: of something else
  capabilities: [\"led:0\", log]
  limits: {fuel: 1000, stackBytes: 64}
  config: {args: [a], env: {B: c}}
";

#[test]
fn only_the_marked_lines_are_written() {
    let once = stamped(MANIFEST, b"\0asm").unwrap();
    let changed: Vec<&str> = once
        .lines()
        .zip(MANIFEST.lines())
        .filter(|(new, old)| new != old)
        .map(|(new, _)| new)
        .collect();
    assert_eq!(
        changed,
        [
            "  module.wasm: AGFzbQ== # set by `wasmbed build`",
            "      digest: sha256:cd5d4935a48c0672cb06407bb443bc0087aff947c6b864bac886982c73b3027f \
             # set by `wasmbed build`",
        ]
    );
    assert_eq!(stamped(&once, b"\0asm").unwrap(), once);
    assert_eq!(stamped("kind: Application\n", b"\0asm"), None);
}

#[test]
fn an_application_says_what_it_grants() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.yaml");
    std::fs::write(&path, MANIFEST).unwrap();
    let expected = ApplicationFile {
        name: "blinky".to_owned(),
        capabilities: vec!["led:0".to_owned(), "log".to_owned()],
        limits: GuestLimits { fuel: Some(1000), stack_bytes: Some(64), ..GuestLimits::default() },
        args: vec!["a".to_owned()],
        env: vec!["B=c".to_owned()],
    };
    assert_eq!(ApplicationFile::read(&path).unwrap(), expected);
    std::fs::write(&path, "kind: ConfigMap\n").unwrap();
    assert!(ApplicationFile::read(&path).is_err());
    std::fs::write(&path, "kind: [\n").unwrap();
    assert!(ApplicationFile::read(&path).is_err());
}
