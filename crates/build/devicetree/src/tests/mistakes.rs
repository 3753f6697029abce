//! Boards that are wrong: each mistake is shown at its place, with what to do about it.

use super::{Folder, changed, changed_board, root};
use std::fs;

/// What is added to the mps2-an385, what is said about it, and what is advised.
const WRONG: &[(&str, &str, &str)] = &[
    (
        "/ { fan { compatible = \"acme,fan\"; }; };",
        "no binding for acme,fan",
        "describe it in dts/bindings/acme,fan.toml",
    ),
    (
        "/ { fan { compatible = \"arm,cmsdk-uard\"; }; };",
        "no binding for arm,cmsdk-uard",
        "write \"arm,cmsdk-uart\", or describe it in dts/bindings",
    ),
    (
        "/ { fan { }; };",
        "node /fan has no compatible",
        "add compatible = \"VENDOR,PART\"; a file of dts/bindings says what it means",
    ),
    (
        "&uart0 { speed = <1>; };",
        "property speed is not in the binding",
        "remove it, or add it to dts/bindings/arm,cmsdk-uart.toml",
    ),
    (
        "&uart0 { current-sped = <115200>; };",
        "property current-sped is not in the binding",
        "write current-speed, or add the property to dts/bindings/arm,cmsdk-uart.toml",
    ),
    (
        "&uart9 { status = \"okay\"; };",
        "no node is called uart9",
        "write &uart0, or define the label",
    ),
    (
        "/ { chosen { wasmbed,console = &nothing_like_it; }; };",
        "no node is called nothing_like_it",
        "define the label before a node, or include the file that does",
    ),
    ("&uart0 { status = \"off\"; };", "status is okay or disabled", ""),
    (
        "&uart0 { status = \"disabled\"; };",
        "wasmbed,console is /soc/serial@40004000, whose status is not okay",
        "add &uart0 { status = \"okay\"; };",
    ),
    (
        "&uart0 { /delete-property/ reg; };",
        "property reg is missing",
        "add reg = <ADDRESS LENGTH>;",
    ),
    (
        "&nvic { /delete-property/ interrupt-controller; };",
        "property interrupt-controller is missing",
        "add interrupt-controller;",
    ),
    ("&uart0 { reg = <1>; };", "reg needs groups of 2 cells: address, then length", ""),
    (
        "&uart0 { reg = <0x40003000 0x1000>; };",
        "reg begins at 40003000, but the node is called serial@40004000",
        "call the node serial@40003000",
    ),
    (
        "/ { soc { led { compatible = \"arm,mps2-fpgaio-gpio\"; reg = <0x41000000 4>; ngpios = <1>; }; }; };",
        "node led has registers, and no address in its name",
        "call it led@41000000",
    ),
    (
        "&uart0 { reg = <0x40004000 0x1004>; };",
        "serial@40005000 overlaps serial@40004000",
        "correct address or length of one",
    ),
    (
        "&zbt_data { reg = <0x20000000 0xffffffff>; };",
        "memory@20000000 is empty, or ends beyond the 32 bits of an address",
        "correct address or length",
    ),
    ("&uart0 { interrupts = <0 3>; };", "interrupts has 1 entries, not 2", ""),
    (
        "&uart0 { interrupts = <0 9>, <1 3>; };",
        "priority 9 of 8 does not exist",
        "use one of 0 to 7",
    ),
    (
        "&uart0 { interrupts = <0 3>, <99 3>; };",
        "interrupt 99 of 32 does not exist",
        "use one of 0 to 31",
    ),
    (
        "&uart0 { interrupts = <0 3>, <65537 3>; };",
        "interrupt 65537 of 32 does not exist",
        "use one of 0 to 31",
    ),
    (
        "&uart0 { interrupts = <4 3>, <1 3>; };",
        "interrupt 4 is that of /soc/serial@40004000 too",
        "look both up in the manual of the chip",
    ),
    (
        "&eth0 { interrupts = <18 3>; };",
        "interrupt 18 is that of /soc/serial@40007000 too",
        "look both up in the manual of the chip",
    ),
    (
        "&uart0 { interrupt-names = \"rx\", \"up\"; };",
        "interrupt-names is \"up\", not one of rx, tx",
        "",
    ),
    ("&uart0 { current-speed = <300>; };", "current-speed is 300, not within 1200 and 1500000", ""),
    (
        "/ { chosen { wasmbed,leds = &uart4; }; };",
        "wasmbed,leds is /soc/serial@40009000, whose status is not okay",
        "add &uart4 { status = \"okay\"; };",
    ),
    (
        "/ { chosen { wasmbed,i2c = &leds; }; };",
        "wasmbed,i2c is /soc/gpio@40028000, which has no driver; it must be a arm,versatile-i2c",
        "name another node, or leave wasmbed,i2c out",
    ),
    (
        "/ { chosen { wasmbed,guest-uart = &uart0; }; };",
        "wasmbed,guest-uart and wasmbed,console are the same port /soc/serial@40004000",
        "give one of them another port",
    ),
    (
        "/ { chosen { wasmbed,console = &uart2; }; };",
        "wasmbed,flash and wasmbed,console are the same port /soc/serial@40006000",
        "give one of them another port",
    ),
    (
        "/ { chosen { wasmbed,console = &eth0; }; };",
        "wasmbed,console is /soc/ethernet@40200000, which has no serial driver",
        "name a port that is a arm,cmsdk-uart or a st,stm32-usart",
    ),
    (
        "/ { chosen { wasmbed,uplink = <1>; }; };",
        "wasmbed,uplink needs a reference such as &label",
        "",
    ),
    ("&leds { ngpios = <0>; };", "ngpios is 0, not within 1 and 32", ""),
    (
        "&zbt_data { reg = <0x20000000 0x8000>; };",
        "arena and stacks want 541760 of 32768 bytes of RAM",
        "make arena-size or a stack smaller",
    ),
    (
        "&zbt_data { reg = <0x20000000 0x180000>; };",
        "wasmbed,ram cannot be protected: no power of two, or not aligned",
        "say less of it in the node of the memory",
    ),
    (
        "/ { guests { stack-size = <0x4010>; }; };",
        "the stack of the loop is no multiple of 1024 bytes",
        "a guard of that size comes behind it",
    ),
    (
        "/ { chosen { wasmbed,watchdog = &timer1; }; };",
        "wasmbed,watchdog is /soc/timer@40001000, which has no watchdog driver",
        "name a arm,cmsdk-watchdog or a st,stm32-watchdog, or leave it out",
    ),
    (
        "&storage { size = <100000>; };",
        "size is not a multiple of erase-block-size",
        "two log segments of 4096, then slots of 65536 bytes",
    ),
    (
        "/ { qemu { serials = <&uart0 &uart1>; }; };",
        "serials lacks /soc/serial@40006000, which has a role",
        "QEMU's order of ports is in hw/arm of its sources; add the port",
    ),
    (
        "&cpu0 { compatible = \"arm,cortex-m9\"; };",
        "no binding for arm,cortex-m9",
        "write \"arm,cortex-m3\", or describe it in dts/bindings",
    ),
    (
        "/include/ \"mps2-an999.dtsi\"",
        "no file mps2-an999.dtsi beside this one or in dts/",
        "include one of armv7-m.dtsi",
    ),
];

