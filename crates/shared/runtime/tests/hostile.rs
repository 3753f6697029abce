//! A gateway that has the right certificate and says the wrong things: the device stays up, closes
//! what it cannot follow, and comes back.

use wasmbed_journal::ram::Tear;
use wasmbed_testkit::{Application, Choices, Reply, World, image_of, modules};
use wasmbed_wire::{
    AppCommand, AppId, Command, DesiredEntry, DesiredState, EnrollRequired, GatewayMessage,
    GuestState, Install, InstallChunk, Refused, RefusedReason, Seq, Welcome,
};

fn frame(body: &[u8]) -> Vec<u8> {
    let mut frame = (body.len() as u16).to_be_bytes().to_vec();
    frame.extend_from_slice(body);
    frame
}

fn body(message: &GatewayMessage<'_>) -> Vec<u8> {
    let mut buffer = [0; 480];
    message.encode(&mut buffer).unwrap().to_vec()
}

/// One message of each kind, fitting the application that the device holds.
fn one_of_each(application: &Application) -> Vec<Vec<u8>> {
    let (app, generation) = (application.app, application.generation);
    let entry = DesiredEntry { app, generation, run: true, restart_token: 3 };
    let entries = [entry, DesiredEntry { app: AppId([1; 16]), ..entry }];
    let command = AppCommand { id: 40, app };
    let refused = Refused { reason: RefusedReason::Busy, retry_ms: 50, major_min: 1, major_max: 1 };
    let welcome = Welcome { epoch: 900, unix_ms: 1, device: "d-test", heartbeat_ms: 500, minor: 0 };
    [
        GatewayMessage::Welcome(welcome),
        GatewayMessage::Refused(refused),
        GatewayMessage::EnrollRequired(EnrollRequired {}),
        GatewayMessage::DesiredState(DesiredState { revision: 90, apps: Seq::Items(&entries) }),
        GatewayMessage::Install(Install {
            app,
            generation,
            manifest: &application.manifest,
            signature: &application.signature,
        }),
        GatewayMessage::InstallChunk(InstallChunk { app, generation, offset: 0, bytes: &[7; 40] }),
        GatewayMessage::Start(command),
        GatewayMessage::Stop(command),
        GatewayMessage::Restart(command),
        GatewayMessage::Remove(command),
        GatewayMessage::Ping(Command { id: 41 }),
        GatewayMessage::Reboot(Command { id: 42 }),
    ]
    .iter()
    .map(body)
    .collect()
}

/// Lets the device act, then brings it back to a session whatever happened.
#[track_caller]
fn recover(world: &mut World) {
    world.run_for(60);
    if world.has_asked_for_reboot {
        world.start().unwrap();
    }
    world.run_until("session", |world| world.gateway.has_session());
}

#[test]
fn frames_before_welcome_that_do_not_belong_there_end_the_session() {
    let mut world = World::started(1);
    world.run_to_session();
    let application = world.vendor.application("app", 1, &image_of(modules::SPIN));
    let mut cases = 0;
    for body in one_of_each(&application).into_iter().skip(3) {
        world.disconnect();
        let sessions = world.gateway.sessions;
        world.gateway.reply = Reply::Bytes(frame(&body));
        world.run_for(1_000);
        assert_eq!(world.gateway.sessions, sessions);
        assert!(world.platform.console.iter().any(|line| line.contains("unexpected message")));
        world.gateway.reply = Reply::Usual;
        world.run_to_session();
        cases += 1;
    }
    println!("\ncases: {cases}\n");
}

#[test]
fn frames_of_impossible_length_end_the_session() {
    let mut world = World::started(1);
    let prefixes: [u16; 4] = [0, 481, 0x8000, 0xFFFF];
    for prefix in prefixes {
        world.run_until("session", |world| world.gateway.has_session());
        world.next_beat();
        let sessions = world.gateway.sessions;
        world.gateway.say_bytes(&prefix.to_be_bytes());
        world.run_until("another session", |world| world.gateway.sessions > sessions);
    }
    println!("\ncases: {}\n", prefixes.len());
}

