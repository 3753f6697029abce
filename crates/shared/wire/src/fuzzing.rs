//! Properties that hold for any bytes; the fuzz targets and the tests call them.

use crate::{DeviceMessage, GatewayMessage, Provisioning, limits};

/// Any input decodes or is refused, and what decodes survives being encoded.
///
/// # Panics
/// If the property does not hold.
pub fn decode_then_encode(bytes: &[u8]) {
    let mut buffer = [0; 2 * limits::FRAME_BODY_BYTES_MAX];
    if let Ok(message) = DeviceMessage::decode(bytes) {
        let again = message.encode(&mut buffer).map(DeviceMessage::decode);
        assert_eq!(again, Ok(Ok(message)));
    }
    if let Ok(message) = GatewayMessage::decode(bytes) {
        let again = message.encode(&mut buffer).map(GatewayMessage::decode);
        assert_eq!(again, Ok(Ok(message)));
    }
    if let Ok(record) = Provisioning::decode(bytes) {
        let again = record.encode(&mut buffer).map(Provisioning::decode);
        assert_eq!(again, Ok(Ok(record)));
    }
}
