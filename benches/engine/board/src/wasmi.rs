//! The programs, executed by wasmi from their modules.

extern crate alloc;

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{addr_of_mut, null_mut};
use core::sync::atomic::{AtomicUsize, Ordering};

use wasmi::{Engine, Instance, Module, Store};

use crate::harness::{count, line};
use crate::payload::Program;

const HEAP_BYTES: usize = 3 << 20;

static mut HEAP: [u64; HEAP_BYTES / 8] = [0; HEAP_BYTES / 8];
static USED: AtomicUsize = AtomicUsize::new(0);

/// Gives and never takes back, which costs the peer fewest instructions.
struct Bump;

// SAFETY: the blocks it gives do not overlap, lie in `HEAP`, and are aligned as asked.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let base = addr_of_mut!(HEAP) as usize;
        let start = (base + USED.load(Ordering::Relaxed)).next_multiple_of(layout.align());
        let end = start + layout.size();
        if end > base + HEAP_BYTES {
            return null_mut();
        }
        USED.store(end - base, Ordering::Relaxed);
        start as *mut u8
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: Bump = Bump;

/// Measures one program: the first call, which translates, and the second.
pub fn run(program: &Program) {
    let used = USED.load(Ordering::Relaxed);
    if measure(program).is_none() {
        line(program.name, "trapped", &[]);
    }
    // Nothing of this program lives on, so the next one begins with the same heap.
    USED.store(used, Ordering::Relaxed);
}

fn measure(program: &Program) -> Option<()> {
    let engine = Engine::default();
    // SAFETY: the compiler that made the module validates what it makes.
    let (module, instructions) = count(|| unsafe { Module::new_unchecked(&engine, program.wasm) });
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module.ok()?, &[]).ok()?;
    line(program.name, "load", &[instructions]);
    let function = instance.get_typed_func::<(u32, u32), u32>(&store, "program").ok()?;
    let [first, second] = program.arguments;
    for what in ["wasmi-cold", "wasmi"] {
        let (result, instructions) = count(|| function.call(&mut store, (first, second)));
        line(program.name, what, &[result.ok()?, instructions]);
    }
    Some(())
}
