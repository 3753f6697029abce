//! The driver against a register in memory.

use super::Pins;

#[test]
fn switches_only_the_pin_that_is_named() {
    let register = Box::leak(Box::new(0xffff_fff0_u32)) as *mut u32;
    // SAFETY: the register lives for ever and is taken once.
    let mut leds = unsafe { Pins::new(register.expose_provenance(), 2) };
    assert_eq!(leds.read(), 0, "what is no pin is not shown");
    assert!(leds.set(1, true));
    assert_eq!(leds.read(), 0b10);
    assert!(leds.set(0, true) && leds.set(1, false));
    assert_eq!(leds.read(), 0b01);
    assert!(!leds.set(2, true), "there is no third one");
    // SAFETY: only this thread uses it.
    assert_eq!(unsafe { register.read_volatile() }, 0xffff_fff1);
}
