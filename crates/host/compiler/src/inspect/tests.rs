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
fn tables_segments_and_the_bound_of_recursion_are_told() {
    let text = r#"(module
        (memory 1) (table $fixed 3 funcref) (table $changing 2 5 externref) (table $unused 9 funcref)
        (type $plain (func))
        (elem (table $fixed) (i32.const 0) func $run)
        (elem $passive func $run $run)
        (data $text "text")
        (func $run (export "run")
            (memory.init $text (i32.const 0) (i32.const 1) (i32.const 2))
            (table.fill $changing (i32.const 0) (ref.null extern) (i32.const 2))
            (drop (table.grow $changing (ref.null extern) (i32.const 1)))
            (elem.drop $passive)
            (call_indirect $fixed (type $plain) (i32.const 0))))"#;
    let options = Options { table_elements_max: Some(4), ..Options::default() };
    let text = inspect(&prepare(&wat::parse_str(text).unwrap(), &options).unwrap().image).unwrap();
    for expected in [
        "  table         3 elements\n",
        "  items         8 bytes of tables and segments\n",
        "  tables        24 bytes\n",
        "table 0         2 elements, may grow to 4\n",
        "data 0          4 bytes\n",
        "elements 0      2 references\n",
        "memory_init s0 s1 s2 data 0\n",
        "table_fill s0 s1 s2 table 0\n",
        "table_grow s0 s1 s2 table 0\n",
        "element_drop elements 0\n",
        "recursion       509 nested calls, then a trap\n",
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
