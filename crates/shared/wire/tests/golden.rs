//! Golden bytes: each message of docs/protocol.md encodes to, and decodes from, exactly these.

use wasmbed_wire::*;

const APP: AppId = AppId([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
const DIGEST: Digest = Digest([0xab; 32]);

fn vectors(text: &str) -> impl Iterator<Item = (&str, Vec<u8>)> {
    text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let (name, hex) = line.split_once(" = ")?;
        let byte = |index| u8::from_str_radix(hex.get(index..index + 2)?, 16).ok();
        Some((name, (0..hex.len()).step_by(2).map_while(byte).collect()))
    })
}

fn hello(boot_count: u32) -> Hello<'static> {
    Hello {
        board: "mps2-an385",
        firmware: "0.1.0",
        dtb_digest: DIGEST,
        minor_min: 0,
        minor_max: 0,
        budget: Budget { arena_bytes: 65536, slot_bytes: 65536, slots: 9, guests: 8 },
        boot_count,
        reset_reason: ResetReason::PowerOn,
        fault: None,
        namespace: "default",
        image_format: 1,
        last_epoch: 0,
        host_calls: None,
    }
}

const COUNTERS: Counters = Counters {
    rx_bytes: 1 << 33,
    tx_bytes: 300,
    handshakes: 2,
    messages: 9,
    journal_stores: 4,
    logs_dropped: 1,
    telemetry_dropped: 2,
    slices: 77,
    traps: 1,
    arena_used_bytes: 2048,
    stack_high_water_bytes: None,
    slots_free: 6,
    messages_dropped: None,
};

fn state(state: GuestState, reason: GuestReason) -> StateReport {
    StateReport {
        app: APP,
        generation: 7,
        image: Some(DIGEST),
        state,
        reason,
        restarts: 0,
        function: None,
        offset: None,
        needed_bytes: None,
        available_bytes: None,
        exit_code: None,
        memory_bytes: None,
        fuel: None,
        backoff_ms: None,
    }
}

fn result(id: u64, outcome: CommandOutcome, receivers: Option<u8>) -> DeviceMessage<'static> {
    DeviceMessage::CommandResult(CommandResult { id, outcome, uptime_ms: 5000, receivers })
}

fn message(sequence: u32, topic: &'static str, payload: &'static [u8]) -> DeviceMessage<'static> {
    DeviceMessage::Message(Message { app: APP, sequence, uptime_ms: 3000, topic, payload })
}

const FAULT: FaultRecord =
    FaultRecord { pc: 0x1234, lr: 0x5678, cfsr: 0x100, address: 0xdead_beef, hfsr: None };