#[test]
fn any_message_with_any_byte_changed_leaves_a_device_that_comes_back() {
    let mut world = World::started(2);
    world.run_to_session();
    let image = image_of(&modules::counter(200));
    let app = world.vendor.application("app", 1, &image);
    world.deploy_until(&app, GuestState::Running);
    let mut choices = Choices::new(2);
    let mut cases = 0;
    for body in one_of_each(&app) {
        for at in 0..body.len() {
            // Signature bytes are many and alike: a part of them says it all.
            if at > 90 && choices.below(8) != 0 {
                continue;
            }
            let mut changed = body.clone();
            changed[at] ^= 1 << choices.below(8);
            world.gateway.say_bytes(&frame(&changed));
            recover(&mut world);
            cases += 1;
        }
    }
    world.disconnect();
    world.run_to_session();
    world.run_until("the guest", |world| {
        world.platform.console.last().is_some_and(|line| line.parse::<u32>().is_ok())
    });
    println!("\ncases: {cases}\n");
}

#[test]
fn random_bodies_leave_a_device_that_comes_back() {
    let mut world = World::started(3);
    world.run_to_session();
    let mut choices = Choices::new(3);
    let cases = 150;
    for _ in 0..cases {
        let mut body = vec![0; 1 + choices.below(480) as usize];
        choices.fill(&mut body);
        if choices.below(2) == 0 {
            // The shape of a message, so that more than the first byte is looked at.
            body[0] = 0x82;
            if let Some(tag) = body.get_mut(1..3) {
                tag.copy_from_slice(&[0x18, 0x81 + choices.below(12) as u8]);
            }
        }
        world.gateway.say_bytes(&frame(&body));
        recover(&mut world);
    }
    println!("\ncases: {cases}\n");
}

#[test]
fn frames_cut_into_any_number_of_records_are_put_together() {
    let pieces = [1, 2, 3, 50, 250, 400, 481];
    for piece_bytes in pieces {
        let mut world = World::new(6);
        world.gateway.piece_bytes = piece_bytes;
        world.start().unwrap();
        world.run_to_session();
        let image = image_of(&modules::padded_counter(200, 800));
        let app = world.vendor.application("app", 1, &image);
        world.deploy_until(&app, GuestState::Running);
    }
    println!("\ncases: {}\n", pieces.len());
}

#[test]
fn a_gateway_whose_frames_straddle_full_records_is_left_in_time() {
    let mut world = World::started(7);
    world.run_to_session();
    world.next_beat();
    // Written at once, so they are cut where the records end and not where the frames do.
    let mut body = vec![0x82, 0x18, 0xbf, 0xa1, 0x00, 0x59, 0x01, 0x80];
    body.resize(8 + 0x180, 7);
    let frames: Vec<u8> = (0..6).flat_map(|_| frame(&body)).collect();
    world.gateway.say_bytes(&frames);
    let said_at_ms = world.now_ms();
    world.run_until("another session", |world| world.gateway.sessions > 1);
    assert!(world.now_ms() < said_at_ms + 40_000);
    world.next_beat();
}

#[test]
fn an_unknown_message_of_a_newer_gateway_is_skipped() {
    let mut world = World::started(4);
    world.run_to_session();
    world.gateway.say_bytes(&frame(&[0x82, 0x18, 0xbf, 0xa1, 0x00, 0x01]));
    world.next_beat();
    world.next_beat();
    assert_eq!(world.gateway.sessions, 1);
}

#[test]
fn a_gateway_that_does_not_answer_requests_is_asked_again() {
    let mut world = World::started(5);
    world.run_to_session();
    world.gateway.answers_requests = false;
    let app = world.vendor.application("app", 1, &image_of(&modules::counter(200)));
    world.gateway.deploy(&app);
    world.run_for(12_000);
    world.gateway.answers_requests = true;
    world.run_to_state(&app, GuestState::Running);
}

#[test]
fn a_storage_that_fails_for_a_while_is_used_again() {
    let seeds = 12;
    for seed in 0..seeds {
        let mut world = World::started(seed);
        world.run_to_session();
        let image = image_of(&modules::padded_counter(200, 2_000));
        let app = world.vendor.application("app", 1, &image);
        world.gateway.deploy(&app);
        world.platform.flash.cut_after(seed * 380, Tear::Ordered, seed);
        world.run_until("failure", |world| world.platform.flash.is_dead());
        world.run_for(500);
        world.platform.flash.power_on();
        world.run_until("the guest", |world| world.logs(&app).len() > 3);
    }
    println!("\ncases: {seeds}\n");
}
