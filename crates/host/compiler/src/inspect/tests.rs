//! What is said about a small image.
use super::*;
use crate::{Options, prepare};

fn image() -> Vec<u8> {
    let text = r#"(module
        (import "wasmbed" "timer_wait_ms" (func $wait (param i32)))
        (memory 1)
        (func (export "run") (local $count i32)
            (loop $again
                (i32.store offset=4 (local.get $count) (i32.const 7))
                (call $wait (i32.const 1000))
                (br_if $again (i32.ne
                    (local.tee $count (i32.add (local.get $count) (i32.const 1)))
                    (i32.const 10))))))"#;
    prepare(&wat::parse_str(text).unwrap(), &Options::default()).unwrap().image
}

#[test]
fn an_image_is_explained_down_to_its_instructions() {
    let text = inspect(&image()).unwrap();
    for expected in [
        "import 0        wasmbed.timer_wait_ms (capability timer)\n",
        "  memory        65536 bytes, fixed\n",
        "entry           function 1\n",
        "function 1: 2 slots, cost 12, ",
        "  0x0007  const8 7\n",
        "  0x0009  store32_ra s0 4\n",
        "  0x000c  set_const32 s1 1000\n",
        "  0x0012  call_host wasmbed.timer_wait_ms (capability timer) arguments s1\n",
        "  0x0017  add_ri2 s0 1\n",
        "  0x001a  loop_if_ne_ai 10 -> 0x0007 fuel 12\n",
        "  0x001f  return\n",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in\n{text}");
    }
}

#[test]
fn changed_images_are_explained_or_refused() {
    let image = image();
    for index in 0..image.len() {
        for change in [1, 0x80, 0xff] {
            let mut changed = image.clone();
            changed[index] ^= change;
            let _ = inspect(&changed);
        }
    }
}