fn device(name: &str) -> Option<DeviceMessage<'static>> {
    const GUESTS: &[GuestCounters] =
        &[GuestCounters { app: APP, fuel: Some(123456), slices: 12, host_calls: 7, restarts: 1 }];
    use DeviceMessage as M;
    use GuestReason as R;
    use GuestState as S;
    Some(match name {
        "hello" => M::Hello(hello(3)),
        "hello_after_fault" => M::Hello(Hello {
            minor_max: 2,
            reset_reason: ResetReason::HardFault,
            fault: Some(FAULT),
            last_epoch: 5,
            ..hello(4)
        }),
        "hello_after_stack_overflow" => M::Hello(Hello {
            minor_max: 2,
            reset_reason: ResetReason::StackOverflow,
            fault: Some(FaultRecord { hfsr: Some(0x4000_0000), ..FAULT }),
            last_epoch: 5,
            ..hello(4)
        }),
        "hello_of_a_small_board" => {
            M::Hello(Hello { minor_max: 1, host_calls: Some(0x1cf), ..hello(3) })
        }
        "enroll_by_token" => M::Enroll(Enroll { token: Some("3f9a") }),
        "enroll_by_pairing" => M::Enroll(Enroll { token: None }),
        "heartbeat" => M::Heartbeat(Heartbeat {
            uptime_ms: 60000,
            counters: COUNTERS,
            guests: Seq::Items(GUESTS),
        }),
        "heartbeat_idle" => M::Heartbeat(Heartbeat {
            uptime_ms: 10000,
            counters: Counters { stack_high_water_bytes: Some(1500), ..COUNTERS },
            guests: Seq::Items(&[]),
        }),
        "heartbeat_messages_dropped" => M::Heartbeat(Heartbeat {
            uptime_ms: 10000,
            counters: Counters {
                stack_high_water_bytes: Some(1500),
                messages_dropped: Some(3),
                ..COUNTERS
            },
            guests: Seq::Items(&[]),
        }),
        "state_running" => M::StateReport(state(S::Running, R::None)),
        "state_trap" => M::StateReport(StateReport {
            restarts: 2,
            function: Some(12),
            offset: Some(345),
            ..state(S::Failed, R::TrapMemoryOutOfBounds)
        }),
        "state_too_large" => M::StateReport(StateReport {
            image: None,
            needed_bytes: Some(9000),
            available_bytes: Some(4096),
            ..state(S::Refused, R::ArenaTooSmall)
        }),
        "state_exit" => M::StateReport(StateReport {
            restarts: 1,
            exit_code: Some(-3),
            ..state(S::Failed, R::ExitedWithError)
        }),
        "state_back_off" => M::StateReport(StateReport {
            restarts: 2,
            function: Some(12),
            offset: Some(345),
            memory_bytes: Some(4096),
            fuel: Some(1_000_000),
            backoff_ms: Some(4000),
            ..state(S::Failed, R::TrapUnreachable)
        }),
        "log" => M::Log(Log { app: APP, sequence: 41, uptime_ms: 1500, text: b"hello 1" }),
        "telemetry" => M::Telemetry(Telemetry {
            app: APP,
            sequence: 1,
            uptime_ms: 2500,
            topic: "temperature",
            value: -40,
        }),
        "command_done" => result((1 << 32) + 1, CommandOutcome::Done, None),
        "command_delivered" => result(7, CommandOutcome::Done, Some(2)),
        "command_queue_full" => result(8, CommandOutcome::QueueFull, Some(1)),
        "command_no_receiver" => result(9, CommandOutcome::NoReceiver, Some(0)),
        "message" => message(3, "chat/hello", b"hello"),
        "message_empty" => message(4, "", b""),
        "install_request_manifest" => {
            M::InstallRequest(InstallRequest { app: APP, generation: 7, offset: None })
        }
        "install_request_chunk" => {
            M::InstallRequest(InstallRequest { app: APP, generation: 7, offset: Some(384) })
        }
        _ => return None,
    })
}

fn gateway(name: &str) -> Option<GatewayMessage<'static>> {
    const TWO: &[DesiredEntry] = &[
        DesiredEntry { app: APP, generation: 7, run: true, restart_token: 0 },
        DesiredEntry { app: AppId([0; 16]), generation: 1, run: false, restart_token: 99 },
    ];
    use GatewayMessage as M;
    Some(match name {
        "welcome" => M::Welcome(Welcome {
            epoch: 42,
            unix_ms: 1_795_305_600_000,
            device: "d-abcdefghijklmnop",
            heartbeat_ms: 10000,
            minor: 0,
        }),
        "refused" => M::Refused(Refused {
            reason: RefusedReason::Revoked,
            retry_ms: 60000,
            major_min: 1,
            major_max: 1,
        }),
        "enroll_required" => M::EnrollRequired(EnrollRequired {}),
        "desired_none" => M::DesiredState(DesiredState { revision: 1, apps: Seq::Items(&[]) }),
        "desired_two" => M::DesiredState(DesiredState { revision: 2, apps: Seq::Items(TWO) }),
        "install" => M::Install(Install {
            app: APP,
            generation: 7,
            manifest: b"manifest",
            signature: &[0x11; 64],
        }),
        "install_chunk" => M::InstallChunk(InstallChunk {
            app: APP,
            generation: 7,
            offset: 384,
            bytes: &[1, 2, 3, 4],
        }),
        "start" => M::Start(AppCommand { id: 1, app: APP }),
        "stop" => M::Stop(AppCommand { id: 2, app: APP }),
        "restart" => M::Restart(AppCommand { id: 3, app: APP }),
        "remove" => M::Remove(AppCommand { id: 4, app: APP }),
        "ping" => M::Ping(Command { id: 5 }),
        "reboot" => M::Reboot(Command { id: 6 }),
        "deliver" => M::Deliver(Deliver { id: 7, topic: "chat/room", payload: &[0xff, 0, 1] }),
        _ => return None,
    })
}

