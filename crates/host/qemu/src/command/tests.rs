//! The command lines as they are.

use wasmbed_catalog::board;

use super::*;

fn line(name: &str) -> Vec<String> {
    let firmware = Some(Path::new("/firmware.elf"));
    let arguments =
        arguments(board(name).unwrap(), "one,two", firmware, &[0x48], &["-extra".into()]);
    let text = |argument: OsString| argument.into_string().unwrap();
    arguments.into_iter().map(text).collect()
}

#[track_caller]
fn check(name: &str, expected: &str) {
    assert_eq!(line(name).join(" "), expected.replace("\n", " "));
}

#[test]
fn an_ethernet_board_has_a_console_and_a_cable() {
    check(
        "mps2-an385",
        "-name one,,two -M mps2-an385 -nodefaults -display none -S
-chardev socket,id=qmp,path=qmp.sock,server=off -mon chardev=qmp,mode=control
-chardev stdio,id=serial0,signal=off -serial chardev:serial0
-chardev file,id=serial1,path=/dev/null,input-path=entropy.pipe -serial chardev:serial1
-chardev socket,id=serial2,path=flash.sock,server=off,reconnect-ms=100 -serial chardev:serial2
-chardev socket,id=guest,path=guest.sock,server=on,wait=off -serial chardev:guest
-netdev stream,id=cable,server=off,addr.type=unix,addr.path=cable.sock,reconnect-ms=500
-net nic,model=lan9118,netdev=cable,macaddr=02:00:0a:53:00:02
-device tmp105,id=sensor0,address=0x48 -extra -kernel /firmware.elf",
    );
}

#[test]
fn a_serial_board_has_its_uplink_instead() {
    check(
        "stm32vldiscovery",
        "-name one,,two -M stm32vldiscovery -nodefaults -display none -S
-chardev socket,id=qmp,path=qmp.sock,server=off -mon chardev=qmp,mode=control
-chardev socket,id=serial0,path=uplink.sock,server=off,reconnect-ms=100 -serial chardev:serial0
-chardev file,id=serial1,path=/dev/null,input-path=entropy.pipe -serial chardev:serial1
-chardev socket,id=serial2,path=flash.sock,server=off,reconnect-ms=100 -serial chardev:serial2
-net none
-device tmp105,id=sensor0,address=0x48 -extra -kernel /firmware.elf",
    );
}
