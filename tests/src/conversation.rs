//! The messages of a decrypted session, in the order in which they passed the cable.

use wasmbed_wire::{DeviceMessage, GatewayMessage};

use crate::tls_records::{Session, Side};

/// One message.
#[derive(Clone, Debug)]
pub struct Said {
    /// Number of the frame that completed it.
    pub frame: usize,
    /// Whether the device said it.
    pub is_from_device: bool,
    /// Its CBOR.
    pub body: Vec<u8>,
}

/// A decoded message of either direction.
#[derive(Debug)]
pub enum Message<'b> {
    /// From the device.
    Device(DeviceMessage<'b>),
    /// From the gateway.
    Gateway(GatewayMessage<'b>),
}

impl Said {
    /// Decodes it.
    ///
    /// # Panics
    /// If it is none of the messages of its side.
    pub fn message(&self) -> Message<'_> {
        let message = if self.is_from_device {
            DeviceMessage::decode(&self.body).map(Message::Device)
        } else {
            GatewayMessage::decode(&self.body).map(Message::Gateway)
        };
        message.unwrap_or_else(|error| panic!("{error:?}: {self:?}"))
    }

    /// Who said it, the kind, and what tells messages of one kind apart.
    pub fn line(&self) -> String {
        match self.message() {
            Message::Device(message) => {
                let detail = match &message {
                    DeviceMessage::InstallRequest(request) => match request.offset {
                        None => " manifest".to_owned(),
                        Some(offset) => format!(" {offset}"),
                    },
                    DeviceMessage::StateReport(report) => format!(" {}", report.state.name()),
                    _ => String::new(),
                };
                format!("device {}{detail}", message.name())
            }
            Message::Gateway(message) => {
                let detail = match &message {
                    GatewayMessage::InstallChunk(chunk) => {
                        format!(" {} + {}", chunk.offset, chunk.bytes.len())
                    }
                    GatewayMessage::DesiredState(state) => format!(" {}", state.apps.len()),
                    GatewayMessage::Refused(refused) => format!(" {}", refused.reason.name()),
                    _ => String::new(),
                };
                format!("gateway {}{detail}", message.name())
            }
        }
    }
}

/// Cuts the application data of both sides into messages and puts them in order.
///
/// # Errors
/// A side whose data is not made of whole frames.
pub fn read(session: &Session) -> Result<Vec<Said>, String> {
    let mut said = frames(&session.client, true)?;
    said.extend(frames(&session.server, false)?);
    said.sort_by_key(|said| said.frame);
    Ok(said)
}

/// # Source
/// docs/protocol.md, "Frames".
fn frames(side: &Side, is_from_device: bool) -> Result<Vec<Said>, String> {
    let mut said = Vec::new();
    let mut pending: Vec<u8> = Vec::new();
    for (frame, data) in &side.data {
        pending.extend(data);
        while let [high, low, rest @ ..] = &pending[..] {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            let Some(body) = rest.get(..length) else { break };
            said.push(Said { frame: *frame, is_from_device, body: body.to_vec() });
            pending.drain(..2 + length);
        }
    }
    if pending.is_empty() { Ok(said) } else { Err(format!("{} bytes left over", pending.len())) }
}
