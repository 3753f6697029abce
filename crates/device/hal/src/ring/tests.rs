//! A ring against a queue that is obviously right.

use super::Ring;
use std::collections::VecDeque;

#[test]
fn behaves_like_a_bounded_queue_for_every_mix_of_pushes_and_pops() {
    for pattern in 0_u32..4096 {
        let ring: &Ring = &Ring::<[u8; 4]>::new();
        let mut queue = VecDeque::new();
        for step in 0..12 {
            if pattern >> step & 1 == 1 {
                let has_room = queue.len() < 3;
                assert_eq!(ring.push(step), has_room, "{pattern:b} {step}");
                if has_room {
                    queue.push_back(step);
                }
            } else {
                assert_eq!(ring.pop(), queue.pop_front(), "{pattern:b} {step}");
            }
            assert_eq!(ring.is_empty(), queue.is_empty());
            assert_eq!(ring.is_full(), queue.len() == 3);
        }
    }
}
