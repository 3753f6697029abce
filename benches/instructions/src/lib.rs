//! A plugin of QEMU that counts the instructions a board executes from one place of its program to
//! another: all of them, whoever executes them. A sleeping processor executes none.
//!
//! `-plugin libinstructions.so,from=ADDRESS,to=ADDRESS,out=PATH`: each time the second place is
//! reached after the first, a line with the count is added to the file. Coming to the first place
//! again begins anew.
//!
//! # Source
//! QEMU 10.0, `include/qemu/qemu-plugin.h`, version 4 of the interface.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Version of the interface that this was written for.
#[unsafe(no_mangle)]
#[used]
pub static qemu_plugin_version: c_int = 4;

type Callback = extern "C" fn(c_uint, *mut c_void);

unsafe extern "C" {
    fn qemu_plugin_register_vcpu_tb_trans_cb(id: u64, callback: extern "C" fn(u64, *mut c_void));
    fn qemu_plugin_tb_n_insns(block: *const c_void) -> usize;
    fn qemu_plugin_tb_get_insn(block: *const c_void, index: usize) -> *mut c_void;
    fn qemu_plugin_insn_vaddr(instruction: *const c_void) -> u64;
    fn qemu_plugin_register_vcpu_insn_exec_cb(
        instruction: *mut c_void,
        callback: Callback,
        flags: c_int,
        data: *mut c_void,
    );
}

/// What the command line says.
struct Wanted {
    from: u64,
    to: u64,
    file: String,
}

static WANTED: OnceLock<Wanted> = OnceLock::new();
/// Instructions since the start. The boards have one processor each.
static COUNT: AtomicU64 = AtomicU64::new(0);
/// The count at the first place; none before it was reached.
static BEGIN: AtomicU64 = AtomicU64::new(u64::MAX);

extern "C" fn count(_: c_uint, _: *mut c_void) {
    COUNT.store(COUNT.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

extern "C" fn begin(_: c_uint, _: *mut c_void) {
    BEGIN.store(COUNT.load(Ordering::Relaxed), Ordering::Relaxed);
}

extern "C" fn end(_: c_uint, _: *mut c_void) {
    let begin = BEGIN.swap(u64::MAX, Ordering::Relaxed);
    let (Some(wanted), true) = (WANTED.get(), begin != u64::MAX) else { return };
    let file = std::fs::OpenOptions::new().create(true).append(true).open(&wanted.file);
    let line = format!("{}\n", COUNT.load(Ordering::Relaxed) - begin);
    // There is nobody to tell: a missing line is what is noticed.
    let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
}

extern "C" fn translated(_: u64, block: *mut c_void) {
    let Some(wanted) = WANTED.get() else { return };
    // SAFETY: QEMU hands over a block that lives until this returns.
    let instructions = unsafe { qemu_plugin_tb_n_insns(block) };
    for index in 0..instructions {
        // SAFETY: the block is that of above, and has so many instructions.
        let instruction = unsafe { qemu_plugin_tb_get_insn(block, index) };
        // SAFETY: the instruction belongs to the block.
        let address = unsafe { qemu_plugin_insn_vaddr(instruction) };
        let marks = [(wanted.from, begin as Callback), (wanted.to, end as Callback)];
        let marks = marks.into_iter().filter(|(place, _)| *place == address);
        for callback in marks.map(|(_, callback)| callback).chain([count as Callback]) {
            // SAFETY: the instruction belongs to the block; the callback needs no registers, and
            // no data.
            unsafe {
                qemu_plugin_register_vcpu_insn_exec_cb(
                    instruction,
                    callback,
                    0,
                    std::ptr::null_mut(),
                );
            }
        }
    }
}

/// QEMU begins here.
///
/// # Safety
/// `arguments` must hold `count` strings, as QEMU promises.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_plugin_install(
    id: u64,
    _: *const c_void,
    count: c_int,
    arguments: *const *const c_char,
) -> c_int {
    let (mut from, mut to, mut file) = (None, None, None);
    for index in 0..usize::try_from(count).unwrap_or(0) {
        // SAFETY: the caller promises so many pointers.
        let argument = unsafe { *arguments.add(index) };
        // SAFETY: the caller promises strings.
        let argument = unsafe { CStr::from_ptr(argument) };
        let Some((key, value)) = argument.to_str().ok().and_then(|text| text.split_once('='))
        else {
            continue;
        };
        let number = u64::from_str_radix(value.trim_start_matches("0x"), 16).ok();
        match key {
            "from" => from = number,
            "to" => to = number,
            "out" => file = Some(value.to_owned()),
            _ => return -1,
        }
    }
    let (Some(from), Some(to), Some(file)) = (from, to, file) else { return -1 };
    if WANTED.set(Wanted { from, to, file }).is_err() {
        return -1;
    }
    // SAFETY: the number is the one that QEMU gave, and the callback lives as long as this library.
    unsafe { qemu_plugin_register_vcpu_tb_trans_cb(id, translated) };
    0
}
