//! The sensor as a driver sees it.
use super::*;

#[test]
fn the_temperature_has_as_many_bits_as_were_asked_for() {
    let check = |text: &str, configuration: u8, expected: i16| {
        let mut sensor = Sensor::parse(text).unwrap();
        assert_eq!(sensor.address(), 0x48);
        assert!(sensor.transfer(&[1, configuration], &mut []));
        let mut bytes = [0; 2];
        assert!(sensor.transfer(&[0], &mut bytes));
        assert_eq!(i16::from_be_bytes(bytes), expected, "{text} {configuration:#x}");
    };
    check("tmp105@0x48=25", 0x60, 25 * 256);
    check("tmp105@72=21.8125", 0x60, 0x15d0);
    check("tmp105@0x48=21.8125", 0x00, 0x1580);
    check("tmp105@0x48=-0.5", 0x00, -128);
    check("tmp105@0x48=-0.0625", 0x60, -16);
    check("tmp105@0x48=-0.0625", 0x00, -128);
}

#[test]
fn what_is_no_sensor_is_refused() {
    for text in ["tmp105", "tmp105@0x48", "tmp105@0x80=1", "tmp105@0x48=200", "bme280@0x76=1"] {
        assert!(Sensor::parse(text).is_err(), "{text}");
    }
}