#[test]
fn every_message_has_the_bytes_of_the_specification() {
    let mut buffer = [0; limits::FRAME_BODY_BYTES_MAX];
    let mut tags = Vec::new();
    let mut cases = 0;
    for (name, bytes) in vectors(include_str!("vectors/device.txt")) {
        let message = device(name).unwrap_or_else(|| panic!("no message for {name}"));
        assert_eq!(DeviceMessage::decode(&bytes), Ok(message), "{name}");
        assert_eq!(message.encode(&mut buffer), Ok(bytes.as_slice()), "{name}");
        tags.push(message.tag());
        cases += 2;
    }
    for (name, bytes) in vectors(include_str!("vectors/gateway.txt")) {
        let message = gateway(name).unwrap_or_else(|| panic!("no message for {name}"));
        assert_eq!(GatewayMessage::decode(&bytes), Ok(message), "{name}");
        assert_eq!(message.encode(&mut buffer), Ok(bytes.as_slice()), "{name}");
        tags.push(message.tag());
        cases += 2;
    }
    for tag in DeviceMessage::TAGS.iter().chain(GatewayMessage::TAGS) {
        assert!(tags.contains(tag), "no vector has tag {tag:#04x}");
    }
    println!("\ncases: {cases}");
}

#[test]
fn the_provisioning_record_has_the_bytes_of_the_specification() {
    let record = Provisioning {
        ca_pins: Seq::Items(&[PublicKey([0xab; 32]), PublicKey([0xcd; 32])]),
        signer_pins: Seq::Items(&[PublicKey([0xef; 32])]),
        gateway_name: "gateway.default",
        gateway_address: 0x0a53_0001,
        gateway_port: 4433,
        namespace: "default",
        token: Some("3f9a"),
        station: Some(Station { address: 0x0a53_0002, prefix: 30, router: None }),
    };
    let mut buffer = [0; limits::PROVISIONING_BYTES_MAX];
    for (_, bytes) in vectors(include_str!("vectors/provisioning.txt")) {
        assert_eq!(Provisioning::decode(&bytes), Ok(record));
        assert_eq!(record.encode(&mut buffer), Ok(bytes.as_slice()));
    }
}

#[test]
fn a_message_changed_at_any_byte_decodes_or_is_refused() {
    let files = [include_str!("vectors/device.txt"), include_str!("vectors/gateway.txt")];
    let mut cases = 0;
    for (_, bytes) in files.into_iter().flat_map(vectors) {
        for position in 0..bytes.len() {
            fuzzing::decode_then_encode(&bytes[..position]);
            for value in 0..=255 {
                let mut changed = bytes.clone();
                changed[position] = value;
                fuzzing::decode_then_encode(&changed);
                cases += 1;
            }
        }
    }
    println!("\ncases: {cases}");
}

#[test]
fn unknown_fields_are_skipped_and_unknown_tags_are_named() {
    // Ping {0: 5, 99: [1, {"a": h'00'}]}
    let newer = [0x82, 0x18, 0x8b, 0xa2, 0, 5, 0x18, 99, 0x82, 1, 0xa1, 0x61, 0x61, 0x41, 0];
    let ping = GatewayMessage::Ping(Command { id: 5 });
    assert_eq!(GatewayMessage::decode(&newer), Ok(ping));
    let unknown = [0x82, 0x18, 0xf0, 0xa0];
    assert_eq!(GatewayMessage::decode(&unknown), Err(DecodeError::UnknownTag(0xf0)));
    assert_eq!(DeviceMessage::decode(&[0x82, 0x02, 0xa0, 0]), Err(DecodeError::TrailingBytes));
    println!("\ncases: 3");
}

