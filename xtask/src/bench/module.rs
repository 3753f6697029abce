//! A WebAssembly module of a given size, built byte by byte.

/// A module that prints nothing, waits for nothing, and carries `data_bytes` of data.
pub fn with_data(data_bytes: u32) -> Vec<u8> {
    of(&[1, 0, 1], data_bytes)
}

/// The same with a memory of just these bytes, in pages of one.
pub fn of_data(data_bytes: u32) -> Vec<u8> {
    let mut memory = vec![1, 0x08];
    length(&mut memory, data_bytes);
    memory.push(0);
    of(&memory, data_bytes)
}

fn of(memory: &[u8], data_bytes: u32) -> Vec<u8> {
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    section(&mut module, 1, &[1, 0x60, 0, 0]);
    section(&mut module, 3, &[1, 0]);
    section(&mut module, 5, memory);
    let mut exports = vec![1, 6];
    exports.extend(b"_start");
    exports.extend([0, 0]);
    section(&mut module, 7, &exports);
    // loop: br 0
    section(&mut module, 10, &[1, 7, 0, 0x03, 0x40, 0x0c, 0, 0x0b, 0x0b]);
    let mut data = vec![1, 0, 0x41, 0, 0x0b];
    length(&mut data, data_bytes);
    // Bytes that no compression of the image could shorten.
    data.extend((0..data_bytes).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8));
    section(&mut module, 11, &data);
    module
}

fn section(module: &mut Vec<u8>, id: u8, content: &[u8]) {
    module.push(id);
    length(module, u32::try_from(content.len()).unwrap_or(u32::MAX));
    module.extend(content);
}

/// LEB128.
fn length(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
