//! Byte code with one fault each is refused by the fault's name.