#[test]
fn refuses_boards_that_no_driver_can_serve() {
    for (extra, expected, advice) in WRONG {
        let error = changed(extra).err().unwrap_or_else(|| panic!("{extra} is accepted"));
        assert_eq!(error.message, *expected, "{extra}");
        let advised = error.advice.as_deref().unwrap_or_default();
        assert!(advised.starts_with(advice), "{extra}: {advised}");
        assert_eq!(advised.is_empty(), advice.is_empty(), "{extra}: {advised}");
    }
    println!("\ncases: {}", WRONG.len());
}

#[test]
fn refuses_clocks_that_the_driver_does_not_make() {
    const WRONG: &[(&str, &str, &str)] = &[
        (
            "olimex-stm32-h405",
            "&crystal { clock-frequency = <8000000>; };",
            "the source of the clocks has 8000000 Hz, and the driver makes it 12000000 Hz",
        ),
        (
            "olimex-stm32-h405",
            "&sysclk { clock-frequency = <120000000>; };",
            "the core has 120000000 Hz, and the driver makes it 168000000 Hz",
        ),
        (
            "olimex-stm32-h405",
            "&usart1 { clocks = <&apb1>; };",
            "/soc/serial@40011000 has 42000000 Hz, and the driver makes it 84000000 Hz",
        ),
        (
            "stm32vldiscovery",
            "&usart2 { clocks = <&hsi>; };",
            "/soc/serial@40004400 has 8000000 Hz, and the driver makes it 24000000 Hz",
        ),
    ];
    for (board, extra, expected) in WRONG {
        let error = changed_board(board, extra).err().unwrap_or_else(|| panic!("{extra}"));
        assert_eq!(error.message, *expected, "{extra}");
        assert!(error.advice.is_some_and(|advice| advice.contains("chip-stm32")), "{extra}");
    }
    println!("\ncases: {}", WRONG.len());
}

#[test]
fn a_mistake_is_shown_with_its_line_and_what_to_do() {
    let folder = Folder::new();
    let path = folder.write("board.dts", "/dts-v1/;\n/ {\n\ta = <&gone>;\n};\n");
    let shown = crate::parse(&path, &[]).unwrap_err().to_string();
    let lines: Vec<&str> = shown.lines().collect();
    assert!(lines[0].ends_with("board.dts:3:7: no node is called gone"), "{shown}");
    let to_do = "    to do: define the label before a node, or include the file that does";
    assert_eq!(lines[1..], ["    \ta = <&gone>;", "    \t     ^", to_do]);
}

#[test]
fn a_mistake_of_an_included_file_is_shown_there() {
    let folder = Folder::new();
    let dts = folder.0.join("dts");
    fs::create_dir_all(&dts).unwrap();
    for entry in fs::read_dir(root().join("dts")).unwrap().flatten() {
        if entry.path().is_file() {
            let text = fs::read_to_string(entry.path()).unwrap();
            fs::write(dts.join(entry.file_name()), text.replace("<8 3>", "<8 33>")).unwrap();
        }
    }
    let text = fs::read_to_string(dts.join("mps2.dtsi")).unwrap();
    fs::write(dts.join("mps2.dtsi"), text.replace("interrupts = <0 3>", "interrupts = <0 33>"))
        .unwrap();
    std::os::unix::fs::symlink(root().join("dts/bindings"), dts.join("bindings")).unwrap();
    let board = fs::read_to_string(root().join("boards/mps2-an385/board.dts")).unwrap();
    let error = crate::compile(&folder.write("board.dts", &board), &dts).unwrap_err();
    assert_eq!(error.message, "priority 33 of 8 does not exist");
    assert!(error.place.path.ends_with("dts/mps2.dtsi"), "{error}");
    let line = error.to_string().lines().nth(1).map(str::trim).map(str::to_owned);
    assert_eq!(line.as_deref(), Some("interrupts = <0 33>, <1 3>;"));
}
