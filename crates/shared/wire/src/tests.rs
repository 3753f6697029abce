//! Tests of frames: a stream cut anywhere gives the same frames.

use crate::limits::FRAME_BODY_BYTES_MAX;
use crate::{FrameError, Frames, encode_frame};

fn frames(stream: &[u8], cut: usize) -> Result<Vec<Vec<u8>>, FrameError> {
    let mut frames = Frames::new([0; FRAME_BODY_BYTES_MAX + 2]);
    let mut found = Vec::new();
    for part in [&stream[..cut], &stream[cut..]] {
        let mut part = part;
        while !part.is_empty() {
            let taken = frames.push(part)?;
            part = &part[taken..];
            if let Some(body) = frames.body() {
                found.push(body.to_vec());
                frames.take();
            }
        }
    }
    Ok(found)
}

#[test]
fn a_stream_cut_anywhere_gives_the_same_frames() {
    let mut stream = Vec::new();
    let bodies = [vec![1], vec![2; FRAME_BODY_BYTES_MAX], vec![3; 7]];
    for body in &bodies {
        let mut frame = vec![0; 2];
        frame.extend(body);
        stream.extend(encode_frame(&mut frame, body.len()).unwrap());
    }
    for cut in 0..=stream.len() {
        assert_eq!(frames(&stream, cut).as_deref(), Ok(bodies.as_slice()), "cut at {cut}");
    }
    println!("\ncases: {}", stream.len() + 1);
}

#[test]
fn a_length_out_of_bounds_ends_the_stream() {
    assert_eq!(frames(&[0, 0, 1], 0), Err(FrameError::BodyBytes(0)));
    assert_eq!(frames(&[1, 0xe1, 1], 1), Err(FrameError::BodyBytes(0x1e1)));
    assert_eq!(frames(&[0xff, 0xff], 2), Err(FrameError::BodyBytes(0xffff)));
    assert_eq!(encode_frame(&mut [0; 4], 0), None);
    assert_eq!(encode_frame(&mut [0; 600], 481), None);
    println!("\ncases: 5");
}