#[test]
fn what_is_longer_than_its_bound_is_refused() {
    let mut buffer = [0; 2048];
    let long = "x".repeat(limits::TOKEN_BYTES_MAX + 1);
    let enroll = DeviceMessage::Enroll(Enroll { token: Some(&long) });
    let bytes = enroll.encode(&mut buffer).map(<[u8]>::to_vec);
    assert_eq!(
        DeviceMessage::decode(&bytes.unwrap_or_default()),
        Err(DecodeError::FieldOutOfBounds)
    );
    let deliver = |topic, payload| {
        let mut buffer = [0; 1024];
        let deliver = GatewayMessage::Deliver(Deliver { id: 1, topic, payload });
        let bytes = deliver.encode(&mut buffer).map(<[u8]>::to_vec).unwrap_or_default();
        GatewayMessage::decode(&bytes).map(|_| ())
    };
    assert_eq!(deliver(&long, b""), Err(DecodeError::FieldOutOfBounds));
    let payload = [0; limits::PAYLOAD_BYTES_MAX + 1];
    assert_eq!(deliver("t", &payload), Err(DecodeError::FieldOutOfBounds));
    assert_eq!(deliver("t", &payload[1..]), Ok(()));
    let nine = [DesiredEntry { app: APP, generation: 1, run: true, restart_token: 0 }; 9];
    let desired =
        GatewayMessage::DesiredState(DesiredState { revision: 1, apps: Seq::Items(&nine) });
    assert_eq!(desired.encode(&mut buffer), Err(EncodeError::BufferTooSmall));
    let whole = DeviceMessage::Log(Log {
        app: APP,
        sequence: u32::MAX,
        uptime_ms: u64::MAX,
        text: &[0; limits::LOG_BYTES_MAX],
    });
    let bytes = whole.encode(&mut buffer).map(<[u8]>::len);
    assert!(bytes.is_ok_and(|bytes| bytes <= limits::FRAME_BODY_BYTES_MAX));
    println!("\ncases: 6");
}

#[test]
fn the_largest_of_each_message_fits_a_frame() {
    let mut buffer = [0; limits::FRAME_BODY_BYTES_MAX];
    let name = "n".repeat(limits::NAME_BYTES_MAX);
    let guest = GuestCounters {
        app: AppId([255; 16]),
        fuel: Some(u64::MAX),
        slices: u32::MAX,
        host_calls: u32::MAX,
        restarts: u32::MAX,
    };
    let entry = DesiredEntry {
        app: AppId([255; 16]),
        generation: u64::MAX,
        run: true,
        restart_token: u32::MAX,
    };
    let counters = Counters {
        rx_bytes: u64::MAX,
        tx_bytes: u64::MAX,
        handshakes: u32::MAX,
        messages: u32::MAX,
        journal_stores: u32::MAX,
        logs_dropped: u32::MAX,
        telemetry_dropped: u32::MAX,
        slices: u32::MAX,
        traps: u32::MAX,
        arena_used_bytes: u32::MAX,
        stack_high_water_bytes: Some(u32::MAX),
        slots_free: u8::MAX,
        messages_dropped: Some(u32::MAX),
    };
    let fault = FaultRecord {
        pc: u32::MAX,
        lr: u32::MAX,
        cfsr: u32::MAX,
        address: u32::MAX,
        hfsr: Some(u32::MAX),
    };
    let hello = Hello {
        board: &name,
        firmware: &name,
        namespace: &name,
        fault: Some(fault),
        last_epoch: u64::MAX,
        host_calls: Some(u32::MAX),
        ..hello(u32::MAX)
    };
    let heartbeat = Heartbeat {
        uptime_ms: u64::MAX,
        counters,
        guests: Seq::Items(&[guest; limits::APPS_PER_DEVICE_MAX]),
    };
    let topic = "t".repeat(limits::TOPIC_BYTES_MAX);
    let payload = &[0; limits::PAYLOAD_BYTES_MAX];
    let message = Message {
        app: AppId([255; 16]),
        sequence: u32::MAX,
        uptime_ms: u64::MAX,
        topic: &topic,
        payload,
    };
    for message in [
        DeviceMessage::Hello(hello),
        DeviceMessage::Heartbeat(heartbeat),
        DeviceMessage::Message(message),
    ] {
        assert!(message.encode(&mut buffer).is_ok(), "{}", message.name());
    }
    let desired = DesiredState {
        revision: u64::MAX,
        apps: Seq::Items(&[entry; limits::APPS_PER_DEVICE_MAX]),
    };
    let install = Install {
        app: AppId([255; 16]),
        generation: u64::MAX,
        manifest: &[0; limits::MANIFEST_BYTES_MAX],
        signature: &[0; 64],
    };
    let chunk = InstallChunk {
        app: AppId([255; 16]),
        generation: u64::MAX,
        offset: u32::MAX,
        bytes: &[0; limits::CHUNK_BYTES_MAX],
    };
    for message in [
        GatewayMessage::DesiredState(desired),
        GatewayMessage::Install(install),
        GatewayMessage::InstallChunk(chunk),
        GatewayMessage::Deliver(Deliver { id: u64::MAX, topic: &topic, payload }),
    ] {
        assert!(message.encode(&mut buffer).is_ok(), "{}", message.name());
    }
    println!("\ncases: 7");
}
