//! Values that the application keeps.

use wasmbed_abi::{self as abi, status};
use wasmbed_engine::{Args, HostOutcome, guest_slice};
use wasmbed_image::{Argument, Capability};

use super::{Answer, GuestHost, target_slice};
use crate::platform::Platform;
use crate::values;

impl<P: Platform> GuestHost<'_, '_, P> {
    #[inline(never)]
    pub(super) fn storage(
        &mut self,
        import: u16,
        args: Args<'_>,
        memory: &mut [u8],
    ) -> HostOutcome {
        let (pointer, bytes) = (args.word(2), args.word(3));
        let has_second = import != abi::KV_DELETE;
        let is_inside = guest_slice(memory, args.word(0), args.word(1)).is_some()
            && (!has_second || guest_slice(memory, pointer, bytes).is_some());
        if !is_inside {
            return HostOutcome::Trap;
        }
        self.apart(|host| {
            let mut key = [0; abi::KEY_BYTES_MAX];
            let source = guest_slice(memory, args.word(0), args.word(1)).unwrap_or_default();
            let Some(key) = key.get_mut(..source.len()).filter(|key| !key.is_empty()) else {
                return host.storage_result(import, Err(status::REFUSED));
            };
            key.copy_from_slice(source);
            let answer = match import {
                abi::KV_GET => match target_slice(memory, pointer, bytes) {
                    Some(target) => host.kv_get(key, target),
                    None => Err(status::REFUSED),
                },
                abi::KV_SET => {
                    host.kv_set(key, guest_slice(memory, pointer, bytes).unwrap_or_default())
                }
                _ => host.kv_delete(key),
            };
            host.storage_result(import, answer)
        })
    }

    /// What the call answers: `kv_get` a count, the others a status.
    fn storage_result(&mut self, import: u16, answer: Answer) -> u32 {
        match answer {
            Ok(value) => value,
            Err(status) if import == abi::KV_GET => status::negated(status),
            Err(status) => status,
        }
    }

    fn kv_get(&mut self, key: &[u8], target: &mut [u8]) -> Answer {
        let bytes = values::get(self.journal, self.platform, self.app, key, target)?;
        Ok(bytes as u32)
    }

    fn kv_set(&mut self, key: &[u8], value: &[u8]) -> Answer {
        if value.len() > abi::VALUE_BYTES_MAX {
            return Err(status::REFUSED);
        }
        self.permit(Capability::Storage, &|_| true)?;
        let allowed = self.grants.iter().find_map(|grant| match grant.argument {
            Argument::Bytes(bytes) => Some(bytes),
            _ => None,
        });
        let allowed_bytes = allowed.unwrap_or(0);
        let pair = [key, value];
        if values::set(self.journal, self.platform, self.app, pair, allowed_bytes)? {
            self.stores += 1;
        }
        Ok(status::OK)
    }

    fn kv_delete(&mut self, key: &[u8]) -> Answer {
        self.permit(Capability::Storage, &|_| true)?;
        values::delete(self.journal, self.platform, self.app, key)?;
        self.stores += 1;
        Ok(status::OK)
    }
}
