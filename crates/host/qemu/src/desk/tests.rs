//! A flash and an entropy line over serial devices that are unplugged now and then.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wasmbed_link::flash::{AnswerParser, RESYNC_ZEROS, Request, Status};

use super::*;
use crate::pty::Pty;
use crate::scratch::Scratch;

const PATIENCE: Duration = Duration::from_secs(30);
const BAUD: u32 = 115_200;

/// Sends a request until it is answered, as a board does; the data of the answer.
async fn ask(board: &mut UnixStream, number: u16, request: Request<'_>) -> (Status, Vec<u8>) {
    let asking = async {
        loop {
            board.write_all(&[0; RESYNC_ZEROS]).await.unwrap();
            for part in [request.head(), request.data(), request.tail()] {
                board.write_all(part).await.unwrap();
            }
            let (mut parser, mut target) = (AnswerParser::new(number), [0; 64]);
            let answer = async {
                loop {
                    if let Some(answer) = parser.push(board.read_u8().await.unwrap(), &mut target) {
                        return (answer.status, target[..answer.data_bytes].to_vec());
                    }
                }
            };
            if let Ok(answer) = tokio::time::timeout(Duration::from_millis(200), answer).await {
                return answer;
            }
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap()
}

#[tokio::test]
async fn a_flash_is_served_to_a_board_that_comes_and_goes() {
    let scratch = Scratch::new();
    let device = scratch.path().join("tty");
    let file = FlashFile::create(&scratch.path().join("flash.bin"), 8192).unwrap();
    let socket = scratch.path().join("flash.sock");
    let service = DeskService::Flash { file, socket: socket.clone() };
    let line = DeskLine::start(&device, BAUD, service).unwrap();
    for life in 0..3_u8 {
        let (pty, mut board) = Pty::plug(&device);
        let address = u32::from(life) * 16;
        let (status, _) = ask(&mut board, 1, Request::program(1, address, &[life; 16])).await;
        assert_eq!(status, Status::Done, "life {life}");
        let (status, data) = ask(&mut board, 2, Request::read(2, 0, 48)).await;
        let expected: Vec<u8> =
            (0..3).flat_map(|past| [if past <= life { past } else { 0xFF }; 16]).collect();
        assert_eq!((status, data), (Status::Done, expected), "life {life}");
        drop((pty, board));
    }
    drop(line);
    assert!(!socket.exists());
    println!("\ncases: 3\n");
}

#[tokio::test]
async fn entropy_flows_whenever_the_device_is_there() {
    let scratch = Scratch::new();
    let device = scratch.path().join("tty");
    let _line = DeskLine::start(&device, BAUD, DeskService::Entropy).unwrap();
    let mut drawn = Vec::new();
    for _ in 0..2 {
        let (_pty, mut board) = Pty::plug(&device);
        let mut bytes = [0; 64];
        tokio::time::timeout(PATIENCE, board.read_exact(&mut bytes)).await.unwrap().unwrap();
        drawn.push(bytes);
    }
    assert_ne!(drawn[0], drawn[1]);
}
