//! How a run of a guest ends.

/// Why [`crate::Instance::run`] came back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The stop flag was set. The next run goes on exactly there.
    SliceEnd,
    /// A host call waits for something. The next run goes on after [`crate::Instance::complete`].
    Parked,
    /// The entry function returned. Final.
    Finished,
    /// A host call ended the guest with this code. Final.
    Exited(u32),
    /// The fuel limit is used up. Nothing is half charged: with a higher limit the next run goes
    /// on exactly there.
    OutOfFuel(Place),
    /// The guest did what WebAssembly forbids, or used up its stack. Final.
    Trapped(Trap, Place),
}

/// Where in a guest something happened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Place {
    /// Number of the function in the WebAssembly module, imports counted first.
    pub function: u16,
    /// Offset of the instruction in the image's code section.
    pub offset: u32,
}

/// What a guest did wrong. The numbers are stable.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Trap {
    /// It executed `unreachable`.
    Unreachable = 1,
    /// A load, store or bulk operation outside its linear memory.
    MemoryOutOfBounds = 2,
    /// An integer division by zero.
    DivideByZero = 3,
    /// An integer division or conversion whose result does not fit.
    IntegerOverflow = 4,
    /// Its calls are nested deeper than its stack is long.
    StackExhausted = 5,
    /// An indirect call of an element outside the table.
    TableOutOfBounds = 6,
    /// An indirect call of an element that holds no function.
    UninitializedElement = 7,
    /// An indirect call of a function with another type.
    IndirectCallType = 8,
    /// A host call refused its arguments.
    Host = 9,
    /// The byte code is not what was verified.
    BadCode = 10,
    /// A conversion to an integer of what is not a number.
    InvalidConversion = 11,
}
