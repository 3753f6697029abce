//! Bytes that move over themselves arrive as they were.
use super::*;

#[test]
fn moving_is_what_the_library_does() {
    let bytes: Vec<u8> = (0..100).collect();
    let mut cases = 0;
    for from in 0..60 {
        for to in 0..60 {
            for count in [0, 1, 2, 15, 16, 17, 33, 40] {
                let (mut ours, mut expected) = (bytes.clone(), bytes.clone());
                move_within(&mut ours, from, to, count);
                expected.copy_within(from..from + count, to);
                assert_eq!(ours, expected, "{count} from {from} to {to}");
                cases += 1;
            }
        }
    }
    println!("\ncases: {cases}\n");
}

#[test]
fn what_is_not_inside_stays() {
    let mut bytes = [1, 2, 3, 4];
    move_within(&mut bytes, 0, 3, 2);
    move_within(&mut bytes, 3, 0, 2);
    move_within(&mut bytes, usize::MAX, 0, 2);
    assert_eq!(bytes, [1, 2, 3, 4]);
}
