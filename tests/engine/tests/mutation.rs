//! Images that were changed and signed again: refused, or executed within their arena.

use wasmbed_engine_tests::board::Board;
use wasmbed_engine_tests::campaign::Tally;
use wasmbed_engine_tests::differential::Random;
use wasmbed_engine_tests::mutation;
use wasmbed_testkit::{World, image_of, modules};

/// Changed images in an ordinary run.
const HOST_IMAGES: u64 = 4_000;
const BOARD_IMAGES: u64 = 600;
/// Changed images that go the whole way: signed, sent, stored, verified, loaded, executed.
const INSTALLED: u64 = 40;

fn finish(place: &str, tally: &Tally) {
    println!("{place}: {} executed, refused {:?}", tally.modules, tally.refused);
    println!("\ncases: {}\n", tally.modules + tally.refused.values().sum::<u64>());
    assert!(tally.differences.is_empty(), "{:#?}", tally.differences);
    assert!(tally.modules > 100, "the loader refused nearly everything");
}

#[test]
fn changed_images_do_no_harm_on_the_host() {
    finish("host", &mutation::on_host(0..HOST_IMAGES));
}

#[test]
fn changed_images_do_no_harm_in_the_assembly_core() {
    for board in Board::ALL {
        let (tally, figures) =
            mutation::on_board(board, 0..BOARD_IMAGES).unwrap_or_else(|error| panic!("{error:#}"));
        println!("{figures:?}");
        finish(board.name(), &tally);
    }
}

#[test]
fn changed_images_with_a_good_signature_do_no_harm_to_a_device() {
    let mut world = World::started(1);
    world.run_to_session();
    let image = image_of(&modules::counter(200));
    let mut random = Random::new(4);
    for generation in 1..=INSTALLED {
        let mut changed = image.clone();
        mutation::change(&mut changed, &mut random);
        // The signer signs whatever it is given, so the signature never saves the device.
        let application = world.vendor.application("changed", generation, &changed);
        world.gateway.deploy(&application);
        world.run_for(3_000);
        assert!(world.gateway.has_session(), "image {generation} cost the device its session");
    }
    // After all of that it does what it is told.
    let application = world.vendor.application("changed", INSTALLED + 1, &image);
    world.deploy_until(&application, wasmbed_wire::GuestState::Running);
    println!("\ncases: {INSTALLED}\n");
}
