//! The heap against a model: what it gives is apart, aligned, and comes back whole.
use super::*;

/// A generator of its own, so that a failure repeats.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

#[test]
fn what_is_given_is_apart_aligned_and_comes_back() {
    static HEAP: Heap<4096> = Heap::new();
    let mut numbers = Numbers(0x5eed);
    let mut given: [Option<(*mut u8, Layout, u8)>; 32] = [None; 32];
    for round in 0..20_000 {
        let place = numbers.below(given.len());
        if let Some((at, layout, mark)) = given[place].take() {
            for offset in 0..layout.size() {
                // SAFETY: the bytes were given and have not come back.
                assert_eq!(unsafe { *at.add(offset) }, mark, "round {round}");
            }
            // SAFETY: as above.
            unsafe { HEAP.dealloc(at, layout) };
            continue;
        }
        let layout =
            Layout::from_size_align(numbers.below(300) + 1, 1 << numbers.below(6)).unwrap();
        // SAFETY: the layout is not empty.
        let at = unsafe { HEAP.alloc(layout) };
        if at.is_null() {
            continue;
        }
        assert_eq!(at.align_offset(layout.align()), 0);
        let mark = round as u8;
        for offset in 0..layout.size() {
            // SAFETY: the bytes were just given.
            unsafe { *at.add(offset) = mark };
        }
        given[place] = Some((at, layout, mark));
    }
    for (at, layout, _) in given.into_iter().flatten() {
        // SAFETY: the bytes were given and have not come back.
        unsafe { HEAP.dealloc(at, layout) };
    }
    let all = Layout::from_size_align(4096, 8).unwrap();
    // SAFETY: the layout is not empty.
    assert!(!unsafe { HEAP.alloc(all) }.is_null(), "everything came back as one hole");
    // SAFETY: as above.
    assert!(unsafe { HEAP.alloc(Layout::new::<u8>()) }.is_null(), "nothing is left");
}
